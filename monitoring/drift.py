"""How far columns have moved, by Evidently's statistics, and which of them by more than chance.

Evidently's own column metrics draw their plots while they run (9 s for 31 columns × 100,000 rows), so the figures come from its registered
statistics directly (about 1 s). Two of ours are registered beside them, and the HTML report names the same ones, so that page and JSON agree.

A column has drifted when the effect is large *and* more than chance: with 50 rows, a Wasserstein distance of 0.2 standard deviations is what
two samples of the same normal distribution show in every third case. Chance is asked once for all columns of a window together (Holm), and
rows of a slow process count as fewer than they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import pandas as pd
from evidently.legacy.calculations.stattests.registry import StatTest, get_registered_stattest, register_stattest
from evidently.legacy.core import ColumnType
from scipy.stats import chi2_contingency, ks_2samp, kstwo

from leitstand.contract import Column, Contract
from monitoring.result import ColumnDrift

NUMBERS, CATEGORIES = "leitstand_numbers", "leitstand_categories"
FALSE_ALARMS = 0.005  # windows without any change in which chance may call any column at all drifted; the goal is 0.01, for all that is estimated
FEWEST_VALUES = 10  # fewer cannot exclude chance at that level, and the asymptotic p-value needs them
MOST_CATEGORIES = 50  # more distinct values than this make a text column free text, as in leitstand.pipelines
MOST_WORDS = 20
NEW = "…"  # stands for everything that the reference does not know


@dataclass(frozen=True)
class Watched:
    """One column on both sides, as the statistics take it: finite numbers, or texts; without missing values.

    Parameters
    ----------
    absence : how likely a window without any value is, by how many the reference has
    dependence : how many neighbouring rows of the reference, and of the window, count as one
    """

    name: str
    kind: Literal["number", "category", "text"]
    reference: pd.Series
    window: pd.Series
    absence: float
    dependence: tuple[float, float] = (1.0, 1.0)

    @property
    def statistic(self) -> str:
        """Name under which Evidently knows the statistic."""
        return NUMBERS if self.kind == "number" else CATEGORIES

    @property
    def independent(self) -> tuple[float, float]:
        """How many independent rows reference and window are worth; the words of one row count as one."""
        rows = (float(self.reference.index.nunique()), float(self.window.index.nunique()))
        return rows[0] / self.dependence[0], rows[1] / self.dependence[1]


def watched_inputs(
    contract: Contract, reference: pd.DataFrame, window: pd.DataFrame, dependence: Mapping[str, tuple[float, float]] | None = None
) -> list[Watched]:
    """Return the columns that can be compared.

    Left out are dates (they always move on), files (a path says nothing), identifiers (every one is new), columns of which the log keeps
    pseudonyms (the reference holds the values themselves) and what the reference never had.

    Parameters
    ----------
    reference, window : conformed columns of ``contract``, each row with an index of its own
    dependence : how many neighbouring rows of the reference and of the window count as one, by column; 1 where it is not said
    """
    known = dependence or {}
    columns = [column for column in contract.columns if _comparable(column)]
    watched = [
        watch(column.name, reference[column.name], window[column.name], _is_number(column), known.get(column.name, (1.0, 1.0)))
        for column in columns
    ]
    return [column for column in watched if len(column.reference)]


def watch(
    name: str, reference: pd.Series, window: pd.Series, is_number: bool, dependence: tuple[float, float] = (1.0, 1.0)
) -> Watched:
    """Return one column made ready for comparison; texts with more than 50 distinct values are compared by their words."""
    if is_number:
        numbers = _finite(reference)
        return Watched(name, "number", numbers, _finite(window), _absence(reference, numbers, window, dependence[1]), dependence)
    known, seen = reference.dropna().astype(str), window.dropna().astype(str)
    absence = _absence(reference, known, window, dependence[1])
    if known.nunique() <= MOST_CATEGORIES:
        return Watched(name, "category", known, _known_only(seen, known.unique()), absence, dependence)
    words, seen_words = _words(known), _words(seen)
    frequent = words.value_counts().index[:MOST_WORDS]
    return Watched(name, "text", _known_only(words, frequent), _known_only(seen_words, frequent), absence, dependence)


def _absence(reference: pd.Series, present: pd.Series, window: pd.Series, dependence: float) -> float:
    usual = (len(reference) - len(present) + 1) / (len(reference) + 2)  # rule of succession: never seen is not impossible
    return float(usual ** (len(window) / dependence))


def drifts(columns: Sequence[Watched], threshold: float) -> list[ColumnDrift]:
    """Return how far each column has moved, and which ones by more than chance, asked of all together.

    Holm's correction (Scand. J. Statist. 6, 1979) keeps the probability of any false alarm in a window, however the columns hang together.

    Parameters
    ----------
    threshold : effect from which on it counts, in standard deviations or as Jensen–Shannon distance
    """
    chances = holm(np.array([_chance(column) for column in columns]))
    return [_drift(column, threshold, float(chance)) for column, chance in zip(columns, chances, strict=True)]


def holm(chances: np.ndarray) -> np.ndarray:
    """Return p-values that hold for all tests together.

    Parameters
    ----------
    chances : shape (n_tests,), p-values of the single tests
    """
    order = np.argsort(chances)
    stepped = np.maximum.accumulate((len(chances) - np.arange(len(chances))) * chances[order])
    corrected = np.empty(len(chances))
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected


def _drift(column: Watched, threshold: float, chance: float) -> ColumnDrift:
    register_statistics()
    method: Literal["wasserstein", "jensenshannon"] = "wasserstein" if column.kind == "number" else "jensenshannon"
    if column.window.empty:
        gone = chance < FALSE_ALARMS
        return ColumnDrift(name=column.name, kind=column.kind, method=method, effect=None, chance=chance, drifted=gone)
    kind = _evidently_kind(column)
    effect = float(get_registered_stattest(column.statistic, kind)(column.reference, column.window, kind, threshold).drift_score)
    drifted = effect >= threshold and chance < FALSE_ALARMS
    return ColumnDrift(name=column.name, kind=column.kind, method=method, effect=effect, chance=chance, drifted=drifted)


@cache
def register_statistics() -> None:
    """Tell Evidently our two statistics, once."""
    numbers = StatTest(NUMBERS, "Wasserstein distance in standard deviations", [ColumnType.Numerical])
    categories = StatTest(CATEGORIES, "Jensen-Shannon distance", [ColumnType.Categorical])
    register_stattest(numbers, _number_drift)
    register_stattest(categories, _category_drift)


def _number_drift(reference: pd.Series, window: pd.Series, kind: ColumnType, threshold: float) -> tuple[float, bool]:
    scale = reference.std(ddof=0) or pd.concat([reference, window]).std(ddof=0) or 1.0
    # Scaled first: Evidently takes no standard deviation below 0.001, which would hide the drift of small quantities.
    wasserstein = get_registered_stattest("wasserstein", kind)
    centre = reference.mean()
    effect = float(wasserstein((reference - centre) / scale, (window - centre) / scale, kind, threshold).drift_score)
    return effect, effect >= threshold


def _category_drift(reference: pd.Series, window: pd.Series, kind: ColumnType, threshold: float) -> tuple[float, bool]:
    effect = float(get_registered_stattest("jensenshannon", kind)(reference, window, kind, threshold).drift_score)
    return effect, effect >= threshold


def _chance(column: Watched) -> float:
    """Return the p-value of one column: Kolmogorov–Smirnov for numbers, χ² for categories and words, both with the rows it is worth."""
    if column.window.empty:
        return column.absence
    worth = column.independent
    return _chance_of_numbers(column, worth) if column.kind == "number" else _chance_of_counts(column, worth)


def _chance_of_numbers(column: Watched, worth: tuple[float, float]) -> float:
    if min(len(column.reference), len(column.window)) < FEWEST_VALUES:
        return 1.0
    distance = ks_2samp(column.reference, column.window, method="asymp").statistic
    return float(kstwo.sf(distance, max(1, round(worth[0] * worth[1] / (worth[0] + worth[1])))))


def _chance_of_counts(column: Watched, worth: tuple[float, float]) -> float:
    sides = [
        side.value_counts(normalize=True) * rows for side, rows in zip((column.reference, column.window), worth, strict=True)
    ]
    counts = pd.concat(sides, axis=1).fillna(0).to_numpy()
    rare = counts.sum(axis=1) < 5  # taken together: the test wants five per cell (Cochran 1954)
    table = np.vstack([counts[~rare], counts[rare].sum(axis=0, keepdims=True)])
    table = table[table.sum(axis=1) > 0]
    return float(chi2_contingency(table).pvalue) if len(table) > 1 else 1.0


def evidently_columns(columns: Sequence[Watched]) -> tuple[list[str], list[str]]:
    """Return the names of the number and of the category columns; texts, which have more words than rows, are in neither."""
    with_values = [column for column in columns if not column.window.empty]
    numbers = [column.name for column in with_values if column.kind == "number"]
    return numbers, [column.name for column in with_values if column.kind == "category"]


def _evidently_kind(column: Watched) -> ColumnType:
    return ColumnType.Numerical if column.kind == "number" else ColumnType.Categorical


def _comparable(column: Column) -> bool:
    identifies = column.unique or column.primary_key_position is not None
    return not identifies and not column.is_pseudonymised and column.type not in ("date", "timestamp", "file")


def _is_number(column: Column) -> bool:
    return column.is_number and not column.allowed  # listed numbers are codes


def _finite(values: pd.Series) -> pd.Series:
    return values.astype("float64").replace([np.inf, -np.inf], np.nan).dropna()


def _known_only(values: pd.Series, known: Sequence[str] | np.ndarray | pd.Index) -> pd.Series:
    return values.where(values.isin(list(known)), NEW)


def _words(texts: pd.Series) -> pd.Series:
    return texts.str.lower().str.findall(r"\w+").explode().dropna()

"""How far columns have moved, by Evidently's statistics.

Evidently's own column metrics draw their plots while they run (9 s for 31 columns × 100,000 rows), so the figures come from its registered
statistics directly (about 1 s). Two of ours are registered beside them, and the HTML report names the same ones, so that page and JSON agree.
They call a column drifted only when the effect is large *and* more than chance: with 50 rows, a Wasserstein distance of 0.2 standard deviations
is what two samples of the same normal distribution show in every third case.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import pandas as pd
from evidently.legacy.calculations.stattests.registry import StatTest, get_registered_stattest, register_stattest
from evidently.legacy.core import ColumnType
from scipy.stats import chi2_contingency, ks_2samp

from leitstand.contract import Column, Contract
from monitoring.result import ColumnDrift

NUMBERS, CATEGORIES = "leitstand_numbers", "leitstand_categories"
CHANCE = (
    0.001  # p-value above which a distance may be chance; over 30 columns that is a false alarm in 3 % of the reports at most
)
FEWEST_VALUES = 10  # fewer cannot exclude chance at that level, and the asymptotic p-value needs them
MOST_CATEGORIES = 50  # more distinct values than this make a text column free text, as in leitstand.pipelines
MOST_WORDS = 20
NEW = "…"  # stands for everything that the reference does not know


@dataclass(frozen=True)
class Watched:
    """One column on both sides, as the statistics take it: finite numbers, or texts; without missing values."""

    name: str
    kind: Literal["number", "category", "text"]
    reference: pd.Series
    window: pd.Series

    @property
    def statistic(self) -> str:
        """Name under which Evidently knows the statistic."""
        return NUMBERS if self.kind == "number" else CATEGORIES


def watched_inputs(contract: Contract, reference: pd.DataFrame, window: pd.DataFrame) -> list[Watched]:
    """Return the columns that can be compared.

    Left out are dates (they always move on), files (a path says nothing), identifiers (every one is new), columns of which the log keeps
    pseudonyms (the reference holds the values themselves) and what the reference never had.

    Parameters
    ----------
    reference, window : conformed columns of ``contract``
    """
    columns = [column for column in contract.columns if _comparable(column)]
    watched = [watch(column.name, reference[column.name], window[column.name], _is_number(column)) for column in columns]
    return [column for column in watched if len(column.reference)]


def watch(name: str, reference: pd.Series, window: pd.Series, is_number: bool) -> Watched:
    """Return one column made ready for comparison; texts with more than 50 distinct values are compared by their words."""
    if is_number:
        return Watched(name, "number", _finite(reference), _finite(window))
    known, seen = reference.dropna().astype(str), window.dropna().astype(str)
    if known.nunique() <= MOST_CATEGORIES:
        return Watched(name, "category", known, _known_only(seen, known.unique()))
    words, seen_words = _words(known), _words(seen)
    frequent = words.value_counts().index[:MOST_WORDS]
    return Watched(name, "text", _known_only(words, frequent), _known_only(seen_words, frequent))


def drift(column: Watched, threshold: float) -> ColumnDrift:
    """Return how far one column has moved.

    Parameters
    ----------
    threshold : effect from which on it counts, in standard deviations or as Jensen–Shannon distance
    """
    register_statistics()
    method: Literal["wasserstein", "jensenshannon"] = "wasserstein" if column.kind == "number" else "jensenshannon"
    if column.window.empty:
        return ColumnDrift(name=column.name, kind=column.kind, method=method, effect=None, drifted=True)
    kind = _evidently_kind(column)
    found = get_registered_stattest(column.statistic, kind)(column.reference, column.window, kind, threshold)
    effect, drifted = float(found.drift_score), bool(found.drifted)
    return ColumnDrift(name=column.name, kind=column.kind, method=method, effect=effect, drifted=drifted)


@cache
def register_statistics() -> None:
    """Tell Evidently our two statistics, once."""
    numbers = StatTest(NUMBERS, "Wasserstein distance in standard deviations, beyond chance", [ColumnType.Numerical])
    categories = StatTest(CATEGORIES, "Jensen-Shannon distance, beyond chance", [ColumnType.Categorical])
    register_stattest(numbers, _number_drift)
    register_stattest(categories, _category_drift)


def _number_drift(reference: pd.Series, window: pd.Series, kind: ColumnType, threshold: float) -> tuple[float, bool]:
    scale = reference.std(ddof=0) or pd.concat([reference, window]).std(ddof=0) or 1.0
    # Scaled first: Evidently takes no standard deviation below 0.001, which would hide the drift of small quantities.
    wasserstein = get_registered_stattest("wasserstein", kind)
    centre = reference.mean()
    effect = float(wasserstein((reference - centre) / scale, (window - centre) / scale, kind, threshold).drift_score)
    return effect, effect >= threshold and _chance_of_numbers(reference, window) < CHANCE


def _category_drift(reference: pd.Series, window: pd.Series, kind: ColumnType, threshold: float) -> tuple[float, bool]:
    effect = float(get_registered_stattest("jensenshannon", kind)(reference, window, kind, threshold).drift_score)
    return effect, effect >= threshold and _chance_of_counts(reference, window) < CHANCE


def _chance_of_numbers(reference: pd.Series, window: pd.Series) -> float:
    if min(len(reference), len(window)) < FEWEST_VALUES:
        return 1.0
    return float(ks_2samp(reference, window, method="asymp").pvalue)


def _chance_of_counts(reference: pd.Series, window: pd.Series) -> float:
    counts = pd.concat([reference.value_counts(), window.value_counts()], axis=1).fillna(0).to_numpy()
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

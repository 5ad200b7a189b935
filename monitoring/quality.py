"""Whether the data that reach a model in use are still sound: values gone missing, stuck sensors, values the contract does not allow."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd
from scipy.stats import binom

from leitstand.contract import Column, Contract
from monitoring.result import QualityFault

CHANCE = 0.001  # how unlikely a find must be with the reference's frequencies before it is called a fault
MARGIN = 0.05  # share by which more values must be missing or odd than in the reference: less is not worth a walk to the machine
MOST_EXAMPLES = 5
FROZEN_RUNS = 3  # times the longest run of training: what has stood still longer than that is more than a quiet hour
FEWEST_FROZEN = 10  # rows; shorter runs say nothing, whatever training had


def quality_faults(
    contract: Contract, reference: pd.DataFrame, window: pd.DataFrame, longest_runs: Mapping[str, int] | None = None
) -> list[QualityFault]:
    """Return what is wrong with the window, column by column.

    Parameters
    ----------
    reference, window : conformed columns of ``contract``; the window in time order
    longest_runs : how many neighbouring rows at most held the same value in training, by column; a frozen value is looked for only where
        that is known
    """
    if window.empty:
        return []
    runs = longest_runs or {}
    return [
        fault.model_copy(update={"breaks": _breaks(fault, column, reference[column.name])})
        for column in contract.columns
        for fault in _faults(column, reference[column.name], window[column.name], runs.get(column.name))
    ]


def _faults(column: Column, reference: pd.Series, window: pd.Series, usual_run: int | None) -> Iterator[QualityFault]:
    if _too_often_missing(column, reference, window):
        yield QualityFault(column=column.name, fault="missing", rows=int(window.isna().sum()), total=len(window))
    values = window.dropna()
    if _stuck(column, reference.dropna(), values, usual_run):
        yield _fault(column, "constant", values, len(values))
    elif usual_run is not None and column.is_number and not column.allowed:
        yield from _frozen(column, reference.dropna(), values, usual_run)
    if column.is_number and (column.minimum is not None or column.maximum is not None):
        outside = _out_of_range(column, values)
        if outside.any():
            yield _fault(column, "out_of_range", values[outside], len(window))
    if column.allowed:
        unknown = values[_unlisted(column, values)]
        if len(unknown):
            yield _fault(column, "not_allowed", unknown, len(window))


def _out_of_range(column: Column, values: pd.Series) -> pd.Series:
    low = values < (column.minimum if column.minimum is not None else float("-inf"))
    return low | (values > (column.maximum if column.maximum is not None else float("inf")))


def _unlisted(column: Column, values: pd.Series) -> pd.Series:
    return values.notna() & ~values.isin(list(column.allowed))


def _fault(column: Column, fault: str, values: pd.Series, total: int) -> QualityFault:
    examples = tuple(f"{value:g}" if isinstance(value, float) else str(value)[:60] for value in values.unique()[:MOST_EXAMPLES])
    return QualityFault.model_validate(
        {"column": column.name, "fault": fault, "rows": len(values), "total": total, "examples": examples}
    )


def _too_often_missing(column: Column, reference: pd.Series, window: pd.Series) -> bool:
    rows = int(window.isna().sum())
    if column.required:
        return rows > 0
    return _more_often(rows, len(window), int(reference.isna().sum()), len(reference))


def _more_often(rows: int, total: int, usual_rows: int, usual_total: int) -> bool:
    usual = (usual_rows + 1) / (usual_total + 2)  # rule of succession: never seen is not impossible
    return bool(rows / total > usual + MARGIN and binom.sf(rows - 1, total, usual) < CHANCE)


def _stuck(column: Column, reference: pd.Series, values: pd.Series, usual_run: int | None) -> bool:
    if column.is_pseudonymised or column.type in ("date", "timestamp", "file") or len(values) == 0 or values.nunique() > 1:
        return False
    return _beyond_chance(reference, values) and (usual_run is None or len(values) > FROZEN_RUNS * usual_run)


def _frozen(column: Column, reference: pd.Series, values: pd.Series, usual_run: int) -> Iterator[QualityFault]:
    """Find the longest stretch of one value, where it is longer than anything training has seen."""
    if values.empty:
        return
    run = (values != values.shift()).cumsum()
    longest = values[run == run.value_counts().idxmax()]
    if len(longest) >= max(FEWEST_FROZEN, FROZEN_RUNS * usual_run) and _beyond_chance(reference, longest):
        yield _fault(column, "frozen", longest, len(values))


def _beyond_chance(reference: pd.Series, values: pd.Series) -> bool:
    """Whether the reference's share of the one value makes so many of them in a row unlikely."""
    usual = ((reference == values.iloc[0]).sum() + 1) / (len(reference) + 2)
    return bool(usual ** len(values) < CHANCE)


def broken(faults: Sequence[QualityFault]) -> tuple[str, ...]:
    """Return the columns whose sensor or export looks broken, sorted."""
    return tuple(sorted({fault.column for fault in faults if fault.breaks}))


def _breaks(fault: QualityFault, column: Column, reference: pd.Series) -> bool:
    """Whether a fault says that the sensor or the export behind a column is broken, and not only that single values are odd.

    A stuck or frozen value does. Values missing, out of range or unknown do when they are far more than the reference has of them.
    """
    if fault.fault in ("constant", "frozen"):
        return True
    if fault.fault == "missing":
        odd = reference.isna()
    elif fault.fault == "out_of_range":
        odd = _out_of_range(column, reference)
    else:
        odd = _unlisted(column, reference)
    return _more_often(fault.rows, fault.total, int(odd.sum()), len(reference))

"""Whether the data that reach a model in use are still sound: values gone missing, stuck sensors, values the contract does not allow."""

from collections.abc import Iterator

import pandas as pd
from scipy.stats import binom

from leitstand.contract import Column, Contract
from monitoring.result import QualityFault

CHANCE = 0.001  # how unlikely a find must be with the reference's frequencies before it is called a fault
MISSING_MARGIN = (
    0.05  # share by which more values must be missing than in the reference: less is no fault worth a walk to the machine
)
MOST_EXAMPLES = 5


def quality_faults(contract: Contract, reference: pd.DataFrame, window: pd.DataFrame) -> list[QualityFault]:
    """Return what is wrong with the window, column by column.

    Parameters
    ----------
    reference, window : conformed columns of ``contract``
    """
    if window.empty:
        return []
    found = [_faults(column, reference[column.name], window[column.name]) for column in contract.columns]
    return [fault for faults in found for fault in faults]


def _faults(column: Column, reference: pd.Series, window: pd.Series) -> Iterator[QualityFault]:
    if _too_often_missing(column, reference, window):
        yield QualityFault(column=column.name, fault="missing", rows=int(window.isna().sum()), total=len(window))
    values = window.dropna()
    if _stuck(column, reference.dropna(), values):
        yield _fault(column, "constant", values, len(values))
    if column.is_number and (column.minimum is not None or column.maximum is not None):
        low = values < (column.minimum if column.minimum is not None else float("-inf"))
        high = values > (column.maximum if column.maximum is not None else float("inf"))
        if (low | high).any():
            yield _fault(column, "out_of_range", values[low | high], len(window))
    if column.allowed:
        unknown = values[~values.isin(list(column.allowed))]
        if len(unknown):
            yield _fault(column, "not_allowed", unknown, len(window))


def _fault(column: Column, fault: str, values: pd.Series, total: int) -> QualityFault:
    examples = tuple(f"{value:g}" if isinstance(value, float) else str(value)[:60] for value in values.unique()[:MOST_EXAMPLES])
    return QualityFault.model_validate(
        {"column": column.name, "fault": fault, "rows": len(values), "total": total, "examples": examples}
    )


def _too_often_missing(column: Column, reference: pd.Series, window: pd.Series) -> bool:
    rows = int(window.isna().sum())
    if column.required:
        return rows > 0
    usual = (reference.isna().sum() + 1) / (len(reference) + 2)  # rule of succession: never seen is not impossible
    return bool(rows / len(window) > usual + MISSING_MARGIN and binom.sf(rows - 1, len(window), usual) < CHANCE)


def _stuck(column: Column, reference: pd.Series, values: pd.Series) -> bool:
    if column.is_pseudonymised or column.type in ("date", "timestamp", "file") or len(values) == 0 or values.nunique() > 1:
        return False
    usual = ((reference == values.iloc[0]).sum() + 1) / (len(reference) + 2)
    return bool(usual ** len(values) < CHANCE)

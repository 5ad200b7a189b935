"""Deliveries that nobody should learn from unseen, though each of their rows may be in order."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal

import pandas as pd

from leitstand.contract import Contract

Fault = Literal["unreadable", "empty", "columns", "contract", "column_empty", "too_many_rows"]
"""Why a delivery is held back: it cannot be read; it holds no rows; its columns are others; too many rows break the contract; a column lost all its
values; it has many times the usual rows."""

FEWEST_ROWS, UNLIKELY = 10, 1e-3
FEW_DELIVERIES = 3  # what is usual is not known before
SMALL_DELIVERY = 100  # rows; ten times three rows is no flood


@dataclass(frozen=True)
class Suspicion:
    """Why a delivery is held back: the kind of fault, and the message as a key of the catalogue with its values."""

    fault: Fault
    key: str
    values: dict[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """Return the message as JSON, so that it can be kept and told in any language."""
        return json.dumps({"key": self.key, "values": self.values}, ensure_ascii=False, default=str)


def suspect(
    new: pd.DataFrame, table: pd.DataFrame | None, contract: Contract, target: str, earlier: Sequence[int], most_times: float
) -> Suspicion | None:
    """Return what is wrong with a delivery as a whole, or None.

    A column is missed when it is empty in so many rows that chance cannot explain it; the target may be empty, for labels come later.

    Parameters
    ----------
    new : as read
    table : the rows so far; None before the first delivery
    earlier : rows of the last deliveries that came the same way
    """
    lost = [name for name in contract.names if name != target and _lost(new, table, contract, name)]
    if lost:
        return Suspicion("column_empty", "ingest.column_empty", {"columns": ", ".join(lost), "rows": len(new)})
    usual = median(earlier) if len(earlier) >= FEW_DELIVERIES else None
    if usual is not None and len(new) >= max(most_times * usual, SMALL_DELIVERY):
        return Suspicion(
            "too_many_rows", "ingest.too_many_rows", {"rows": len(new), "usual": round(usual), "times": f"{most_times:g}"}
        )
    return None


def _lost(new: pd.DataFrame, table: pd.DataFrame | None, contract: Contract, name: str) -> bool:
    if name not in new.columns or not _is_empty(new[name]):
        return False
    if contract.column(name).required:
        return True
    if table is None or len(new) < FEWEST_ROWS:
        return False
    return float(table[name].isna().mean()) ** len(new) < UNLIKELY


def _is_empty(values: pd.Series) -> bool:
    return (
        bool((values.isna() | (values.astype(str).str.strip() == "")).all())
        if values.dtype == object
        else bool(values.isna().all())
    )

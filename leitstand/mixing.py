"""Tables whose rows are put together from the cells of other rows: arrays of numbers, or data frames where the columns are of several kinds."""

from typing import TypeVar

import numpy as np
import pandas as pd

Table = np.ndarray | pd.DataFrame
AnyTable = TypeVar("AnyTable", np.ndarray, pd.DataFrame, Table)


def stacked(first: Table, second: Table) -> Table:
    """Return both tables as one, the first above the second."""
    if not isinstance(first, pd.DataFrame) or not isinstance(second, pd.DataFrame):
        return np.vstack([first, second])
    return pd.DataFrame({name: _joined(first[name], second[name]) for name in first.columns})


def _joined(first: pd.Series, second: pd.Series) -> pd.Series:
    if first.dtype == second.dtype:
        return pd.concat([first, second], ignore_index=True)
    return pd.Series([*first, *second])  # as when whole numbers meet a gap


def taken(table: AnyTable, rows: np.ndarray) -> AnyTable:
    """Return some rows of a table, by position."""
    return table.iloc[rows].reset_index(drop=True) if isinstance(table, pd.DataFrame) else table[rows]


def gathered(table: AnyTable, source: np.ndarray) -> AnyTable:
    """Return the table whose cell (i, j) is the cell (source[i, j], j) of ``table``; the kinds of the columns stay."""
    if isinstance(table, pd.DataFrame):
        return pd.DataFrame({name: table[name].array.take(source[:, j]) for j, name in enumerate(table.columns)})
    return np.take_along_axis(table, source, axis=0)

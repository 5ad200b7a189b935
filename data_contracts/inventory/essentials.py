"""The figures of the inventory that a run of a project takes into its evidence: those that cost a glance at a frame in memory."""

from typing import Any

import numpy as np
import pandas as pd

from data_contracts.inventory.verdict import FEWEST_ROWS, ROWS_PER_COLUMN

MOST_HASHED_ROWS = 200_000
"""Of more rows those that stand there twice are not counted: hashing 30 columns of so many takes a tenth of a second."""


def essentials(frame: pd.DataFrame, *, target: str, time: str | None, inputs: int) -> dict[str, Any]:
    """Return rows with a target and how many would do, rows that stand there twice, columns that never change, and from when to when.

    Parameters
    ----------
    time : the column that orders the rows; None where there is none
    inputs : how many columns the project learns from
    """
    labelled = int(frame[target].notna().to_numpy().sum()) if target in frame else 0
    made: dict[str, Any] = {
        "labelled_rows": labelled,
        "labelled_rows_that_would_do": max(FEWEST_ROWS, ROWS_PER_COLUMN * inputs),
        "constant_columns": [str(name) for name in frame.columns if _constant(frame[name])],
        "duplicate_rows": _duplicates(frame),
    }
    if time is not None and time in frame and pd.api.types.is_datetime64_any_dtype(frame[time].dtype):
        times = frame[time].dropna()
        if len(times):
            made |= {"first": times.min().isoformat(), "last": times.max().isoformat()}
    return made


def _constant(values: pd.Series) -> bool:
    first = values.iloc[0] if len(values) else None
    return len(values) > 1 and bool(pd.notna(first) is True) and bool(np.asarray(values == first).all())


def _duplicates(frame: pd.DataFrame) -> int | None:
    if len(frame) > MOST_HASHED_ROWS:
        return None
    try:
        hashes = pd.util.hash_pandas_object(frame, index=False)
    except TypeError:  # a column of lists or arrays
        return None
    return int(hashes.duplicated().to_numpy().sum())

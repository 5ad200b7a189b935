"""The rules of columns that name files: there, readable, neither empty nor too large."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data_contracts.broken import Broken, Rule
from leitstand.contract import Column


def check_files(values: pd.Series, column: Column) -> list[Broken]:
    """Return the broken rules of one file column; missing names are not looked at.

    Parameters
    ----------
    values : shape (n,), object: absolute paths, or the bytes of the files themselves
    """
    sizes = np.array([_size(value) for value in values])
    rules: list[tuple[Rule, np.ndarray, str]] = [("file_missing", sizes == -1, ""), ("file_empty", sizes == 0, "")]
    if column.max_bytes is not None:
        rules.append(("file_size", sizes > column.max_bytes, f"{column.max_bytes:,}"))
    return [Broken(column.name, rule, np.flatnonzero(bad), expected) for rule, bad, expected in rules if bad.any()]


def _size(value: Any) -> float:
    """Return the bytes of a file; -1 where there is none that can be read, NaN where the value is missing."""
    if value is None or isinstance(value, float):
        return np.nan
    if isinstance(value, bytes | bytearray | memoryview):
        return len(value)
    path = Path(value)
    try:
        return path.stat().st_size if path.is_file() and os.access(path, os.R_OK) else -1
    except (OSError, ValueError):  # a name that no file can have
        return -1

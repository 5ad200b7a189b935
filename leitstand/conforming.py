"""Bringing checked data into the dtypes that training and serving share."""

import numpy as np
import pandas as pd

from leitstand.contract import EXACT_INTEGERS, Column, Contract


def conform(frame: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Return the contract's columns of ``frame`` in the contract's order and in one settled dtype each.

    Training and serving call this on data that passed the contract, so that both see the same dtypes: numbers are float64 (missing as
    NaN), also integers; booleans are float64 0/1/NaN; texts and files are object with None for missing; dates are datetime64[ns].

    Parameters
    ----------
    frame : any column order; a column of the contract that is missing becomes all missing

    Raises
    ------
    ValueError
        If a value has no such form; checked data never raise.
    """
    settled: dict[str, pd.Series] = {}
    for column in contract.columns:
        values = frame[column.name] if column.name in frame.columns else pd.Series(np.nan, index=frame.index)
        settled[column.name] = _settle(values, column)
    return pd.DataFrame(settled, index=frame.index)


def _settle(values: pd.Series, column: Column) -> pd.Series:
    if column.type in ("integer", "number", "boolean"):
        return values.astype("float64")
    if column.is_time:
        # texts of the prediction log: a full second stands there without its fraction
        return pd.to_datetime(values, utc=True, format="ISO8601").dt.tz_localize(None).astype("datetime64[ns]")
    return values.astype(object).where(values.notna(), None)


def settled(frame: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Return checked rows with types that hang on nothing but the values: whole numbers and truth values plain where none is missing."""
    plain: dict[str, str] = {}
    for column in contract.columns:
        values = frame[column.name]
        if values.isna().any():
            continue
        if column.type == "integer" and values.dtype == np.float64 and (values.abs() < EXACT_INTEGERS).all():
            plain[column.name] = "int64"
        elif column.type == "boolean" and values.dtype != bool:
            plain[column.name] = "bool"
    return frame.astype(plain) if plain else frame

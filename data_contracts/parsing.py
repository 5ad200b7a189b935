"""The values of a frame in the types that the contract gives them."""

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from data_contracts import numerals
from data_contracts.broken import Broken
from data_contracts.dates import SlashOrder, to_time
from leitstand.conforming import settled
from leitstand.contract import EXACT_INTEGERS, Column, Contract

TRUE, FALSE = ("true", "yes", "ja", "wahr", "1", "1.0"), ("false", "no", "nein", "falsch", "0", "0.0")


def parse(frame: pd.DataFrame, contract: Contract) -> tuple[pd.DataFrame, list[Broken]]:
    """Return the contract's columns in its types and order, and which values have no such form.

    Numbers become int64 or float64 (float64 with NaN where integers are missing), truth values bool or boolean, dates datetime64[ns]
    without zone, texts and files object with None for missing. A value that has no such form, and an infinite number, is missing in
    the result.

    Parameters
    ----------
    frame : every column of the contract; others are left out. Index 0 … n-1. ``attrs`` may hold ``decimal``, the mark of the file, for
        columns that do not say it; ``decimals``, the mark by column, and ``slashes``, what stands first in a date with slashes by column, where
        these were found out from more than these rows
    """
    decimal, decimals = frame.attrs.get("decimal"), frame.attrs.get("decimals") or {}
    slashes = frame.attrs.get("slashes") or {}
    typed: dict[str, pd.Series] = {}
    broken: list[Broken] = []
    for column in contract.columns:
        values, bad = _parse_column(frame[column.name], column, decimal, decimals.get(column.name), slashes.get(column.name))
        typed[column.name] = values
        if bad.any():
            broken.append(Broken(column.name, "type", np.flatnonzero(bad), column.type))
        if column.is_number and values.dtype == np.float64:
            numbers = values.to_numpy()
            infinite = np.isinf(numbers)
            if infinite.any():
                broken.append(Broken(column.name, "finite", np.flatnonzero(infinite)))
                typed[column.name] = pd.Series(np.where(infinite, np.nan, numbers), index=values.index)
    return settled(pd.DataFrame(typed, index=frame.index), contract), broken


def _parse_column(
    values: pd.Series,
    column: Column,
    decimal: numerals.Decimal | None,
    known: numerals.Decimal | None,
    order: SlashOrder | None,
) -> tuple[pd.Series, np.ndarray]:
    if isinstance(values.dtype, pd.CategoricalDtype | pd.StringDtype):
        values = values.astype(object)
    if column.is_number:
        return _number(values, decimal, known, whole=column.type == "integer")
    if column.type == "boolean":
        return _truth(values)
    if column.is_time:
        return _time(values, order, date_only=column.type == "date")
    if column.type == "file":
        made = values.astype(object)
        return made.where(made.notna(), None), np.zeros(len(values), dtype=bool)
    texts = as_texts(values)
    made = texts.to_pandas().astype(object)
    return pd.Series(made.where(made.notna(), None).to_numpy(), index=values.index, dtype=object), np.zeros(
        len(values), dtype=bool
    )


def as_texts(values: pd.Series) -> pa.Array:
    """Return the values as texts, null where missing: 1.0 as ``1``, dates in ISO form."""
    if values.dtype == object:
        try:
            return pa.array(values, type=pa.string(), from_pandas=True)
        except (pa.ArrowTypeError, pa.ArrowInvalid):
            pass  # not all are texts: one by one
    elif pd.api.types.is_integer_dtype(values.dtype) and not values.hasnans:
        return pa.array(values).cast(pa.string())
    return pa.array([None if _is_missing(value) else _text(value) for value in values.tolist()], type=pa.string())


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and value != value)


def _text(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT_INTEGERS:
        return str(int(value))
    if isinstance(value, pd.Timestamp):
        return str(value.date()) if value == value.normalize() else value.isoformat(sep=" ")
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _number(
    values: pd.Series, decimal: numerals.Decimal | None, known: numerals.Decimal | None, whole: bool
) -> tuple[pd.Series, np.ndarray]:
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return pd.Series(np.nan, index=values.index), values.notna().to_numpy()
    if pd.api.types.is_integer_dtype(values.dtype) and not values.hasnans:
        return values.astype("int64"), np.zeros(len(values), dtype=bool)
    if pd.api.types.is_numeric_dtype(values.dtype):
        numbers, bad = values.astype("float64").to_numpy(), np.zeros(len(values), dtype=bool)
    else:
        numbers, bad = _text_numbers(numerals.tidy(as_texts(values), numerals.MISSING_NUMBERS), decimal, known)
        native = np.array(
            [isinstance(value, int | float | Decimal) and not isinstance(value, bool) for value in values], dtype=bool
        )
        if native.any():  # numbers among texts, as databases and JSON give them, need no reading
            numbers, bad = numbers.copy(), bad & ~native
            numbers[native] = values[native].astype("float64")
    if whole:
        fraction = np.isfinite(numbers) & (numbers != np.floor(numbers))
        numbers, bad = np.where(fraction, np.nan, numbers), bad | fraction
    return pd.Series(numbers, index=values.index), bad


def _text_numbers(
    texts: pa.Array, decimal: numerals.Decimal | None, known: numerals.Decimal | None
) -> tuple[np.ndarray, np.ndarray]:
    mark = known or numerals.majority_mark(texts) or decimal
    numbers, good = numerals.to_float(texts, mark or ".")
    if mark is None:  # nothing says what 1.234 means: no number is better than one a thousand times too small
        unsure = numerals.undecided(texts)
        numbers, good = np.where(unsure, np.nan, numbers), good & ~unsure
    return numbers, ~good & np.asarray(texts.is_valid())


def _truth(values: pd.Series) -> tuple[pd.Series, np.ndarray]:
    if values.dtype == bool:
        return values, np.zeros(len(values), dtype=bool)
    texts = numerals.tidy(as_texts(values), numerals.MISSING_NUMBERS)
    lower: pd.Series = texts.to_pandas().set_axis(values.index).astype(object).str.lower()
    true, false = lower.isin(TRUE), lower.isin(FALSE)
    made = true.astype("boolean").where(true | false)
    return (made if made.isna().any() else made.astype(bool)), (lower.notna() & ~true & ~false).to_numpy()


def _time(values: pd.Series, order: SlashOrder | None, date_only: bool) -> tuple[pd.Series, np.ndarray]:
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        times = pd.to_datetime(values, utc=True).dt.tz_localize(None).astype("datetime64[ns]")
        bad = np.zeros(len(values), dtype=bool)
    else:
        texts = numerals.tidy(as_texts(values), numerals.MISSING_NUMBERS)
        times = to_time(texts, order).set_axis(values.index)
        bad = times.isna().to_numpy() & np.asarray(texts.is_valid())
    if date_only:
        with_clock = (times.notna() & (times != times.dt.normalize())).to_numpy()
        times, bad = times.where(~with_clock), bad | with_clock
    return times, bad

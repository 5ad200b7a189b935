"""Which rows certainly keep a contract, found out with Arrow and NumPy alone.

Great Expectations judges a table; at some 240,000 rows a second that is what a batch of millions would wait for. Most rows of most files are
plainly right, and that can be proved fifty times faster. So this module only ever says "certainly clean" or "not sure", and rows of the
second kind go to ``checking.check``, whose word counts. What it does not know (files, an odd type, allowed dates) is never certain.

Rules about more than one row, keys and freshness, are not looked at here; see ``data_contracts.chunk_checking``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts import numerals
from data_contracts.dates import SlashOrder, to_time
from data_contracts.numerals import Decimal
from data_contracts.parsing import FALSE, TRUE
from leitstand.contract import EXACT_INTEGERS, Column, Contract

Array: TypeAlias = Any  # pa.Array; pyarrow brings no annotations
Found: TypeAlias = tuple[Array, np.ndarray]
"""The values in the contract's type, null where missing or not sure; shape (n,) bool: which are sure (a missing one may be)."""

TYPES: Mapping[str, Any] = {
    "integer": pa.int64(),
    "number": pa.float64(),
    "string": pa.string(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("ns"),
}
DAY_NS = 86_400 * 10**9
_PLAIN: dict[Decimal | None, str] = {
    ".": r"^-?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?$",
    ",": r"^-?\d+(?:,\d+)?(?:[eE][+-]?\d{1,3})?$",
    None: r"^-?\d+$",
}
_ISO = r"^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)?$"


@dataclass(frozen=True)
class Quick:
    """What is sure about a table.

    Parameters
    ----------
    table : the contract's columns in its types (``TYPES``; files as they are), right in every row that is clean
    clean : shape (n,), bool: rows that certainly keep every rule of their own
    """

    table: Any
    clean: np.ndarray


def quick_check(
    table: Any,
    contract: Contract,
    decimals: Mapping[str, Decimal | None] | None = None,
    slashes: Mapping[str, SlashOrder] | None = None,
) -> Quick:
    """Return the table in the contract's types, and which rows certainly keep it.

    Parameters
    ----------
    table : pa.Table with every column of the contract; others are left out
    decimals : the decimal mark of each column of texts, where it is known; ``1.234`` is not sure without
    slashes : what stands first in its dates with slashes, by column, where that was found out from more than this table
    """
    clean = np.ones(table.num_rows, dtype=bool)
    made = {}
    for column in contract.columns:
        array = one_array(table.column(column.name))
        made[column.name], sure = _settle(array, column, (decimals or {}).get(column.name), (slashes or {}).get(column.name))
        clean &= sure
        clean &= _keeps(made[column.name], column, required=column.required or column.primary_key_position is not None)
    return Quick(pa.table(made), clean)


def one_array(column: Any) -> Array:
    """Return a column as one array of its plain type, without dictionary."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):  # more text than one array can hold
        array = pa.concat_arrays([chunk.cast(pa.large_string()) for chunk in array.chunks])
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _settle(array: Array, column: Column, decimal: Decimal | None, order: SlashOrder | None) -> Found:
    if column.type == "file":
        return array, np.zeros(len(array), dtype=bool)
    if pa.types.is_null(array.type):
        return array.cast(TYPES[column.type]), np.ones(len(array), dtype=bool)
    if pa.types.is_large_string(array.type):
        array = array.cast(pa.string())
    if column.is_number:
        return _number(array, column.type == "integer", decimal)
    if column.type == "boolean":
        return _truth(array)
    return _text(array) if column.type == "string" else _time(array, column.type == "date", order)


def _unsure(array: Array, kind: Any) -> Found:
    return pa.nulls(len(array), kind), np.zeros(len(array), dtype=bool)


def _present(array: Array) -> np.ndarray:
    return np.asarray(array.is_valid())


def _number(array: Array, whole: bool, decimal: Decimal | None) -> Found:
    kind, wanted = array.type, TYPES["integer" if whole else "number"]
    sure = np.ones(len(array), dtype=bool)
    if pa.types.is_integer(kind):
        if pa.types.is_uint64(kind):  # may be too large for what follows
            return _unsure(array, wanted)
        return array.cast(wanted, safe=False), sure
    if pa.types.is_string(kind):
        array, sure = _plain_numbers(array, decimal)
    elif not (pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        return _unsure(array, wanted)
    values = np.asarray(array.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
    sure = sure & ~np.isinf(values)
    if not whole:
        return pa.array(values, from_pandas=True), sure
    missing = np.isnan(values)
    sure &= missing | ((values == np.floor(values)) & (np.abs(values) < EXACT_INTEGERS))
    return pa.array(np.where(sure & ~missing, values, 0).astype("int64"), mask=missing | ~sure), sure


def _plain_numbers(texts: Array, decimal: Decimal | None) -> Found:
    """Return numbers in the plainest notation, and that all others are not sure."""
    clean = numerals.tidy(texts, numerals.MISSING_NUMBERS)
    plain = numerals.matches(clean, _PLAIN[decimal])
    kept = pc.if_else(pa.array(plain), clean, pa.scalar(None, pa.string()))
    if decimal == ",":
        kept = pc.replace_substring(kept, ",", ".")
    return kept.cast(pa.float64()), plain | ~_present(clean)


def _truth(array: Array) -> Found:
    if pa.types.is_boolean(array.type):
        return array, np.ones(len(array), dtype=bool)
    if pa.types.is_integer(array.type):
        array = array.cast(pa.string())
    if not pa.types.is_string(array.type):
        return _unsure(array, pa.bool_())
    lower = pc.utf8_lower(numerals.tidy(array, numerals.MISSING_NUMBERS))
    true, false = (pc.is_in(lower, pa.array(words)) for words in (TRUE, FALSE))
    known = pc.or_(true, false)
    return pc.if_else(known, true, pa.scalar(None, pa.bool_())), np.asarray(known) | ~_present(lower)


def _text(array: Array) -> Found:
    kind = array.type
    if pa.types.is_boolean(kind) or (pa.types.is_integer(kind) and array.null_count == 0):
        array = array.cast(pa.string())
    if not pa.types.is_string(array.type):
        return _unsure(array, pa.string())
    return array, np.ones(len(array), dtype=bool)


def _time(array: Array, date_only: bool, order: SlashOrder | None) -> Found:
    kind, wanted = array.type, TYPES["date" if date_only else "timestamp"]
    if pa.types.is_string(kind):
        times, sure = _written_time(array, order)
    elif pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        try:  # with a zone the values are UTC already
            naive = array.cast(pa.int64()).cast(pa.timestamp(kind.unit)) if pa.types.is_timestamp(kind) else array
            times, sure = naive.cast(pa.timestamp("ns")), np.ones(len(array), dtype=bool)
        except pa.ArrowInvalid:  # years that nanoseconds do not reach
            return _unsure(array, wanted)
    else:
        return _unsure(array, wanted)
    if not date_only:
        return times, sure
    clock = np.asarray(times.cast(pa.int64()).fill_null(0)) % DAY_NS != 0
    midnight = pc.if_else(pa.array(clock), pa.scalar(None, times.type), times)
    return midnight.cast(wanted), sure & ~clock


def _written_time(texts: Array, order: SlashOrder | None) -> Found:
    clean = numerals.tidy(texts, numerals.MISSING_NUMBERS)
    present = _present(clean)
    if numerals.matches(clean, _ISO)[present].all():
        try:
            return clean.cast(pa.timestamp("ns")), np.ones(len(texts), dtype=bool)
        except pa.ArrowInvalid:  # the 31st of February
            pass
    times = pa.array(to_time(clean, order), type=pa.timestamp("ns"), from_pandas=True)
    return times, _present(times) | ~present


def _keeps(array: Array, column: Column, *, required: bool) -> np.ndarray:
    """Return which values certainly keep the rules of their column; a missing one breaks none but ``required``."""
    present = _present(array)
    good = np.ones(len(array), dtype=bool)
    if column.is_number and (column.minimum is not None or column.maximum is not None):
        values = array.to_numpy(zero_copy_only=False)
        if column.minimum is not None:
            good &= values >= column.minimum
        if column.maximum is not None:
            good &= values <= column.maximum
    if column.allowed:
        good &= _allowed(array, column)
    if column.type == "string" and column.max_length is not None:
        good &= np.asarray(pc.less_equal(pc.utf8_length(array), column.max_length).fill_null(True))
    if column.type == "string" and column.pattern is not None:
        good &= _matches(array, column.pattern)
    return (good & present) if required else (good | ~present)


def _allowed(array: Array, column: Column) -> np.ndarray:
    if column.type == "string":
        return np.asarray(pc.is_in(array, pa.array([str(value) for value in column.allowed])))
    if column.is_number and all(isinstance(value, int | float) and not isinstance(value, bool) for value in column.allowed):
        return np.isin(array.to_numpy(zero_copy_only=False), np.array([float(value) for value in column.allowed]))
    return np.zeros(len(array), dtype=bool)


def _matches(texts: Array, pattern: str) -> np.ndarray:
    """Return which texts match as a whole, by Python's own rules: those of Arrow's engine differ in signs and which of them are digits."""
    whole = re.compile(rf"\A(?:{pattern})\Z")
    encoded = texts.dictionary_encode()
    good = np.array(
        [value is not None and whole.match(value) is not None for value in encoded.dictionary.to_pylist()], dtype=bool
    )
    places = encoded.indices.fill_null(0).to_numpy()
    return good[places] if len(good) else np.zeros(len(texts), dtype=bool)


def beyond_integers(frame: pd.DataFrame, contract: Contract) -> dict[str, np.ndarray]:
    """Return for integer columns which accepted values, shape (n,) bool, are larger than a table's whole numbers can be: 1e300 is one."""
    names = [column.name for column in contract.columns if column.type == "integer" and frame[column.name].dtype == np.float64]
    found = {name: frame[name].abs().to_numpy() >= 2.0**63 for name in names}
    return {name: mask for name, mask in found.items() if mask.any()}


def to_table(frame: pd.DataFrame, contract: Contract) -> Any:
    """Return what a check accepted as a table of the types that ``quick_check`` gives; what ``beyond_integers`` names becomes missing."""
    frame = frame.assign(**{name: frame[name].mask(mask) for name, mask in beyond_integers(frame, contract).items()})
    arrays = {}
    for column in contract.columns:
        values = frame[column.name]
        if column.type == "date":
            values = values.dt.date
        arrays[column.name] = pa.array(values, type=TYPES.get(column.type), from_pandas=True)
    return pa.table(arrays)

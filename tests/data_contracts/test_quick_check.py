import string
from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data_contracts.checking import check
from data_contracts.quick_check import quick_check, to_table
from data_contracts.streaming import as_table
from leitstand.contract import Column, Contract

WORDS = [
    "",
    " ",
    "a",
    "AB-1",
    "ab",
    "Ä",
    "true",
    "Ja",
    "nein",
    "0",
    "1",
    "1.0",
    "-",
    "NA",
    "nan",
    "k.A.",
    "None",
    "inf",
    "-inf",
    "NaN",
]
NUMBERS = [
    "1",
    "-7",
    "+5",
    " 2 ",
    "1.5",
    "1,5",
    "1.234",
    "1,234",
    "1.234,5",
    "1e3",
    "1E400",
    "007",
    "9007199254740993",
    "²",
    "٣",
    "1_0",
]
TIMES = [
    "2024-01-31", "2024-02-30", "2024-01-01 12:30", "2024-01-01T12:30:01.5", "2024-01-01T12", "2024-01-01T12:30:00Z", "31.12.2024",
    "1.2.2024 9:05", "13/02/2024", "01/02/2024", "20240101", "3000-01-01",
]  # fmt: skip
LETTERS = st.text(string.ascii_letters + "ÄÖß0٣ \n", max_size=4)
TEXTS = st.sampled_from(WORDS + NUMBERS + TIMES) | LETTERS
FLOATS = st.floats() | st.sampled_from([0.0, 1.0, 2.5, -1.0, 2.0**53, 1e300])
KINDS = {
    "texts": st.none() | TEXTS,
    "floats": FLOATS,
    "integers": st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3),
    "booleans": st.none() | st.booleans(),
    "times": st.none() | st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)) | st.just(datetime(2024, 1, 1)),
    "days": st.none() | st.dates(date(1990, 1, 1), date(2100, 1, 1)),
    "decimals": st.none() | st.decimals(-5, 5, places=2),
    "mixed": st.none() | TEXTS | FLOATS | st.integers(-3, 3) | st.booleans(),
}
BOUNDS = st.none() | st.sampled_from([-1, 0, 1.5, 3])
PATTERNS = [None, r"[A-Z]{2}-\d", r"\d", r"\w*", "a|ab", r"[^b]*$", ""]


@st.composite
def columns(draw: st.DrawFn) -> Column:
    kind = draw(st.sampled_from(["integer", "number", "string", "boolean", "date", "timestamp"]))
    number, text = kind in ("integer", "number"), kind == "string"
    pool: st.SearchStrategy = st.sampled_from([0, 1, 2.5, -1]) if number else st.sampled_from(["a", "AB-1", "1", 1])
    return Column(
        name="x",
        type=kind,
        required=draw(st.booleans()),
        minimum=draw(BOUNDS) if number else None,
        maximum=draw(BOUNDS) if number else None,
        allowed=tuple(draw(st.lists(pool, max_size=3))) if number or text else (),
        pattern=draw(st.sampled_from(PATTERNS)) if text else None,
        max_length=draw(st.none() | st.integers(1, 3)) if text else None,
    )


@st.composite
def values(draw: st.DrawFn) -> pa.Array:
    kind = draw(st.sampled_from(sorted(KINDS)))
    made = draw(st.lists(KINDS[kind], min_size=1, max_size=8))
    if kind == "mixed":
        return as_table(pd.DataFrame({"x": pd.Series(made, dtype=object)})).column("x").combine_chunks()
    return pa.array([Decimal(value) if kind == "decimals" and value is not None else value for value in made])


def one(column: Column) -> Contract:
    return Contract(id="c", table="t", columns=(column,))


def as_checked(table: pa.Table, column: Column, decimal: str | None) -> tuple[np.ndarray, pa.Table]:
    """Which rows the full check lets in, and all rows as it reads them."""
    frame = table.to_pandas(ignore_metadata=True, date_as_object=False)
    frame.attrs["decimals"] = {"x": decimal}
    result = check(frame, one(column))
    good = np.ones(table.num_rows, dtype=bool)
    good[result.quarantined["_row"].to_numpy(dtype=int) - 1] = False
    return good, to_table(result.accepted, one(column))


@given(column=columns(), array=values(), decimal=st.sampled_from([".", ",", None]))
@example(column=Column(name="x", type="string", pattern=r"\d"), array=pa.array(["٣"]), decimal=None)
@example(column=Column(name="x", type="integer"), array=pa.array([2.0**53, 2.5, None]), decimal=None)
@settings(deadline=None, max_examples=80)
def test_what_is_certainly_clean_is_let_in_by_the_full_check_with_the_same_value(column, array, decimal):
    table = pa.table({"x": array})
    quick = quick_check(table, one(column), {"x": decimal})
    if not quick.clean.any():
        return
    good, accepted = as_checked(table, column, decimal)
    assert (quick.clean <= good).all()
    mine = quick.table.filter(pa.array(quick.clean)).column("x")
    theirs = accepted.filter(pa.array(quick.clean[good])).column("x")
    if column.type == "integer":  # whole numbers beside missing ones stay exact here, there they are floats
        mine, theirs = (pa.array(values.to_pandas().astype("float64"), from_pandas=True) for values in (mine, theirs))
    assert mine.to_pylist() == theirs.to_pylist()


@pytest.mark.parametrize(
    ("column", "array"),
    [
        (Column(name="x", type="number", required=True, minimum=0, maximum=9), pa.array([1.5, 9, 0])),
        (Column(name="x", type="number"), pa.array(["1,5", None, "-", "7"])),
        (Column(name="x", type="number"), pa.array([Decimal("1.5"), None])),
        (Column(name="x", type="integer", minimum=0), pa.array([1, None, 2**60], pa.int64())),
        (Column(name="x", type="integer", allowed=(1, 2)), pa.array([1.0, float("nan"), 2.0])),
        (Column(name="x", type="string", pattern="[A-Z]{2}-[0-9]+", max_length=6), pa.array(["AB-1", None, "CD-22"])),
        (Column(name="x", type="string", allowed=("a", "b")), pa.array(["a", "b", None]).dictionary_encode()),
        (Column(name="x", type="boolean"), pa.array(["ja", "Nein", "1", None])),
        (Column(name="x", type="boolean"), pa.array([True, None])),
        (Column(name="x", type="timestamp"), pa.array(["2024-01-01 12:30", "2024-01-01T12:30:01", None])),
        (Column(name="x", type="timestamp"), pa.array(["31.12.2024 14:05", "1.2.2024"])),
        (Column(name="x", type="date"), pa.array(["2024-01-01", None])),
        (Column(name="x", type="date"), pa.array([datetime(2024, 1, 1)], pa.timestamp("us", "Europe/Berlin"))),
        (Column(name="x", type="timestamp"), pa.array([None, None])),
    ],
)
def test_ordinary_values_are_certain(column, array):
    assert quick_check(pa.table({"x": array}), one(column), {"x": ","}).clean.all()


def test_a_required_value_that_is_missing_is_not_clean():
    column = Column(name="x", type="number", required=True)
    assert quick_check(pa.table({"x": pa.array([1.0, None, float("nan")])}), one(column)).clean.tolist() == [True, False, False]


def test_a_number_of_two_meanings_is_not_sure_without_its_decimal_mark():
    column, table = Column(name="x", type="number"), pa.table({"x": ["1.234", "5"]})
    assert quick_check(table, one(column)).clean.tolist() == [False, True]
    assert quick_check(table, one(column), {"x": "."}).table.column("x").to_pylist() == [1.234, 5.0]


def test_files_are_never_certain():
    assert not quick_check(pa.table({"x": ["/etc/hostname"]}), one(Column(name="x", type="file"))).clean.any()


def test_columns_come_out_in_the_types_of_the_contract():
    kinds = {"integer": "1", "number": "1", "string": "1", "boolean": "1", "date": "2024-01-01", "timestamp": "2024-01-01"}
    contract = Contract(id="c", table="t", columns=tuple(Column(name=kind, type=kind) for kind in kinds))
    made = quick_check(pa.table({name: [value] for name, value in kinds.items()}), contract)
    assert [str(field.type) for field in made.table.schema] == [
        "int64",
        "double",
        "string",
        "bool",
        "date32[day]",
        "timestamp[ns]",
    ]
    assert made.clean.all()

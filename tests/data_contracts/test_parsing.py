from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.parsing import parse
from leitstand.conforming import conform
from leitstand.contract import Column, Contract


def parsed(values, kind, decimal=None):
    frame = pd.DataFrame({"x": values})
    frame.attrs["decimal"] = decimal
    contract = Contract(id="c", table="t", columns=(Column(name="x", type=kind),))
    typed, broken = parse(frame, contract)
    conform(typed, contract)  # checked data never raise
    return typed["x"], {item.rule: item.rows.tolist() for item in broken}


@pytest.mark.parametrize(
    ("values", "kind", "expected", "broken"),
    [
        ([1, 2], "integer", [1, 2], {}),
        ([1.0, 2.0], "integer", [1, 2], {}),
        (["1", "2"], "integer", [1, 2], {}),
        ([1.0, 2.5], "integer", [1.0, None], {"type": [1]}),
        ([1, 2], "number", [1, 2], {}),
        (["1,5", "x", None], "number", [1.5, None, None], {"type": [1]}),
        (["1.5", "-", "?"], "number", [1.5, None, None], {}),
        ([1.0, np.inf, -np.inf, np.nan], "number", [1.0, None, None, None], {"finite": [1, 2]}),
        (["1", "inf"], "number", [1.0, None], {"finite": [1]}),
        ([True, False], "boolean", [True, False], {}),
        (["ja", "nein", None], "boolean", [True, False, None], {}),
        ([1, 0, 2], "boolean", [True, False, None], {"type": [2]}),
        ([1, 2], "string", ["1", "2"], {}),
        ([1.0, None], "string", ["1", None], {}),
        ([1, "a", 2.5, None, True], "string", ["1", "a", "2.5", None, "true"], {}),
        (["2024-12-31", "31.12.2024 14:05"], "timestamp", [pd.Timestamp("2024-12-31"), pd.Timestamp("2024-12-31 14:05")], {}),
        (["31.12.2024", "soon", ""], "date", [pd.Timestamp("2024-12-31"), None, None], {"type": [1]}),
        (["31.12.2024 14:05"], "date", [None], {"type": [0]}),
        (["31.12.9999"], "date", [None], {"type": [0]}),
        ([pd.Timestamp("2024-01-01", tz="Europe/Berlin")], "timestamp", [pd.Timestamp("2023-12-31 23:00")], {}),
        ([pd.Timestamp("2024-01-01")], "number", [None], {"type": [0]}),
        ([Decimal("1.234"), Decimal("2.5"), None], "number", [1.234, 2.5, None], {}),
        ([1.234, "3,5", "x", 7], "number", [1.234, 3.5, None, 7.0], {"type": [2]}),
        (["/a/b.wav", None], "file", ["/a/b.wav", None], {}),
    ],
)
def test_values_take_the_type_of_the_contract_or_are_named(values, kind, expected, broken):
    typed, found = parsed(values, kind)
    assert [None if pd.isna(value) else value for value in typed.tolist()] == expected
    assert found == broken


def test_complete_integers_are_whole_and_incomplete_ones_are_floats():
    assert parsed(["1", "2"], "integer")[0].dtype == "int64"
    assert parsed(["1", None], "integer")[0].dtype == "float64"


def test_thousand_or_decimal_is_not_guessed():
    assert parsed(["1.234", "12", "x"], "number")[1] == {"type": [0, 2]}
    assert parsed(["1.234", "3,5", "x"], "number")[0].tolist()[:2] == [1234.0, 3.5]
    assert parsed(["1.234", "12", "x"], "number", decimal=".")[0].tolist()[:2] == [1.234, 12.0]


def test_frame_gets_the_order_of_the_contract_without_extra_columns():
    contract = Contract(id="c", table="t", columns=(Column(name="b", type="string"), Column(name="a", type="integer")))
    assert list(parse(pd.DataFrame({"a": [1], "x": [2], "b": ["c"]}), contract)[0].columns) == ["b", "a"]


VALUE = st.one_of(
    st.none(),
    st.text(max_size=6),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.booleans(),
    st.datetimes(),
    st.dates(),
    st.binary(max_size=3),
)


@given(
    values=st.lists(VALUE, min_size=1, max_size=8),
    kind=st.sampled_from(["integer", "number", "string", "boolean", "date", "timestamp"]),
)
def test_no_value_whatsoever_makes_parsing_fail(values, kind):
    typed, broken = parsed(pd.Series(values, dtype=object), kind)
    assert len(typed) == len(values)
    for rows in broken.values():
        assert typed.iloc[rows].isna().all()

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data_contracts.ranges import guess_range


def guessed(values, unit=None, *words):
    return guess_range(pd.Series(values, dtype="float64"), unit, set(words))


@example([*map(float, range(9)), -1e308, 1.7e308])  # their difference is no number
@given(st.lists(st.floats(allow_infinity=False, allow_nan=True), min_size=1, max_size=20))
def test_range_holds_every_value_it_was_guessed_from(values):
    bounds = guessed(values)
    assert bounds is None or pd.Series(values).dropna().between(*bounds).all()


@pytest.mark.parametrize(
    ("values", "unit", "words", "expected"),
    [
        ([12, 18, 15], None, (), (6, 24)),
        ([1.2, 3.4, 2], "kg", (), (0, 5.6)),
        ([1.2, 3.4, 2], None, ("area",), (0, 5.6)),
        ([1.2, 3.4, 2], "°C", (), (-1, 5.6)),
        ([0, 7, 3], None, (), (0, 14)),
        ([0, 20, 3], None, ("temperatur",), (-20, 40)),
        ([0, 1, 1], None, (), (0, 1)),
        ([5, 5, 5], None, (), (0, 10)),
        ([0, 0, 0], None, (), (0, 1)),
        ([1] * 999 + [50, 2], None, (), (-48, 550)),
        ([1, 2, 3, *range(3, 20)], None, (), None),
        ([2011, 2011, 2012, 2013], None, (), None),
        ([0.5, 0.7, 0.9, 1.1], None, (), None),
        ([], None, (), None),
        ([float("nan")], None, (), None),
    ],
)
def test_margin_is_a_whole_span_and_more_where_single_values_lie_far_out(values, unit, words, expected):
    assert guessed(values, unit, *words) == expected

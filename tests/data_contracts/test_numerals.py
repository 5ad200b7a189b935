import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts import numerals


def german(value: float) -> str:
    whole, _, fraction = f"{value:,.2f}".partition(".")
    return f"{whole.replace(',', '.')},{fraction}"


@given(st.lists(st.floats(-1e9, 1e9), min_size=1))
def test_german_numbers_are_read_as_they_were_meant(values):
    texts = pa.array([german(value) for value in values])
    numbers, good = numerals.to_float(texts, ",")
    assert good.all()
    np.testing.assert_allclose(numbers, [round(value, 2) for value in values], atol=0.0051)


@given(st.lists(st.floats(allow_nan=False), min_size=1))
def test_numbers_as_python_prints_them_are_read_exactly(values):
    numbers, good = numerals.to_float(pa.array([repr(value) for value in values]), ".")
    assert good.all()
    np.testing.assert_array_equal(numbers, values)


@given(st.text(max_size=8))
def test_a_text_is_a_number_only_if_it_holds_a_digit_or_a_word_for_one(text):
    _, good = numerals.to_float(pa.array([text]), ".")
    assert (
        not good[0] or any(character.isdigit() for character in text) or text.strip("+-").casefold() in ("inf", "infinity", "nan")
    )


@pytest.mark.parametrize(
    ("texts", "marks"),
    [
        (["3,5"], {","}),
        (["1.234.567"], {","}),
        (["1.234,5"], {","}),
        (["0,123"], {","}),
        (["1234,567"], {","}),
        (["3.5"], {"."}),
        (["1,234.5"], {"."}),
        (["0.123"], {"."}),
        (["1,234,567"], {"."}),
        (["2.6890035e-001"], {"."}),
        (["1.234", "5.678"], set()),
        (["1,234"], set()),
        (["17"], set()),
        (["3,5", "3.5"], {",", "."}),
        (["31.12.2024"], set()),
    ],
)
def test_decimal_mark_is_seen_only_where_a_number_can_mean_nothing_else(texts, marks):
    assert numerals.decimal_marks(pa.array(texts)) == marks


@pytest.mark.parametrize("texts", [["01234", "10115"], ["00"], ["12345678901234567890"], ["00.5"], ["1", "007"]])
def test_codes_are_no_numbers(texts):
    assert numerals.is_code(pa.array(texts), pa.array([float(text) for text in texts]))


@pytest.mark.parametrize("texts", [["0", "0.5", "-0.25"], ["123456789012345678"], ["0.1234567890123456789"], ["1", None]])
def test_numbers_are_no_codes(texts):
    assert not numerals.is_code(pa.array(texts), pa.array([None if text is None else float(text) for text in texts]))


def test_a_hexadecimal_number_is_a_code() -> None:
    assert numerals.is_code(pa.array(["0x1A", "0x2B"]), pa.array([26, 43]))

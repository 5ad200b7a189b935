import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.columns import Undecided, type_columns, type_texts
from leitstand.errors import SourceError


@pytest.mark.parametrize(
    ("texts", "marks", "expected"),
    [
        (["1", "2"], {"."}, [1, 2]),
        (["1.5", "2"], {"."}, [1.5, 2.0]),
        (["1,5", "2"], {"."}, [1.5, 2.0]),
        (["1.234", "7"], {","}, [1234, 7]),
        (["1.234", "7"], {"."}, [1.234, 7.0]),
        (["1.234.567", "12"], set(), [1234567, 12]),
        (["1'234.5", "+3"], {"."}, [1234.5, 3.0]),
        (["-59191263232", "1"], {"."}, [-59191263232, 1]),
        (["true", "FALSE"], {"."}, [True, False]),
        (["01234", "1"], {"."}, ["01234", "1"]),
        (["1,5", "2.5"], {"."}, ["1,5", "2.5"]),
        (["NA", "DE"], {"."}, ["NA", "DE"]),
        ([" a ", "b"], {"."}, ["a", "b"]),
        (["09:58", "10:00"], {"."}, ["09:58", "10:00"]),
        (["5", "high"], {"."}, ["5", "high"]),
        (["31.12.2024", "1.1.2025"], {","}, [pd.Timestamp("2024-12-31"), pd.Timestamp("2025-01-01")]),
        (["31.12.2024", "bald"], {","}, ["31.12.2024", "bald"]),
    ],
)
def test_type_of_a_column_is_what_all_its_texts_are(texts, marks, expected):
    typed = type_texts(pa.array(texts), marks)
    assert typed.tolist() == expected
    assert [type(value) for value in typed.tolist()] == [type(value) for value in expected]


@pytest.mark.parametrize("missing", ["-", "?", "k.A.", "#NV", "", "NaN", "NA", None])
def test_words_for_missing_do_not_turn_numbers_into_texts(missing):
    typed = type_texts(pa.array(["1.5", missing]), {"."})
    assert typed.dtype == "float64"
    assert typed.isna().tolist() == [False, True]


def test_long_ids_stay_different_when_one_is_missing():
    ids = [str(90071992547409930 + number) for number in range(4)]
    assert type_texts(pa.array([*ids, None]), {"."}).dropna().tolist() == ids
    assert type_texts(pa.array(ids), {"."}).tolist() == [int(one) for one in ids]


def test_a_number_that_nothing_decides_is_not_guessed():
    with pytest.raises(Undecided):
        type_texts(pa.array(["1.234", "999"]), set())


def test_the_file_decides_what_a_column_does_not():
    frame = type_columns(
        {"turnover": pa.array(["1.234", "999"]), "price": pa.array(["3,5", "4"])}, decimal=None, as_text=frozenset(), where="f"
    )
    assert frame["turnover"].tolist() == [1234, 999]


def test_undecided_file_asks_for_the_decimal_mark():
    with pytest.raises(SourceError, match=r"column 'turnover' holds values such as 1\.234, .* Set the source's 'decimal'"):
        type_columns({"turnover": pa.array(["1.234", "999"])}, decimal=None, as_text=frozenset(), where="f.csv")


@pytest.mark.parametrize(("decimal", "expected"), [(".", [1.234, 999.0]), (",", [1234, 999])])
def test_stated_decimal_mark_is_believed(decimal, expected):
    frame = type_columns({"turnover": pa.array(["1.234", "999"])}, decimal=decimal, as_text=frozenset(), where="f.csv")
    assert frame["turnover"].tolist() == expected


def test_number_against_the_stated_decimal_mark_stays_text():
    frame = type_columns({"turnover": pa.array(["3.5", "4"])}, decimal=",", as_text=frozenset(), where="f.csv")
    assert frame["turnover"].tolist() == ["3.5", "4"]


def test_column_that_the_contract_calls_text_stays_text():
    frame = type_columns({"code": pa.array(["12", "13"])}, decimal=None, as_text=frozenset({"code"}), where="f.csv")
    assert frame["code"].tolist() == ["12", "13"]


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_whole_numbers_stay_whole_and_exact(numbers):
    typed = type_texts(pa.array([str(number) for number in numbers]), {"."})
    if any(len(str(abs(number))) > 18 for number in numbers):
        numbers = [str(number) for number in numbers] if typed.dtype == object else numbers
    assert typed.tolist() == numbers


@given(st.lists(st.from_regex(r"0\d{1,6}", fullmatch=True), min_size=1))
def test_leading_zeros_are_never_lost(codes):
    assert type_texts(pa.array(codes), {"."}).tolist() == codes

from datetime import datetime

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.dates import to_time

MOMENTS = st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)).map(lambda moment: moment.replace(microsecond=0))


@pytest.mark.parametrize(
    "form", ["%d.%m.%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y/%m/%d %H:%M:%S"]
)
@given(moments=st.lists(MOMENTS, min_size=1))
def test_times_are_read_as_they_were_meant(form, moments):
    assert to_time(pa.array([moment.strftime(form) for moment in moments])).tolist() == [
        pd.Timestamp(moment) for moment in moments
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("31.12.2024", "2024-12-31"),
        ("1.2.2024", "2024-02-01"),
        ("31.12.24", "2024-12-31"),
        ("31.12.68", "2068-12-31"),
        ("01.01.69", "1969-01-01"),
        ("31.12.2024 14:05", "2024-12-31 14:05"),
        ("31.12.2024 9:05:30", "2024-12-31 09:05:30"),
        ("31.12.2024, 14:05 Uhr", "2024-12-31 14:05"),
        ("2024-12-31T14:05:00+02:00", "2024-12-31 12:05"),
        ("2024-12-31 14:05:00.250", "2024-12-31 14:05:00.25"),
    ],
)
def test_form_of_a_date_is_understood(text, expected):
    assert to_time(pa.array([text]))[0] == pd.Timestamp(expected)


@pytest.mark.parametrize("text", ["31.02.2024", "31.12.9999", "2024", "14:05", "1.5", "", "gestern", "2024-13-01"])
def test_what_is_no_date_gives_none(text):
    assert to_time(pa.array([text])).isna()[0]


def test_slashes_are_read_when_the_column_says_which_number_is_the_month():
    assert to_time(pa.array(["01/02/2024", "31/12/2024"]))[0] == pd.Timestamp("2024-02-01")
    assert to_time(pa.array(["01/02/2024", "12/31/2024"]))[0] == pd.Timestamp("2024-01-02")
    assert to_time(pa.array(["01/02/2024", "03/04/2024"])).isna().all()

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.errors import DataError
from leitstand.timeseries import in_time_order, join_lab_samples, lagged, last_known, read_times, rolling_means, stretches


def minutes(*values: float) -> pd.Series:
    return pd.Series(pd.Timestamp("2024-03-01") + pd.to_timedelta(values, unit="min"))


def process(*at: float, line: str = "L1") -> pd.DataFrame:
    return pd.DataFrame({"at": minutes(*at), "line": line, "current": np.arange(len(at), dtype=float)})


def lab(*samples: tuple[float, float], line: str = "L1") -> pd.DataFrame:
    return pd.DataFrame({"drawn": minutes(*[at for at, _ in samples]), "line": line, "value": [value for _, value in samples]})


def joined(
    rows: pd.DataFrame, samples: pd.DataFrame, horizon: float = 0, tolerance: float = 10, by: str | None = "line"
) -> list[float]:
    made = join_lab_samples(
        rows, samples, time="at", sampled_at="drawn", value="value", by=by, horizon_minutes=horizon, tolerance_minutes=tolerance
    )
    return made["value"].tolist()


NAN = pytest.approx(np.nan, nan_ok=True)


def test_a_sample_goes_to_the_newest_row_not_after_it():
    assert joined(process(0, 5, 10), lab((7, 1.0), (10, 2.0))) == [NAN, 1.0, 2.0]


def test_with_a_horizon_a_sample_goes_to_the_row_that_much_earlier():
    assert joined(process(0, 5, 10), lab((35, 1.0)), horizon=30) == [NAN, 1.0, NAN]


def test_a_sample_older_than_the_tolerance_finds_no_row():
    assert joined(process(0, 60), lab((9, 1.0), (11, 2.0), (61, 3.0))) == [1.0, 3.0]


def test_of_two_samples_for_one_row_the_later_one_stays():
    assert joined(process(0, 10), lab((8, 1.0), (3, 2.0))) == [1.0, NAN]


def test_lines_do_not_mix():
    rows = pd.concat([process(0, 5), process(0, 5, line="L2")], ignore_index=True)
    assert joined(rows, lab((6, 1.0), line="L2")) == [NAN, NAN, NAN, 1.0]


def test_rows_keep_their_order_and_their_raw_values():
    rows = process(10, 0, 5).assign(
        at=["2024-03-01T00:10:00", "2024-03-01T00:00:00", "2024-03-01T00:05:00"], current=["1,5", "x", ""]
    )
    made = join_lab_samples(
        rows,
        lab((7, 1.0)).assign(value="1.234,5"),
        time="at",
        sampled_at="drawn",
        value="value",
        by="line",
        horizon_minutes=0,
        tolerance_minutes=10,
    )
    pd.testing.assert_frame_equal(made[list(rows.columns)], rows)
    assert made["value"].tolist()[2] == "1.234,5"
    assert made["value"].isna().tolist() == [True, True, False]


def test_samples_outside_the_time_of_the_process_data_are_left_out():
    assert joined(process(0, 5), lab((-5000, 1.0), (5, 2.0), (9000, 3.0))) == [NAN, 2.0]


def test_clocks_that_differ_are_noticed():
    rows = process(*range(0, 6000, 60))
    with pytest.raises(DataError, match=r"99 of 99 lab samples found no process row in the 10 min before them") as caught:
        joined(rows, lab(*[(60 * hour + 30, 1.0) for hour in range(99)]))
    assert caught.value.key == "timeseries.samples_unmatched"


def test_lines_of_other_names_are_noticed():
    with pytest.raises(DataError, match="the same names in 'line'"):
        joined(process(0, 5), lab((5, 1.0), line="Linie 1"))


@pytest.mark.parametrize(("table", "column"), [("process", "at"), ("lab", "drawn"), ("lab", "value"), ("lab", "line")])
def test_a_missing_column_is_named(table, column):
    tables = {"process": process(0, 5), "lab": lab((5, 1.0))}
    tables[table] = tables[table].drop(columns=column)
    with pytest.raises(DataError, match=f"The table '{table}' has no column '{column}'"):
        joined(tables["process"], tables["lab"])


def test_times_are_read_in_iso_and_in_german():
    texts = pd.Series(["2024-03-01 14:30", "01.03.2024 14:30", "2024-03-01T14:30:00", "01.03.2024 14:30:00", " ", None])
    times = read_times(texts)
    assert times.dropna().unique().tolist() == [pd.Timestamp("2024-03-01 14:30")]
    assert times.isna().tolist() == [False] * 4 + [True] * 2


def test_times_with_a_zone_are_brought_to_utc():
    assert read_times(pd.Series(["2024-03-01T14:30:00+01:00"]))[0] == pd.Timestamp("2024-03-01 13:30")
    assert read_times(pd.Series(pd.to_datetime(["2024-03-01T14:30:00+01:00"])))[0] == pd.Timestamp("2024-03-01 13:30")


def test_a_time_that_is_none_is_shown():
    with pytest.raises(DataError, match=r"Column 'drawn' has 1 of 2 values .* \(e.g. 'yesterday'\)"):
        read_times(pd.Series(["2024-03-01 14:30", "yesterday"], name="drawn"))


def test_rows_of_equal_time_keep_their_order():
    assert in_time_order(minutes(5, 0, 5, 0), 4).tolist() == [1, 3, 0, 2]
    assert in_time_order(None, 3).tolist() == [0, 1, 2]


def test_a_standstill_begins_a_new_stretch_of_its_line_only():
    times = minutes(0, 0, 5, 5, 300, 10, 305)
    line = pd.Series(["a", "b", "a", "b", "a", "b", "a"])
    found = stretches(line, times, 60, 7)
    assert [np.flatnonzero(found == code).tolist() for code in pd.unique(found)] == [[0, 2], [1, 3, 5], [4, 6]]


def test_without_series_and_gap_all_rows_are_one_stretch():
    assert stretches(None, None, None, 3).tolist() == [0, 0, 0]
    assert len(set(stretches(None, minutes(0, 500), None, 2))) == 1


def test_lags_and_means_are_counted_by_hand_here():
    frame = pd.DataFrame({"x": [1.0, 10.0, 3.0, 20.0, 8.0]})
    stretch = np.array([0, 1, 0, 1, 0])
    assert lagged(frame, [1], stretch)["x_lag_1"].tolist() == [NAN, NAN, 1.0, 10.0, 3.0]
    assert rolling_means(frame, [2], stretch)["x_mean_2"].tolist() == [1.0, 10.0, 2.0, 15.0, 5.5]


def test_means_pass_over_gaps_in_the_readings():
    frame = pd.DataFrame({"x": [1.0, np.nan, 3.0]})
    assert rolling_means(frame, [3], np.zeros(3))["x_mean_3"].tolist() == [1.0, 1.0, 2.0]


@pytest.mark.parametrize(("function", "span"), [(lagged, 0), (lagged, -1), (rolling_means, 0)])
def test_spans_that_would_look_ahead_are_refused(function, span):
    with pytest.raises(ValueError, match="must be at least 1"):
        function(pd.DataFrame({"x": [1.0]}), [span], np.zeros(1))


def test_no_spans_give_no_columns():
    frame = pd.DataFrame({"x": [1.0, 2.0]})
    assert lagged(frame, [], np.zeros(2)).shape == (2, 0)
    assert rolling_means(frame, [], np.zeros(2)).shape == (2, 0)


SERIES = st.lists(st.tuples(st.integers(0, 2), st.floats(-1e6, 1e6)), min_size=2, max_size=40)


@given(SERIES, st.data())
def test_no_later_row_changes_an_earlier_lag_or_mean(rows, data):
    now = data.draw(st.integers(0, len(rows) - 2))
    stretch = np.array([line for line, _ in rows])
    before = pd.DataFrame({"x": [value for _, value in rows]})
    after = before.copy()
    after.loc[now + 1 :, "x"] = data.draw(st.floats(-1e9, 1e9))
    for function in (lagged, rolling_means):
        first, second = (function(frame, [1, 3], stretch).iloc[: now + 1] for frame in (before, after))
        pd.testing.assert_frame_equal(first, second, check_exact=True)


@given(SERIES, st.data(), st.sampled_from([0.0, 1.0, 2.5]))
def test_no_value_is_known_at_its_own_time_or_before(rows, data, delay):
    now = data.draw(st.integers(0, len(rows) - 1))
    by = np.array([line for line, _ in rows])
    clock = np.arange(len(rows), dtype=float)
    values = pd.Series([value for _, value in rows])
    changed = values.copy()
    changed[now:] = data.draw(st.floats(-1e9, 1e9))
    first, second = (last_known(each, clock, delay, by)[: now + 1] for each in (values, changed))
    np.testing.assert_array_equal(first, second)


def test_the_newest_known_value_of_the_same_key_is_taken():
    values = pd.Series([1.0, np.nan, 2.0, np.nan, np.nan])
    clock = np.array([0.0, 10.0, 20.0, 30.0, 40.0])
    assert last_known(values, clock, 15, np.zeros(5)).tolist() == [NAN, NAN, 1.0, 1.0, 2.0]
    assert last_known(values, clock, 0, np.zeros(5)).tolist() == [NAN, 1.0, 1.0, 2.0, 2.0]
    assert last_known(values, clock, 0, np.array([0, 0, 1, 0, 1])).tolist() == [NAN, 1.0, NAN, 1.0, 2.0]


def test_rows_of_the_same_time_do_not_know_each_others_values():
    assert np.isnan(last_known(pd.Series([1.0, 2.0]), np.zeros(2), 0, np.zeros(2))).all()

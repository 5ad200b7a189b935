from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leitstand.conforming import conform
from leitstand.dataset import make_dataset
from leitstand.errors import DataError
from tests.projects.conftest import Case, shipped

MEASURED = ("temperature_c", "motor_current_a", "speed_rpm", "feed_kg_h", "cooling_water_c")
SHORT = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def sensor(case: Callable[[str], Case]) -> Case:
    return case("virtual_sensor")


@pytest.fixture
def week(sensor) -> pd.DataFrame:
    """The first rows of both lines, conformed and in time order."""
    return conform(sensor.frame.head(600), sensor.project.contract)


def test_about_two_thousand_of_forty_thousand_rows_have_a_lab_value(sensor):
    assert len(sensor.frame) <= 60_000
    assert 1500 <= sensor.frame["viscosity_mpas"].notna().sum() <= 3000


def test_the_lab_value_of_a_row_is_the_sample_drawn_half_an_hour_later():
    project = shipped("virtual_sensor")
    times = pd.date_range("2024-03-01", periods=12, freq="5min")
    process = pd.DataFrame({"timestamp": times, "line": "L1", "temperature_c": 80.0})
    lab = pd.DataFrame({"sampled_at": [times[8] + pd.Timedelta(minutes=3)], "line": ["L1"], "viscosity_mpas": [5000]})
    joined = project.prepare({"process": process, "lab": lab})
    assert np.flatnonzero(joined["viscosity_mpas"].notna()).tolist() == [2]


def test_one_table_that_holds_the_target_is_taken_as_it_is(week):
    assert shipped("virtual_sensor").prepare({"data": week}) is week


def test_a_lab_of_other_line_names_is_refused():
    process = pd.DataFrame({"timestamp": pd.date_range("2024-03-01", periods=50, freq="5min"), "line": "L1"})
    lab = pd.DataFrame({"sampled_at": ["2024-03-01 01:30"], "line": ["Line 1"], "viscosity_mpas": [5000]})
    with pytest.raises(DataError, match="1 of 1 lab samples found no process row"):
        shipped("virtual_sensor").prepare({"process": process, "lab": lab})


@SHORT
@given(st.integers(1, 598), st.floats(-500, 500), st.sampled_from(MEASURED))
def test_no_later_row_changes_the_features_of_an_earlier_one(sensor, week, now, value, column):
    changed = week.copy()
    changed.loc[now:, column] = value
    changed.loc[now:, "product_group"] = "other"
    first, second = (sensor.project.features(each).iloc[:now] for each in (week, changed))
    pd.testing.assert_frame_equal(first, second, check_exact=True)


@SHORT
@given(st.integers(1, 598), st.floats(100, 50_000))
def test_no_lab_value_of_now_or_later_changes_the_baseline(sensor, week, now, value):
    changed = week.copy()
    changed.loc[now:, "viscosity_mpas"] = value
    first, second = (sensor.project.baseline(each)[: now + 1] for each in (week, changed))
    np.testing.assert_array_equal(first, second)


def test_the_baseline_knows_a_lab_value_only_after_horizon_and_laboratory(sensor):
    times = pd.date_range("2024-03-01", periods=30, freq="5min")
    frame = pd.DataFrame({"timestamp": times, "line": "L1", "product_group": "flooring", "viscosity_mpas": np.nan})
    frame.loc[2, "viscosity_mpas"] = 6000.0
    known = np.flatnonzero(~np.isnan(sensor.project.baseline(frame)))
    assert known[0] == 2 + (30 + 45) // 5


def test_the_baseline_prefers_line_and_product_then_product_then_any(sensor):
    at = pd.to_datetime(["2024-03-01 00:00", "2024-03-01 01:00", "2024-03-01 02:00", "2024-03-01 06:00"])
    frame = pd.DataFrame(
        {
            "timestamp": at,
            "line": ["L1", "L2", "L2", "L1"],
            "product_group": ["flooring", "flooring", "assembly", "flooring"],
            "viscosity_mpas": [6000.0, 6500.0, 9000.0, np.nan],
        }
    )
    assert sensor.project.baseline(frame)[-1] == 6000
    assert sensor.project.baseline(frame.assign(line=["L1", "L2", "L2", "L3"]))[-1] == 6500
    assert sensor.project.baseline(frame.assign(product_group=["a", "b", "c", "d"]))[-1] == 9000


def test_the_order_of_the_rows_does_not_matter(sensor, week):
    shuffled = week.sample(frac=1, random_state=0)
    expected = sensor.project.features(week)
    found = sensor.project.features(shuffled)
    assert found.index.tolist() == shuffled.index.tolist()
    pd.testing.assert_frame_equal(found.sort_index(), expected)


def test_the_history_that_project_yaml_asks_for_is_enough(sensor, week):
    history = sensor.project.spec.data.history_rows
    line = week[week["line"] == "L1"].reset_index(drop=True)
    whole = sensor.training.model.predict(sensor.project, line)
    last = sensor.training.model.predict(sensor.project, line.iloc[-history - 1 :])
    assert last.value[-1] == pytest.approx(whole.value[-1], rel=1e-9)
    parameters = sensor.project.parameters
    assert history >= max(*parameters["lags"], *[window - 1 for window in parameters["windows"]])


def test_the_first_row_after_a_standstill_has_no_past(sensor, week):
    line = week[week["line"] == "L1"].reset_index(drop=True)
    moved = line.assign(timestamp=line["timestamp"].where(line.index < 50, line["timestamp"] + pd.Timedelta(days=2)))
    features = sensor.project.features(moved)
    assert np.isnan(features.loc[50, "motor_current_a_lag_2"])
    assert features.loc[50, "motor_current_a_mean_24"] == line.loc[50, "motor_current_a"]


def test_the_error_comes_near_the_noise_of_the_lab(sensor):
    floor = sensor.project.sample().LAB_NOISE_MPAS
    assert floor * 0.85 < sensor.judgement.metrics["rmse"].value < floor * 1.35
    assert sensor.judgement.baseline_metrics["rmse"] > floor * 4


def test_the_prediction_interval_covers_what_it_promises(sensor):
    confidence = sensor.project.spec.training.confidence
    assert abs(sensor.judgement.metrics["coverage"].value - confidence) < 0.06


@pytest.mark.parametrize(("column", "step", "rises"), [("temperature_c", 5, False), ("motor_current_a", 3, True)])
def test_viscosity_falls_with_heat_and_rises_with_torque(sensor, week, column, step, rises):
    changed = week.assign(**{column: week[column] + step})
    before, after = (sensor.training.model.predict(sensor.project, each).value for each in (week, changed))
    share = float(np.mean((after > before) == rises))
    assert share > 0.98


def test_what_does_not_matter_hardly_moves_the_answer(sensor, week):
    changed = week.assign(cooling_water_c=week["cooling_water_c"] + 1.0)
    before, after = (sensor.training.model.predict(sensor.project, each).value for each in (week, changed))
    assert np.abs(after - before).mean() < 60


def test_a_table_without_times_lines_and_products_can_be_learned_from(sensor):
    rng = np.random.default_rng(0)
    wide = pd.DataFrame(rng.normal(size=(300, 3)), columns=["a", "b", "c"])
    wide["quality"] = wide["a"].rolling(3, min_periods=1).mean() * 5 + rng.normal(0, 0.1, 300)
    roles = {"target": "quality", "time": None, "series": None}
    parameters = {**sensor.project.parameters, **roles}
    functions = sensor.project.functions
    features = functions.features(wide.drop(columns="quality"), parameters)
    baseline = functions.baseline(wide, parameters)
    assert np.isnan(baseline[0])
    assert baseline[1:].tolist() == wide["quality"].tolist()[:-1]
    for estimator in functions.candidates(features, parameters).values():
        error = estimator.fit(features[:200], wide["quality"][:200]).predict(features[200:]) - wide["quality"][200:]
        assert np.sqrt(np.mean(error**2)) < 2.0


def test_the_dataset_is_in_time_order_so_that_the_holdout_is_the_newest(sensor):
    dataset = make_dataset(sensor.project, sensor.frame)
    assert dataset.frame["timestamp"].is_monotonic_increasing
    assert sensor.training_part.frame["timestamp"].max() < sensor.holdout.frame["timestamp"].min()

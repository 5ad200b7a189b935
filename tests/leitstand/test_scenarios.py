"""The worlds of a time-lapse: when they change, by how much, and that truth stays what it is."""

import numpy as np
import pandas as pd
import pytest
from builders import parts, project
from hypothesis import given
from hypothesis import strategies as st

from leitstand.contract import Column
from leitstand.errors import UsageError
from leitstand.scenarios import BROKEN_PERIODS, DELAY_PERIODS, SHIFT, WEAR, Scenario, World, changed, telling_column, worlds


def test_a_stationary_world_never_changes() -> None:
    assert set(worlds(Scenario.stationary, 52)) == {World()}


@pytest.mark.parametrize("scenario", [one for one in Scenario if one not in (Scenario.stationary, Scenario.seasonal)])
def test_every_change_begins_at_three_tenths_and_is_marked_there(scenario: Scenario) -> None:
    made = worlds(scenario, 40)
    assert next(number for number, world in enumerate(made) if world.changed) == 12
    assert all(world.offset == 0 and not world.broken for world in made[:12])
    assert made[12].offset > 0 or made[12].broken


def test_what_comes_back_is_marked_too() -> None:
    recovery, broken = worlds(Scenario.recovery, 40), worlds(Scenario.broken_sensor, 40)
    assert [number for number, world in enumerate(recovery) if world.changed] == [12, 24]
    assert recovery[24].offset == 0
    assert sum(world.broken for world in broken) == BROKEN_PERIODS


def test_wear_grows_evenly_to_its_end() -> None:
    offsets = [world.offset for world in worlds(Scenario.creeping_wear, 40)]
    steps = np.diff(offsets[11:])
    assert offsets[-1] == pytest.approx(WEAR)
    assert steps == pytest.approx(np.full(28, WEAR / 28))


def test_late_labels_come_with_a_shift() -> None:
    made = worlds(Scenario.label_delay, 20)
    assert {world.delay for world in made} == {DELAY_PERIODS}
    assert made[-1].offset == SHIFT


@given(offset=st.floats(-5, 5), share=st.floats(0, 1))
def test_a_measurement_moves_inside_its_range_and_nothing_else_does(offset: float, share: float) -> None:
    frame = parts(50)
    column = Column(name="pressure", type="number", minimum=30, maximum=70)
    moved = changed(frame, World(offset, share), column, 5.0, np.random.default_rng(0))
    assert moved["pressure"].between(30, 70).all()
    assert moved.drop(columns="pressure").equals(frame.drop(columns="pressure"))
    distance = (moved["pressure"] - frame["pressure"]).abs()
    assert (distance <= abs(offset) * 5 + 1e-9).all()


def test_a_broken_sensor_shows_one_value_and_keeps_its_gaps() -> None:
    frame = parts(50)
    frame.loc[3, "pressure"] = np.nan
    column = Column(name="pressure", type="number")
    stuck = changed(frame, World(broken=True), column, 5.0, np.random.default_rng(0))["pressure"]
    assert stuck.nunique() == 1
    assert list(stuck.isna()) == list(frame["pressure"].isna())


def test_the_input_that_tells_most_is_moved() -> None:
    frame = parts(300)
    frame["quality"] = np.where(frame["temperature"] > 200, "bad", "good")
    assert telling_column(project(frame), frame).name == "temperature"


def test_without_a_number_there_is_nothing_to_move() -> None:
    frame = pd.DataFrame({"material": ["PE", "PP"] * 20, "quality": ["bad", "good"] * 20})
    with pytest.raises(UsageError, match="no numeric input"):
        telling_column(project(frame), frame)

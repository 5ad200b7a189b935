import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leitstand.contract import Column, Contract
from monitoring.drift import Watched, drifts, holm, watch, watched_inputs
from monitoring.result import ColumnDrift

GENERATOR = np.random.default_rng(7)
NORMAL = pd.Series(GENERATOR.normal(size=2000))


def drift(column: Watched, threshold: float) -> ColumnDrift:
    return drifts([column], threshold)[0]


def test_rare_values_may_be_missing_in_a_small_window() -> None:
    generator = np.random.default_rng(3)
    rare = pd.Series(np.where(generator.random(5000) < 0.02, generator.normal(size=5000), np.nan))
    windows = [rare.sample(50, random_state=seed).reset_index(drop=True) for seed in range(100)]
    nothing = [window for window in windows if window.isna().all()]
    assert len(nothing) > 20
    assert not any(drift(watch("x", rare, window, is_number=True), 0.2).drifted for window in nothing)
    assert drift(watch("x", NORMAL, pd.Series([np.nan] * 50), is_number=True), 0.2).drifted, (
        "what is always there is missed at once"
    )


def test_the_effect_is_the_shift_in_standard_deviations() -> None:
    found = drift(watch("x", NORMAL * 4 + 10, NORMAL * 4 + 12, is_number=True), 0.2)

    assert found.effect == pytest.approx(0.5, abs=0.02)
    assert found.drifted


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_drift_does_not_depend_on_the_unit(scale: float) -> None:
    found = drift(watch("x", NORMAL * scale, (NORMAL + 1) * scale, is_number=True), 0.2)

    assert found.effect == pytest.approx(1 / NORMAL.std(ddof=0))


def test_a_large_distance_of_a_small_sample_is_no_drift() -> None:
    alarms = large = 0
    for _ in range(400):
        found = drift(watch("x", NORMAL, pd.Series(GENERATOR.normal(size=50)), is_number=True), 0.2)
        large += found.effect is not None and found.effect >= 0.2
        alarms += found.drifted

    assert large >= 40  # the effect alone would cry wolf
    assert alarms <= 4


def test_rare_categories_of_a_small_sample_are_no_drift() -> None:
    names = [f"supplier {i}" for i in range(40)]
    before, now = (pd.Series(GENERATOR.choice(names, size)) for size in (2000, 60))

    found = drift(watch("x", before, now, is_number=False), 0.2)

    assert found.effect is not None
    assert found.effect > 0.2
    assert not found.drifted


def test_an_effect_below_the_threshold_is_no_drift_though_no_chance() -> None:
    many = pd.Series(GENERATOR.normal(size=50_000))

    assert not drift(watch("x", many, many + 0.1, is_number=True), 0.2).drifted


def test_a_constant_that_became_another_constant_has_drifted() -> None:
    before, now = pd.Series([5.0] * 100), pd.Series([6.0] * 100)

    assert drift(watch("x", before, now, is_number=True), 0.2).drifted
    assert drift(watch("x", before, before, is_number=True), 0.2).effect == 0


def test_new_categories_are_drift() -> None:
    before, now = pd.Series(["a", "b"] * 100), pd.Series(["a", "z"] * 100)

    assert drift(watch("x", before, now, is_number=False), 0.2).drifted


def test_identifiers_that_are_all_new_are_no_drift() -> None:
    before, now = (pd.Series([f"order {i}" for i in numbers]) for numbers in (range(200), range(200, 400)))

    assert not drift(watch("x", before, now, is_number=False), 0.2).drifted


def test_other_words_in_free_text_are_drift() -> None:
    before = pd.Series([f"motor runs warm {i}" for i in range(200)])
    now = pd.Series([f"pump leaks oil {i}" for i in range(200)])

    found = drift(watch("x", before, now, is_number=False), 0.2)
    assert (found.kind, found.drifted) == ("text", True)


def test_infinite_values_do_not_break_the_comparison() -> None:
    found = drift(watch("x", NORMAL, NORMAL.where(NORMAL < 2, np.inf), is_number=True), 0.2)

    assert found.effect is not None
    assert np.isfinite(found.effect)


def test_dates_files_and_identifiers_are_not_watched() -> None:
    columns = (
        Column(name="id", type="string", primary_key_position=1),
        Column(name="serial", type="integer", unique=True),
        Column(name="day", type="date"),
        Column(name="sound", type="file"),
        Column(name="never", type="number"),
        Column(name="speed", type="number"),
    )
    frame = pd.DataFrame({name: [1.0, 2.0] for name in ("id", "serial", "day", "sound", "speed")} | {"never": [np.nan, np.nan]})

    watched = watched_inputs(Contract(id="c", table="t", columns=columns), frame, frame)

    assert [column.name for column in watched] == ["speed"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=40),
    st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), max_size=40),
)
def test_any_numbers_can_be_compared(before: list[float | None], now: list[float | None]) -> None:
    column = watch("x", pd.Series(before, dtype=float), pd.Series(now, dtype=float), is_number=True)
    if column.reference.empty:
        return

    found = drift(column, 0.2)

    assert found.effect is None or (np.isfinite(found.effect) and found.effect >= 0)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.text(max_size=8)), min_size=1, max_size=40),
    st.lists(st.one_of(st.none(), st.text(max_size=8)), max_size=40),
)
def test_any_texts_can_be_compared(before: list[str | None], now: list[str | None]) -> None:
    column = watch("x", pd.Series(before, dtype=object), pd.Series(now, dtype=object), is_number=False)
    if column.reference.empty:
        return

    found = drift(column, 0.2)

    assert found.effect is None or 0 <= found.effect <= 0.84


def test_many_columns_together_are_asked_for_chance() -> None:
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])).tolist() == pytest.approx(
        [0.03, 0.06, 0.06, 0.02]
    )  # Holm 1979, worked by hand
    assert holm(np.array([])).tolist() == []


def test_among_many_columns_one_that_looks_odd_alone_is_no_drift() -> None:
    alarms = 0
    for _ in range(40):
        columns = [watch(f"x{i}", NORMAL, pd.Series(GENERATOR.normal(size=60)), is_number=True) for i in range(20)]
        alarms += any(column.drifted for column in drifts(columns, 0.05))
    assert alarms <= 2

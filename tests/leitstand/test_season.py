import numpy as np
import pandas as pd

from leitstand.season import phases, same_season

YEARS = pd.Series(pd.date_range("2024-01-01", "2025-12-31", freq="6h", tz="UTC"))
WARMTH = 10 - 12 * np.cos(2 * np.pi * phases(YEARS, "year"))


def test_the_same_moment_of_two_periods_is_the_same_phase() -> None:
    days = phases(pd.Series(pd.to_datetime(["2026-03-02 06:00", "2026-05-11 06:00"], utc=True)), "day")
    weeks = phases(pd.Series(pd.to_datetime(["2026-03-02 12:00", "2026-03-09 12:00"])), "week")
    assert (days == 0.25).all()
    assert np.allclose(weeks, 0.5 / 7)


def test_a_window_in_spring_is_compared_with_spring_and_no_slope_is_left() -> None:
    window = pd.date_range("2026-04-01", "2026-04-08", freq="1h", tz="UTC")
    chosen = same_season(phases(YEARS, "year"), phases(pd.Series(window), "year"))
    assert chosen is not None
    expected = 10 - 12 * np.cos(2 * np.pi * phases(pd.Series(window), "year"))
    assert abs(WARMTH[chosen].mean() - expected.mean()) < 0.2
    assert set(YEARS[chosen].dt.month) <= {3, 4}


def test_the_turn_of_the_year_has_neighbours_on_both_sides() -> None:
    window = pd.date_range("2026-01-01", "2026-01-02", freq="1h", tz="UTC")
    chosen = same_season(phases(YEARS, "year"), phases(pd.Series(window), "year"))
    assert chosen is not None
    assert set(YEARS[chosen].dt.month) == {12, 1}


def test_a_season_that_the_reference_never_saw_is_said() -> None:
    summer = YEARS[YEARS.dt.month.isin([6, 7])]
    window = pd.Series(pd.date_range("2026-01-10", periods=50, freq="1h", tz="UTC"))
    assert same_season(phases(summer, "year"), phases(window, "year")) is None
    assert same_season(np.array([]), phases(window, "year")) is None

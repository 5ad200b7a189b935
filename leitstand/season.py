"""The part of the reference that lies in the same season as the window: what is usual in July says nothing about January."""

from typing import Literal

import numpy as np
import pandas as pd

TIME = "_time"
"""Column of a reference that says when each row was."""
Season = Literal["none", "day", "week", "year"]
HALF_WIDTH = (
    1 / 24
)  # of the period that counts as the same season: an hour of the day, 3.5 hours of the week, 15 days of the year
MOST_UNMATCHED = 0.1  # of the window's rows that may lie where the reference has nothing
_DAYS = {"day": 1.0, "week": 7.0, "year": 365.2425}


def phases(times: pd.Series, season: Season) -> np.ndarray:
    """Return where in the season each moment lies, from 0 to 1 and round again; NaN where there is no time.

    Parameters
    ----------
    times : aware or not, taken as UTC on both sides of a comparison
    """
    stamps = pd.to_datetime(times, utc=True)
    days = ((stamps - pd.Timestamp("2001-01-01", tz="UTC")) / pd.Timedelta(days=1)).to_numpy(dtype=float)  # a Monday
    position: np.ndarray = np.mod(days / _DAYS[season], 1.0)
    return position


def same_season(reference: np.ndarray, window: np.ndarray) -> np.ndarray | None:
    """Return positions in the reference whose seasons are mixed as in the window; None where the reference lacks the season.

    Every row of the window spreads one vote over the rows of the reference that lie at most ``HALF_WIDTH`` before or after it, on both sides,
    so that a slope within the season cancels out. As many rows are then drawn, evenly by votes, as these are worth (Kish, Survey Sampling,
    1965, section 11.7).

    Parameters
    ----------
    reference, window : phases, shape (n,) and (m,)
    """
    usable, seen = np.flatnonzero(np.isfinite(reference)), window[np.isfinite(window)]
    if not len(usable) or not len(seen):
        return None
    order = usable[np.argsort(reference[usable], kind="stable")]
    circle = np.concatenate([reference[order] + turn for turn in (-1.0, 0.0, 1.0)])
    first = np.searchsorted(circle, seen - HALF_WIDTH, side="left")
    last = np.searchsorted(circle, seen + HALF_WIDTH, side="right")
    matched = last > first
    if np.mean(~matched) > MOST_UNMATCHED:
        return None
    votes = 1.0 / (last - first)[matched]
    steps = np.zeros(len(circle) + 1)
    np.add.at(steps, first[matched], votes)
    np.subtract.at(steps, last[matched], votes)
    weights = np.maximum(np.cumsum(steps)[:-1].reshape(3, -1).sum(axis=0), 0.0)
    worth = int(weights.sum() ** 2 / (weights**2).sum())
    ladder = np.cumsum(weights) / weights.sum()
    drawn = np.searchsorted(ladder, (np.arange(worth) + 0.5) / worth)
    chosen: np.ndarray = np.sort(order[np.minimum(drawn, len(order) - 1)])
    return chosen

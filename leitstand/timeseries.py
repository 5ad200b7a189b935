"""Time series: joining sparse lab samples to process data, and features that look back and never ahead.

"Earlier" means earlier in the order of the rows; ``in_time_order`` brings them into it. Rows of different series (lines,
machines) never mix, and neither do rows before and after a standstill: ``stretches`` tells them apart.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from leitstand.errors import DataError

FEWEST_MATCHED = 0.5  # fewer lab samples than this share with a process row: the clocks or names of the two tables differ


def read_times(values: pd.Series) -> pd.Series:
    """Return points in time as datetime64[ns] without time zone (UTC where one was given); missing stays missing.

    Parameters
    ----------
    values : points in time, or texts in ISO 8601 or the German form day.month.year

    Raises
    ------
    DataError
        If a value is none of these.
    """
    if pd.api.types.is_datetime64_any_dtype(values):
        return _without_zone(pd.to_datetime(values, utc=True))
    texts = values.astype("string").str.strip()
    texts = texts.mask(texts == "")
    times = pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=True)
    if times.isna().any():
        times = times.fillna(pd.to_datetime(texts.where(times.isna()), format="%d.%m.%Y %H:%M", errors="coerce", utc=True))
        times = times.fillna(pd.to_datetime(texts.where(times.isna()), format="%d.%m.%Y %H:%M:%S", errors="coerce", utc=True))
    bad = texts[times.isna() & texts.notna()]
    if len(bad):
        examples = ", ".join(repr(str(value)) for value in bad.unique()[:5])
        raise DataError("timeseries.times_unreadable", column=values.name, count=len(bad), total=len(values), examples=examples)
    return _without_zone(times)


def _without_zone(times: pd.Series) -> pd.Series:
    naive: pd.Series = times.dt.tz_localize(None).astype("datetime64[ns]")
    return naive


def join_lab_samples(
    process: pd.DataFrame,
    lab: pd.DataFrame,
    *,
    time: str,
    sampled_at: str,
    value: str,
    by: str | None,
    horizon_minutes: float,
    tolerance_minutes: float,
) -> pd.DataFrame:
    """Return the process rows with a sparse column ``value``: the lab sample taken ``horizon_minutes`` after the row.

    A sample goes to the newest process row that is at least the horizon, and at most horizon plus tolerance, older than it.
    Of two samples for one row the later one stays. A sample outside the time that the process table covers is left out.

    Parameters
    ----------
    process : one row per reading; column ``time``
    lab : one row per sample; columns ``sampled_at`` and ``value``
    by : column of both tables that must agree, such as the line; None for one series
    horizon_minutes : how far ahead of the reading the value is to be known

    Returns
    -------
    as ``process``, in its order and with its raw values; ``value`` as it stands in ``lab``, missing in most rows

    Raises
    ------
    DataError
        If a column is missing, a time cannot be read, or fewer than half of the samples find a row.
    """
    for table, frame, names in (("process", process, (time, by)), ("lab", lab, (sampled_at, value, by))):
        for name in names:
            if name is not None and name not in frame.columns:
                raise DataError("timeseries.column_missing", table=table, column=name, columns=", ".join(map(str, frame.columns)))
    rows = pd.DataFrame({"at": read_times(process[time]), "row": np.arange(len(process))})
    asked = pd.DataFrame(
        {"at": read_times(lab[sampled_at]) - pd.Timedelta(minutes=horizon_minutes), "sample": np.arange(len(lab))}
    )
    for frame, source in ((rows, process), (asked, lab)):
        frame["by"] = "" if by is None else source[by].astype(str).to_numpy()
    tolerance = pd.Timedelta(minutes=tolerance_minutes)
    covered = asked["at"].between(rows["at"].min(), rows["at"].max() + tolerance)
    left = asked[covered & lab[value].notna().to_numpy()].sort_values("at", kind="stable")
    right = rows.dropna(subset="at").sort_values("at", kind="stable")
    matched = pd.merge_asof(left, right, on="at", by="by", tolerance=tolerance).dropna(subset="row")
    if left.empty or len(matched) < FEWEST_MATCHED * len(left):
        total = len(left) or len(lab)
        unmatched = total - len(matched)
        raise DataError(
            "timeseries.samples_unmatched", unmatched=unmatched, total=total, tolerance=tolerance_minutes, by=by or "–"
        )
    matched = matched.drop_duplicates("row", keep="last")
    joined = process.copy()
    joined[value] = (
        pd.Series(lab[value].to_numpy()[matched["sample"]], index=matched["row"].astype(int)).reindex(rows["row"]).to_numpy()
    )
    return joined


def in_time_order(times: pd.Series | None, rows: int) -> np.ndarray:
    """Return shape (rows,): positions from oldest to newest; the given order where no time is known or times are equal."""
    if times is None:
        return np.arange(rows)
    return np.argsort(times.to_numpy("datetime64[ns]"), kind="stable")


def stretches(series: pd.Series | None, times: pd.Series | None, max_gap_minutes: float | None, rows: int) -> np.ndarray:
    """Return shape (rows,): a number per row that is the same for rows of one series without a standstill between them.

    Parameters
    ----------
    series : names the series of each row; None for one series
    times : in time order; None where no gap can be seen
    max_gap_minutes : a longer gap between two rows of a series is a standstill; None for no limit
    """
    codes = np.zeros(rows, dtype=np.int64) if series is None else pd.factorize(series, use_na_sentinel=False)[0].astype(np.int64)
    if times is None or max_gap_minutes is None:
        return codes
    gaps = times.reset_index(drop=True).groupby(codes).diff() > pd.Timedelta(minutes=max_gap_minutes)
    standstills = gaps.groupby(codes).cumsum().to_numpy(np.int64)
    return np.asarray(codes * (rows + 1) + standstills)


def lagged(frame: pd.DataFrame, lags: Sequence[int], stretch: np.ndarray) -> pd.DataFrame:
    """Return every column of ``frame`` as it was ``lags`` rows ago in the same stretch; NaN where there is no such row.

    Raises
    ------
    ValueError
        If a lag is below 1: it would show the row itself or the future.
    """
    if any(lag < 1 for lag in lags):
        raise ValueError(f"lags must be at least 1, found {list(lags)}")
    grouped = frame.groupby(stretch)
    return _side_by_side([grouped.shift(lag).add_suffix(f"_lag_{lag}") for lag in lags], frame.index)


def rolling_means(frame: pd.DataFrame, windows: Sequence[int], stretch: np.ndarray) -> pd.DataFrame:
    """Return the mean of every column over the last ``windows`` rows of the stretch, the row itself included.

    At the beginning of a stretch the mean is over the fewer rows there are.

    Raises
    ------
    ValueError
        If a window is below 1.
    """
    if any(window < 1 for window in windows):
        raise ValueError(f"windows must be at least 1, found {list(windows)}")
    return _side_by_side([_rolling_mean(frame, window, stretch).add_suffix(f"_mean_{window}") for window in windows], frame.index)


def _rolling_mean(frame: pd.DataFrame, window: int, stretch: np.ndarray) -> pd.DataFrame:
    means = frame.reset_index(drop=True).groupby(stretch).rolling(window, min_periods=1).mean().droplevel(0).sort_index()
    return means.set_index(frame.index)


def _side_by_side(parts: list[pd.DataFrame], index: pd.Index) -> pd.DataFrame:
    return pd.concat(parts, axis=1) if parts else pd.DataFrame(index=index)


def last_known(values: pd.Series, clock: np.ndarray, delay: float, by: np.ndarray) -> np.ndarray:
    """Return shape (n,): the newest of the ``values`` of the same ``by`` that is known at each row; NaN where none is.

    The value of a row is known ``delay`` after it, and never at its own time: persistence that uses strictly earlier values.

    Parameters
    ----------
    values : shape (n,), sparse
    clock : shape (n,), not decreasing: when each row is, in any unit
    delay : at least 0, in the clock's unit
    by : shape (n,): rows with different keys never share values
    """
    numbers = values.to_numpy(dtype=float)
    answer = np.full(len(numbers), np.nan)
    for key in pd.unique(by):
        rows = np.flatnonzero(by == key)
        known = rows[~np.isnan(numbers[rows])]
        if len(known):
            place = np.searchsorted(clock[known] + delay, clock[rows], side="right" if delay > 0 else "left") - 1
            answer[rows] = np.where(place >= 0, numbers[known[np.maximum(place, 0)]], np.nan)
    return answer

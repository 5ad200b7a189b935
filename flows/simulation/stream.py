"""What a time-lapse runs on: rows to begin with, then the rows of one period after the other."""

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from flows.workspace import read_table
from leitstand.conforming import conform
from leitstand.dataset import in_order
from leitstand.errors import NotEnoughData, UsageError
from leitstand.project import Project
from leitstand.scenarios import Scenario, World, changed, telling_column, worlds

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)  # where rows have no time of their own: a Monday
WEEK = timedelta(days=7)
FEWEST_ROWS = 60  # of a period, for resampled data: labels enough for a verdict
FIRST_SHARE = 0.25  # of a file: what the first model learns from
FEWEST_PERIODS = 4
JITTER = 0.02  # standard deviations that a resampled number moves, so that no row comes twice


@dataclass(frozen=True)
class Period:
    """The rows of one period.

    Parameters
    ----------
    start, end : aware; what the clock shows
    rows : conformed columns of the contract, target included; numbered on from the rows before
    world : what is different; None where nobody knows, as in a real stream
    """

    start: datetime
    end: datetime
    rows: pd.DataFrame
    world: World | None


@dataclass(frozen=True)
class Stream:
    """All rows of a time-lapse.

    Parameters
    ----------
    first : what the first model learns from
    what : the scenario, or the name of the file
    moved : column that the scenario moves
    synthetic : whether the rows come from built-in synthetic data
    """

    first: pd.DataFrame
    periods: tuple[Period, ...]
    what: str
    moved: str | None
    synthetic: bool

    @property
    def hours(self) -> float:
        """Length of the longest period."""
        return max((period.end - period.start).total_seconds() for period in self.periods) / 3600


def built_in(project: Project, periods: int, scenario: Scenario, seed: int) -> Stream:
    """Return a stream of the project's own sample, in a world that changes as the scenario says.

    Rows with a time come from as many samples as are needed, each drawn with a seed of its own and put behind the one before. Rows without are
    drawn with replacement from the sample.

    Raises
    ------
    UsageError
        If the project has no sample, or no number that a scenario could move.
    """
    if not project.uses_sample:
        raise UsageError("simulation.no_sample", project=project.name)
    rng = np.random.default_rng(seed)
    first = _sample(project, seed)
    column = telling_column(project, first)
    deviation = float(first[column.name].std())
    made = worlds(scenario, periods)
    timed = project.spec.data.time is not None
    spans = _weeks(project, first, periods, seed) if timed else _drawn(project, first, periods, rng)
    rows = [changed(span.rows, world, column, deviation, rng) for span, world in zip(spans, made, strict=True)]
    whole = tuple(Period(span.start, span.end, frame, world) for span, frame, world in zip(spans, rows, made, strict=True))
    return Stream(first, whole, scenario.value, column.name, bool(project.sample().SYNTHETIC))


def from_file(project: Project, file: Path, workspace: Path, time: str | None, period: str, most: int | None) -> Stream:
    """Return a stream of real rows in time order.

    Parameters
    ----------
    time : column with the time; None where the file is in order already
    period : length as pandas writes it (``7D``, ``MS`` for calendar months), or a number of rows
    most : periods; None for all there are

    Raises
    ------
    UsageError
        If column or length of the period are unknown.
    NotEnoughData
        If too few periods come out.
    """
    from leitstand.spec import Source

    frame = read_table(Source(file=file.resolve()), workspace)
    from data_contracts.parsing import parse

    if time is not None and time not in frame.columns:
        raise UsageError("simulation.no_time", column=time, columns=", ".join(map(str, frame.columns[:20])))
    rows, _ = parse(frame, project.contract)
    times = _times(frame[time], time) if time is not None else None
    if times is not None:
        order = np.argsort(times.to_numpy(), kind="stable")
        rows, times = rows.iloc[order], times.iloc[order]
    rows = conform(rows, project.contract).reset_index(drop=True)
    parts = _cut(rows, times, period)
    begin = max(1, round(len(parts) * FIRST_SHARE))
    chosen = parts[begin:] if most is None else parts[begin : begin + most]
    if len(chosen) < FEWEST_PERIODS:
        raise NotEnoughData("simulation.few_periods", found=len(chosen), needed=FEWEST_PERIODS)
    first = pd.concat([part.rows for part in parts[:begin]])
    return Stream(first, tuple(chosen), file.name, None, False)


def _sample(project: Project, seed: int) -> pd.DataFrame:
    """Return the conformed rows of the project's sample, drawn with a seed."""
    with tempfile.TemporaryDirectory() as scratch:
        project.sample().write(Path(scratch), seed)
        tables = {name: read_table(source, Path(scratch), Path(scratch)) for name, source in project.spec.data.sources.items()}
        from data_contracts.parsing import parse

        typed, _ = parse(project.prepare(tables), project.contract)
        return in_order(project, typed)


def _weeks(project: Project, first: pd.DataFrame, periods: int, seed: int) -> list[Period]:
    """Return as many weeks of further samples, one after the other in time."""
    time = str(project.spec.data.time)
    spans: list[Period] = []
    end, number = _midnight(first[time].max()), len(first)
    while len(spans) < periods:
        seed += 1
        sample = _sample(project, seed)
        begin = sample[time].min().normalize()
        for week in range(int((sample[time].max().normalize() - begin) / WEEK) + 1):
            inside = (sample[time] >= begin + week * WEEK) & (sample[time] < begin + (week + 1) * WEEK)
            rows = sample[inside]
            if len(spans) == periods or rows.empty:
                continue
            moved = rows.assign(**{time: rows[time] + (pd.Timestamp(end.replace(tzinfo=None)) - begin - week * WEEK)})
            moved.index = pd.RangeIndex(number, number + len(moved))
            number += len(moved)
            spans.append(Period(end, end + WEEK, moved, None))
            end += WEEK
    return spans


def _midnight(moment: pd.Timestamp) -> datetime:
    return (moment.normalize() + pd.Timedelta(days=1)).to_pydatetime().replace(tzinfo=UTC)


def _drawn(project: Project, first: pd.DataFrame, periods: int, rng: np.random.Generator) -> list[Period]:
    labelled = first[first[project.spec.data.target].notna()].reset_index(drop=True)
    size, spans = max(FEWEST_ROWS, len(labelled) // 4), []
    for period in range(periods):
        rows = labelled.iloc[rng.integers(0, len(labelled), size)]
        rows = _jittered(project, rows, labelled, rng)
        rows.index = pd.RangeIndex(len(first) + period * size, len(first) + (period + 1) * size)
        spans.append(Period(BEGIN + period * WEEK, BEGIN + (period + 1) * WEEK, rows, None))
    return spans


def _jittered(project: Project, rows: pd.DataFrame, sample: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    numbers = [c for c in project.input_contract.columns if c.type == "number" and not c.allowed]
    moved = {}
    for column in numbers:
        noise = rng.normal(0, JITTER * float(sample[column.name].std() or 0.0), len(rows))
        moved[column.name] = (rows[column.name].astype("float64") + noise).clip(column.minimum, column.maximum)
    return rows.assign(**moved)


def _times(values: pd.Series, name: str) -> pd.Series:
    if pd.api.types.is_numeric_dtype(values):
        return values  # such as a number of the day or hour: only its order and distance count
    try:
        return pd.to_datetime(values, format="mixed", dayfirst=False)
    except (ValueError, TypeError) as error:
        raise UsageError("simulation.bad_time", column=name, detail=str(error).splitlines()[0]) from error


def _cut(rows: pd.DataFrame, times: pd.Series | None, period: str) -> list[Period]:
    if period.isdigit() or times is None or not pd.api.types.is_datetime64_any_dtype(times):
        if not period.isdigit() or int(period) < 1:
            raise UsageError("simulation.bad_period", found=period)
        size = int(period)
        whole = len(rows) // size
        return [
            Period(BEGIN + n * WEEK, BEGIN + (n + 1) * WEEK, rows.iloc[n * size : (n + 1) * size], None) for n in range(whole)
        ]
    try:
        groups = pd.Series(np.arange(len(rows)), index=pd.DatetimeIndex(times)).groupby(pd.Grouper(freq=period))
    except ValueError as error:
        raise UsageError("simulation.bad_period", found=period) from error
    parts = [(pd.Timestamp(str(start)), positions.to_numpy()) for start, positions in groups if len(positions)]
    starts = [start.to_pydatetime().replace(tzinfo=start.tzinfo or UTC) for start, _ in parts]
    length = max(later - before for before, later in pairwise(starts)) if len(starts) > 1 else WEEK
    ends = [*starts[1:], starts[-1] + length]
    return [Period(start, end, rows.iloc[taken], None) for start, end, (_, taken) in zip(starts, ends, parts, strict=True)]

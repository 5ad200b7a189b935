"""What the inventory says of a data set: plain facts, free of any file format and of the tool that found them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from data_contracts.personal import Finding
from leitstand.contract import ColumnType, Contract
from leitstand.errors import LeitstandError
from leitstand.texts import Language, text

Task = Literal["classification", "regression"]
Level = Literal["good", "thin", "unusable"]
BLOCKS = 48
"""Into how many parts a table is cut for its pictures: what can still be told apart at the width of a column's picture."""


@dataclass(frozen=True)
class Said:
    """A sentence of the catalogue with its values, so that it can be read in both languages."""

    key: str
    values: dict[str, object] = field(default_factory=dict)

    def render(self, language: Language) -> str:
        """Return the sentence; sentences among its values are put into the same language."""
        values = {name: one.render(language) if isinstance(one, Said) else one for name, one in self.values.items()}
        return text(self.key, language, **values)


@dataclass(frozen=True)
class ColumnFigures:
    """One column.

    Parameters
    ----------
    invalid : values that are not of the column's type, such as a text among numbers; they count as missing, too
    distinct : different values; estimated (HyperLogLog, about 2 % off) where ``distinct_exact`` is false
    minimum, maximum : numbers as they are, times as ISO text; None for texts and for personal data
    outliers : numbers further from the middle half than three times its width (Tukey's outer fences, from a sample's quartiles)
    histogram : shape (n_bins,): of numbers between the fences, of times over their range, of texts the most frequent ones
    missing_blocks : share missing in each of ``BLOCKS`` consecutive parts of the table; empty where none is missing
    unit_by : whether the unit was read from the name, or guessed from the values
    """

    name: str
    type: ColumnType
    missing: int
    invalid: int
    distinct: int
    distinct_exact: bool
    constant: bool
    unit: str | None = None
    unit_by: Literal["name", "values"] | None = None
    minimum: float | str | None = None
    maximum: float | str | None = None
    mean: float | None = None
    median: float | None = None
    outliers: int = 0
    histogram: tuple[int, ...] = ()
    missing_blocks: tuple[float, ...] = ()
    personal: Finding | None = None
    mentions: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class TimeFigures:
    """How a data set lies in time.

    Parameters
    ----------
    first, last : without zone, as in the data
    step_seconds : usual distance of two neighbouring points in time; None below three
    gaps : distances of more than three usual steps
    longest_gap_seconds : 0 where there is none
    coverage : rows in each of ``BLOCKS`` equal parts from first to last
    """

    column: str
    first: datetime
    last: datetime
    step_seconds: float | None
    gaps: int
    longest_gap_seconds: float
    coverage: tuple[int, ...]


@dataclass(frozen=True)
class Target:
    """A column that a model might be asked for."""

    column: str
    task: Task
    reason: Said


@dataclass(frozen=True)
class Verdict:
    """What a data set is good for as it is, and why."""

    level: Level
    reasons: tuple[Said, ...]


@dataclass(frozen=True)
class DataSet:
    """One data set, or what kept it from being read.

    Parameters
    ----------
    path : file, folder, or URL without password; ``sheet`` or table behind ``#``
    files : how many files it consists of
    rows : None where it could not be read
    figures_of : how many rows the figures are of, where it is not all of them
    duplicates : rows that stand there a second time; None where not counted
    keys : columns, or pairs of columns, whose values tell the rows apart
    modified : when its newest file was last changed; None for a database
    sketches : the sketch of each column's values, for finding joins; shape (≤ 256,) of 64-bit hashes
    """

    name: str
    path: str
    format: str
    files: int = 1
    bytes: int = 0
    rows: int | None = None
    figures_of: int | None = None
    columns: tuple[ColumnFigures, ...] = ()
    duplicates: int | None = None
    keys: tuple[tuple[str, ...], ...] = ()
    time: TimeFigures | None = None
    targets: tuple[Target, ...] = ()
    modified: datetime | None = None
    notes: tuple[Said, ...] = ()
    verdict: Verdict | None = None
    contract: Contract | None = None
    sketches: dict[str, "Sketch"] = field(default_factory=dict)
    foreign_keys: tuple[tuple[str, str, str], ...] = ()
    problem: LeitstandError | None = None

    def freshness_hours(self, now: datetime) -> float | None:
        """Return how old the newest row is, or else the newest file; negative where the data are of a time to come.

        Parameters
        ----------
        now : aware; a time without zone in the data is taken as UTC
        """
        newest = self.time.last.replace(tzinfo=UTC) if self.time is not None else self.modified
        return None if newest is None else (now - newest).total_seconds() / 3600

    @property
    def personal(self) -> tuple[ColumnFigures, ...]:
        """The columns that hold personal data."""
        return tuple(column for column in self.columns if column.personal is not None)

    def column(self, name: str) -> ColumnFigures | None:
        """Return one column, or None."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True)
class Sketch:
    """The smallest hashes of a column's different values (bottom-k: Beyer et al., SIGMOD 2007).

    Parameters
    ----------
    hashes : the smallest ones, as texts hash, so that 1 and "1" are equal
    whole : whether these are all values, so that a value missing here is missing in the column
    running : whether the values are whole numbers that leave few out, which overlap with other such columns by chance
    """

    hashes: frozenset[int]
    whole: bool
    distinct: int
    running: bool


@dataclass(frozen=True)
class Join:
    """Two columns by which two data sets may be joined.

    Parameters
    ----------
    overlap : share of the values of ``left`` that ``right`` has, 0 to 1; estimated for many values
    unique : whether ``right`` tells its rows apart by it, so that the join adds columns and no rows
    """

    left: str
    left_column: str
    right: str
    right_column: str
    overlap: float
    same_name: bool
    declared: bool
    unique: bool


@dataclass(frozen=True)
class Inventory:
    """All data sets, what joins them, and the files that are no data sets."""

    made: datetime
    places: tuple[str, ...]
    sets: tuple[DataSet, ...]
    joins: tuple[Join, ...]
    other: dict[str, int]

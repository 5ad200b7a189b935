"""The figures of a data set on the workbench: two scans for all columns, one more for what the first two make worth asking."""

from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd

from data_contracts.inventory.found import BLOCKS, ColumnFigures
from data_contracts.inventory.guessed_units import guess_unit
from data_contracts.inventory.workbench import Table, Workbench
from data_contracts.units import unit_of

SAMPLE_ROWS = 20_000
"""Quartiles from so many rows are off by a third of a percentile (binomial error); pictures and patterns need less."""
OUTER_FENCE = 3.0  # Tukey, Exploratory Data Analysis (1977), 2D: "far out"
BINS = 24
EXACT_DISTINCT_ROWS = 200_000  # counting exactly is cheap up to here
TOGETHER = 40  # columns in one scan; counting different values holds a table of them for each
_ASKED = 8
TIMES = ("date", "timestamp")
NUMBERS = ("integer", "number")


@dataclass(frozen=True)
class Scan:
    """What one scan over all rows says of a column; ``low`` and ``high`` in the type of the database."""

    present: int
    distinct: int
    low: Any
    high: Any
    mean: float | None
    whole: bool
    days: bool
    invalid: int


def scan(bench: Workbench, table: Table, drawn: pd.DataFrame) -> dict[str, Scan]:
    """Return the first figures of every column, by name.

    Parameters
    ----------
    drawn : as ``draw`` returns it; what it refutes is not asked of all rows
    """
    names = list(table.types)
    found: dict[str, Scan] = {}
    for place in range(0, len(names), TOGETHER):
        found |= _scan(bench, table, names[place : place + TOGETHER], drawn, finite=False)
    strange = [name for name, one in found.items() if any(isinstance(x, float) and not isfinite(x) for x in (one.low, one.high))]
    return found | (_scan(bench, table, strange, drawn, finite=True) if strange else {})


def _scan(bench: Workbench, table: Table, names: list[str], drawn: pd.DataFrame, *, finite: bool) -> dict[str, Scan]:
    asked = [one for name in names for one in _asked(table, name, drawn[name].dropna(), finite=finite)]
    row = bench.one(f"SELECT {', '.join(asked)} FROM t")
    found = {}
    for place, name in enumerate(names):
        present, distinct, *rest = row[place * _ASKED : (place + 1) * _ASKED]
        found[name] = Scan(present, min(distinct, present), *rest)
    return found


def _asked(table: Table, name: str, some: pd.Series, *, finite: bool) -> list[str]:
    """Return the expressions that make one column's scan; ``finite`` leaves out infinities, which seldom are there and cost a third more."""
    kind, column = table.types[name], table.column(name)
    number, time = kind in NUMBERS, kind in TIMES
    only = f"FILTER (isfinite({column}))" if finite else ""
    whole = number and bool((some.to_numpy() == np.trunc(some.to_numpy())).all())
    days = time and bool((some == some.dt.normalize()).all())
    return [
        f"count({column})",
        f"count(DISTINCT {column})" if table.read <= EXACT_DISTINCT_ROWS else f"approx_count_distinct({column})",
        f"min({column}) {only}" if number or time else "NULL",
        f"max({column}) {only}" if number or time else "NULL",
        f"avg({column}) {only}" if number else "NULL",
        f"coalesce(bool_and({column} = trunc({column})) {only}, false)" if whole else "false",
        f"coalesce(bool_and({column} = date_trunc('day', {column})), false)" if days else "false",
        f"count(*) FILTER ({table.bad(name)})" if name in table.unsure else "0",
    ]


def settle_types(table: Table, scans: dict[str, Scan]) -> Table:
    """Return the table with the types that the values of all rows show: whole numbers, and times that are days."""
    types = dict(table.types)
    for name, one in scans.items():
        if types[name] in NUMBERS and one.present:
            types[name] = "integer" if one.whole else "number"
        if types[name] in TIMES and one.present:
            types[name] = "date" if one.days else "timestamp"
    return Table(types, table.unsure, table.read, table.rows, table.notes)


def draw(bench: Workbench, table: Table) -> pd.DataFrame:
    """Return rows spread evenly over the table, in its order, under their names; all where there are few.

    Every k-th row, not a draw of chance: the same table gives the same figures, and a scan of packed columns skips what is not wanted.
    """
    step = max(1, -(-table.read // SAMPLE_ROWS))
    columns = ", ".join(f"c{place}" for place in range(len(table.types)))
    where = f"WHERE rowid % {step} = 0" if step > 1 else ""
    frame = bench.arrow(f"SELECT {columns} FROM t {where} ORDER BY rowid").to_pandas()
    made: pd.DataFrame = frame.set_axis(list(table.types), axis="columns")
    return made


def typed(drawn: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Return drawn rows as ``reading.read_source`` types them."""
    made = {}
    for name, kind in table.types.items():
        values = drawn[name]
        if kind == "integer" and np.isfinite(values.to_numpy(dtype=np.float64, na_value=np.nan)).all():
            values = values.astype(np.int64)
        elif kind in TIMES:
            values = values.astype("datetime64[ns]")
        elif kind == "boolean":
            values = values.astype("boolean") if values.isna().any() else values.astype(bool)
        elif kind == "string":
            values = values.astype(object).where(values.notna(), None)
        made[name] = values
    return pd.DataFrame(made)


def figures(bench: Workbench, table: Table, scans: dict[str, Scan], some: pd.DataFrame) -> tuple[ColumnFigures, ...]:
    """Return the figures of all columns; personal data are not looked for here."""
    fences = {name: _fences(some[name]) for name, kind in table.types.items() if kind in NUMBERS}
    outside = _outside(bench, table, {name: fence for name, fence in fences.items() if fence is not None})
    blocks = _missing_blocks(bench, table, [name for name, one in scans.items() if one.present < table.read])
    made = []
    for name, kind in table.types.items():
        one = scans[name]
        unit, unit_by = (unit_of(name), "name") if kind in NUMBERS else (None, None)
        if kind in NUMBERS and unit is None and one.present:
            unit, unit_by = guess_unit(name, one.low, one.high), "values"
        made.append(
            ColumnFigures(
                name=name,
                type=kind,
                missing=table.read - one.present,
                invalid=one.invalid,
                distinct=one.distinct,
                distinct_exact=table.read <= EXACT_DISTINCT_ROWS,
                constant=one.present > 0 and one.distinct == 1 and one.present == table.read,
                unit=unit,
                unit_by=unit_by if unit else None,  # type: ignore[arg-type]
                minimum=_plain(one.low, kind),
                maximum=_plain(one.high, kind),
                mean=one.mean,
                median=float(some[name].median()) if kind in NUMBERS and some[name].notna().any() else None,
                outliers=outside.get(name, 0),
                histogram=_histogram(some[name], kind, fences.get(name)),
                missing_blocks=blocks.get(name, ()),
            )
        )
    return tuple(made)


def _fences(values: pd.Series) -> tuple[float, float] | None:
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    numbers = numbers[np.isfinite(numbers)]
    if len(numbers) < 8:
        return None
    lower, upper = np.quantile(numbers, [0.25, 0.75])
    if upper == lower:
        return None  # more than half are equal: the middle half has no width to measure with
    return float(lower - OUTER_FENCE * (upper - lower)), float(upper + OUTER_FENCE * (upper - lower))


def _outside(bench: Workbench, table: Table, fences: dict[str, tuple[float, float]]) -> dict[str, int]:
    if not fences:
        return {}
    counted = [f"count(*) FILTER ({table.column(name)} NOT BETWEEN {low!r} AND {high!r})" for name, (low, high) in fences.items()]
    return dict(zip(fences, bench.one(f"SELECT {', '.join(counted)} FROM t"), strict=True))


def _missing_blocks(bench: Workbench, table: Table, names: list[str]) -> dict[str, tuple[float, ...]]:
    if not names:
        return {}
    shares = ", ".join(f"1 - count({table.column(name)}) / count(*)" for name in names)
    blocks = min(BLOCKS, table.read)
    rows = bench.rows(f"SELECT rowid * {blocks} // {table.read} AS part, {shares} FROM t GROUP BY part ORDER BY part")
    return {name: tuple(round(float(row[place]), 4) for row in rows) for place, name in enumerate(names, start=1)}


def _histogram(values: pd.Series, kind: str, fence: tuple[float, float] | None) -> tuple[int, ...]:
    present = values.dropna()
    if present.empty:
        return ()
    if kind in ("string", "boolean", "file"):
        return tuple(int(count) for count in present.astype(str).value_counts().head(BINS))
    numbers = present.astype("int64").to_numpy(dtype=np.float64) if kind in TIMES else present.to_numpy(dtype=np.float64)
    numbers = numbers[np.isfinite(numbers)]
    if fence is not None:
        numbers = numbers[(numbers >= fence[0]) & (numbers <= fence[1])]
    if len(numbers) == 0 or numbers.max() == numbers.min():
        return (len(numbers),)
    bins = min(BINS, len(np.unique(numbers))) if kind == "integer" else BINS
    return tuple(int(count) for count in np.histogram(numbers, bins)[0])


def _plain(value: Any, kind: str) -> float | str | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.date().isoformat() if kind == "date" else value.isoformat(sep=" ", timespec="seconds")
    return float(value)

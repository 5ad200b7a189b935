"""From a table on the workbench to a described data set."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from data_contracts.inference import infer_contract
from data_contracts.inventory import profile, structure
from data_contracts.inventory.found import ColumnFigures, DataSet
from data_contracts.inventory.joins import sketch
from data_contracts.inventory.places import FILE_SETS
from data_contracts.inventory.verdict import judge
from data_contracts.inventory.workbench import Table, Workbench
from data_contracts.personal import MOST_TEXTS, Finding, find_personal, may_be_birth_dates
from data_contracts.personal_values import mentioned
from data_contracts.personal_words import name_words
from data_contracts.ranges import guess_range
from leitstand.contract import Column, Contract
from leitstand.now import now

LONG_TEXT = 25  # characters on average; in shorter texts the whole is looked at, not what is mentioned inside
CONTRACT_ROWS = 5_000
CHANGED = "changed_at"


def describe(bench: Workbench, table: Table, one: DataSet) -> DataSet:
    """Return the data set with everything that its rows say.

    Parameters
    ----------
    one : name, path, format and files; columns whose keys a database declared
    """
    drawn = profile.draw(bench, table)
    scans = profile.scan(bench, table, drawn)
    table = profile.settle_types(table, scans)
    some = profile.typed(drawn, table)
    columns = _with_personal(profile.figures(bench, table, scans, some), some)
    keys = one.keys or structure.find_keys(bench, table, scans)
    described = replace(
        one,
        rows=table.rows,
        figures_of=table.read if table.read < table.rows else None,
        columns=columns,
        keys=keys,
        duplicates=structure.count_duplicates(bench, table, keys),
        time=structure.time_figures(bench, table, scans, leave_out=_no_history(one, columns)),
        targets=structure.find_targets(columns, table.rows, keys),
        sketches=sketch(bench, table, scans),
        notes=(*one.notes, *table.notes),
        contract=_contract(one, table, columns, keys, some),
    )
    return replace(described, verdict=judge(described))


def _no_history(one: DataSet, columns: Sequence[ColumnFigures]) -> frozenset[str]:
    """Return the times that say nothing about how far the data go back: days of birth, and when a file was copied to where it is."""
    personal = {column.name for column in columns if column.personal is not None}
    return frozenset(personal | ({CHANGED} if one.format in FILE_SETS else set()))


def file_times(files: Sequence[Path]) -> tuple[int, datetime]:
    """Return how many bytes files have together, and when the newest was last changed."""
    stats = [file.stat() for file in files]
    return sum(one.st_size for one in stats), datetime.fromtimestamp(max(one.st_mtime for one in stats), UTC)


def _with_personal(columns: tuple[ColumnFigures, ...], some: pd.DataFrame) -> tuple[ColumnFigures, ...]:
    found = {column.name: find_personal(column.name, _texts(some[column.name], column)) for column in columns}
    people = any(one is not None and one.kind in ("name", "email", "address", "person") for one in found.values())
    for column in columns:
        if people and found[column.name] is None and column.type == "date":
            days = [one.date() for one in some[column.name].dropna().head(MOST_TEXTS)]
            if may_be_birth_dates(days, now().date()):
                found[column.name] = Finding("birth_date", "values", 1.0)
    return tuple(_told(column, found[column.name], some[column.name]) for column in columns)


def _told(column: ColumnFigures, found: Finding | None, values: pd.Series) -> ColumnFigures:
    """Return the column with its finding; of personal data no single value is told, and bounds are single values."""
    if found is None:
        return replace(column, mentions=_mentions(values, column))
    return replace(column, personal=found, minimum=None, maximum=None)


def _texts(values: pd.Series, column: ColumnFigures) -> list[str]:
    """Return different texts of a column, spread over it; whole numbers of as many digits as a tax id has, too."""
    low, high = column.minimum, column.maximum
    if column.type == "integer" and isinstance(low, float) and isinstance(high, float) and low >= 1e10 and high < 1e11:
        return [f"{value:.0f}" for value in _spread(values)]
    return [str(value) for value in _spread(values)] if column.type == "string" else []


def _spread(values: pd.Series) -> list[Any]:
    different = values.dropna().drop_duplicates()
    return list(different.iloc[:: max(1, -(-len(different) // MOST_TEXTS))])


def _mentions(values: pd.Series, column: ColumnFigures) -> tuple[tuple[str, int], ...]:
    if column.type != "string":
        return ()
    texts = [str(value) for value in _spread(values)]
    if not texts or sum(map(len, texts)) < LONG_TEXT * len(texts):
        return ()
    counts = Counter(kind for value in texts for kind in mentioned(value[:20_000]))
    return tuple(sorted(counts.items()))


def _contract(
    one: DataSet, table: Table, columns: tuple[ColumnFigures, ...], keys: tuple[tuple[str, ...], ...], some: pd.DataFrame
) -> Contract | None:
    """Return a contract proposed from a sample, put right by what all rows say: bounds, what is always there, keys."""
    names = [str(name) for name in some.columns]
    if not names or any(not name for name in names):
        return None
    step = max(1, -(-len(some) // CONTRACT_ROWS))
    identifier = re.sub(r"\W+", "_", one.name.casefold()).strip("_") or "data"
    made = infer_contract(some.iloc[::step].reset_index(drop=True), name=identifier, source=one.name)
    if step == 1 and len(some) == table.rows:
        return made
    figures = {column.name: column for column in columns}
    key = next((key[0] for key in keys if len(key) == 1), None)
    return made.model_copy(
        update={"columns": tuple(_corrected(column, figures[column.name], key, some) for column in made.columns)}
    )


def _corrected(column: Column, all_rows: ColumnFigures, key: str | None, some: pd.DataFrame) -> Column:
    changes: dict[str, object] = {}
    if column.required and all_rows.missing:
        changes["required"] = False
    if column.primary_key_position is not None and column.name != key:
        changes["primary_key_position"] = None
    if column.allowed and (all_rows.distinct > len(column.allowed) or not all_rows.distinct_exact):
        changes["allowed"] = ()
    if column.minimum is not None and isinstance(all_rows.minimum, float) and isinstance(all_rows.maximum, float):
        values = pd.Series([*some[column.name].dropna().astype(float), all_rows.minimum, all_rows.maximum])
        bounds = guess_range(values, column.unit, name_words(column.name))
        changes["minimum"], changes["maximum"] = bounds or (None, None)
    gone = {name for name, value in changes.items() if value in (False, None, ())}
    return column.model_copy(update=changes | {"guesses": tuple(name for name in column.guesses if name not in gone)})

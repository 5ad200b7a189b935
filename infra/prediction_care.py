"""Looking after the prediction log: how much it holds, what is kept for how long, and the rows of one person (GDPR, Art. 15 and 17)."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, Select, Text, and_, cast, delete, func, literal_column, or_, select

from infra.databases import Database
from infra.prediction_tables import HEAD, LABELS, PREDICTIONS, conditions

CHUNK_ROWS = 1000  # deleted in one transaction: some 20 ms, in which others wait
_SCAN_ROWS = 5000


@dataclass(frozen=True)
class Wanted:
    """A value to search for, as a person types it.

    Parameters
    ----------
    value : found in texts that equal it, in numbers of that value (also 7 for 7.0), and in ``true`` and ``false``
    others : what stands for it too: its pseudonyms, other ways to write it, 1 for ``true`` in a column of truth values
    """

    column: str
    value: str
    others: frozenset[str | int] = frozenset()

    def matches(self, found: object) -> bool:
        """Whether a logged value is the one that is searched for."""
        if found is None:
            return False
        if isinstance(found, bool):
            return self.value.lower() == str(found).lower()
        if isinstance(found, int | float):
            return found == as_number(self.value) or found in self.others
        return found == self.value or found in self.others


@dataclass(frozen=True)
class Found:
    """What a search gave: the ids, oldest first, and the names of all input columns it came across."""

    ids: tuple[str, ...]
    columns: frozenset[str]


@dataclass(frozen=True)
class VersionStats:
    """What one model version answered in one role; ``bytes`` of inputs and outputs."""

    model_version: int
    role: str
    rows: int
    first: datetime
    last: datetime
    bytes: int


@dataclass(frozen=True)
class LogStats:
    """What the log holds of a project; ``database_bytes`` is the disk space of the log with all projects."""

    versions: tuple[VersionStats, ...]
    labels: int
    database_bytes: int


def as_number(value: str) -> int | float | None:
    """Return the number that a text stands for, exact for whole numbers; None where it is none."""
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return None


def search(database: Database, project: str, wanted: Wanted) -> Found:
    """Return the predictions of a project whose inputs hold the value; errors as in ``Database.reading``.

    The inputs are compared here and not by the database: two databases differ in what they make of JSON, and what is to be erased must be
    found whatever else stands in the row. Takes some 10 s per million rows with 30 columns.
    """
    ids: list[str] = []
    columns: set[str] = set()
    id_column, moment = PREDICTIONS.c.id, PREDICTIONS.c.time
    query = select(id_column, moment, cast(PREDICTIONS.c.inputs, Text)).order_by(moment, id_column).limit(_SCAN_ROWS)
    after: Any = conditions(project)
    while True:
        with database.reading() as connection:
            rows = connection.execute(query.where(after)).all()
        if not rows:
            return Found(tuple(ids), frozenset(columns))
        last_id, last, _ = rows[-1]
        after = and_(conditions(project, since=last), or_(moment > last, id_column > last_id))
        for id_, _, text in rows:
            inputs = _inputs(text)
            if not inputs.keys() <= columns:
                columns.update(inputs)
            if wanted.matches(inputs.get(wanted.column)):
                ids.append(id_)


def entries(database: Database, ids: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield all that is kept of some predictions: head, inputs, output, and every label; errors as in ``Database.reading``."""
    for chunk in _chunks(ids):
        columns = [PREDICTIONS.c[name] for name in (*HEAD, "inputs", "output")]
        with database.reading() as connection:
            rows = connection.execute(select(*columns).where(PREDICTIONS.c.id.in_(chunk)).order_by(PREDICTIONS.c.id)).mappings()
            truth = select(LABELS).where(LABELS.c.prediction_id.in_(chunk)).order_by(LABELS.c.sequence)
            found = [dict(row) | {"labels": []} for row in rows]
            by_id = {entry["id"]: entry for entry in found}
            for label in connection.execute(truth).mappings():
                by_id[label["prediction_id"]]["labels"].append({name: label[name] for name in ("value", "time", "source")})
        yield from found


def erase(database: Database, ids: Sequence[str]) -> bool:
    """Delete predictions, what was answered silently beside them, and their labels for good; return whether the bytes are gone from the files.

    On SQLite they are overwritten, and False says that a reader kept the write-ahead log from being emptied: call again. On PostgreSQL the
    space is given free (VACUUM); what stays in it until it is used again, and in archived logs, is the server's administrator's.

    Raises
    ------
    Busy
        If the database stayed locked. What was deleted until then stays deleted.
    StateError
        If it cannot be reached or written.
    """
    for chunk in _chunks(ids):
        _delete(database, PREDICTIONS.c.paired_id.in_(chunk))
        _delete(database, PREDICTIONS.c.id.in_(chunk))
    return _wipe(database)


def prune(database: Database, project: str, before: datetime) -> int:
    """Delete what is older; see ``PredictionLog.prune``."""
    oldest = select(PREDICTIONS.c.id).where(conditions(project, until=before)).order_by(PREDICTIONS.c.time).limit(CHUNK_ROWS)
    total = 0
    while deleted := _delete(database, PREDICTIONS.c.id.in_(oldest)):
        total += deleted
    if total:
        _wipe(database)
    return total


def stats(database: Database, project: str) -> LogStats:
    """Return what the log holds of a project; errors as in ``Database.reading``."""
    size = "length(CAST({0} AS BLOB))" if database.is_sqlite else "octet_length(CAST({0} AS TEXT))"
    length: ColumnElement[int] = literal_column(f"{size.format('inputs')} + {size.format('output')}")
    moments = func.min(PREDICTIONS.c.time), func.max(PREDICTIONS.c.time)
    who = PREDICTIONS.c.model_version, PREDICTIONS.c.role
    by_version = select(*who, func.count(), *moments, func.sum(length)).where(conditions(project)).group_by(*who).order_by(*who)
    labelled = select(func.count()).select_from(LABELS.join(PREDICTIONS)).where(conditions(project))
    with database.reading() as connection:
        rows = connection.execute(by_version).all()
        versions = tuple(
            VersionStats(number, role, count, first, last, int(total)) for number, role, count, first, last, total in rows
        )
        return LogStats(versions, connection.scalar(labelled) or 0, _disk_space(database, connection))


def _inputs(text: str) -> dict[str, Any]:
    try:
        inputs: dict[str, Any] = orjson.loads(text)
    except ValueError:  # half a surrogate pair and the like, which only the more lenient reader takes
        inputs = json.loads(text)
    return inputs


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + CHUNK_ROWS] for start in range(0, len(ids), CHUNK_ROWS))


def _delete(database: Database, which: ColumnElement[bool]) -> int:
    """Delete some predictions with their labels in one transaction, then leave the database to others for as long."""
    started = time.perf_counter()
    with database.writing() as connection:
        if database.is_sqlite:
            connection.exec_driver_sql("PRAGMA secure_delete=ON")  # overwrites with zeros
        ids = list(connection.scalars(select(PREDICTIONS.c.id).where(which).with_for_update()))
        connection.execute(delete(LABELS).where(LABELS.c.prediction_id.in_(ids)))
        connection.execute(delete(PREDICTIONS).where(PREDICTIONS.c.id.in_(ids)))
    if ids:
        time.sleep(time.perf_counter() - started)
    return len(ids)


def _wipe(database: Database) -> bool:
    connection = database.driver_connection()
    try:
        with database.driver_errors():
            if database.is_sqlite:  # the write-ahead log still holds the pages as they were
                busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                return not busy
            connection.execute("VACUUM leitstand_predictions, leitstand_labels")
            return True
    finally:
        connection.close()


def _disk_space(database: Database, connection: Connection) -> int:
    if database.file is not None:
        files = [Path(f"{database.file}{end}") for end in ("", "-wal")]
        return sum(file.stat().st_size for file in files if file.exists())
    sizes = [func.pg_total_relation_size(table.name) for table in (PREDICTIONS, LABELS)]
    query: Select[Any] = select(sizes[0] + sizes[1])
    return connection.scalar(query) or 0

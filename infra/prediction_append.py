"""Many predictions in one statement, on a connection that does nothing else.

The work is done below SQLAlchemy, because this is the one place where a service waits for the disk. One statement with many rows of
values is one transaction and lets go of Python's global lock once; with a statement per row, each row would wait for the event loop to
hand the lock back. Measured per transaction of 16 rows with 30 numbers on SQLite: 0.38 ms, against 0.63 ms through SQLAlchemy and 0.75 ms
when the rows travel as one JSON text that SQLite takes apart.
"""

import weakref
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from threading import Lock
from typing import Any

from infra.databases import Database
from infra.prediction_entries import LogEntry
from leitstand.errors import StateError

COLUMNS = (
    "id",
    "project",
    "model_version",
    "request_id",
    "time",
    "inputs",
    "output",
    "client",
    "latency_ms",
    "role",
    "paired_id",
)
BLOCK_ROWS = 128  # in one statement; the drivers keep about a hundred statements prepared, one per number of rows


class Appender:
    """Appends to the prediction log of one database; may be used from several threads, one after the other."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = Lock()
        self._connection: Any = None
        self._close: Callable[[], object] = lambda: None

    def append(self, entries: Sequence[LogEntry]) -> None:
        """Append the entries in one transaction; see ``PredictionLog.append``."""
        rows = [row for entry in entries for row in _rows(entry, self._database.is_sqlite)]
        if not rows:
            return
        with self._turn:
            before = self._connection
            try:
                self._insert(rows, "")
            except StateError:
                if not getattr(before, "broken", False):
                    raise
                # PostgreSQL was restarted since the last call. What it still took of this one stays, the rest is added.
                self._insert(rows, " ON CONFLICT (id) DO NOTHING")

    def close(self) -> None:
        """Close the connection; the next call opens a new one."""
        with self._turn:
            self._drop()

    def _insert(self, rows: Sequence[tuple[Any, ...]], conflict: str) -> None:
        if self._connection is None:
            self._connection = connection = self._opened()
            self._close = weakref.finalize(self, connection.close)  # also when the log is merely forgotten
        run, numbered = self._connection.execute, not self._database.is_sqlite
        blocks = [rows[start : start + BLOCK_ROWS] for start in range(0, len(rows), BLOCK_ROWS)]
        try:
            with self._database.driver_errors():
                if len(blocks) > 1:  # one statement alone is a transaction of its own
                    run("BEGIN" if numbered else "BEGIN IMMEDIATE")
                for block in blocks:
                    run(_statement(len(block), numbered) + conflict, [value for row in block for value in row])
                if len(blocks) > 1:
                    run("COMMIT")
        except BaseException:
            self._drop()  # takes back what was begun
            raise

    def _opened(self) -> Any:
        connection = self._database.driver_connection()
        if not self._database.is_sqlite:
            from psycopg import (
                RawCursor,
            )  # sends the statement as it is: the usual cursor takes longer to read it than to send it

            connection.cursor_factory = RawCursor
        return connection

    def _drop(self) -> None:
        self._connection = None
        self._close()


@cache
def _statement(rows: int, numbered: bool) -> str:
    width = len(COLUMNS)
    marks = [[f"${width * row + i + 1}" if numbered else "?" for i in range(width)] for row in range(rows)]
    values = ",".join(f"({','.join(row)})" for row in marks)
    return f"INSERT INTO leitstand_predictions ({', '.join(COLUMNS)}) VALUES {values}"  # noqa: S608 - nothing from outside


def _rows(entry: LogEntry, sqlite: bool) -> list[tuple[Any, ...]]:
    head = (entry.project, entry.model_version, entry.request_id, _time(entry.time, sqlite))
    tail = (entry.client[:200] if entry.client else None, entry.latency_ms, entry.role)
    paired: Sequence[str | None] = entry.paired_ids or [None] * len(entry.rows)
    return [
        (id_, *head, inputs.decode(), output.decode(), *tail, other)
        for (id_, inputs, output), other in zip(entry.rows, paired, strict=True)
    ]


def _time(moment: datetime, sqlite: bool) -> str:
    """Return the time as ``databases.UtcTime`` stores it."""
    utc = moment.astimezone(UTC)
    return utc.replace(tzinfo=None).isoformat(" ", "microseconds") if sqlite else utc.isoformat()

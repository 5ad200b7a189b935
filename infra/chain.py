"""A table whose rows are chained: each holds the SHA-256 of its own content and of the row before.

So a row that was changed, removed from the middle or slipped in is found. (A cut-off end cannot be seen from the chain alone; keep the newest
hash elsewhere for that.)
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, insert, select, text, true

from leitstand.errors import StateError

FIRST = "0" * 64


class Chain:
    """The rows of a table with the columns ``number``, ``previous`` and ``sha256``.

    Parameters
    ----------
    table : no column may have a type that comes back as anything but what JSON holds: the hash needs the same characters for ever
    lane : column whose every value has a chain of its own; None where the table is one chain
    """

    def __init__(self, table: Table, lane: str | None = None) -> None:
        self._table, self._lane = table, lane

    def newest(self, connection: Connection, lane: str | None = None) -> dict[str, Any] | None:
        """Return the last row, None before the first, and let nobody else append until the transaction ends."""
        if connection.dialect.name == "postgresql":  # SQLite's transaction holds the one write lock already
            connection.execute(text(f"LOCK TABLE {self._table.name} IN EXCLUSIVE MODE"))
        query = select(self._table).where(self._of(lane)).order_by(self._table.c.number.desc()).limit(1)
        row = connection.execute(query).mappings().first()
        return None if row is None else dict(row)

    def append(self, connection: Connection, content: Mapping[str, Any], newest: Mapping[str, Any] | None) -> dict[str, Any]:
        """Append one row and return it.

        Parameters
        ----------
        content : every column but ``number``, ``previous`` and ``sha256``
        newest : the row before, as ``newest`` gave it in the same transaction
        """
        place = {"number": newest["number"] + 1, "previous": newest["sha256"]} if newest else {"number": 1, "previous": FIRST}
        row = {**content, **place}
        row["sha256"] = _hash(row)
        connection.execute(insert(self._table), [row])
        return row

    def rows(self, connection: Connection, lane: str | None = None) -> list[dict[str, Any]]:
        """Return all rows of one chain, oldest first."""
        query = select(self._table).where(self._of(lane)).order_by(self._table.c.number)
        return [dict(row) for row in connection.execute(query).mappings()]

    def verified(self, connection: Connection, project: str, broken: str) -> list[dict[str, Any]]:
        """Return all rows of a project's chain, oldest first, every one of them unchanged and in its place.

        Parameters
        ----------
        broken : key of the message, which names ``project`` and ``number``

        Raises
        ------
        StateError
            If a row was changed, removed from the middle or slipped in; names the first.
        """
        rows = self.rows(connection, project)
        number = first_broken(rows)
        if number is not None:
            raise StateError(broken, project=project, number=number)
        return rows

    def _of(self, lane: str | None) -> ColumnElement[bool]:
        return true() if self._lane is None else self._table.c[self._lane] == lane


def first_broken(rows: Iterable[Mapping[str, Any]]) -> int | None:
    """Return the number that the first row that is not as it was written should have; None for an unbroken chain."""
    previous = FIRST
    for number, row in enumerate(rows, start=1):
        if row["number"] != number or row["previous"] != previous or row["sha256"] != _hash(row):
            return number
        previous = row["sha256"]
    return None


def _hash(row: Mapping[str, Any]) -> str:
    content = {name: value for name, value in row.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode("utf-8")).hexdigest()

"""The list of data versions and where each delivery came from; only ever appended to."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Integer, MetaData, String, Table, Text, exists, func, insert, select

from infra.databases import Database, UtcTime
from leitstand.now import now

Together = Callable[[Connection, str], None]
_metadata = MetaData()
_deliveries = Table(
    "leitstand_snapshots",
    _metadata,
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("project", String(63), nullable=False, index=True),
    Column("version", String(32), nullable=False),
    Column("rows", Integer, nullable=False),
    Column("time", UtcTime, nullable=False),
    Column("provenance", Text, nullable=False),
)


class SnapshotNotes:
    """The deliveries of all projects in one database (SQLite or PostgreSQL); tables are made on first use."""

    def __init__(self, url: str) -> None:
        self._database = Database(url, _metadata)

    def close(self) -> None:
        """Close all connections; the next call opens new ones."""
        self._database.close()

    def append(
        self, project: str, version: str, rows: int, provenance: Mapping[str, Any], together: Together | None = None
    ) -> None:
        """Note one delivery, and in the same transaction whatever ``together`` notes."""
        notes = json.dumps(dict(provenance), ensure_ascii=False, default=str)
        row = {"project": project, "version": version, "rows": rows, "time": now(), "provenance": notes}
        with self._database.writing() as connection:
            connection.execute(insert(_deliveries), [row])
            if together is not None:
                together(connection, version)

    def last(self, project: str) -> tuple[str, int] | None:
        """Return version and rows of the last delivery, or None before the first."""
        query = select(_deliveries.c.version, _deliveries.c.rows).where(_deliveries.c.project == project)
        with self._database.reading() as connection:
            row = connection.execute(query.order_by(_deliveries.c.sequence.desc()).limit(1)).first()
        return None if row is None else (row.version, row.rows)

    def versions(self, project: str) -> list[str]:
        """Return the names of all versions, each once, the one delivered first first."""
        first = func.min(_deliveries.c.sequence)
        query = (
            select(_deliveries.c.version).where(_deliveries.c.project == project).group_by(_deliveries.c.version).order_by(first)
        )
        with self._database.reading() as connection:
            return list(connection.scalars(query))

    def knows(self, project: str, version: str) -> bool:
        """Whether the version was delivered before."""
        found = exists().where(_deliveries.c.project == project, _deliveries.c.version == version)
        with self._database.reading() as connection:
            return bool(connection.scalar(select(found)))

    def of_others(self, project: str) -> set[str]:
        """Return the names of the versions of all other projects."""
        with self._database.reading() as connection:
            return set(connection.scalars(select(_deliveries.c.version).where(_deliveries.c.project != project).distinct()))

    def read(self, project: str, version: str | None = None) -> list[tuple[str, int, datetime, dict[str, Any]]]:
        """Return version, rows, time and provenance of every delivery (of one version), oldest first."""
        query = select(_deliveries).where(_deliveries.c.project == project).order_by(_deliveries.c.sequence)
        if version is not None:
            query = query.where(_deliveries.c.version == version)
        with self._database.reading() as connection:
            return [(row.version, row.rows, row.time, json.loads(row.provenance)) for row in connection.execute(query)]

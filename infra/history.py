"""Who made which model the champion, when and why: append-only, each entry chained to the one before.

The history is the truth about the champion, and MLflow's alias is its mirror: an entry can be turned into an alias again, but an alias does
not know who set it and why. ``infra.chain`` says what the chain proves and what it does not.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy import Column, Integer, MetaData, String, Table, Text, func, select

from infra.chain import Chain, first_broken
from infra.databases import Database
from leitstand.errors import StateError
from leitstand.now import now

Kind = Literal["promote", "rollback"]

_metadata = MetaData()
_promotions = Table(
    "leitstand_promotions",
    _metadata,
    Column("project", String(63), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("from_version", Integer),
    Column("to_version", Integer, nullable=False),
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("time", String(32), nullable=False),  # as text, and the evidence too: the hash needs the same characters for ever
    Column("evidence", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
)
_chain = Chain(_promotions, lane="project")


@dataclass(frozen=True)
class Promotion:
    """One entry of the history.

    Parameters
    ----------
    number : 1, 2, … within the project
    from_version : the champion before; None for the first
    time : aware, UTC
    evidence : what the decision rested on, such as metrics and gates
    previous : SHA-256 of the entry before, zeros for the first
    sha256 : of this entry with ``previous``
    """

    project: str
    number: int
    kind: Kind
    from_version: int | None
    to_version: int
    who: str
    why: str
    time: datetime
    evidence: Mapping[str, Any]
    previous: str
    sha256: str


class History:
    """The promotions of all projects in one database (SQLite or PostgreSQL); tables are made on first use."""

    def __init__(self, url: str) -> None:
        self._database = Database(url, _metadata)

    def close(self) -> None:
        """Close all connections; the next call opens new ones."""
        self._database.close()

    def append(
        self, project: str, kind: Kind, to_version: int, *, who: str, why: str, evidence: Mapping[str, Any] | None = None
    ) -> Promotion:
        """Append one entry and return it; when this returns it is on disk.

        Raises
        ------
        StateError
            If the database cannot be written, or stayed locked. No entry is kept then.
        """
        with self._database.writing() as connection:
            newest = _chain.newest(connection, project)
            content = {
                "project": project,
                "kind": kind,
                "from_version": newest["to_version"] if newest else None,
                "to_version": to_version,
                "who": who,
                "why": why,
                "time": now().isoformat(),
                "evidence": json.dumps(dict(evidence or {}), sort_keys=True, ensure_ascii=False, default=str),
            }
            return _promotion(_chain.append(connection, content, newest))

    def read(self, project: str) -> list[Promotion]:
        """Return all entries of the project, oldest first."""
        with self._database.reading() as connection:
            return [_promotion(row) for row in _chain.rows(connection, project)]

    def champions(self, project: str) -> list[int]:
        """Return the champions that a rollback would step back through, the current one last; empty before the first promotion."""
        stack: list[int] = []
        for entry in self.read(project):
            if entry.kind == "rollback" and entry.to_version in stack:
                while stack[-1] != entry.to_version:
                    stack.pop()
            else:
                stack.append(entry.to_version)
        return stack

    def current(self) -> dict[str, int]:
        """Return the champion of every project that has one."""
        newest = (
            select(_promotions.c.project, func.max(_promotions.c.number).label("number"))
            .group_by(_promotions.c.project)
            .subquery()
        )
        last = (_promotions.c.project == newest.c.project) & (_promotions.c.number == newest.c.number)
        with self._database.reading() as connection:
            rows = connection.execute(select(_promotions.c.project, _promotions.c.to_version).join(newest, last))
            return {str(project): int(version) for project, version in rows}

    def verify(self, project: str) -> int:
        """Return the number of entries, every one of them unchanged and in its place.

        Raises
        ------
        StateError
            If an entry was changed, removed from the middle or slipped in; names the first.
        """
        with self._database.reading() as connection:
            rows = _chain.rows(connection, project)
        broken = first_broken(rows)
        if broken is not None:
            raise StateError("infra.history_changed", project=project, number=broken)
        return len(rows)


def _promotion(row: Mapping[str, Any]) -> Promotion:
    settled = {**row, "kind": cast(Kind, row["kind"])}
    settled |= {"time": datetime.fromisoformat(row["time"]), "evidence": json.loads(row["evidence"])}
    return Promotion(**settled)

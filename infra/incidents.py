"""What went wrong with a model, who was told, what was done about it, and when it was over: append-only, each event chained to the one before.

An incident is the sum of its events. While it is open, the same kind of trouble in the same project continues it instead of opening another,
so that nobody is told the same thing every hour. ``infra.chain`` says what the chain proves and what it does not.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, get_args

from sqlalchemy import Column, ColumnElement, Connection, Index, Integer, MetaData, String, Table, Text, select

from infra.chain import Chain
from infra.databases import Database
from leitstand.errors import UnknownName, UsageError
from leitstand.incident import Incident, IncidentEvent, Kind, Severity, Statement, incident_of
from leitstand.now import now

__all__ = ["Incident", "IncidentEvent", "Incidents", "Kind", "Severity", "Statement"]

_metadata = MetaData()
_events = Table(
    "leitstand_incidents",
    _metadata,
    Column("project", String(63), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("incident", Integer, nullable=False),
    Column("event", String(16), nullable=False),
    Column("time", String(32), nullable=False),  # as text, and the content too: the hash needs the same characters for ever
    Column("who", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Index("leitstand_incidents_incident", "project", "incident"),
)
_chain = Chain(_events, lane="project")
ALONE: tuple[Kind, ...] = ("reported",)  # what people report are different things: each is an incident of its own


class Incidents:
    """The incidents of all projects in one database (SQLite or PostgreSQL); tables are made on first use."""

    def __init__(self, url: str) -> None:
        self._database = Database(url, _metadata)

    def close_connections(self) -> None:
        """Close all connections; the next call opens new ones."""
        self._database.close()

    def report(
        self,
        project: str,
        kind: Kind,
        severity: Severity,
        what: Sequence[Statement],
        *,
        who: str,
        evidence: Mapping[str, Any] | None = None,
        model_version: int | None = None,
    ) -> Incident:
        """Open an incident, or continue the open one of this kind, and return it; when this returns it is on disk.

        Raises
        ------
        StateError
            If the database cannot be written, or stayed locked. Nothing is kept then.
        """
        content: dict[str, Any] = {
            "severity": severity,
            "what": [one.model_dump() for one in what],
            "evidence": dict(evidence or {}),
            "model_version": model_version,
        }
        with self._database.writing() as connection:
            newest = _chain.newest(connection, project)
            before = [] if kind in ALONE else [one for one in _read(connection, project, open_only=True) if one.kind == kind]
            if before:
                number, event = before[-1].number, "continued"
            else:
                number, event = _opened(connection, project) + 1, "opened"
                content["kind"] = kind
            _append(connection, newest, project, number, event, who, content)
            return _one(connection, project, number)

    def told(self, incident: Incident, channel: str, severity: Severity, problem: Statement | None = None) -> Incident:
        """Note that somebody was told, or could not be; a failure that is the channel's last one again is not noted twice.

        Parameters
        ----------
        channel : as it may be shown, without any password
        severity : that was told
        problem : why it did not work; None where it did
        """
        last, found = incident.last_told(channel), problem.model_dump() if problem else None
        if found is not None and last is not None and last.content["problem"] == found:
            return incident
        content = {"channel": channel, "severity": severity, "problem": found}
        return self._continue(incident.id, "told", "leitstand", content)

    def note(self, id: str, text: str, *, who: str) -> Incident:
        """Note what was found out or done.

        Raises
        ------
        UsageError
            If there is no such incident.
        """
        return self._continue(id, "note", who, {"text": text})

    def close(self, id: str, why: str, *, who: str) -> Incident:
        """Close an incident with its cause.

        Raises
        ------
        UsageError
            If there is no such incident, or it is closed already.
        """
        return self._continue(id, "closed", who, {"why": why})

    def get(self, id: str) -> Incident:
        """Return one incident.

        Raises
        ------
        UsageError
            If there is none of that id.
        """
        project, number = _place(id)
        with self._database.reading() as connection:
            return _one(connection, project, number)

    def read(
        self, project: str | None = None, *, open_only: bool = False, closed_since: datetime | None = None
    ) -> list[Incident]:
        """Return the incidents of a project, or of all, oldest first.

        Parameters
        ----------
        closed_since : with ``open_only``, those too that were closed since then; aware
        """
        with self._database.reading() as connection:
            return _read(connection, project, open_only=open_only, closed_since=closed_since)

    def verify(self, project: str) -> int:
        """Return the number of events of a project, every one of them unchanged and in its place.

        Raises
        ------
        StateError
            If an event was changed, removed from the middle or slipped in; names the first.
        """
        with self._database.reading() as connection:
            return len(_chain.verified(connection, project, "incidents.log_changed"))

    def _continue(self, id: str, event: str, who: str, content: Mapping[str, Any]) -> Incident:
        project, number = _place(id)
        with self._database.writing() as connection:
            newest = _chain.newest(connection, project)
            found = _one(connection, project, number)
            if event == "closed" and found.closed is not None:
                raise UsageError("incidents.closed_already", id=id, who=found.closed_by, time=f"{found.closed:%Y-%m-%d %H:%M}")
            _append(connection, newest, project, number, event, who, content)
            return _one(connection, project, number)


def known_kinds() -> tuple[str, ...]:
    """Return all kinds of incident."""
    return get_args(Kind)


def _append(
    connection: Connection,
    newest: Mapping[str, Any] | None,
    project: str,
    number: int,
    event: str,
    who: str,
    content: Mapping[str, Any],
) -> None:
    kept = json.dumps(dict(content), sort_keys=True, ensure_ascii=False, default=str)
    row = {"project": project, "incident": number, "event": event, "time": now().isoformat(), "who": who, "content": kept}
    _chain.append(connection, row, newest)


def _opened(connection: Connection, project: str) -> int:
    """Return how many incidents a project has had."""
    query = select(_events.c.incident).where(_events.c.project == project).order_by(_events.c.incident.desc()).limit(1)
    return connection.scalar(query) or 0


def _one(connection: Connection, project: str, number: int) -> Incident:
    found = _folded(connection, (_events.c.project == project) & (_events.c.incident == number))
    if not found:
        known = [one.id for one in _read(connection, project, open_only=False)]
        raise UnknownName("incident", f"{project}-{number}", known)
    return found[0]


def _read(
    connection: Connection, project: str | None, *, open_only: bool, closed_since: datetime | None = None
) -> list[Incident]:
    wanted: list[ColumnElement[bool]] = [] if project is None else [_events.c.project == project]
    if open_only:
        closing = _events.alias()
        closed = (
            (closing.c.project == _events.c.project) & (closing.c.incident == _events.c.incident) & (closing.c.event == "closed")
        )
        if closed_since is not None:
            closed &= closing.c.time < closed_since.astimezone(UTC).isoformat()
        wanted.append(~select(closing.c.number).where(closed).exists())
    return _folded(connection, *wanted)


def _folded(connection: Connection, *wanted: ColumnElement[bool]) -> list[Incident]:
    query = select(_events).where(*wanted).order_by(_events.c.project, _events.c.incident, _events.c.number)
    by_incident: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for row in connection.execute(query).mappings():
        by_incident.setdefault((row["project"], row["incident"]), []).append(dict(row))
    made = (incident_of(project, number, _told(rows)) for (project, number), rows in by_incident.items())
    return sorted(made, key=lambda one: (one.opened, one.id))


def _told(rows: Iterable[Mapping[str, Any]]) -> list[IncidentEvent]:
    return [
        IncidentEvent(event=row["event"], time=row["time"], who=row["who"], content=json.loads(row["content"])) for row in rows
    ]


def _place(id: str) -> tuple[str, int]:
    project, _, number = id.rpartition("-")
    if not project or not number.isascii() or not number.isdigit():
        raise UsageError("incidents.no_id", found=id)
    return project, int(number)

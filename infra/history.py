"""Who put which model in charge or on trial, and who paused what, when and why: append-only, each entry chained to the one before.

The history is the truth about the champion, and MLflow's alias is its mirror: an entry can be turned into an alias again, but an alias does
not know who set it and why. ``infra.chain`` says what the chain proves and what it does not.

``promote`` and ``rollback`` name a champion, and end the trial that was running. ``shadow`` and ``canary`` begin the trial of a challenger
beside the champion, ``withdraw`` ends it without a promotion. ``ask`` asks a person whether a challenger may be promoted; that person
promotes it or notes a ``reject``. ``pause`` lets the fallback answer until ``resume``, whoever is champion.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, Text, func, select

from infra.chain import Chain
from infra.databases import Database
from leitstand.now import now

Mode = Literal["shadow", "canary"]
Kind = Literal["promote", "rollback", "shadow", "canary", "withdraw", "ask", "reject", "pause", "resume"]
CROWNING: tuple[Kind, ...] = ("promote", "rollback")
TRIALS: tuple[Mode, ...] = ("shadow", "canary")
SHARE = "share"  # of a trial's requests, kept in the evidence: a new column would change the hash of every old entry

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
    to_version : the champion after; of a trial and of a question the challenger
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


@dataclass(frozen=True)
class Standing:
    """Who answers for a project now, by its history.

    Parameters
    ----------
    challenger : the version on trial; None without one
    share : of the requests that the challenger answers: 0 in the shadow
    paused : whether the fallback answers instead
    why, since : of what holds now: the pause while paused, otherwise the trial while one runs, otherwise the champion's promotion
    """

    project: str
    champion: int | None
    challenger: int | None
    mode: Mode | None
    share: float
    paused: bool
    why: str
    since: datetime


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

        Parameters
        ----------
        evidence : of a canary with its ``share`` of the requests, above 0 and below 1

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
                "from_version": _champion(connection, project),
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
            if entry.kind not in CROWNING:
                continue
            if entry.kind == "rollback" and entry.to_version in stack:
                while stack[-1] != entry.to_version:
                    stack.pop()
            else:
                stack.append(entry.to_version)
        return stack

    def current(self) -> dict[str, int]:
        """Return the champion of every project that has one."""
        return {name: one.champion for name, one in self.standing().items() if one.champion is not None}

    def standing(self) -> dict[str, Standing]:
        """Return who answers for each project that has a history, in one query: a service asks again and again."""
        columns = _promotions.c
        last = (
            select(columns.project, func.max(columns.number).label("number")).group_by(columns.project, columns.kind).subquery()
        )
        wanted = (columns.project == last.c.project) & (columns.number == last.c.number)
        query = select(
            columns.project, columns.number, columns.kind, columns.to_version, columns.why, columns.time, columns.evidence
        )
        newest: dict[str, dict[str, Mapping[str, Any]]] = {}
        with self._database.reading() as connection:
            for row in connection.execute(query.join(last, wanted)).mappings():
                newest.setdefault(row["project"], {})[row["kind"]] = dict(row)
        return {project: _standing(project, kinds) for project, kinds in newest.items()}

    def verify(self, project: str) -> int:
        """Return the number of entries, every one of them unchanged and in its place.

        Raises
        ------
        StateError
            If an entry was changed, removed from the middle or slipped in; names the first.
        """
        with self._database.reading() as connection:
            return len(_chain.verified(connection, project, "infra.history_changed"))


def _champion(connection: Connection, project: str) -> int | None:
    columns = _promotions.c
    crowned = select(columns.to_version).where(columns.project == project, columns.kind.in_(CROWNING))
    return connection.scalar(crowned.order_by(columns.number.desc()).limit(1))


def _standing(project: str, newest: Mapping[str, Mapping[str, Any]]) -> Standing:
    """Return what the newest entry of each kind comes to."""

    def last(*kinds: str) -> Mapping[str, Any] | None:
        found = [newest[kind] for kind in kinds if kind in newest]
        return max(found, key=lambda row: int(row["number"]), default=None)

    crowned, trial, pause = last(*CROWNING), last(*TRIALS, "withdraw", *CROWNING), last("pause", "resume")
    running = trial if trial is not None and trial["kind"] in TRIALS else None
    paused = pause if pause is not None and pause["kind"] == "pause" else None
    holds = paused or running or crowned or max(newest.values(), key=lambda row: int(row["number"]))
    return Standing(
        project=project,
        champion=crowned["to_version"] if crowned else None,
        challenger=running["to_version"] if running else None,
        mode=cast(Mode, running["kind"]) if running else None,
        share=float(json.loads(running["evidence"]).get(SHARE, 0.0)) if running else 0.0,
        paused=paused is not None,
        why=holds["why"],
        since=datetime.fromisoformat(holds["time"]),
    )


def _promotion(row: Mapping[str, Any]) -> Promotion:
    settled = {**row, "kind": cast(Kind, row["kind"])}
    settled |= {"time": datetime.fromisoformat(row["time"]), "evidence": json.loads(row["evidence"])}
    return Promotion(**settled)

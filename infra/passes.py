"""Every pass of the maintenance loop: what was seen, what was decided and why, and what was done; append-only and chained.

Later passes need the earlier ones: a change counts only when several windows have shown it, and after a training there is a time to wait.
``infra.chain`` says what the chain proves and what it does not.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Column, ColumnElement, Integer, MetaData, String, Table, Text, and_, select

from infra.chain import Chain
from infra.databases import Database
from leitstand.now import now

_metadata = MetaData()
_passes = Table(
    "leitstand_passes",
    _metadata,
    Column("project", String(63), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("time", String(32), nullable=False),  # as texts, these and the documents: the hash needs the same characters for ever
    Column("model_version", Integer, nullable=False),
    Column("action", String(16), nullable=False),
    Column("acted", String(32), nullable=False),
    Column("trained", Boolean, nullable=False),
    Column("signals", Text, nullable=False),
    Column("decision", Text, nullable=False),
    Column("figures", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
)
_chain = Chain(_passes, lane="project")


@dataclass(frozen=True)
class Pass:
    """One pass of the loop.

    Parameters
    ----------
    number : 1, 2, … within the project
    time : aware, UTC
    model_version : the champion that was looked at
    action : what was decided
    acted : what was done, in the words of the flow
    trained : whether a challenger was trained
    signals : what was seen, as ``leitstand.findings.Signals`` in JSON
    decision : with its reasons, as ``leitstand.decision.Decision`` in JSON
    figures : by name
    """

    project: str
    number: int
    time: datetime
    model_version: int
    action: str
    acted: str
    trained: bool
    signals: Mapping[str, Any]
    decision: Mapping[str, Any]
    figures: Mapping[str, Any]


class Passes:
    """The passes of all projects in one database (SQLite or PostgreSQL); tables are made on first use."""

    def __init__(self, url: str) -> None:
        self._database = Database(url, _metadata)

    def close(self) -> None:
        """Close all connections; the next call opens new ones."""
        self._database.close()

    def append(
        self,
        project: str,
        *,
        model_version: int,
        acted: str,
        trained: bool,
        signals: Mapping[str, Any],
        decision: Mapping[str, Any],
        figures: Mapping[str, Any],
    ) -> Pass:
        """Append one pass and return it; when this returns it is on disk.

        Parameters
        ----------
        signals, decision, figures : what JSON holds

        Raises
        ------
        StateError
            If the database cannot be written, or stayed locked. Nothing is kept then.
        """
        content = {
            "project": project,
            "time": now().isoformat(),
            "model_version": model_version,
            "action": decision["action"],
            "acted": acted,
            "trained": trained,
            "signals": _json(signals),
            "decision": _json(decision),
            "figures": _json(figures),
        }
        with self._database.writing() as connection:
            return _pass(_chain.append(connection, content, _chain.newest(connection, project)))

    def latest(self, project: str, *, limit: int = 500, since: datetime | None = None) -> list[Pass]:
        """Return the newest passes, newest first.

        Parameters
        ----------
        since : aware; older ones are left out
        """
        return self._read(project, limit, [] if since is None else [_passes.c.time >= since.isoformat()])

    def last_training(self, project: str) -> Pass | None:
        """Return the newest pass that trained a challenger; None without one."""
        return next(iter(self._read(project, 1, [_passes.c.trained.is_(True)])), None)

    def verify(self, project: str) -> int:
        """Return the number of passes, every one of them unchanged and in its place.

        Raises
        ------
        StateError
            If a pass was changed, removed from the middle or slipped in; names the first.
        """
        with self._database.reading() as connection:
            return len(_chain.verified(connection, project, "monitoring.passes_changed"))

    def _read(self, project: str, limit: int, conditions: list[ColumnElement[bool]]) -> list[Pass]:
        query = select(_passes).where(and_(_passes.c.project == project, *conditions)).order_by(_passes.c.number.desc())
        with self._database.reading() as connection:
            return [_pass(dict(row)) for row in connection.execute(query.limit(limit)).mappings()]


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(dict(content), sort_keys=True, ensure_ascii=False, allow_nan=False)


def _pass(row: Mapping[str, Any]) -> Pass:
    told = {name: row[name] for name in ("project", "number", "model_version", "action", "acted")}
    documents = {name: json.loads(row[name]) for name in ("signals", "decision", "figures")}
    return Pass(**told, **documents, time=datetime.fromisoformat(row["time"]), trained=bool(row["trained"]))

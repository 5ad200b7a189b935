"""The audit log of administrative acts: who did what to what, and when; append-only, each entry chained to the one before.

Acts on keys are noted in the transaction that does them. Promotions, rollbacks, trials and pauses stand in the history (``infra.history``),
which is chained the same way; ``administrative_acts`` reads both.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, Text

from infra.chain import FIRST, Chain, first_broken
from infra.databases import Database
from infra.history import History
from infra.settings import Settings
from leitstand.errors import StateError

Kind = Literal[
    "key_created",
    "key_rotated",
    "key_revoked",
    "log_erased",
    "service_started",
    "service_stopped",
    "service_exposed",
    "promote",
    "rollback",
    "shadow",
    "canary",
    "withdraw",
    "ask",
    "reject",
    "pause",
    "resume",
]

metadata = MetaData()
"""Tables that stand in one database with the audit log, so that an act and its entry are one transaction."""

_acts = Table(
    "leitstand_acts",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(32), nullable=False),
    Column("subject", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("time", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
)
_chain = Chain(_acts)


@dataclass(frozen=True)
class Act:
    """One administrative act.

    Parameters
    ----------
    subject : what it was done to: a key id, a project, an address
    who : the user of the machine it was done on
    time : aware, UTC
    detail : what else there is to know
    """

    kind: Kind
    subject: str
    who: str
    time: datetime
    detail: Mapping[str, Any]


@dataclass(frozen=True)
class Verified:
    """What ``Audit.verify`` found in order.

    Parameters
    ----------
    entries : how many
    newest : SHA-256 of the last, zeros where there is none; kept elsewhere it shows later whether the end was cut off
    """

    entries: int
    newest: str


class Audit:
    """The audit log of one database (SQLite or PostgreSQL); tables are made on first use."""

    def __init__(self, url: str) -> None:
        self._database = Database(url, metadata)

    def close(self) -> None:
        """Close all connections; the next call opens new ones."""
        self._database.close()

    def note(self, kind: Kind, subject: str, *, who: str, **detail: Any) -> None:
        """Append one act; when this returns it is on disk.

        Raises
        ------
        StateError
            If the database cannot be written, or stayed locked. No entry is kept then.
        """
        with self._database.writing() as connection:
            note(connection, kind, subject, who=who, **detail)

    def read(self) -> list[Act]:
        """Return all acts noted here, oldest first."""
        with self._database.reading() as connection:
            return [_act(row) for row in _chain.rows(connection)]

    def verify(self) -> Verified:
        """Return what there is, every entry unchanged and in its place.

        Raises
        ------
        StateError
            If an entry was changed, removed from the middle or slipped in; names the first.
        """
        with self._database.reading() as connection:
            rows = _chain.rows(connection)
        broken = first_broken(rows)
        if broken is not None:
            raise StateError("keys.audit_changed", number=broken)
        return Verified(len(rows), rows[-1]["sha256"] if rows else FIRST)


def open_audit(settings: Settings) -> Audit:
    """Return the audit log of these settings."""
    return Audit(settings.database("keys"))


def note(connection: Connection, kind: Kind, subject: str, *, who: str, **detail: Any) -> None:
    """Append one act within a transaction on the audit log's database."""
    content = {
        "kind": kind,
        "subject": subject,
        "who": who,
        "time": datetime.now(UTC).isoformat(),
        "detail": json.dumps(detail, sort_keys=True, ensure_ascii=False, default=str),
    }
    _chain.append(connection, content, _chain.newest(connection))


def administrative_acts(settings: Settings) -> list[Act]:
    """Return all acts of the audit log, and the history of all projects, oldest first."""
    audit, history = open_audit(settings), History(settings.database("history"))
    try:
        acts = audit.read()
        for project in history.standing():
            for entry in history.read(project):
                detail = {name: value for name, value in asdict(entry).items() if name in ("from_version", "to_version", "why")}
                acts.append(Act(entry.kind, project, entry.who, entry.time, detail))
    finally:
        audit.close()
        history.close()
    return sorted(acts, key=lambda act: act.time)


def verify_acts(settings: Settings) -> Verified:
    """Verify the audit log and the history of every project; the result counts the entries of all.

    Raises
    ------
    StateError
        If an entry of any was changed; names the first.
    """
    audit, history = open_audit(settings), History(settings.database("history"))
    try:
        found = audit.verify()
        promotions = sum(history.verify(project) for project in history.standing())
    finally:
        audit.close()
        history.close()
    return Verified(found.entries + promotions, found.newest)


def _act(row: Mapping[str, Any]) -> Act:
    return Act(row["kind"], row["subject"], row["who"], datetime.fromisoformat(row["time"]), json.loads(row["detail"]))

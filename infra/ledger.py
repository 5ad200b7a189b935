"""What was booked as the value of each project: append-only, each entry chained to the one before, never changed silently."""

import json
from collections.abc import Mapping
from typing import Any, Literal

from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, Text

from infra.chain import Chain
from infra.databases import Database
from leitstand.ledger import Account, Entry, differs
from leitstand.now import now

_metadata = MetaData()
_entries = Table(
    "leitstand_value",
    _metadata,
    Column("project", String(63), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("period", String(7), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("time", String(32), nullable=False),  # as text, and the amounts too: the hash needs the same characters for ever
    Column("who", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
)
_chain = Chain(_entries, lane="project")


class Ledger:
    """The value ledger of all projects in one database (SQLite or PostgreSQL); tables are made on first use."""

    def __init__(self, url: str) -> None:
        self._database = Database(url, _metadata)

    def close(self) -> None:
        """Close all connections; the next call opens new ones."""
        self._database.close()

    def book(self, project: str, period: str, account: Account, *, who: str) -> Entry | None:
        """Book what a period stands at, and return the entry: its first, or the difference to what was booked; None where nothing differs.

        Raises
        ------
        StateError
            If the database cannot be written, or stayed locked. No entry is kept then.
        """
        with self._database.writing() as connection:
            newest = _chain.newest(connection, project)
            before = [entry.account for entry in _read(connection, project) if entry.period == period]
            if before and not differs(before[-1], account):
                return None
            earned = account.earned_eur - (before[-1].earned_eur if before else 0.0)
            cost = account.running_cost_eur - (before[-1].running_cost_eur if before else 0.0)
            content = {
                "earned_eur": round(earned, 2),
                "running_cost_eur": round(cost, 2),
                "account": account.model_dump(mode="json"),
            }
            kind: Literal["booking", "correction"] = "correction" if before else "booking"
            row = {"project": project, "period": period, "kind": kind, "time": now().isoformat(), "who": who}
            kept = row | {"content": json.dumps(content, sort_keys=True)}
            return _entry(_chain.append(connection, kept, newest))

    def read(self, project: str) -> list[Entry]:
        """Return all entries of the project, oldest first."""
        with self._database.reading() as connection:
            return _read(connection, project)

    def verify(self, project: str) -> int:
        """Return the number of entries, every one of them unchanged and in its place.

        Raises
        ------
        StateError
            If an entry was changed, removed from the middle or slipped in; names the first.
        """
        with self._database.reading() as connection:
            return len(_chain.verified(connection, project, "value.ledger_changed"))


def _read(connection: Connection, project: str) -> list[Entry]:
    return [_entry(row) for row in _chain.rows(connection, project)]


def _entry(row: Mapping[str, Any]) -> Entry:
    fields = {name: row[name] for name in ("number", "period", "kind", "time", "who")}
    return Entry.model_validate(fields | json.loads(row["content"]))

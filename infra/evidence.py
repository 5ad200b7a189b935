"""The evidence of the milestones: append-only, each entry chained to the one before, so that a status can be traced and not be typed in."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Integer, MetaData, String, Table, Text

from infra.chain import Chain
from infra.databases import Database
from leitstand.milestones import Milestone
from leitstand.now import now
from leitstand.roadmap import Record

_metadata = MetaData()
_evidence = Table(
    "leitstand_evidence",
    _metadata,
    Column("project", String(63), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("milestone", String(2), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("run_id", String(64)),
    Column("data_version", String(64)),
    Column("model_version", Integer),
    Column("time", String(32), nullable=False),  # as text, and the rest too: the hash needs the same characters for ever
    Column("content", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
)
_chain = Chain(_evidence, lane="project")
_CONTENT = ("evidence", "missing", "details", "fingerprints")


class EvidenceStore:
    """The evidence of all projects in one database (SQLite or PostgreSQL); tables are made on first use."""

    def __init__(self, url: str) -> None:
        self._database = Database(url, _metadata)

    def close(self) -> None:
        """Close all connections; the next call opens new ones."""
        self._database.close()

    def append(
        self,
        project: str,
        milestones: Sequence[tuple[Milestone, Mapping[str, str], Mapping[str, Any]]],
        *,
        run_id: str | None,
        data_version: str | None,
        model_version: int | None,
    ) -> None:
        """Append what one run found about milestones; all of it or nothing.

        Parameters
        ----------
        milestones : each with the fingerprints that it rests on, and with details for documents

        Raises
        ------
        StateError
            If the database cannot be written, or stayed locked.
        """
        time = now().isoformat()
        with self._database.writing() as connection:
            newest = _chain.newest(connection, project)
            for one, fingerprints, details in milestones:
                content = {"evidence": one.evidence, "missing": one.missing, "details": details, "fingerprints": fingerprints}
                row = {
                    "project": project,
                    "milestone": one.id,
                    "verdict": one.verdict,
                    "run_id": run_id,
                    "data_version": data_version,
                    "model_version": model_version,
                    "time": time,
                    "content": json.dumps(content, sort_keys=True, ensure_ascii=False, default=str),
                }
                newest = _chain.append(connection, row, newest)

    def read(self, project: str) -> list[Record]:
        """Return all evidence of a project, oldest first.

        Raises
        ------
        StateError
            If an entry was changed, removed from the middle or slipped in: what a status rests on has to be what runs wrote.
        """
        with self._database.reading() as connection:
            return [_record(row) for row in _chain.verified(connection, project, "infra.evidence_changed")]


def _record(row: Mapping[str, Any]) -> Record:
    kept = {name: value for name, value in row.items() if name not in ("content", "previous", "sha256")}
    return Record.model_validate(kept | {name: value for name, value in json.loads(row["content"]).items() if name in _CONTENT})

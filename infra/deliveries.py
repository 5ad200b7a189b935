"""What came in, by project: deliveries with what became of them, bookmarks in databases, files that were seen, the data version reached.

A pass of ``flows.ingest`` notes everything in one transaction, together with the data version it made: a process killed on the way leaves nothing
noted, and the next pass finds the same again.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, delete, func, insert, select, update

from infra.databases import Database
from infra.delivery_tables import BOOKMARKS, DELIVERIES, FILES, RECEIVED, metadata
from leitstand.errors import UnknownName, UsageError
from leitstand.incident import Statement
from leitstand.now import now
from leitstand.suspicion import Fault
from leitstand.texts import Language

Kind = Literal["sources", "file", "table", "api"]
State = Literal["taken", "held", "allowed", "refused"]
VERSION, DELIVERED_BY = "version", "delivered_by"
"""Names of bookmarks: the data version reached, and the file that says which delivery each of its rows is from."""
LAST_DELIVERIES = 20
_CHUNK = 500


@dataclass(frozen=True)
class Delivery:
    """One delivery and what became of it.

    Parameters
    ----------
    number : from 1, by project
    moment, modified : what its place among the others hangs on; of two with the same moment the one modified later is newer
    time : when the pass was that found it
    state : ``taken`` into a data version, ``held`` back until a person decides, ``allowed`` by one, ``refused`` by one
    fault, message : why it is held back; the message as JSON of key and values
    version : the data version that was made with it
    """

    project: str
    number: int
    kind: Kind
    name: str
    sha256: str
    moment: datetime
    modified: datetime
    time: datetime
    state: State = "taken"
    fault: Fault | None = None
    message: str | None = None
    rows: int = 0
    accepted: int = 0
    quarantined: int = 0
    added: int = 0
    corrected: int = 0
    unchanged: int = 0
    outdated: int = 0
    late: int = 0
    labelled: int = 0
    quarantine_file: str | None = None
    version: str | None = None
    decided_by: str | None = None
    decided: datetime | None = None

    @property
    def place(self) -> tuple[datetime, datetime, str]:
        """What deliveries are ordered by, the newest last."""
        return self.moment, self.modified, self.sha256

    def why(self, language: Language) -> str:
        """Return in words why it is held back; empty where it is not."""
        return "" if self.reason is None else self.reason.render(language)

    @property
    def reason(self) -> Statement | None:
        """Why it is held back; None where it is not."""
        if self.message is None:
            return None
        message = json.loads(self.message)
        return Statement.of(message["key"], **message["values"])


@dataclass(frozen=True)
class SeenFile:
    """A file of the watched folder as it was when its content was hashed."""

    size: int
    modified_ns: int
    sha256: str


@dataclass(frozen=True)
class Noting:
    """All that one pass has to note.

    Parameters
    ----------
    files : every file of the watched folder that was hashed, by name; those that are gone are forgotten. None where no folder was looked at
    received : rows of the service by the number of the delivery that they became
    """

    deliveries: Sequence[Delivery]
    bookmarks: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, SeenFile] | None = None
    received: Mapping[int, Sequence[int]] = field(default_factory=dict)


class Deliveries:
    """The deliveries of all projects in one database (SQLite or PostgreSQL); tables are made on first use."""

    def __init__(self, url: str) -> None:
        self._database = Database(url, metadata)

    def close(self) -> None:
        """Close all connections; the next call opens new ones."""
        self._database.close()

    def read(self, project: str, *, state: State | None = None) -> list[Delivery]:
        """Return the deliveries of a project by number, all or those of one state."""
        query = select(DELIVERIES).where(DELIVERIES.c.project == project).order_by(DELIVERIES.c.number)
        if state is not None:
            query = query.where(DELIVERIES.c.state == state)
        with self._database.reading() as connection:
            return [Delivery(**row) for row in connection.execute(query).mappings()]

    def usual_rows(self, project: str, kind: Kind) -> list[int]:
        """Return how many rows the last taken deliveries had that came this way."""
        where = (DELIVERIES.c.project == project, DELIVERIES.c.kind == kind, DELIVERIES.c.state == "taken")
        query = select(DELIVERIES.c.rows).where(*where).order_by(DELIVERIES.c.number.desc()).limit(LAST_DELIVERIES)
        with self._database.reading() as connection:
            return list(connection.scalars(query))

    def labelled_since(self, project: str, version: str) -> int:
        """Return how many rows got a label after this data version was made; all of them when no delivery made it."""
        mine = DELIVERIES.c.project == project
        with self._database.reading() as connection:
            last = connection.scalar(select(func.max(DELIVERIES.c.number)).where(mine, DELIVERIES.c.version == version))
            query = select(func.sum(DELIVERIES.c.labelled)).where(
                mine, DELIVERIES.c.state == "taken", DELIVERIES.c.number > (last or 0)
            )
            return int(connection.scalar(query) or 0)

    def bookmark(self, project: str, place: str) -> str | None:
        """Return what was noted under ``place``, or None."""
        where = (BOOKMARKS.c.project == project, BOOKMARKS.c.place == place)
        with self._database.reading() as connection:
            return connection.scalar(select(BOOKMARKS.c.value).where(*where))

    def files(self, project: str) -> dict[str, SeenFile]:
        """Return the files of the watched folder as they were seen last, by name."""
        query = select(FILES).where(FILES.c.project == project)
        with self._database.reading() as connection:
            return {row.name: SeenFile(row.size, row.modified_ns, row.sha256) for row in connection.execute(query)}

    def note(self, project: str, noting: Noting) -> None:
        """Note a pass that made no data version."""
        with self._database.writing() as connection:
            _note(connection, project, noting, None)

    def together(self, project: str, noting: Noting) -> Callable[[Connection, str], None]:
        """Return what notes a pass inside the transaction that notes its data version, for ``SnapshotStore.save``."""
        with self._database.reading():  # makes the tables, where there are none yet
            pass
        return lambda connection, version: _note(connection, project, noting, version)

    def decide(self, project: str, wanted: str, state: Literal["allowed", "refused"], *, who: str) -> Delivery:
        """Let a held delivery in, or refuse it for good.

        Parameters
        ----------
        wanted : its number, its name, or the first digits of its hash

        Raises
        ------
        UnknownName
            If no such delivery waits.
        UsageError
            If several have that name.
        """
        held = self.read(project, state="held")
        found = [
            one for one in held if wanted in (str(one.number), one.name) or (len(wanted) >= 6 and one.sha256.startswith(wanted))
        ]
        if not found:
            raise UnknownName("delivery", wanted, [str(one.number) for one in held])
        if len(found) > 1:
            raise UsageError("ingest.ambiguous", name=wanted, numbers=", ".join(str(one.number) for one in found))
        decided = replace(found[0], state=state, decided_by=who, decided=now())
        where = (DELIVERIES.c.project == project, DELIVERIES.c.number == decided.number)
        with self._database.writing() as connection:
            values = {"state": state, "decided_by": who, "decided": decided.decided}
            connection.execute(update(DELIVERIES).where(*where).values(**values))
        return decided


def _note(connection: Connection, project: str, noting: Noting, version: str | None) -> None:
    for one in noting.deliveries:
        made = replace(one, version=version) if one.state == "taken" and version is not None else one
        values = {item.name: getattr(made, item.name) for item in fields(made)}
        where = (DELIVERIES.c.project == project, DELIVERIES.c.number == one.number)
        connection.execute(delete(DELIVERIES).where(*where))  # one that a person decided about stands there already
        connection.execute(insert(DELIVERIES), [values])
        sequences = noting.received.get(one.number, ())
        gone: dict[str, Any] = {"content": None} if one.state == "taken" else {}
        for start in range(0, len(sequences), _CHUNK):
            mine = RECEIVED.c.sequence.in_(sequences[start : start + _CHUNK])
            connection.execute(update(RECEIVED).where(mine).values(delivery=one.number, **gone))
    marks = dict(noting.bookmarks) | ({} if version is None else {VERSION: version})
    for place, value in marks.items():
        connection.execute(delete(BOOKMARKS).where(BOOKMARKS.c.project == project, BOOKMARKS.c.place == place))
        connection.execute(insert(BOOKMARKS), [{"project": project, "place": place, "value": value}])
    if noting.files is not None:
        connection.execute(delete(FILES).where(FILES.c.project == project))
        rows = [{"project": project, "name": name, **vars(seen)} for name, seen in noting.files.items()]
        if rows:
            connection.execute(insert(FILES), rows)

"""Rows that the service received: on disk before the sender is told so, and kept until a data version or a person has them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from infra.databases import LOCK_WAIT_SECONDS, Database
from infra.delivery_tables import RECEIVED, metadata
from leitstand.now import now


@dataclass(frozen=True)
class Request:
    """The rows of one request.

    Parameters
    ----------
    sequence : its place in the order of arrival
    id : by which it is known again when it is sent twice
    content : the rows as a JSON list
    """

    sequence: int
    id: str
    client: str
    time: datetime
    rows: int
    content: str


class Received:
    """The received rows of all projects in one database (SQLite or PostgreSQL); may be used from several threads and processes at once.

    Parameters
    ----------
    wait_seconds : how long to wait for a locked SQLite file
    """

    def __init__(self, url: str, *, wait_seconds: float = LOCK_WAIT_SECONDS) -> None:
        self._database = Database(url, metadata, wait_seconds=wait_seconds)

    def close(self) -> None:
        """Close all connections; the next call opens new ones."""
        self._database.close()

    def keep(self, project: str, id_: str, content: str, rows: int, client: str) -> bool:
        """Keep the rows of a request; when this returns they are on disk. Return False when they were there already.

        Raises
        ------
        Busy
            If the database stayed locked.
        StateError
            If it cannot be reached or written. No row is kept then.
        """
        row = {"project": project, "id": id_, "client": client[:200], "time": now(), "rows": rows, "content": content}
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        statement = insert(RECEIVED).values(row).on_conflict_do_nothing(index_elements=["project", "id"])
        with self._database.writing() as connection:
            return connection.scalar(statement.returning(RECEIVED.c.sequence)) is not None

    def waiting(self, project: str) -> list[Request]:
        """Return what no delivery has taken yet, in the order of arrival."""
        return self._read(project, None)

    def of_delivery(self, project: str, number: int) -> list[Request]:
        """Return what a delivery that is held back consists of, in the order of arrival."""
        return self._read(project, number)

    def _read(self, project: str, delivery: int | None) -> list[Request]:
        wanted = RECEIVED.c.delivery.is_(None) if delivery is None else RECEIVED.c.delivery == delivery
        columns = [RECEIVED.c[name] for name in ("sequence", "id", "client", "time", "rows", "content")]
        query = select(*columns).where(RECEIVED.c.project == project, wanted, RECEIVED.c.content.is_not(None))
        with self._database.reading() as connection:
            return [Request(*row) for row in connection.execute(query.order_by(RECEIVED.c.sequence))]

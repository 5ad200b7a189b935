"""Every prediction with its id, and the truth that came later.

``append`` is for the service, which has the JSON at hand and waits for the disk; ``write`` is for everything else. Both store the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
from sqlalchemy import and_, func, insert, select

from infra.databases import LOCK_WAIT_SECONDS, Database
from infra.prediction_append import Appender
from infra.prediction_care import prune
from infra.prediction_entries import (
    ANSWERED,
    LabelResult,
    LogEntry,
    LoggedPrediction,
    Role,
    Value,
    new_id,
    new_ids,
    plain,
    record,
)
from infra.prediction_frames import flat, logged_inputs
from infra.prediction_tables import LABELS, PREDICTIONS, REHEARSALS, conditions, latest_labels, metadata, with_latest_label
from leitstand.now import now

__all__ = [
    "ANSWERED",
    "LabelResult",
    "LogEntry",
    "LoggedPrediction",
    "Pairs",
    "PredictionLog",
    "Role",
    "Value",
    "logged_inputs",
    "new_id",
    "new_ids",
]
_CHUNK = 500


@dataclass(frozen=True)
class Pairs:
    """The same rows answered by two models, oldest first: row i of both frames belongs together, and both have the same label.

    Parameters
    ----------
    given : what was given out, in the form of ``PredictionLog.read``
    silent : what the challenger answered beside it
    """

    given: pd.DataFrame
    silent: pd.DataFrame

    def __len__(self) -> int:
        return len(self.given)


class PredictionLog:
    """The log of one database; may be used from several threads and processes at once.

    Parameters
    ----------
    url : SQLAlchemy URL, SQLite or PostgreSQL; tables are made on first use
    wait_seconds : how long to wait for a locked SQLite file
    """

    def __init__(self, url: str, *, wait_seconds: float = LOCK_WAIT_SECONDS) -> None:
        self.database = Database(url, metadata, wait_seconds=wait_seconds)
        self._appender = Appender(self.database)

    def close(self) -> None:
        """Close all connections; the next call opens new ones."""
        self._appender.close()
        self.database.close()

    def append(self, entries: Sequence[LogEntry]) -> None:
        """Append many requests in one transaction; when this returns they are on disk.

        Raises
        ------
        Busy
            If the database stayed locked.
        StateError
            If it cannot be reached or written. No row is kept then.
        """
        self._appender.append(entries)

    def write(self, project: str, model_version: int, rows: Sequence[LoggedPrediction]) -> None:
        """Append the rows in one transaction; when this returns they are on disk.

        Raises
        ------
        Busy
            If the database stayed locked.
        StateError
            If it cannot be reached or written. No row is kept then.
        """
        if rows:
            records = [record(project, model_version, row) for row in rows]
            with self.database.writing() as connection:
                connection.execute(insert(PREDICTIONS), records)

    def label(self, project: str, labels: Mapping[str, Value], source: str) -> LabelResult:
        """Append the truth for predictions by id; ids that the project never gave out are named in the result.

        A truth that is known already is matched and not appended: told twice, it is no news.

        Raises
        ------
        Busy
            If the database stayed locked.
        StateError
            If it cannot be reached or written. No label is kept then.
        """
        ids, time = list(labels), now()
        with self.database.writing() as connection:
            known: dict[str, list[Value]] = {}
            for start in range(0, len(ids), _CHUNK):
                wanted = PREDICTIONS.c.id.in_(ids[start : start + _CHUNK])
                given = connection.execute(latest_labels(and_(PREDICTIONS.c.project == project, wanted)))
                known |= {row.id: [] if row.sequence is None else [row.value] for row in given}
            found = [id_ for id_ in ids if id_ in known]
            news = [(id_, value) for id_ in found if known[id_] != [value := plain(labels[id_])]]
            if news:
                rows = [{"prediction_id": id_, "value": value, "time": time, "source": source[:200]} for id_, value in news]
                connection.execute(insert(LABELS), rows)
        return LabelResult(len(found), tuple(id_ for id_ in ids if id_ not in known))

    def note_rehearsal(self, ids: Sequence[str]) -> None:
        """Note that these answers were given to try the service out: they earn nothing and wait for nobody's review."""
        if ids:
            with self.database.writing() as connection:
                connection.execute(insert(REHEARSALS), [{"prediction_id": id_} for id_ in ids])

    def prune(self, project: str, before: datetime) -> int:
        """Delete a project's predictions from before an aware time, with their labels; return how many.

        It is done in small transactions with pauses, so that a service goes on writing meanwhile.

        Raises
        ------
        Busy
            If the database stayed locked. What was deleted until then stays deleted.
        StateError
            If it cannot be reached or written.
        """
        return prune(self.database, project, before)

    def count(
        self,
        project: str,
        *,
        model_version: int | None = None,
        since: datetime | None = None,
        before: datetime | None = None,
        roles: Sequence[Role] | None = None,
    ) -> int:
        """Return how many predictions are logged; ``since`` inclusive, ``before`` exclusive, of any role where None is named."""
        where = conditions(project, model_version=model_version, since=since, until=before, roles=roles)
        with self.database.reading() as connection:
            return connection.scalar(select(func.count()).select_from(PREDICTIONS).where(where)) or 0

    def read(
        self,
        project: str,
        *,
        model_version: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        roles: Sequence[Role] = ANSWERED,
        newest: int | None = None,
        labelled: bool = False,
        rehearsed: bool = True,
    ) -> pd.DataFrame:
        """Return the logged predictions, oldest first, each with its latest label.

        Parameters
        ----------
        since, until : aware times; ``since`` inclusive, ``until`` exclusive
        roles : by default what was given out, by whomever
        newest : at most so many, the newest of them
        labelled : only those whose truth is known
        rehearsed : also answers to a trial of the service

        Returns
        -------
        shape (n, …): ``id, time`` (UTC)``, model_version, request_id, client, latency_ms, role, paired_id``, one column per input,
        ``prediction, score, lower, upper, flags``, ``probability_<class>`` each, ``label, label_time``. An input of the same name as one
        of ours stands as ``input_<name>``; ``logged_inputs`` gives all inputs under their own names.
        """
        where = conditions(project, model_version=model_version, since=since, until=until, roles=roles, rehearsed=rehearsed)
        query = with_latest_label(and_(where, LABELS.c.sequence.is_not(None)) if labelled else where)
        if newest is not None:
            query = query.order_by(None).order_by(PREDICTIONS.c.time.desc(), PREDICTIONS.c.id.desc()).limit(newest)
        with self.database.reading() as connection:
            rows = connection.execute(query).all()
        return flat(rows if newest is None else rows[::-1])

    def pairs(self, project: str, challenger: int, *, since: datetime | None = None, until: datetime | None = None) -> Pairs:
        """Return what a challenger answered silently, each beside the answer that was given out; one without the other is left out.

        Parameters
        ----------
        challenger : its model version
        since, until : aware times of the silent answer; ``since`` inclusive, ``until`` exclusive
        """
        where = conditions(project, model_version=challenger, since=since, until=until, roles=("shadow",))
        given = PREDICTIONS.c.id.in_(select(PREDICTIONS.c.paired_id).where(where))
        with self.database.reading() as connection:
            silent = flat(connection.execute(with_latest_label(where)).all())
            answered = flat(connection.execute(with_latest_label(given)).all())
        place = pd.Series(answered.index, index=answered["id"]).reindex(silent["paired_id"])
        known = place.notna().to_numpy()
        return Pairs(
            given=answered.loc[place[known].astype(int)].reset_index(drop=True), silent=silent[known].reset_index(drop=True)
        )

"""Answers that were doubtful when they were given, for people to look at, and who has looked at which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, String, cast, insert, select

from infra.databases import Database
from infra.prediction_entries import ANSWERED
from infra.prediction_tables import LABELS, PREDICTIONS, REHEARSED, REVIEWS, conditions, metadata, with_latest_label
from leitstand.errors import UnknownName
from leitstand.now import now

Verdict = Literal["right", "corrected"]


@dataclass(frozen=True)
class Doubtful:
    """One answer that was flagged.

    Parameters
    ----------
    time : aware, UTC
    flags : as the log keeps them: ``outside_training_range:<column>``, ``below_confidence_floor``, ``fallback_used``
    label : the truth that came back; None where none did
    reviewed_by : who looked at it; None where nobody did
    """

    id: str
    time: datetime
    model_version: int
    role: str
    inputs: Mapping[str, Any]
    prediction: Any
    score: float | None
    lower: float | None
    upper: float | None
    probabilities: Mapping[str, float] | None
    flags: Sequence[str]
    label: Any
    label_time: datetime | None
    reviewed_by: str | None
    verdict: Verdict | None


class Reviews:
    """The review list of all projects; it stands in one database with the prediction log."""

    def __init__(self, url: str) -> None:
        self._database = Database(url, metadata)

    def close(self) -> None:
        """Close all connections; the next call opens new ones."""
        self._database.close()

    def waiting(self, project: str, *, flag: str | None = None, limit: int = 50, settled: bool = False) -> list[Doubtful]:
        """Return the flagged answers that nobody has looked at and whose truth has not come back, newest first.

        Parameters
        ----------
        flag : only those with this flag, by its name
        settled : also those that somebody has looked at, or that have a label
        """
        query = with_latest_label(conditions(project, roles=ANSWERED) & _flagged(flag)).order_by(None)
        if not settled:
            looked_at = select(REVIEWS.c.sequence).where(REVIEWS.c.prediction_id == PREDICTIONS.c.id).exists()
            query = query.where(LABELS.c.sequence.is_(None), ~looked_at, ~REHEARSED)  # the query joins the labels from outside
        query = query.order_by(PREDICTIONS.c.time.desc(), PREDICTIONS.c.id.desc()).limit(limit)
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings().all()
            verdicts = _verdicts(connection, [row["id"] for row in rows])
        return [_doubtful(row, verdicts.get(row["id"])) for row in rows]

    def find(self, project: str, id: str) -> Doubtful:
        """Return one answer of the project, flagged or not.

        Raises
        ------
        UnknownName
            If the project never gave it, or it was deleted.
        """
        query = with_latest_label(conditions(project, roles=ANSWERED) & (PREDICTIONS.c.id == id))
        with self._database.reading() as connection:
            row = connection.execute(query).mappings().first()
            if row is None:
                raise UnknownName("prediction", id, [])
            return _doubtful(row, _verdicts(connection, [id]).get(id))

    def settle(self, project: str, id: str, verdict: Verdict, *, who: str) -> None:
        """Note that somebody has looked at an answer; of several verdicts the latest counts."""
        row = {"prediction_id": id, "project": project, "verdict": verdict, "who": who[:200], "time": now()}
        with self._database.writing() as connection:
            connection.execute(insert(REVIEWS), [row])


def _flagged(flag: str | None) -> ColumnElement[bool]:
    """Return the clause for answers with a flag; the log keeps them as a list of texts in the JSON of the answer."""
    flags = cast(PREDICTIONS.c.output["flags"], String)
    return flags != "[]" if flag is None else flags.like(f'%"{flag}%')


def _verdicts(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[str, Verdict]]:
    query = select(REVIEWS.c.prediction_id, REVIEWS.c.who, REVIEWS.c.verdict).where(REVIEWS.c.prediction_id.in_(ids))
    return {id: (who, verdict) for id, who, verdict in connection.execute(query.order_by(REVIEWS.c.sequence))}


def _doubtful(row: Mapping[Any, Any], looked: tuple[str, Verdict] | None) -> Doubtful:
    answer = ("prediction", "score", "lower", "upper", "probabilities", "flags")
    head = ("id", "time", "model_version", "role", "inputs", "label", "label_time")
    who, verdict = looked or (None, None)
    return Doubtful(
        **{name: row[name] for name in head}, **{name: row["output"][name] for name in answer}, reviewed_by=who, verdict=verdict
    )

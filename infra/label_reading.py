"""What the prediction log says about labels: which answer a truth belongs to, whose truth came lately, and how many answers have one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
import pandas as pd
from sqlalchemy import Text, and_, cast, exists, func, select

from infra.databases import Database
from infra.prediction_entries import ANSWERED
from infra.prediction_frames import flat
from infra.prediction_tables import LABELS, PREDICTIONS, conditions, with_latest_label

_CHUNK = 5_000
LATELY = LABELS.alias()


def answers_with(
    database: Database, project: str, columns: Sequence[str], since: datetime | None = None, until: datetime | None = None
) -> pd.DataFrame:
    """Return id, time (``_at``) and some inputs of all answers that were given out, oldest first.

    Takes some 10 s per million answers.

    Parameters
    ----------
    since, until : aware times of the answers; ``since`` inclusive, ``until`` exclusive
    """
    given = conditions(project, since=since, until=until, roles=ANSWERED)
    query = (
        select(PREDICTIONS.c.id, PREDICTIONS.c.time, cast(PREDICTIONS.c.inputs, Text)).where(given).order_by(PREDICTIONS.c.time)
    )
    rows: list[tuple[Any, ...]] = []
    with database.reading() as connection:
        for *known, text in connection.execute(query.execution_options(yield_per=_CHUNK)):
            inputs = orjson.loads(text)
            rows.append((*known, *(inputs.get(name) for name in columns)))
    frame = pd.DataFrame(rows, columns=["id", "_at", *columns], dtype=object)
    return frame.assign(_at=pd.to_datetime(frame["_at"], utc=True))


def labelled_since(
    database: Database, project: str, model_version: int, since: datetime | None, until: datetime, *, rehearsed: bool = True
) -> pd.DataFrame:
    """Return the answers of a version whose latest label came in a span, however old the answers are; as ``PredictionLog.read`` does.

    Parameters
    ----------
    since, until : aware, ``since`` exclusive, ``until`` inclusive; ``since`` None for all that have a label
    rehearsed : also answers to a trial of the service
    """
    given = conditions(project, model_version=model_version, roles=ANSWERED, rehearsed=rehearsed)
    came = LABELS.c.time <= until if since is None else and_(LABELS.c.time > since, LABELS.c.time <= until)
    if since is not None:  # so that the index on the time of labels is used
        lately = select(LATELY.c.prediction_id).where(LATELY.c.time > since)
        given = and_(given, PREDICTIONS.c.id.in_(lately))
    with database.reading() as connection:
        return flat(connection.execute(with_latest_label(and_(given, came))).all())


def coverage(database: Database, project: str, since: datetime | None, until: datetime) -> tuple[int, int]:
    """Return how many answers were given out from ``since`` (exclusive) to ``until`` (inclusive), and how many of them have a label.

    Answers to a trial of the service are left out: all of them have one.
    """
    given = [conditions(project, roles=ANSWERED, rehearsed=False), PREDICTIONS.c.time <= until]
    if since is not None:
        given.append(PREDICTIONS.c.time > since)
    known = exists().where(LABELS.c.prediction_id == PREDICTIONS.c.id)
    counted = select(func.count()).select_from(PREDICTIONS)
    with database.reading() as connection:
        rows = connection.scalar(counted.where(*given)) or 0
        labelled = connection.scalar(counted.where(*given, known)) or 0
    return rows, labelled

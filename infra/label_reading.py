"""What the prediction log says about labels: the answers whose truth came lately, and how many of the older answers have one."""

from datetime import datetime

import pandas as pd
from sqlalchemy import and_, exists, func, select

from infra.databases import Database
from infra.prediction_entries import ANSWERED
from infra.prediction_frames import flat
from infra.prediction_tables import LABELS, PREDICTIONS, conditions, with_latest_label


def labelled_since(database: Database, project: str, model_version: int, since: datetime | None) -> pd.DataFrame:
    """Return the answers of a version whose latest label came after ``since``, however old the answers are; as ``PredictionLog.read`` does.

    Parameters
    ----------
    since : aware, exclusive; None for all that have a label
    """
    given = conditions(project, model_version=model_version, roles=ANSWERED)
    came = LABELS.c.sequence.is_not(None) if since is None else LABELS.c.time > since
    with database.reading() as connection:
        return flat(connection.execute(with_latest_label(and_(given, came))).all())


def coverage(database: Database, project: str, since: datetime | None, until: datetime) -> tuple[int, int]:
    """Return how many answers were given out from ``since`` (exclusive) to ``until`` (inclusive), and how many of them have a label."""
    given = [conditions(project, roles=ANSWERED), PREDICTIONS.c.time <= until]
    if since is not None:
        given.append(PREDICTIONS.c.time > since)
    known = exists().where(LABELS.c.prediction_id == PREDICTIONS.c.id)
    counted = select(func.count()).select_from(PREDICTIONS)
    with database.reading() as connection:
        rows = connection.scalar(counted.where(*given)) or 0
        labelled = connection.scalar(counted.where(*given, known)) or 0
    return rows, labelled

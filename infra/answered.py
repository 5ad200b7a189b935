"""How many answers models gave in a period, and which of them turned out how: read from the prediction log without its inputs."""

from datetime import datetime

import pandas as pd
from sqlalchemy import ColumnElement, func, select

from infra.prediction_entries import BASELINE_VERSION, Role
from infra.prediction_log import PredictionLog
from infra.prediction_tables import LABELS, PREDICTIONS, conditions, with_latest_label
from leitstand.ledger import Answered

MODELS: tuple[Role, ...] = ("champion", "canary")


def answered(log: PredictionLog, project: str, since: datetime, until: datetime) -> Answered:
    """Return how many answers each version gave out, and how many of them have a label.

    Parameters
    ----------
    since, until : aware; ``until`` exclusive
    """
    where = _in_use(project, since, until)
    counts = select(PREDICTIONS.c.model_version, func.count()).where(where).group_by(PREDICTIONS.c.model_version)
    labels = select(func.count(func.distinct(LABELS.c.prediction_id)), func.max(LABELS.c.sequence)).select_from(
        LABELS.join(PREDICTIONS)
    )
    with log.database.reading() as connection:
        answers = {row[0]: row[1] for row in connection.execute(counts)}
        labelled, last = connection.execute(labels.where(where)).one()
    return Answered(answers, labelled, last or 0)


def labelled_answers(log: PredictionLog, project: str, since: datetime, until: datetime) -> pd.DataFrame:
    """Return the answers of models whose truth came back: columns ``prediction`` and ``label``."""
    where = _in_use(project, since, until)
    query = with_latest_label(where & LABELS.c.sequence.is_not(None))
    query = query.with_only_columns(PREDICTIONS.c.output, LABELS.c.value).order_by(None)
    with log.database.reading() as connection:
        rows = connection.execute(query).all()
    return pd.DataFrame([(row[0]["prediction"], row[1]) for row in rows], columns=["prediction", "label"], dtype=object)


def _in_use(project: str, since: datetime, until: datetime) -> ColumnElement[bool]:
    """Return the clause for answers of models that somebody could make use of: no trial of the service, no silent answer, no fallback."""
    given = conditions(project, since=since, until=until, roles=MODELS, rehearsed=False)
    clause: ColumnElement[bool] = given & (PREDICTIONS.c.model_version != BASELINE_VERSION)
    return clause

"""The tables of the prediction log, and which of their rows are meant.

They are the same on SQLite and PostgreSQL. ``predictions`` gets one row per answer before the answer leaves; ``labels`` is only ever
appended to, and of several labels of one prediction the latest counts. What a challenger answers silently stands among the predictions with
the role ``shadow`` and the id of the prediction that was given out (``paired_id``), and that one's labels count for both.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    and_,
    func,
    select,
)

from infra.databases import UtcTime
from infra.prediction_entries import Role

metadata = MetaData()
PREDICTIONS = Table(
    "leitstand_predictions",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(63), nullable=False),
    Column("model_version", Integer, nullable=False),
    Column("request_id", String(64)),
    Column("time", UtcTime, nullable=False),
    Column("inputs", JSON, nullable=False),
    Column("output", JSON, nullable=False),
    Column("client", String(200)),
    Column("latency_ms", Float),
    Column("role", String(16), nullable=False, server_default="champion"),  # rows from before there were roles are the champion's
    Column("paired_id", String(36)),
    Index("leitstand_predictions_project_time", "project", "time"),
)
_PAIRED = PREDICTIONS.c.paired_id.is_not(None)
Index("leitstand_predictions_paired", PREDICTIONS.c.paired_id, sqlite_where=_PAIRED, postgresql_where=_PAIRED)
LABELS = Table(
    "leitstand_labels",
    metadata,
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("prediction_id", ForeignKey("leitstand_predictions.id"), nullable=False, index=True),
    Column("value", JSON, nullable=False),
    Column("time", UtcTime, nullable=False, index=True),
    Column("source", String(200), nullable=False),
)
REHEARSALS = Table("leitstand_rehearsals", metadata, Column("prediction_id", String(36), primary_key=True))
"""Answers to a trial of the service, of which nobody made use."""
REHEARSED = select(REHEARSALS.c.prediction_id).where(REHEARSALS.c.prediction_id == PREDICTIONS.c.id).exists()
REVIEWS = Table(
    "leitstand_reviews",
    metadata,
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("prediction_id", String(36), nullable=False, index=True),  # no foreign key: who looked outlives the row
    Column("project", String(63), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("who", String(200), nullable=False),
    Column("time", UtcTime, nullable=False),
)
_GIVEN_OUT = func.coalesce(PREDICTIONS.c.paired_id, PREDICTIONS.c.id)
_EARLIER = LABELS.alias()
_LATEST = (
    select(func.max(_EARLIER.c.sequence)).where(_EARLIER.c.prediction_id == _GIVEN_OUT).correlate(PREDICTIONS).scalar_subquery()
)
_LABELLED = PREDICTIONS.outerjoin(LABELS, LABELS.c.sequence == _LATEST)
HEAD = ("id", "time", "model_version", "request_id", "client", "latency_ms", "role", "paired_id")


def conditions(
    project: str,
    *,
    model_version: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    roles: Sequence[Role] | None = None,
    rehearsed: bool = True,
) -> Any:
    """Return the clause for a project's predictions; ``since`` inclusive, ``until`` exclusive, both aware; None stands for all.

    Parameters
    ----------
    rehearsed : also answers to a trial of the service
    """
    wanted = [PREDICTIONS.c.project == project]
    if model_version is not None:
        wanted.append(PREDICTIONS.c.model_version == model_version)
    if since is not None:
        wanted.append(PREDICTIONS.c.time >= since)
    if until is not None:
        wanted.append(PREDICTIONS.c.time < until)
    if roles is not None:
        wanted.append(PREDICTIONS.c.role.in_(roles))
    if not rehearsed:
        wanted.append(~REHEARSED)
    return and_(*wanted)


def with_latest_label(where: Any) -> Select[Any]:
    """Return the query for predictions, oldest first: ``HEAD``, ``inputs``, ``output``, and the latest ``label`` and ``label_time``."""
    columns = [PREDICTIONS.c[name] for name in (*HEAD, "inputs", "output")]
    query = select(*columns, LABELS.c.value.label("label"), LABELS.c.time.label("label_time")).select_from(_LABELLED)
    return query.where(where).order_by(PREDICTIONS.c.time, PREDICTIONS.c.id)


def latest_labels(where: Any) -> Select[Any]:
    """Return the query for the ids of predictions, each with the ``sequence`` and ``value`` of its latest label, None without one."""
    return select(PREDICTIONS.c.id, LABELS.c.sequence, LABELS.c.value).select_from(_LABELLED).where(where)

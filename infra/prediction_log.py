"""Every prediction with its id, and the truth that came later.

Two tables, the same on SQLite and PostgreSQL. ``predictions`` gets one row per answer before the answer leaves; ``labels`` is only ever
appended to, and of several labels of one prediction the latest counts.
"""

import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
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
    insert,
    select,
)

from infra.databases import LOCK_WAIT_SECONDS, Database, UtcTime

Value = bool | int | float | str | None
OWN_COLUMNS = (
    "id",
    "time",
    "model_version",
    "request_id",
    "client",
    "latency_ms",
    "prediction",
    "score",
    "lower",
    "upper",
    "flags",
)
_CHUNK = 500

_metadata = MetaData()
_predictions = Table(
    "leitstand_predictions",
    _metadata,
    Column("id", String(36), primary_key=True),
    Column("project", String(63), nullable=False),
    Column("model_version", Integer, nullable=False),
    Column("request_id", String(64)),
    Column("time", UtcTime, nullable=False),
    Column("inputs", JSON, nullable=False),
    Column("output", JSON, nullable=False),
    Column("client", String(200)),
    Column("latency_ms", Float),
    Index("leitstand_predictions_project_time", "project", "time"),
)
_labels = Table(
    "leitstand_labels",
    _metadata,
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("prediction_id", ForeignKey("leitstand_predictions.id"), nullable=False, index=True),
    Column("value", JSON, nullable=False),
    Column("time", UtcTime, nullable=False),
    Column("source", String(200), nullable=False),
)


def new_id() -> str:
    """Return a new prediction id: a UUID of version 7 (RFC 9562), so that ids sort by time and indexes grow at their end."""
    milliseconds = time.time_ns() // 1_000_000
    bits = (milliseconds << 80) | (0x7 << 76) | (int.from_bytes(os.urandom(10)) & ((1 << 76) - 1))
    return str(UUID(int=(bits & ~(0x3 << 62)) | (0x2 << 62)))


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class LoggedPrediction:
    """One answer, with what it was the answer to.

    Parameters
    ----------
    inputs : column to value; missing and non-finite numbers become null
    prediction : class, number, or whether the row is anomalous
    score : probability of the positive class, or anomaly score
    probabilities : by class, as text
    lower, upper : bounds of the prediction interval
    flags : what is doubtful about this row, such as the columns outside the training range
    client : who asked
    latency_ms : of the whole request
    request_id : the same for all rows of one request
    """

    inputs: Mapping[str, Any]
    prediction: Value
    score: float | None = None
    probabilities: Mapping[str, float] | None = None
    lower: float | None = None
    upper: float | None = None
    flags: tuple[str, ...] = ()
    client: str | None = None
    latency_ms: float | None = None
    request_id: str | None = None
    id: str = field(default_factory=new_id)
    time: datetime = field(default_factory=_now)


@dataclass(frozen=True)
class LabelResult:
    """What became of a delivery of labels: how many found their prediction, and the ids that did not."""

    matched: int
    unknown: tuple[str, ...]


class PredictionLog:
    """The log of one database; may be used from several threads and processes at once.

    Parameters
    ----------
    url : SQLAlchemy URL, SQLite or PostgreSQL; tables are made on first use
    wait_seconds : how long to wait for a locked SQLite file
    """

    def __init__(self, url: str, *, wait_seconds: float = LOCK_WAIT_SECONDS) -> None:
        self._database = Database(url, _metadata, wait_seconds=wait_seconds)

    def close(self) -> None:
        """Close all connections; the next call opens new ones."""
        self._database.close()

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
            records = [_record(project, model_version, row) for row in rows]
            with self._database.writing() as connection:
                connection.execute(insert(_predictions), records)

    def label(self, project: str, labels: Mapping[str, Value], source: str) -> LabelResult:
        """Append the truth for predictions by id; ids that the project never gave out are named in the result.

        Raises
        ------
        Busy
            If the database stayed locked.
        StateError
            If it cannot be reached or written. No label is kept then.
        """
        ids, now = list(labels), _now()
        with self._database.writing() as connection:
            known: set[str] = set()
            for start in range(0, len(ids), _CHUNK):
                wanted = _predictions.c.id.in_(ids[start : start + _CHUNK])
                known |= set(connection.scalars(select(_predictions.c.id).where(_predictions.c.project == project, wanted)))
            found = [id_ for id_ in ids if id_ in known]
            if found:
                rows = [
                    {"prediction_id": id_, "value": _plain(labels[id_]), "time": now, "source": source[:200]} for id_ in found
                ]
                connection.execute(insert(_labels), rows)
        return LabelResult(len(found), tuple(id_ for id_ in ids if id_ not in known))

    def count(self, project: str, *, model_version: int | None = None) -> int:
        """Return how many predictions are logged."""
        conditions = _conditions(project, model_version, None, None)
        with self._database.reading() as connection:
            return connection.scalar(select(func.count()).select_from(_predictions).where(conditions)) or 0

    def read(
        self, project: str, *, model_version: int | None = None, since: datetime | None = None, until: datetime | None = None
    ) -> pd.DataFrame:
        """Return the logged predictions, oldest first, each with its latest label.

        Parameters
        ----------
        since, until : aware times; ``since`` inclusive, ``until`` exclusive

        Returns
        -------
        shape (n, …): ``id, time`` (UTC)``, model_version, request_id, client, latency_ms``, one column per input, ``prediction, score,
        lower, upper, flags``, ``probability_<class>`` each, ``label, label_time``. An input of the same name as one of ours stands as
        ``input_<name>``; ``logged_inputs`` gives all inputs under their own names.
        """
        with self._database.reading() as connection:
            rows = connection.execute(_read_query(_conditions(project, model_version, since, until))).all()
        return _flat(rows)


def logged_inputs(window: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return the input columns of what ``PredictionLog.read`` gave, under the names they have in the contract.

    A name that no logged row had becomes a column without values.
    """
    columns = {name: f"input_{name}" if f"input_{name}" in window.columns else name for name in names}
    taken = {name: window[stored] for name, stored in columns.items() if stored in window.columns and not _is_own(stored)}
    return pd.DataFrame(
        {name: taken.get(name, pd.Series(None, index=window.index, dtype=object)) for name in names}, index=window.index
    )


def _is_own(name: str) -> bool:
    return name in OWN_COLUMNS or name in ("label", "label_time") or name.startswith("probability_")


def _record(project: str, model_version: int, row: LoggedPrediction) -> dict[str, Any]:
    output = {
        "prediction": _plain(row.prediction),
        "score": _plain(row.score),
        "probabilities": None if row.probabilities is None else {str(k): _plain(v) for k, v in row.probabilities.items()},
        "lower": _plain(row.lower),
        "upper": _plain(row.upper),
        "flags": list(row.flags),
    }
    return {
        "id": row.id,
        "project": project,
        "model_version": model_version,
        "request_id": row.request_id,
        "time": row.time,
        "inputs": {str(name): _plain(value) for name, value in row.inputs.items()},
        "output": output,
        "client": row.client[:200] if row.client else None,
        "latency_ms": row.latency_ms,
    }


def _plain(value: Any) -> Any:
    """Return a value that JSON has; NaN, infinity and NaT have no place in it and become null."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, date):
        return value.isoformat()
    return value if isinstance(value, bool | int | float | str) else str(value)


def _conditions(project: str, model_version: int | None, since: datetime | None, until: datetime | None) -> Any:
    wanted = [_predictions.c.project == project]
    if model_version is not None:
        wanted.append(_predictions.c.model_version == model_version)
    if since is not None:
        wanted.append(_predictions.c.time >= since)
    if until is not None:
        wanted.append(_predictions.c.time < until)
    return and_(*wanted)


def _read_query(conditions: Any) -> Select[Any]:
    newest = (
        select(_labels.c.prediction_id, func.max(_labels.c.sequence).label("sequence"))
        .group_by(_labels.c.prediction_id)
        .subquery()
    )
    joined = _predictions.outerjoin(newest, newest.c.prediction_id == _predictions.c.id)
    joined = joined.outerjoin(_labels, _labels.c.sequence == newest.c.sequence)
    columns = [
        _predictions.c[name] for name in ("id", "time", "model_version", "request_id", "client", "latency_ms", "inputs", "output")
    ]
    query = select(*columns, _labels.c.value.label("label"), _labels.c.time.label("label_time")).select_from(joined)
    return query.where(conditions).order_by(_predictions.c.time, _predictions.c.id)


def _flat(rows: Sequence[Any]) -> pd.DataFrame:
    head = pd.DataFrame([row[:6] for row in rows], columns=list(OWN_COLUMNS[:6]))
    head["time"] = pd.to_datetime(head["time"], utc=True)
    head["latency_ms"] = head["latency_ms"].astype("float64")
    inputs = pd.DataFrame([row.inputs for row in rows], index=head.index)
    inputs.columns = [f"input_{name}" if _is_own(name) else name for name in inputs.columns]
    outputs = [row.output for row in rows]
    answers = pd.DataFrame({name: [output[name] for output in outputs] for name in OWN_COLUMNS[6:]}, index=head.index)
    probabilities = pd.DataFrame([output["probabilities"] or {} for output in outputs], index=head.index).add_prefix(
        "probability_"
    )
    labels = pd.DataFrame(
        {"label": [row.label for row in rows], "label_time": [row.label_time for row in rows]}, index=head.index
    )
    labels["label_time"] = pd.to_datetime(labels["label_time"], utc=True)
    numbers = ["score", "lower", "upper"]
    answers[numbers] = answers[numbers].astype("float64")
    return pd.concat([head, inputs, answers, probabilities, labels], axis=1)

"""What goes into the prediction log, and the ids under which it is found again."""

import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

import numpy as np
import pandas as pd

from leitstand.now import now

Value = bool | int | float | str | None
Role = Literal["champion", "canary", "fallback", "shadow"]
ANSWERED: tuple[Role, ...] = ("champion", "canary", "fallback")
"""Roles whose answers were given out; a shadow's stay in the log."""
BASELINE_VERSION = 0
"""Stands for the model version where the baseline answered, which is no model."""
_VARIANTS = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))  # of RFC 9562: the two highest bits are 10


def new_ids(count: int) -> list[str]:
    """Return new prediction ids: UUIDs of version 7 (RFC 9562), so that ids sort by time and indexes grow at their end."""
    clock = f"{time.time_ns() // 1_000_000:012x}"
    head, noise = f"{clock[:8]}-{clock[8:]}-7", os.urandom(10 * count).hex()
    return [
        f"{head}{noise[i : i + 3]}-{_VARIANTS[noise[i + 3]]}{noise[i + 4 : i + 7]}-{noise[i + 7 : i + 19]}"
        for i in range(0, 20 * count, 20)
    ]


def new_id() -> str:
    """Return one new prediction id."""
    return new_ids(1)[0]


@dataclass(frozen=True, slots=True)
class LogEntry:
    """All answers to one request, ready to be stored.

    Parameters
    ----------
    time : aware
    latency_ms : of the whole request
    rows : (id, inputs, output) each; inputs and output as UTF-8 JSON objects that are stored as they are. They must be what
        ``LoggedPrediction`` would become: ``output`` has the keys prediction, score, probabilities, lower, upper, flags
    paired_ids : of a shadow, per row the id of the answer that was given out in its place
    """

    project: str
    model_version: int
    request_id: str | None
    time: datetime
    client: str | None
    latency_ms: float | None
    rows: Sequence[tuple[str, bytes, bytes]]
    role: Role = "champion"
    paired_ids: Sequence[str] = ()


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
    role : who answered
    paired_id : of a shadow, the id of the answer that was given out in its place
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
    role: Role = "champion"
    paired_id: str | None = None
    id: str = field(default_factory=new_id)
    time: datetime = field(default_factory=now)


@dataclass(frozen=True)
class LabelResult:
    """What became of a delivery of labels: how many found their prediction, and the ids that did not."""

    matched: int
    unknown: tuple[str, ...]


def record(project: str, model_version: int, row: LoggedPrediction) -> dict[str, Any]:
    """Return the columns of one row of the table."""
    output = {
        "prediction": plain(row.prediction),
        "score": plain(row.score),
        "probabilities": None if row.probabilities is None else {str(k): plain(v) for k, v in row.probabilities.items()},
        "lower": plain(row.lower),
        "upper": plain(row.upper),
        "flags": list(row.flags),
    }
    return {
        "id": row.id,
        "project": project,
        "model_version": model_version,
        "request_id": row.request_id,
        "time": row.time,
        "inputs": {str(name): plain(value) for name, value in row.inputs.items()},
        "output": output,
        "client": row.client[:200] if row.client else None,
        "latency_ms": row.latency_ms,
        "role": row.role,
        "paired_id": row.paired_id,
    }


def plain(value: Any) -> Any:
    """Return a value that JSON has; NaN, infinity and NaT have no place in it and become null."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, date):
        return value.isoformat()
    return value if isinstance(value, bool | int | float | str) else str(value)

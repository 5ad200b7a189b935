"""What the service answers: one form for all task kinds."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from leitstand.contract import Scalar
from leitstand.prediction import Predictions

FlagName = Literal["outside_training_range", "below_confidence_floor", "fallback_used"]


class Closed(BaseModel):
    """Base of all answers: numbers that JSON does not have become null."""

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="null")


class Flag(Closed):
    """Something doubtful about a prediction, and the columns it comes from."""

    name: FlagName
    columns: list[str]


class Answer(Closed):
    """One prediction.

    Parameters
    ----------
    id : under which the truth can be fed back later
    prediction : the class, the number, or (anomaly) whether the row is anomalous
    score : probability of the positive class, or anomaly score (the higher the worse)
    probabilities : by class
    lower, upper : bounds of the prediction interval, in the target's unit
    advice : what follows from it, as the project's ``advise`` says
    """

    id: str
    prediction: Scalar | None
    score: float | None = None
    probabilities: dict[str, float] | None = None
    lower: float | None = None
    upper: float | None = None
    flags: list[Flag] = []
    advice: dict[str, Any] | None = None


class ServedModel(Closed):
    """Which model answered; ``synthetic`` says that it learned from built-in synthetic data."""

    name: str
    version: int
    data_version: str
    synthetic: bool


class PredictResponse(Closed):
    """The answer to ``POST /{project}/predict``, in the order of the request's rows."""

    predictions: list[Answer]
    model: ServedModel


class FeedbackResponse(Closed):
    """The answer to ``POST /{project}/feedback``."""

    matched: int
    unknown: list[str]


class DataResponse(Closed):
    """The answer to ``POST /{project}/data``: the rows are on disk; ``duplicate`` says that they were there before and count once."""

    received: int
    duplicate: bool


def outputs(
    predictions: Predictions, confidence_floor: float | None = None, fallback: bool = False
) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Return per row what was answered (``prediction, score, probabilities, lower, upper``) and its flags, in types that JSON has."""
    rows = len(predictions)
    nothing: list[Any] = [None] * rows
    value = predictions.value.tolist()
    score, lower, upper = (
        nothing if values is None else values.tolist() for values in (predictions.score, predictions.lower, predictions.upper)
    )
    chances = nothing
    unsure = [False] * rows
    if predictions.probabilities is not None:
        names = [str(name) for name in predictions.classes]
        chances = [dict(zip(names, row, strict=True)) for row in predictions.probabilities.tolist()]
        if confidence_floor is not None:
            unsure = (predictions.probabilities.max(axis=1) < confidence_floor).tolist()
    made = []
    for i in range(rows):
        flags: list[dict[str, Any]] = []
        if predictions.outside and predictions.outside[i]:
            flags.append({"name": "outside_training_range", "columns": list(predictions.outside[i])})
        if unsure[i]:
            flags.append({"name": "below_confidence_floor", "columns": []})
        if fallback:
            flags.append({"name": "fallback_used", "columns": []})
        output = {"prediction": value[i], "score": score[i], "probabilities": chances[i], "lower": lower[i], "upper": upper[i]}
        made.append((output, flags))
    return made


def flag_names(flag: Mapping[str, Any]) -> list[str]:
    """Return a flag as the log keeps it: one text per column, or its bare name."""
    return [f"{flag['name']}:{column}" for column in flag["columns"]] or [flag["name"]]


def fingerprint(content: bytes) -> str:
    """Return what the log keeps of a file."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def plain(value: Any) -> Any:
    """Return a value, also a nested one, in types that JSON has; what is not a number becomes None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value if isinstance(value, bool | int | float | str) else str(value)

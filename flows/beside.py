"""What two models answered to the same rows in use: from the log, or by asking the one that was not asked then."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from flows.workspace import Desk
from infra.prediction_log import logged_inputs
from infra.registry import ModelVersion
from leitstand.bootstrap import paired_gain
from leitstand.metrics import Metric, metrics_for, primary_metric
from leitstand.prediction import Predictions
from leitstand.rollout import Gain
from monitoring.performance import answers, labelled

SAME = 1e-6  # a compiled form rounds otherwise than the model
MOST_ROWS = 5000  # the newest of each version, and those with a label: more would not narrow an interval that decides anything


@dataclass(frozen=True)
class Beside:
    """Two models' answers to the same rows.

    Parameters
    ----------
    rows : shape (n, …): as ``PredictionLog.read`` gives them, with labels where they came
    old, new : n answers each
    """

    rows: pd.DataFrame
    old: Predictions
    new: Predictions


def disagreement(old: Predictions, new: Predictions) -> float:
    """Return the share of answers that differ, for numbers their mean distance in standard deviations of the old ones."""
    if old.value.dtype.kind != "f":
        return float(np.mean(old.value != new.value))
    spread = float(np.std(old.value))
    return float(np.mean(np.abs(new.value - old.value))) / spread if spread > 0 else 0.0


def silent(desk: Desk, challenger: int, since: datetime) -> Beside | None:
    """Return what a challenger in the shadow answered beside what was given out; None where it answered nothing."""
    pairs = desk.log.pairs(desk.project.name, challenger, since=since)
    if pairs.given.empty:
        return None
    return Beside(pairs.given, answers(desk.project, pairs.given), answers(desk.project, pairs.silent))


def replayed(desk: Desk, old: ModelVersion, new: ModelVersion, since: datetime) -> Beside | None:
    """Return the answers of two versions to the rows that either of them answered, the other one asked now; None where none can be trusted.

    A row counts where the version that answered it then gives the same answer now: its inputs in the log are all there was to it, no earlier
    rows or files that are gone, no pseudonym in place of a value that the model uses.
    """
    logged = _newest(desk, (old.version, new.version), since)
    if logged.empty or any(column.type == "file" for column in desk.project.input_contract.columns):
        return None
    inputs = logged_inputs(logged, desk.project.input_contract.names)
    told = [desk.registry.fetch(version).predict(desk.project, inputs) for version in (old, new)]
    then = answers(desk.project, logged)
    by_new = (logged["model_version"] == new.version).to_numpy()
    known = np.where(by_new, _same(then, told[1]), _same(then, told[0]))
    rows = np.flatnonzero(known)
    return Beside(logged.iloc[rows].reset_index(drop=True), told[0].take(rows), told[1].take(rows)) if len(rows) else None


def _newest(desk: Desk, versions: Sequence[int], since: datetime) -> pd.DataFrame:
    """Return the newest answers of some versions, and the newest whose truth is known, for that may come late; oldest first."""
    parts = [
        desk.log.read(desk.project.name, model_version=version, since=since, newest=MOST_ROWS, labelled=known)
        for version in versions
        for known in (False, True)
    ]
    found = pd.concat([part for part in parts if len(part)] or parts[:1])
    return found.drop_duplicates("id").sort_values(["time", "id"]).reset_index(drop=True)


def gain(desk: Desk, beside: Beside) -> Gain | None:
    """Return how much better the new model is where the truth is known; None with fewer labels than monitoring asks for."""
    truth, rows = labelled(desk.project, beside.rows)
    if len(rows) < desk.project.spec.monitoring.minimum_labels:
        return None
    old, new = beside.old.take(rows), beside.new.take(rows)
    metric = _metric(desk, old)
    found = paired_gain(metric, truth, new, old, desk.project.spec.split.strategy == "time")
    if not np.isfinite([found.value, found.low, found.high]).all():
        return None
    return Gain(metric=metric.name, rows=len(rows), value=found.value, low=found.low, high=found.high)


def _metric(desk: Desk, told: Predictions) -> Metric:
    spec, classes = desk.project.spec, len(told.classes)
    return metrics_for(spec.task, classes)[spec.training.metric or primary_metric(spec.task, classes)]


def _same(then: Predictions, now: Predictions) -> np.ndarray:
    if then.value.dtype.kind == "f" and now.value.dtype.kind == "f":
        return np.isclose(then.value, now.value, rtol=SAME, atol=SAME)
    return np.asarray(then.value == now.value)

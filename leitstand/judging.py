"""Judging a trained model once on the hold-out: figures with intervals, against baseline and champion, by slices, with its reasons."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sklearn.inspection import permutation_importance

from leitstand.baseline import baseline_predictions
from leitstand.bootstrap import Estimate, estimates, paired_gain
from leitstand.dataset import Dataset
from leitstand.gates import Gate, baseline_gate, champion_gate, criterion_gates, gate
from leitstand.metrics import Metric, evaluate, metrics_for
from leitstand.model import TrainedModel
from leitstand.prediction import Predictions
from leitstand.training import chosen_metric

SLICE_FEWEST_ROWS = 20
MOST_SLICES = 10
IMPORTANCE_ROWS = 1000  # of the hold-out: a ranking of columns needs no more
LATENCY_REPEATS = 15


@dataclass(frozen=True)
class Slice:
    """The primary metric on the hold-out rows with one value of one column."""

    column: str
    value: str
    rows: int
    metric: float


@dataclass(frozen=True)
class Judgement:
    """All that was found on the hold-out.

    Parameters
    ----------
    metric : name of the primary metric
    metrics : every metric with its interval
    baseline : name of the baseline
    baseline_gain, champion_gain : in the primary metric, positive where the model is better; None without a champion
    importance : mean loss of the primary metric when a model input is shuffled, greatest first
    latency_ms : median of one row, features included
    """

    rows: int
    metric: str
    metrics: dict[str, Estimate]
    baseline: str
    baseline_metrics: dict[str, float]
    baseline_gain: Estimate
    champion_metrics: dict[str, float] | None
    champion_gain: Estimate | None
    slices: tuple[Slice, ...]
    importance: dict[str, float]
    latency_ms: float
    gates: tuple[Gate, ...]
    truth: np.ndarray
    predictions: Predictions
    champion_predictions: Predictions | None

    @property
    def passed(self) -> bool:
        """Whether every gate let the model through."""
        return all(one.passed for one in self.gates)

    def without_gate(self, name: str) -> "Judgement":
        """Return the judgement less one gate, for a rival that turned out to be the model itself."""
        return replace(self, gates=tuple(one for one in self.gates if one.name != name))


@dataclass(frozen=True)
class Champion:
    """The model in charge, as a rival.

    Parameters
    ----------
    same_data : whether it was trained on the very data version that the challenger was
    """

    model: TrainedModel
    same_data: bool


def judge(model: TrainedModel, training: Dataset, holdout: Dataset, champion: Champion | None = None) -> Judgement:
    """Judge ``model`` on the hold-out; call once per training, for a hold-out that is looked at twice is no hold-out.

    Parameters
    ----------
    training, holdout : the two sides of the split
    champion : the model now in charge, judged on the same rows
    """
    spec = holdout.project.spec
    metrics, primary = metrics_for(spec.task, len(training.classes)), chosen_metric(training)
    blocks = spec.split.strategy == "time"
    truth = holdout.target
    predictions = model.answer(holdout.features)
    rule, rule_name = baseline_predictions(training, holdout)
    found = estimates(metrics, truth, predictions, blocks)
    rival = rival_predictions(champion, holdout)
    baseline_gain = paired_gain(primary, truth, predictions, rule, blocks)
    champion_gain = paired_gain(primary, truth, predictions, rival, blocks) if rival is not None else None
    slices = _slices(primary, holdout, predictions)
    latency_ms = _latency_ms(model, holdout)
    values = {name: estimate.value for name, estimate in found.items()}
    gates = [*criterion_gates(spec.success, metrics, values), baseline_gate(baseline_gain, spec.gates)]
    if champion is not None and champion_gain is not None:
        gates.append(champion_gate(champion_gain, spec.gates, champion.same_data))
    gates += _slice_gates(primary, slices, values, spec.gates.slice_floor)
    gates.append(gate("latency", latency_ms, spec.gates.max_latency_ms, at_least=False))
    return Judgement(
        rows=len(holdout),
        metric=primary.name,
        metrics=found,
        baseline=rule_name,
        baseline_metrics=evaluate(metrics, truth, rule),
        baseline_gain=baseline_gain,
        champion_metrics=evaluate(metrics, truth, rival) if rival is not None else None,
        champion_gain=champion_gain,
        slices=slices,
        importance=_importance(primary, model, holdout) if spec.training.importance else {},
        latency_ms=latency_ms,
        gates=tuple(gates),
        truth=truth,
        predictions=predictions,
        champion_predictions=rival,
    )


def rival_predictions(champion: Champion | None, holdout: Dataset) -> Predictions | None:
    """Return the champion's answers; None without one, or when it cannot answer for today's columns or classes."""
    if champion is None or not set(champion.model.card.feature_names) <= set(holdout.features.columns):
        return None
    return champion.model.answer(holdout.features)


def _slices(primary: Metric, holdout: Dataset, predictions: Predictions) -> tuple[Slice, ...]:
    slices = []
    for column in holdout.project.spec.data.slices:
        values = _sliced(holdout.frame[column])
        for value in pd.unique(values)[:MOST_SLICES]:
            inside = np.asarray(values == value)
            if inside.sum() < SLICE_FEWEST_ROWS:
                continue
            figure = primary(holdout.target[inside], predictions.take(inside))
            if np.isfinite(figure):
                slices.append(Slice(column, str(value), int(inside.sum()), figure))
    return tuple(slices)


def _sliced(values: pd.Series) -> np.ndarray:
    """Return the slice each row belongs to: its value, or for many-valued numbers the quarter of the range by rows."""
    if values.dtype != object and values.nunique() > MOST_SLICES:
        return pd.qcut(values, 4, duplicates="drop").astype(str).to_numpy()
    return values.astype(str).to_numpy()


def _slice_gates(primary: Metric, slices: tuple[Slice, ...], values: Mapping[str, float], floor: float | None) -> list[Gate]:
    if floor is None:
        return []
    bound = values[primary.name] - floor if primary.greater_is_better else values[primary.name] + floor
    return [gate(f"slice:{one.column}={one.value}", one.metric, bound, primary.greater_is_better) for one in slices]


def _importance(primary: Metric, model: TrainedModel, holdout: Dataset) -> dict[str, float]:
    """Permutation importance (Breiman 2001; Fisher, Rudin & Dominici 2019) in units of the primary metric."""
    step = -(-len(holdout) // IMPORTANCE_ROWS)
    inputs = holdout.features[list(model.card.feature_names)].iloc[::step]
    truth = holdout.target[::step]

    def score(_: object, frame: pd.DataFrame, target: np.ndarray) -> float:
        value = primary(target, model.answer(frame))
        return value if primary.greater_is_better else -value

    found = permutation_importance(model.estimator, inputs, truth, scoring=score, n_repeats=2, random_state=0)
    ranked = sorted(zip(inputs.columns, found.importances_mean, strict=True), key=lambda pair: -pair[1])
    return {str(name): float(value) for name, value in ranked if np.isfinite(value)}


def _latency_ms(model: TrainedModel, holdout: Dataset) -> float:
    seconds = []
    for repeat in range(LATENCY_REPEATS):
        row = holdout.frame.iloc[[repeat % len(holdout)]]
        started = time.perf_counter()
        model.predict(holdout.project, row)
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds)) * 1000

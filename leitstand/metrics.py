"""The metrics of all task kinds, each computed for many weightings of the rows at once.

A bootstrap resample is a weighting of the rows by how often each was drawn, so one vectorised function serves the point value (weights of one)
and all resamples. The tests hold every metric to scikit-learn's figure.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from leitstand.calibration import brier, calibration_error, outcomes
from leitstand.prediction import Predictions
from leitstand.spec import TaskName

Figure = TypeVar("Figure", float, np.ndarray)
Statistic = Callable[[np.ndarray], np.ndarray]
"""Row weights of shape (b, n) to figures of shape (b,); NaN where a figure is not defined."""


@dataclass(frozen=True)
class Metric:
    """A figure of merit.

    Parameters
    ----------
    greater_is_better : its direction
    of : (truth of shape (n,), predictions of n rows) -> the figure as a function of the rows' weights; what hangs on the rows alone is
        computed once
    in_target_unit : whether the figure has the target's unit
    """

    name: str
    greater_is_better: bool
    of: Callable[[np.ndarray, Predictions], Statistic]
    in_target_unit: bool = False

    def __call__(self, truth: np.ndarray, predictions: Predictions) -> float:
        """Return the figure over all rows; NaN where it is not defined."""
        return float(self.of(truth, predictions)(np.ones((1, len(truth))))[0])

    def gain(self, new: Figure, old: Figure) -> Figure:
        """Return how much better ``new`` is than ``old``; negative when it is worse."""
        return new - old if self.greater_is_better else old - new


def metrics_for(task: TaskName, classes: int = 2) -> dict[str, Metric]:
    """Return the metrics of a task kind by name.

    Parameters
    ----------
    classes : how many, for a classification: precision and recall of the positive class exist for two only
    """
    if task == "regression":
        return _by_name(_REGRESSION)
    if task == "anomaly":
        return _by_name(_DETECTION + _ANOMALY)
    return _by_name(_CLASSES + (_DETECTION if classes == 2 else ()))


def primary_metric(task: TaskName, classes: int = 2) -> str:
    """Return the name of the metric by which candidates are compared unless the project says otherwise."""
    if task == "regression":
        return "mae"
    return "roc_auc" if task == "anomaly" or classes == 2 else "f1_macro"


def evaluate(metrics: Mapping[str, Metric], truth: np.ndarray, predictions: Predictions) -> dict[str, float]:
    """Return every metric that is defined for these rows, by name."""
    values = {name: metric(truth, predictions) for name, metric in metrics.items()}
    return {name: value for name, value in values.items() if np.isfinite(value)}


def _by_name(metrics: tuple[Metric, ...]) -> dict[str, Metric]:
    return {metric.name: metric for metric in metrics}


def _undefined(weights: np.ndarray) -> np.ndarray:
    return np.full(len(weights), np.nan)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        shares: np.ndarray = np.where(whole > 0, part / whole, np.nan)
    return shares


def _mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return _ratio(weights @ values, weights.sum(axis=1))


def _mean_of(values: np.ndarray) -> Statistic:
    return lambda weights: _mean(values, weights)


# --- classification


def _accuracy(truth: np.ndarray, predictions: Predictions) -> Statistic:
    return _mean_of(np.asarray(truth == predictions.value, dtype=float))


def _per_class(truth: np.ndarray, predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
    """Return truths and answers of every class, each of shape (n, k), as 0 and 1."""
    classes = np.asarray(predictions.classes, dtype=object)
    return np.asarray(truth[:, None] == classes, dtype=float), np.asarray(predictions.value[:, None] == classes, dtype=float)


def _balanced_accuracy(truth: np.ndarray, predictions: Predictions) -> Statistic:
    true, said = _per_class(truth, predictions)
    hits = true * said
    return lambda weights: _mean_over_classes(_ratio(weights @ hits, weights @ true))


def _f1_macro(truth: np.ndarray, predictions: Predictions) -> Statistic:
    true, said = _per_class(truth, predictions)
    hits, both = 2 * true * said, true + said
    return lambda weights: _mean_over_classes(_ratio(weights @ hits, weights @ both))


def _mean_over_classes(values: np.ndarray) -> np.ndarray:
    present = np.isfinite(values)
    return _ratio(np.where(present, values, 0).sum(axis=1), present.sum(axis=1))


def _log_loss(truth: np.ndarray, predictions: Predictions) -> Statistic:
    if predictions.probabilities is None:
        return _undefined
    own = outcomes(truth, predictions) > 0
    smallest = np.finfo(predictions.probabilities.dtype).eps
    chance = np.where(own, predictions.probabilities, 0).sum(axis=1).clip(smallest, 1 - smallest)
    return _mean_of(-np.log(chance))


def _multiclass_auc(truth: np.ndarray, predictions: Predictions) -> Statistic:
    """One class against the rest, unweighted mean (Provost & Domingos 2000); for two classes the plain figure."""
    if len(predictions.classes) == 2 and predictions.score is not None:
        return _auc(_positive(truth, predictions), predictions.score)
    if predictions.probabilities is None:
        return _undefined
    each = [
        _auc(np.asarray(truth == name, dtype=float), predictions.probabilities[:, i])
        for i, name in enumerate(predictions.classes)
    ]
    return lambda weights: _mean_over_classes(np.column_stack([one(weights) for one in each]))


# --- two classes and anomalies: one side matters


def _positive(truth: np.ndarray, predictions: Predictions) -> np.ndarray:
    """Return 1.0 where the row is of the side that matters: the positive class, or anomalous (truth is then bool already)."""
    if predictions.threshold is not None or not predictions.classes:
        return np.asarray(truth, dtype=float)
    return np.asarray(truth == predictions.positive, dtype=float)


def _alarms(predictions: Predictions) -> np.ndarray:
    if predictions.threshold is not None or not predictions.classes:
        return np.asarray(predictions.value, dtype=float)
    return np.asarray(predictions.value == predictions.positive, dtype=float)


def _recall(truth: np.ndarray, predictions: Predictions) -> Statistic:
    true, said = _positive(truth, predictions), _alarms(predictions)
    return _share_of(true * said, true)


def _precision(truth: np.ndarray, predictions: Predictions) -> Statistic:
    true, said = _positive(truth, predictions), _alarms(predictions)
    return _share_of(true * said, said)


def _f1(truth: np.ndarray, predictions: Predictions) -> Statistic:
    true, said = _positive(truth, predictions), _alarms(predictions)
    return _share_of(2 * true * said, true + said)


def _false_alarm_rate(truth: np.ndarray, predictions: Predictions) -> Statistic:
    true, said = _positive(truth, predictions), _alarms(predictions)
    return _share_of((1 - true) * said, 1 - true)


def _share_of(part: np.ndarray, whole: np.ndarray) -> Statistic:
    return lambda weights: _ratio(weights @ part, weights @ whole)


def _detection_auc(truth: np.ndarray, predictions: Predictions) -> Statistic:
    if predictions.score is None:
        return _undefined
    return _auc(_positive(truth, predictions), predictions.score)


def _average_precision(truth: np.ndarray, predictions: Predictions) -> Statistic:
    """Step-wise area under precision over recall, as scikit-learn defines it."""
    if predictions.score is None:
        return _undefined
    by_score = _by_score(_positive(truth, predictions), -predictions.score)

    def statistic(weights: np.ndarray) -> np.ndarray:
        positive, seen = by_score(weights)
        hits, rows = positive.cumsum(axis=1), seen.cumsum(axis=1)
        precision = hits / np.where(rows > 0, rows, 1)
        return _ratio(np.einsum("bd,bd->b", positive, precision), positive.sum(axis=1))

    return statistic


def _auc(positive: np.ndarray, score: np.ndarray) -> Statistic:
    """Area under the ROC curve as the Mann–Whitney statistic, ties counting half."""
    by_score = _by_score(positive, score)

    def statistic(weights: np.ndarray) -> np.ndarray:
        of_positive, of_all = by_score(weights)
        of_negative = of_all - of_positive
        below = of_negative.cumsum(axis=1) - of_negative / 2
        whole = of_positive.sum(axis=1) * of_negative.sum(axis=1)
        return _ratio(np.einsum("bd,bd->b", of_positive, below), whole)

    return statistic


def _by_score(positive: np.ndarray, score: np.ndarray) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return a function of weights to the weight of positive and of all rows at every distinct score in rising order, each (b, distinct)."""
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(score[order]) != 0])
    sorted_positive = positive[order]
    tied = len(starts) < len(order)

    def summed(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        every = np.take(weights, order, axis=1)
        chosen = every * sorted_positive
        return (np.add.reduceat(chosen, starts, axis=1), np.add.reduceat(every, starts, axis=1)) if tied else (chosen, every)

    return summed


# --- regression


def _mae(truth: np.ndarray, predictions: Predictions) -> Statistic:
    return _mean_of(np.abs(truth - predictions.value))


def _rmse(truth: np.ndarray, predictions: Predictions) -> Statistic:
    squares = (truth - predictions.value) ** 2
    return lambda weights: np.sqrt(_mean(squares, weights))


def _bias(truth: np.ndarray, predictions: Predictions) -> Statistic:
    errors = predictions.value - truth
    return lambda weights: np.abs(_mean(errors, weights))


def _r2(truth: np.ndarray, predictions: Predictions) -> Statistic:
    centred = truth - truth.mean()  # the figure does not change, the sums of squares keep their digits
    rounding = 1e-12 * (1 + centred.var())
    squares, errors = centred**2, (truth - predictions.value) ** 2

    def statistic(weights: np.ndarray) -> np.ndarray:
        spread = _mean(squares, weights) - _mean(centred, weights) ** 2
        return 1 - _ratio(_mean(errors, weights), np.where(spread > rounding, spread, 0))

    return statistic


def _mape(truth: np.ndarray, predictions: Predictions) -> Statistic:
    return _undefined if np.any(truth == 0) else _mean_of(np.abs((truth - predictions.value) / truth))


def _coverage(truth: np.ndarray, predictions: Predictions) -> Statistic:
    if predictions.lower is None or predictions.upper is None:
        return _undefined
    return _mean_of(((truth >= predictions.lower) & (truth <= predictions.upper)).astype(float))


def _interval_width(truth: np.ndarray, predictions: Predictions) -> Statistic:
    if predictions.lower is None or predictions.upper is None:
        return _undefined
    return _mean_of(predictions.upper - predictions.lower)


_CLASSES = (
    Metric("accuracy", True, _accuracy),
    Metric("balanced_accuracy", True, _balanced_accuracy),
    Metric("f1_macro", True, _f1_macro),
    Metric("log_loss", False, _log_loss),
    Metric("roc_auc", True, _multiclass_auc),
    Metric("brier_score", False, brier),
    Metric("calibration_error", False, calibration_error),
)
_DETECTION = (
    Metric("recall", True, _recall),
    Metric("precision", True, _precision),
    Metric("f1", True, _f1),
    Metric("false_alarm_rate", False, _false_alarm_rate),
    Metric("average_precision", True, _average_precision),
)
_ANOMALY = (Metric("roc_auc", True, _detection_auc),)
_REGRESSION = (
    Metric("mae", False, _mae, in_target_unit=True),
    Metric("rmse", False, _rmse, in_target_unit=True),
    Metric("r2", True, _r2),
    Metric("mape", False, _mape),
    Metric("bias", False, _bias, in_target_unit=True),
    Metric("coverage", True, _coverage),
    Metric("interval_width", False, _interval_width, in_target_unit=True),
)

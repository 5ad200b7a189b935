"""The metrics of all task kinds, each computed for many weightings of the rows at once.

A bootstrap resample is a weighting of the rows by how often each was drawn, so one vectorised function serves the point value (weights of one)
and all resamples. The tests hold every metric to scikit-learn's figure.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from leitstand.prediction import Predictions
from leitstand.spec import TaskName

Weighted = Callable[[np.ndarray, Predictions, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Metric:
    """A figure of merit.

    Parameters
    ----------
    greater_is_better : its direction
    compute : (truth of shape (n,), predictions of n rows, weights of shape (b, n)) -> shape (b,); NaN where it is not defined
    in_target_unit : whether the figure has the target's unit
    """

    name: str
    greater_is_better: bool
    compute: Weighted
    in_target_unit: bool = False

    def __call__(self, truth: np.ndarray, predictions: Predictions) -> float:
        """Return the figure over all rows; NaN where it is not defined."""
        return float(self.compute(truth, predictions, np.ones((1, len(truth))))[0])

    def gain(self, new: float, old: float) -> float:
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


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        shares: np.ndarray = np.where(whole > 0, part / whole, np.nan)
    return shares


def _mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return _ratio(weights @ values, weights.sum(axis=1))


# --- classification


def _hits(truth: np.ndarray, predictions: Predictions) -> np.ndarray:
    return np.asarray(truth == predictions.value, dtype=float)


def _accuracy(truth: np.ndarray, predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    return _mean(_hits(truth, predictions), weights)


def _per_class(truth: np.ndarray, predictions: Predictions, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return hits, truths and answers of every class, each of shape (b, k)."""
    classes = np.asarray(predictions.classes, dtype=object)
    true = np.asarray(truth[:, None] == classes, dtype=float)
    said = np.asarray(predictions.value[:, None] == classes, dtype=float)
    return weights @ (true * said), weights @ true, weights @ said


def _balanced_accuracy(truth: np.ndarray, predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    hits, true, _ = _per_class(truth, predictions, weights)
    return _mean_over_classes(_ratio(hits, true))


def _f1_macro(truth: np.ndarray, predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    hits, true, said = _per_class(truth, predictions, weights)
    return _mean_over_classes(_ratio(2 * hits, true + said))


def _mean_over_classes(values: np.ndarray) -> np.ndarray:
    present = np.isfinite(values)
    return _ratio(np.where(present, values, 0).sum(axis=1), present.sum(axis=1))


def _log_loss(truth: np.ndarray, predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    if predictions.probabilities is None:
        return np.full(len(weights), np.nan)
    own = np.asarray(truth[:, None] == np.asarray(predictions.classes, dtype=object), dtype=bool)
    smallest = np.finfo(predictions.probabilities.dtype).eps
    chance = np.where(own, predictions.probabilities, 0).sum(axis=1).clip(smallest, 1 - smallest)
    return _mean(-np.log(chance), weights)


def _multiclass_auc(truth: np.ndarray, predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """One class against the rest, unweighted mean (Provost & Domingos 2000); for two classes the plain figure."""
    if len(predictions.classes) == 2 and predictions.score is not None:
        return _auc(_positive(truth, predictions), predictions.score, weights)
    if predictions.probabilities is None:
        return np.full(len(weights), np.nan)
    each = [
        _auc(np.asarray(truth == name, dtype=float), predictions.probabilities[:, i], weights)
        for i, name in enumerate(predictions.classes)
    ]
    return _mean_over_classes(np.column_stack(each))


# --- two classes and anomalies: one side matters


def _positive(truth: np.ndarray, predictions: Predictions) -> np.ndarray:
    """Return 1.0 where the row is of the side that matters: the positive class, or anomalous (truth is then bool already)."""
    if predictions.threshold is not None or not predictions.classes:
        return np.asarray(truth, dtype=float)
    return np.asarray(truth == predictions.positive, dtype=float)


def _alarms(truth: np.ndarray, predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
    if predictions.threshold is not None or not predictions.classes:
        return np.asarray(truth, dtype=float), np.asarray(predictions.value, dtype=float)
    return np.asarray(truth == predictions.positive, dtype=float), np.asarray(
        predictions.value == predictions.positive, dtype=float
    )


def _recall(truth: np.ndarray, predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    true, said = _alarms(truth, predictions)
    return _ratio(weights @ (true * said), weights @ true)


def _precision(truth: np.ndarray, predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    true, said = _alarms(truth, predictions)
    return _ratio(weights @ (true * said), weights @ said)


def _f1(truth: np.ndarray, predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    true, said = _alarms(truth, predictions)
    return _ratio(2 * (weights @ (true * said)), weights @ (true + said))


def _false_alarm_rate(truth: np.ndarray, predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    true, said = _alarms(truth, predictions)
    return _ratio(weights @ ((1 - true) * said), weights @ (1 - true))


def _detection_auc(truth: np.ndarray, predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    if predictions.score is None:
        return np.full(len(weights), np.nan)
    return _auc(_positive(truth, predictions), predictions.score, weights)


def _average_precision(truth: np.ndarray, predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Step-wise area under precision over recall, as scikit-learn defines it."""
    if predictions.score is None:
        return np.full(len(weights), np.nan)
    positive, negative = _by_score(_positive(truth, predictions), -predictions.score, weights)
    hits, seen = positive.cumsum(axis=1), (positive + negative).cumsum(axis=1)
    precision = np.where(seen > 0, hits / np.where(seen > 0, seen, 1), 0)
    return _ratio((positive * precision).sum(axis=1), positive.sum(axis=1))


def _auc(positive: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Area under the ROC curve as the Mann–Whitney statistic, ties counting half."""
    of_positive, of_negative = _by_score(positive, score, weights)
    below = of_negative.cumsum(axis=1) - of_negative / 2
    return _ratio((of_positive * below).sum(axis=1), of_positive.sum(axis=1) * of_negative.sum(axis=1))


def _by_score(positive: np.ndarray, score: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the weight of positive and of negative rows at every distinct score in rising order, each of shape (b, distinct)."""
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(score[order]) != 0])
    sorted_weights, sorted_positive = weights[:, order], positive[order]
    return (
        np.add.reduceat(sorted_weights * sorted_positive, starts, axis=1),
        np.add.reduceat(sorted_weights * (1 - sorted_positive), starts, axis=1),
    )


# --- regression


def _mae(truth: np.ndarray, predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    return _mean(np.abs(truth - predictions.value), weights)


def _rmse(truth: np.ndarray, predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    return np.sqrt(_mean((truth - predictions.value) ** 2, weights))


def _bias(truth: np.ndarray, predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    return np.abs(_mean(predictions.value - truth, weights))


def _r2(truth: np.ndarray, predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    centred = truth - truth.mean()  # the figure does not change, the sums of squares keep their digits
    spread = _mean(centred**2, weights) - _mean(centred, weights) ** 2
    return 1 - _ratio(_mean((truth - predictions.value) ** 2, weights), np.where(spread > 1e-12 * (1 + centred.var()), spread, 0))


def _mape(truth: np.ndarray, predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    if np.any(truth == 0):
        return np.full(len(weights), np.nan)
    return _mean(np.abs((truth - predictions.value) / truth), weights)


def _coverage(truth: np.ndarray, predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    if predictions.lower is None or predictions.upper is None:
        return np.full(len(weights), np.nan)
    return _mean(((truth >= predictions.lower) & (truth <= predictions.upper)).astype(float), weights)


def _interval_width(truth: np.ndarray, predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    if predictions.lower is None or predictions.upper is None:
        return np.full(len(weights), np.nan)
    return _mean(predictions.upper - predictions.lower, weights)


_CLASSES = (
    Metric("accuracy", True, _accuracy),
    Metric("balanced_accuracy", True, _balanced_accuracy),
    Metric("f1_macro", True, _f1_macro),
    Metric("log_loss", False, _log_loss),
    Metric("roc_auc", True, _multiclass_auc),
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

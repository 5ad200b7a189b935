"""The answer without learning, which every model has to beat: today's rule, or the plainest guess."""

import numpy as np

from leitstand.dataset import Dataset
from leitstand.prediction import Predictions
from leitstand.training import positive_class


def baseline_predictions(training: Dataset, holdout: Dataset) -> tuple[Predictions, str]:
    """Return the baseline's answers for the hold-out, and its name.

    The project's own ``baseline`` rule where it has one; otherwise the class shares of the training part (classification), its median
    (regression), the last known value (regression in time order), or no alarm ever (anomaly).
    """
    task = training.project.spec.task
    if task == "classification":
        return _classes(training, holdout)
    if task == "regression":
        return _numbers(training, holdout)
    return _anomalies(training, holdout)


def _classes(training: Dataset, holdout: Dataset) -> tuple[Predictions, str]:
    classes, positive = training.classes, positive_class(training)
    if holdout.baseline is not None:
        said = holdout.baseline[:, None] == np.asarray(classes, dtype=object)
        probabilities, name = np.where(said, 1.0, 0.0), "project_rule"
    else:
        shares = [float(np.mean(training.target == each)) for each in classes]
        probabilities, name = np.tile(shares, (len(holdout), 1)), "class_shares"
    value = np.asarray(classes)[probabilities.argmax(axis=1)]
    score = probabilities[:, classes.index(positive)] if positive is not None else None
    return Predictions(value, score, probabilities, classes, positive), name


def _numbers(training: Dataset, holdout: Dataset) -> tuple[Predictions, str]:
    if holdout.baseline is not None:
        values = np.where(np.isfinite(holdout.baseline.astype(float)), holdout.baseline, np.median(training.target))
        return Predictions(values.astype(float)), "project_rule"
    median = Predictions(np.full(len(holdout), np.median(training.target)))
    if training.project.spec.split.strategy != "time":
        return median, "median"
    return Predictions(np.full(len(holdout), training.target[-1])), "last_value"


def _anomalies(training: Dataset, holdout: Dataset) -> tuple[Predictions, str]:
    if holdout.baseline is None or training.baseline is None:
        return Predictions(np.zeros(len(holdout), dtype=bool), np.zeros(len(holdout)), threshold=0.0), "never_alarm"
    level = 1 - training.project.spec.training.max_false_alarm_rate
    threshold = float(np.quantile(training.baseline[~training.target], level))
    return Predictions(holdout.baseline > threshold, holdout.baseline.astype(float), threshold=threshold), "project_rule"

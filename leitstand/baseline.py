"""The answer without learning, which every model has to beat: today's rule, or the plainest guess."""

import numpy as np

from leitstand.dataset import Dataset, positive_class
from leitstand.prediction import Predictions
from leitstand.rule import Rule

NAMES = {"classification": "class_shares", "regression": "median", "anomaly": "never_alarm"}


def fit_rule(training: Dataset) -> Rule:
    """Return the baseline of a training part.

    The project's own ``baseline`` rule where it has one; otherwise the class shares of the training part (classification), its median
    (regression), the last known value (regression in time order), or no alarm ever (anomaly).
    """
    spec, own = training.project.spec, training.baseline is not None
    if spec.task == "classification":
        shares = tuple(float(np.mean(training.target == each)) for each in training.classes)
        return Rule(task=spec.task, own=own, classes=training.classes, positive=positive_class(training), shares=shares)
    if spec.task == "regression":
        median = float(np.median(training.target))
        value = float(training.target[-1]) if spec.split.strategy == "time" else median
        return Rule(task=spec.task, own=own, value=value, fill=median)
    if training.baseline is None:
        return Rule(task=spec.task)
    threshold = float(np.quantile(training.baseline[~training.target], 1 - spec.training.max_false_alarm_rate))
    return Rule(task=spec.task, own=True, threshold=threshold)


def baseline_predictions(training: Dataset, holdout: Dataset) -> tuple[Predictions, str]:
    """Return the baseline's answers for the hold-out, and its name."""
    rule = fit_rule(training)
    said = holdout.baseline if rule.own or rule.task != "anomaly" else None
    if said is not None:
        return rule.answer(len(holdout), said), "project_rule"
    in_time = rule.task == "regression" and training.project.spec.split.strategy == "time"
    return rule.answer(len(holdout)), "last_value" if in_time else NAMES[rule.task]

"""Probabilities that mean what they say: temperature scaling (Guo et al., ICML 2017, section 4.2), which changes no answer.

It has one parameter, so that few rows suffice, and keeps the order of the classes: a model that was chosen for what it answers goes on
answering that. The classes it is fitted to are softened as Platt does (1999, "Probabilistic outputs for support vector machines", section 2.2),
or answers that happen to be all right would make it sure without bounds.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy.optimize import minimize_scalar

from leitstand.bootstrap import paired_gain
from leitstand.calibration import outcomes
from leitstand.metrics import Metric
from leitstand.model import tempered
from leitstand.prediction import Predictions

BOUNDS = (-3.0, 3.0)  # of the temperature's natural logarithm


def fitted_temperature(metrics: Mapping[str, Metric], truth: np.ndarray, answers: Predictions, blocks: bool) -> float | None:
    """Return the temperature that makes the log loss of out-of-fold answers least; None where it and the Brier score do not certainly improve.

    Parameters
    ----------
    metrics : of the task
    truth : shape (n,), classes
    answers : to the same rows, by models that have not learned from them
    blocks : whether the rows are in time order and depend on their neighbours
    """
    assert answers.probabilities is not None, "answers of a classification"
    given = answers.probabilities
    own = outcomes(truth, answers) > 0
    counts = (own @ own.sum(axis=0))[:, None]  # of each row's own class
    soft = np.where(own, (counts + 1) / (counts + 2), 1 / ((counts + 2) * max(1, own.shape[1] - 1)))

    def loss(log: float) -> float:
        chances = tempered(given, np.exp(log)).clip(np.finfo(given.dtype).eps)
        return float(-(soft * np.log(chances)).sum(axis=1).mean())

    found = float(np.exp(minimize_scalar(loss, bounds=BOUNDS).x))
    calibrated = replace(answers, probabilities=tempered(given, found))
    gains = [paired_gain(metrics[name], truth, calibrated, answers, blocks) for name in ("brier_score", "log_loss")]
    return found if all(gain.low > 0 for gain in gains) else None

"""How well a classifier probably answers where no labels have come: an estimate from its own probabilities, never a measurement.

Confidence-based performance estimation: where the probabilities are calibrated, each row is counted once for every class with the probability of
that class as its weight, which gives the expected confusion matrix and every metric that follows from it (CBPE, as described and measured in
Białek, Kivimäki, Kuberski & Perrakis, Estimating model performance under covariate shift without labels, NeurIPS 2025, arXiv:2401.08348). That
the average confidence tells the accuracy under natural shifts, and where it does not, is in Guillory, Shankar, Ebrahimi, Darrell & Schmidt,
Predicting with confidence on unseen distributions, ICCV 2021.

Both see only that the inputs moved to where the model is less sure. When the same inputs come to mean something else, or when they lie where
training had nothing and the model goes on as it learned, no estimate without labels can see it. So an estimate may ask for labels, and never
excuses anything. For numbers there is no such estimate here: it would take a second model of the first one's errors, and that model drifts
with the inputs, too.
"""

from collections.abc import Mapping

import numpy as np

from leitstand.bootstrap import Estimate
from leitstand.metrics import Metric, evaluate
from leitstand.prediction import Predictions

MOST_BINS = 10
FEWEST_PER_BIN = 20  # a share of fewer rows says little
MOST_ROWS = 2_000  # the interval of more is narrow anyway
DRAWS = 200
SURE = 1 - 1e-6  # so that the logarithm of a probability of 0 or 1 does not make the figure infinite


def calibration_error(truth: np.ndarray, predictions: Predictions) -> float | None:
    """Return how far the probabilities are from how often they come true, 0 to 1; None where there are none, or too few rows.

    The expected calibration error (Guo, Pleiss, Sun & Weinberger, ICML 2017, eq. 3) over bins of equally many rows: of two classes for the
    second one's probability, of more for that of the predicted class. On the rows it was measured on, the average confidence is at most so
    far from the accuracy.

    Parameters
    ----------
    truth : shape (n,)
    """
    chances = predictions.probabilities
    bins = min(MOST_BINS, len(truth) // FEWEST_PER_BIN)
    if chances is None or bins < 1:
        return None
    if len(predictions.classes) == 2:
        said, right = chances[:, 1], truth == predictions.classes[1]
    else:
        said, right = chances.max(axis=1), truth == np.asarray(predictions.classes)[chances.argmax(axis=1)]
    order = np.argsort(said, kind="stable")
    parts = np.array_split(order, bins)
    gaps = [abs(said[part].mean() - right[part].mean()) * len(part) for part in parts]
    return float(sum(gaps) / len(truth))


def estimated(metrics: Mapping[str, Metric], predictions: Predictions) -> dict[str, Estimate]:
    """Return every metric as the probabilities let expect it, with its 95 % interval; empty without probabilities.

    The interval holds what drawing rows and labels does; how far the probabilities are off is not in it (``calibration_error``).
    """
    if predictions.probabilities is None or not len(predictions):
        return {}
    step = -(-len(predictions) // MOST_ROWS)
    some = predictions.take(np.arange(0, len(predictions), step))
    chances = some.probabilities
    assert chances is not None
    rows, classes = chances.shape
    chances = np.clip(chances, 1 - SURE, SURE)
    chances = chances / chances.sum(axis=1, keepdims=True)
    truth = np.repeat(np.asarray(some.classes), rows)
    answers = some.take(np.tile(np.arange(rows), classes))
    draws = _draws(chances)
    found = {}
    for name in evaluate(metrics, truth, answers):
        statistic = metrics[name].of(truth, answers)
        value = float(statistic(chances.T.reshape(1, -1))[0])
        spread = statistic(draws)
        if np.isfinite(value) and np.isfinite(spread).any():
            low, high = np.quantile(spread[np.isfinite(spread)], [0.025, 0.975])
            found[name] = Estimate(value, float(low), float(high))
    return found


def _draws(chances: np.ndarray) -> np.ndarray:
    """Return weights of shape (DRAWS, classes · rows): rows drawn with replacement, and a label for each drawn row."""
    generator = np.random.default_rng(0)
    rows, classes = chances.shape
    ladder = np.cumsum(chances, axis=1)
    weights = np.zeros((DRAWS, classes * rows))
    for i in range(DRAWS):
        drawn = generator.integers(0, rows, rows)
        label = (generator.random((rows, 1)) > ladder[drawn]).sum(axis=1).clip(max=classes - 1)
        weights[i] = np.bincount(label * rows + drawn, minlength=classes * rows)
    return weights

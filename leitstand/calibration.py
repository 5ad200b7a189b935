"""Whether probabilities mean what they say: of all rows that get 0.8, eight in ten should turn out so."""

from collections.abc import Callable

import numpy as np

from leitstand.prediction import Predictions

BINS = 10
Statistic = Callable[[np.ndarray], np.ndarray]
"""Row weights of shape (b, n) to figures of shape (b,), as in ``leitstand.metrics``."""


def brier(truth: np.ndarray, predictions: Predictions) -> Statistic:
    """Return the mean squared error of the probabilities (Brier 1950): of the positive class for two classes, summed over all for more."""
    if predictions.probabilities is None:
        return _undefined
    errors = ((predictions.probabilities - outcomes(truth, predictions)) ** 2).sum(axis=1)
    each = errors / 2 if len(predictions.classes) == 2 else errors
    return lambda weights: (weights @ each) / weights.sum(axis=1)


def calibration_error(truth: np.ndarray, predictions: Predictions) -> Statistic:
    """Return the expected calibration error: how far the mean probability of the class named is from its share that is right.

    In ten bins of equal width, averaged by their rows (Naeini, Cooper and Hauskrecht 2015; Guo et al. 2017, "On calibration of modern neural
    networks", equation 3). Few rows make it larger than it is, for then a bin's share is far from its mean by chance.
    """
    if predictions.probabilities is None:
        return _undefined
    sure = predictions.probabilities.max(axis=1)
    named = predictions.probabilities.argmax(axis=1)
    right = outcomes(truth, predictions)[np.arange(len(truth)), named]
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    gaps = np.where(bins[:, None] == np.arange(BINS), (sure - right)[:, None], 0.0)
    return lambda weights: np.abs(weights @ gaps).sum(axis=1) / weights.sum(axis=1)


def outcomes(truth: np.ndarray, predictions: Predictions) -> np.ndarray:
    """Return shape (n, k): 1 for the class that came true."""
    return np.asarray(truth[:, None] == np.asarray(predictions.classes, dtype=object), dtype=float)


def _undefined(weights: np.ndarray) -> np.ndarray:
    return np.full(len(weights), np.nan)

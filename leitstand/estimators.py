"""Our own scikit-learn estimators: what tables of small companies need and scikit-learn does not ship.

All of them pass scikit-learn's ``check_estimator`` where the data kind allows it. They hold arrays and plain values only, so that skops can
store them; ``leitstand.model_file`` lists them as trusted.
"""

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OutlierMixin, TransformerMixin
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.validation import check_is_fitted, validate_data

ROUNDING = 1e-12  # a direction with a smaller share of the variance is rounding
SMALLEST_RESIDUAL = 1e-6  # of the variance; where normal rows lie on the plane exactly, rounding must not be the measure


class DateParts(TransformerMixin, BaseEstimator):
    """Turn date columns into numbers a model can use.

    Output per column: days since 1970-01-01 (the trend), day of week 0–6, hour of day 0–23 with fraction, day of year 1–366. A missing date is
    NaN in all four.
    """

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        """Remember the column names; nothing is learned."""
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Return shape (n_rows, 4 × n_columns)."""
        check_is_fitted(self)
        parts = []
        for name in X.columns:
            when = pd.to_datetime(X[name])
            days = (when - pd.Timestamp(0)).dt.total_seconds() / 86400
            parts += [days, when.dt.dayofweek, when.dt.hour + when.dt.minute / 60, when.dt.dayofyear]
        return np.column_stack([np.asarray(part, dtype=float) for part in parts])

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the output columns."""
        check_is_fitted(self)
        suffixes = ("days", "weekday", "hour", "yearday")
        return np.asarray([f"{name}_{suffix}" for name in self.feature_names_in_ for suffix in suffixes], dtype=object)


class ShortText(TransformerMixin, BaseEstimator):
    """Turn one column of short texts into TF-IDF weights of its words and word pairs.

    Parameters
    ----------
    max_features : the most frequent ones that are kept
    """

    def __init__(self, max_features: int = 200) -> None:
        self.max_features = max_features

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        """Learn the vocabulary of the column."""
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        self.vectorizer_ = TfidfVectorizer(max_features=self.max_features, ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b")  # noqa: S106
        texts = _texts(X)
        self.vectorizer_.fit(texts if any(character.isalnum() for text in texts for character in text) else ["empty"])
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Return shape (n_rows, at most max_features)."""
        check_is_fitted(self)
        dense: np.ndarray = self.vectorizer_.transform(_texts(X)).toarray()
        return dense

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the output columns."""
        check_is_fitted(self)
        column = self.feature_names_in_[0]
        return np.asarray([f"{column}={word}" for word in self.vectorizer_.get_feature_names_out()], dtype=object)


def _texts(frame: pd.DataFrame) -> list[str]:
    return ["" if value is None or value != value else str(value) for value in frame.iloc[:, 0]]


class PcaResidual(OutlierMixin, BaseEstimator):
    """Score how far a row is from the plane that normal rows span, and how unusual its place on that plane is.

    Sum of Hotelling's T² and the squared prediction error Q, each divided by its 99th percentile on the training rows
    (Jackson & Mudholkar, Technometrics 21(3), 1979, for the two statistics).

    Parameters
    ----------
    explained : share of the variance that the plane keeps, 0 to 1
    """

    def __init__(self, explained: float = 0.9) -> None:
        self.explained = explained

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the plane from normal rows, shape (n_rows, n_features)."""
        X = validate_data(self, X, ensure_min_samples=2, dtype=np.float64)
        self.mean_ = X.mean(axis=0)
        _, singular, axes = np.linalg.svd(X - self.mean_, full_matrices=False)
        variance = singular**2 / (len(X) - 1)
        needed = np.searchsorted(np.cumsum(variance), self.explained * variance.sum()) + 1
        kept = max(1, min(int(needed), int((variance > ROUNDING * variance.sum()).sum())))
        self.components_ = axes[:kept]
        self.variance_ = np.where(variance[:kept] > 0, variance[:kept], np.inf)
        self.limits_ = np.ones(2)
        limits = np.maximum(np.percentile(self._statistics(X), 99, axis=0), [0.0, SMALLEST_RESIDUAL * variance.sum()])
        self.limits_ = np.where(limits > 0, limits, 1.0)
        self.offset_ = _offset(self.score_samples(X))
        return self

    def _statistics(self, X: np.ndarray) -> np.ndarray:
        centred = X - self.mean_
        places = centred @ self.components_.T
        residual = centred - places @ self.components_
        statistics: np.ndarray = (
            np.column_stack([(places**2 / self.variance_).sum(axis=1), (residual**2).sum(axis=1)]) / self.limits_
        )
        return statistics

    def score_samples(self, X: Any) -> np.ndarray:
        """Return shape (n_rows,): the lower, the more anomalous (scikit-learn's direction)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        scores: np.ndarray = -self._statistics(X).sum(axis=1)
        return scores

    def decision_function(self, X: Any) -> np.ndarray:
        """Return ``score_samples`` less the offset: negative for outliers."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """Return 1 for inliers, -1 for outliers."""
        return np.where(self.decision_function(X) < 0, -1, 1)


class NearestNormal(OutlierMixin, BaseEstimator):
    """Score the mean distance to the nearest normal rows (Ramaswamy, Rastogi & Shim, SIGMOD 2000).

    Parameters
    ----------
    neighbours : how many
    most_rows : of the training rows that are remembered; drawn at random with seed 0 when there are more
    """

    def __init__(self, neighbours: int = 3, most_rows: int = 5000) -> None:
        self.neighbours = neighbours
        self.most_rows = most_rows

    def fit(self, X: Any, y: Any = None) -> Self:
        """Remember normal rows, shape (n_rows, n_features)."""
        X = validate_data(self, X, ensure_min_samples=2)
        if len(X) > self.most_rows:
            X = X[np.random.default_rng(0).choice(len(X), self.most_rows, replace=False)]
        k = min(self.neighbours, len(X) - 1)
        self.index_ = NearestNeighbors(n_neighbors=k).fit(X)
        own, _ = self.index_.kneighbors(None)  # without the row itself
        self.offset_ = _offset(-own.mean(axis=1))
        return self

    def score_samples(self, X: Any) -> np.ndarray:
        """Return shape (n_rows,): the lower, the more anomalous (scikit-learn's direction)."""
        check_is_fitted(self)
        distances, _ = self.index_.kneighbors(validate_data(self, X, reset=False))
        scores: np.ndarray = -distances.mean(axis=1)
        return scores

    def decision_function(self, X: Any) -> np.ndarray:
        """Return ``score_samples`` less the offset: negative for outliers."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """Return 1 for inliers, -1 for outliers."""
        return np.where(self.decision_function(X) < 0, -1, 1)


def _offset(scores: np.ndarray) -> float:
    """Return the score below which 5 % of the training rows lie.

    A little below the quantile itself: that may be a training row's own score, whose last digits differ with the rows scored beside it.
    """
    quantile = float(np.quantile(scores, 0.05))
    return quantile - 1e-9 * (1 + abs(quantile))

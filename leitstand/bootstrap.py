"""Intervals and paired comparisons by the bootstrap (Efron & Tibshirani 1993; circular blocks: Politis & Romano 1992)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from leitstand.metrics import Metric, Statistic, evaluate
from leitstand.prediction import Predictions

MOST_CELLS = 500_000  # weights held at once: 4 MB, which with what is made of them stays in the processor's cache


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % percentile interval."""

    value: float
    low: float
    high: float


def resample_count(rows: int) -> int:
    """Return how many resamples are drawn: 1,000, fewer for very many rows, whose intervals are narrow anyway, but at least 200."""
    return int(np.clip(5_000_000 // max(rows, 1), 200, 1000))


def block_length(rows: int) -> int:
    """Return the block length for rows that depend on their neighbours in time: n^(1/3) (Hall, Horowitz & Jing 1995)."""
    return max(1, round(rows ** (1 / 3)))


def weights(rows: int, blocks: bool, seed: int = 0) -> Iterator[np.ndarray]:
    """Yield batches of resamples as row weights, each of shape (b, rows): how often each row was drawn.

    Parameters
    ----------
    blocks : draw runs of neighbouring rows instead of single ones, for rows in time order
    """
    generator = np.random.default_rng(seed)
    length = block_length(rows) if blocks else 1
    left = resample_count(rows)
    batch = max(1, MOST_CELLS // rows)
    while left > 0:
        size = min(batch, left)
        starts = generator.integers(0, rows, (size, -(-rows // length)))
        drawn = ((starts[:, :, None] + np.arange(length)) % rows).reshape(size, -1)[:, :rows]
        yield np.stack([np.bincount(one, minlength=rows) for one in drawn]).astype(float)
        left -= size


def draws(statistics: Mapping[str, Statistic], rows: int, blocks: bool = False) -> dict[str, np.ndarray]:
    """Return every statistic on the same resamples, each of shape (n_resamples,); so differences of two are paired.

    Parameters
    ----------
    blocks : whether the rows are in time order and depend on their neighbours
    """
    batches = [{name: statistic(drawn) for name, statistic in statistics.items()} for drawn in weights(rows, blocks)]
    return {name: np.concatenate([batch[name] for batch in batches]) for name in statistics}


def estimates(
    metrics: Mapping[str, Metric], truth: np.ndarray, predictions: Predictions, blocks: bool = False
) -> dict[str, Estimate]:
    """Return every metric that is defined, with its interval.

    Parameters
    ----------
    truth : shape (n,)
    blocks : whether the rows are in time order and depend on their neighbours
    """
    points = evaluate(metrics, truth, predictions)
    found = draws({name: metrics[name].of(truth, predictions) for name in points}, len(truth), blocks)
    return {name: Estimate(points[name], *_bounds(values)) for name, values in found.items()}


def paired_gain(metric: Metric, truth: np.ndarray, new: Predictions, old: Predictions, blocks: bool = False) -> Estimate:
    """Return how much better ``new`` is than ``old`` on the same rows, with its interval; positive is better for every metric.

    Both are weighted by the same resamples, so that what they share cancels out. A resample from which the metric cannot tell, such as one
    without a single positive, shows no gain.
    """
    found = draws({"new": metric.of(truth, new), "old": metric.of(truth, old)}, len(truth), blocks)
    gains = metric.gain(found["new"], found["old"])
    if np.isfinite(gains).any():
        gains = np.where(np.isfinite(gains), gains, 0.0)
    return Estimate(float(metric.gain(metric(truth, new), metric(truth, old))), *_bounds(gains))


def _bounds(values: np.ndarray) -> tuple[float, float]:
    defined = values[np.isfinite(values)]
    if not len(defined):
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [0.025, 0.975])
    return float(low), float(high)

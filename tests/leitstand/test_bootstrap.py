import numpy as np
import pytest
from scipy import stats

from leitstand.bootstrap import block_length, estimates, paired_gain, resample_count, weights
from leitstand.metrics import metrics_for
from leitstand.prediction import Predictions


def test_every_resample_draws_as_many_rows_as_there_are() -> None:
    drawn = np.concatenate(list(weights(50, blocks=False)))
    assert drawn.shape == (resample_count(50), 50)
    assert (drawn.sum(axis=1) == 50).all()


def test_blocks_draw_neighbours_together() -> None:
    length = block_length(1000)
    drawn = next(weights(1000, blocks=True))
    neighbours = np.mean([np.corrcoef(one, np.roll(one, 1))[0, 1] for one in drawn[:50]])
    assert length == 10
    assert neighbours > 0.8


def test_the_interval_of_a_mean_is_that_of_scipy() -> None:
    errors = np.random.default_rng(0).exponential(1, 400)
    truth = np.zeros(400)
    found = estimates({"mae": metrics_for("regression")["mae"]}, truth, Predictions(errors))["mae"]
    expected = stats.bootstrap((errors,), np.mean, n_resamples=5000, method="percentile", rng=np.random.default_rng(1))
    assert found.value == pytest.approx(errors.mean())
    assert found.low == pytest.approx(expected.confidence_interval.low, abs=0.02)
    assert found.high == pytest.approx(expected.confidence_interval.high, abs=0.02)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    metric = {"mae": metrics_for("regression")["mae"]}
    generator = np.random.default_rng(0)
    hits = 0
    for _ in range(100):
        found = estimates(metric, np.zeros(100), Predictions(generator.exponential(1, 100)))["mae"]
        hits += found.low <= 1.0 <= found.high
    assert 86 <= hits <= 100


def test_pairing_sees_a_small_gain_that_single_intervals_hide() -> None:
    generator = np.random.default_rng(0)
    truth = generator.normal(0, 1, 300)
    noise = generator.normal(0, 1, 300)
    old, new = Predictions(truth + noise), Predictions(truth + noise * 0.95)
    metric = metrics_for("regression")["mae"]
    gain = paired_gain(metric, truth, new, old)
    single = estimates({"mae": metric}, truth, old)["mae"]
    assert gain.low > 0
    assert single.low < metric(truth, new) < single.high


def test_no_gain_where_there_is_none() -> None:
    generator = np.random.default_rng(3)
    truth = generator.normal(0, 1, 300)
    one, other = Predictions(truth + generator.normal(0, 1, 300)), Predictions(truth + generator.normal(0, 1, 300))
    gain = paired_gain(metrics_for("regression")["mae"], truth, one, other)
    assert gain.low < 0 < gain.high


def test_a_gain_on_a_single_positive_is_not_certain() -> None:
    generator = np.random.default_rng(1)
    metric, truth = metrics_for("classification", 2)["roc_auc"], np.array(["bad"] + ["good"] * 99, dtype=object)
    certain = 0
    for _ in range(20):
        told = []
        for score in generator.random((2, 100)):
            value = np.where(score > 0.5, "bad", "good").astype(object)
            told.append(Predictions(value, score, np.c_[score, 1 - score], ("bad", "good"), "bad"))
        certain += paired_gain(metric, truth, *told).low > 0
    assert certain == 0, "in a third of the resamples nobody can tell"

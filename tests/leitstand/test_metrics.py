"""Every metric against scikit-learn, also under weights, which is what the bootstrap rests on."""

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st

from leitstand.metrics import Metric, evaluate, metrics_for, primary_metric
from leitstand.prediction import Predictions


def two_classes(seed: int, rows: int = 120) -> tuple[np.ndarray, Predictions]:
    generator = np.random.default_rng(seed)
    truth = np.where(generator.random(rows) < 0.3, "bad", "good")
    truth[:2] = ["bad", "good"]
    score = (generator.random(rows) + (truth == "bad") * 0.4).clip(0, 1.2).round(1) / 1.2  # rounded: ties must count half
    value = np.where(score > 0.5, "bad", "good")
    return truth, Predictions(value, score, np.column_stack([score, 1 - score]), ("bad", "good"), "bad")


REFERENCE = {
    "accuracy": lambda t, p, w: sk.accuracy_score(t, p.value, sample_weight=w),
    "balanced_accuracy": lambda t, p, w: sk.balanced_accuracy_score(t, p.value, sample_weight=w),
    "f1_macro": lambda t, p, w: sk.f1_score(t, p.value, average="macro", sample_weight=w),
    "log_loss": lambda t, p, w: sk.log_loss(t, p.probabilities, labels=["bad", "good"], sample_weight=w),
    "brier_score": lambda t, p, w: sk.brier_score_loss(t == "bad", p.score, sample_weight=w),
    "roc_auc": lambda t, p, w: sk.roc_auc_score(t == "bad", p.score, sample_weight=w),
    "recall": lambda t, p, w: sk.recall_score(t, p.value, pos_label="bad", sample_weight=w),
    "precision": lambda t, p, w: sk.precision_score(t, p.value, pos_label="bad", sample_weight=w),
    "f1": lambda t, p, w: sk.f1_score(t, p.value, pos_label="bad", sample_weight=w),
    "false_alarm_rate": lambda t, p, w: 1 - sk.recall_score(t, p.value, pos_label="good", sample_weight=w),
    "average_precision": lambda t, p, w: sk.average_precision_score(t == "bad", p.score, sample_weight=w),
}
REGRESSION = {
    "mae": lambda t, p, w: sk.mean_absolute_error(t, p.value, sample_weight=w),
    "rmse": lambda t, p, w: sk.root_mean_squared_error(t, p.value, sample_weight=w),
    "r2": lambda t, p, w: sk.r2_score(t, p.value, sample_weight=w),
    "mape": lambda t, p, w: sk.mean_absolute_percentage_error(t, p.value, sample_weight=w),
}


@pytest.mark.parametrize("name", REFERENCE)
@given(seed=st.integers(0, 10_000), counts=st.lists(st.integers(1, 4), min_size=120, max_size=120))
@settings(max_examples=15, deadline=None)
def test_classification_metrics_are_those_of_scikit_learn(name: str, seed: int, counts: list[int]) -> None:
    truth, predictions = two_classes(seed)
    weights = np.asarray(counts, dtype=float)
    found = metrics_for("classification")[name].of(truth, predictions)(weights[None, :])[0]
    assert found == pytest.approx(REFERENCE[name](truth, predictions, weights), abs=1e-9)


@pytest.mark.parametrize("name", REGRESSION)
@given(seed=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_regression_metrics_are_those_of_scikit_learn(name: str, seed: int) -> None:
    generator = np.random.default_rng(seed)
    truth = generator.normal(100, 10, 80)
    predictions = Predictions(truth + generator.normal(1, 3, 80))
    weights = generator.integers(1, 5, 80).astype(float)
    found = metrics_for("regression")[name].of(truth, predictions)(weights[None, :])[0]
    assert found == pytest.approx(REGRESSION[name](truth, predictions, weights), rel=1e-9)


def test_the_calibration_error_is_the_gap_between_what_is_said_and_what_comes_true() -> None:
    sure = np.array([0.9] * 10 + [0.6] * 10)
    truth = np.array([1] * 7 + [0] * 3 + [1] * 6 + [0] * 4)  # 0.9 comes true in 7 of 10, 0.6 in 6 of 10
    predictions = Predictions(np.ones(20, dtype=int), sure, np.column_stack([1 - sure, sure]), (0, 1), 1)
    error = metrics_for("classification")["calibration_error"]
    assert error(truth, predictions) == pytest.approx((10 * 0.2 + 10 * 0.0) / 20)
    weights = np.array([[1.0] * 10 + [0.0] * 10, [0.0] * 10 + [1.0] * 10])
    assert error.of(truth, predictions)(weights) == pytest.approx([0.2, 0.0])


def test_the_brier_score_of_three_classes_is_summed_over_them() -> None:
    generator = np.random.default_rng(2)
    probabilities = generator.dirichlet([1, 1, 1], 50)
    truth = generator.integers(0, 3, 50)
    predictions = Predictions(probabilities.argmax(axis=1), None, probabilities, (0, 1, 2))
    expected = ((probabilities - np.eye(3)[truth]) ** 2).sum(axis=1).mean()
    assert metrics_for("classification", 3)["brier_score"](truth, predictions) == pytest.approx(expected)


def test_without_probabilities_there_is_no_calibration() -> None:
    predictions = Predictions(np.array(["a", "b"]), classes=("a", "b"))
    found = evaluate(metrics_for("classification"), np.array(["a", "b"]), predictions)
    assert not {"brier_score", "calibration_error"} & set(found)


def test_the_area_for_three_classes_is_one_against_the_rest() -> None:
    generator = np.random.default_rng(1)
    truth = generator.integers(0, 3, 200)
    raw = generator.random((200, 3)) + np.eye(3)[truth] * 0.5
    probabilities = raw / raw.sum(axis=1, keepdims=True)
    predictions = Predictions(probabilities.argmax(axis=1), None, probabilities, (0, 1, 2))
    expected = sk.roc_auc_score(truth, probabilities, multi_class="ovr")
    assert metrics_for("classification", 3)["roc_auc"](truth, predictions) == pytest.approx(expected)


def test_coverage_counts_the_rows_inside_the_interval() -> None:
    truth = np.array([1.0, 2.0, 3.0, 10.0])
    predictions = Predictions(np.full(4, 2.0), lower=np.full(4, 1.0), upper=np.full(4, 3.0))
    found = evaluate(metrics_for("regression"), truth, predictions)
    assert found["coverage"] == 0.75
    assert found["interval_width"] == 2.0


def test_what_is_not_defined_is_left_out() -> None:
    truth = np.array([0.0, 1.0, 2.0])
    found = evaluate(metrics_for("regression"), truth, Predictions(truth))
    assert "mape" not in found
    assert "coverage" not in found
    assert found["mae"] == 0


def test_precision_and_recall_exist_for_two_classes_only() -> None:
    assert "recall" not in metrics_for("classification", 3)
    assert primary_metric("classification", 3) == "f1_macro"
    assert primary_metric("classification") == "roc_auc"


def test_gain_is_positive_for_the_better_whatever_the_direction() -> None:
    metrics = metrics_for("regression")
    better: dict[str, Metric] = metrics
    assert better["mae"].gain(1.0, 2.0) == 1.0
    assert better["r2"].gain(0.9, 0.5) == pytest.approx(0.4)

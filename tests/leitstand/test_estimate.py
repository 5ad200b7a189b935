import numpy as np
import pytest

from leitstand.estimate import calibration_error, estimated
from leitstand.metrics import evaluate, metrics_for
from leitstand.prediction import Predictions

GENERATOR = np.random.default_rng(11)
CLASSES = ("bad", "good")


def answers(logits: np.ndarray, sharpness: float = 1.0) -> tuple[np.ndarray, Predictions]:
    """Truth drawn from calibrated probabilities, and answers that are as sure, or ``sharpness`` times as sure."""
    true = 1 / (1 + np.exp(-logits))
    truth = np.where(GENERATOR.random(len(logits)) < true, "good", "bad").astype(object)
    said = 1 / (1 + np.exp(-sharpness * logits))
    value = np.where(said > 0.5, "good", "bad").astype(object)
    return truth, Predictions(value, said, np.column_stack([1 - said, said]), CLASSES, "good")


def test_the_estimate_meets_what_the_labels_say_also_where_the_inputs_moved() -> None:
    for centre, spread in ((0.0, 3.0), (0.5, 0.7)):
        truth, predictions = answers(GENERATOR.normal(centre, spread, 2000))
        found, real = (
            estimated(metrics_for("classification"), predictions),
            evaluate(metrics_for("classification"), truth, predictions),
        )
        for name in ("accuracy", "roc_auc", "f1", "recall", "precision"):
            assert found[name].value == pytest.approx(real[name], abs=0.04), name
            assert found[name].low < found[name].value < found[name].high


def test_calibrated_probabilities_have_a_small_error_and_boasting_ones_a_large_one() -> None:
    logits = GENERATOR.normal(0, 1.5, 4000)
    sound, boasting = (calibration_error(*answers(logits, sharpness)) for sharpness in (1.0, 4.0))
    assert sound is not None
    assert boasting is not None
    assert sound < 0.03 < 0.1 < boasting


def test_without_probabilities_or_rows_there_is_neither() -> None:
    plain = Predictions(np.array(["bad"] * 50, dtype=object), classes=CLASSES)
    assert (estimated(metrics_for("classification"), plain), calibration_error(plain.value, plain)) == ({}, None)
    truth, few = answers(GENERATOR.normal(size=10))
    assert calibration_error(truth, few) is None


def test_three_classes_are_estimated_by_their_confusion() -> None:
    chances = GENERATOR.dirichlet([1, 1, 1], 3000)
    truth = np.array([GENERATOR.choice(3, p=one) for one in chances])
    predictions = Predictions(chances.argmax(axis=1), None, chances, (0, 1, 2))
    found = estimated(metrics_for("classification", 3), predictions)
    assert found["f1_macro"].value == pytest.approx(
        evaluate(metrics_for("classification", 3), truth, predictions)["f1_macro"], abs=0.04
    )
    assert (calibration_error(truth, predictions) or 1) < 0.04

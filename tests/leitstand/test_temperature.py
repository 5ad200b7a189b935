import numpy as np
import pandas as pd
import pytest
from builders import parts, project
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.naive_bayes import GaussianNB

from leitstand.dataset import make_dataset, training_and_holdout
from leitstand.metrics import metrics_for
from leitstand.model import TrainedModel, tempered
from leitstand.prediction import Predictions
from leitstand.temperature import fitted_temperature
from leitstand.training import train

METRICS = metrics_for("classification", 3)
CLASSES = ("a", "b", "c")


def drawn(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """True probabilities of three classes, and what came of them."""
    generator = np.random.default_rng(seed)
    chances = generator.dirichlet([1, 1, 1], rows)
    truth = (generator.random((rows, 1)) > chances.cumsum(axis=1)).sum(axis=1)
    return chances, np.asarray(CLASSES, dtype=object)[truth]


def answered(probabilities: np.ndarray) -> Predictions:
    value = np.asarray(CLASSES, dtype=object)[probabilities.argmax(axis=1)]
    return Predictions(value, probabilities=probabilities, classes=CLASSES)


@given(arrays(float, (4, 3), elements=st.floats(0, 1)), st.floats(0.05, 20))
def test_the_order_stays_and_rows_add_up_to_one(weights: np.ndarray, temperature: float) -> None:
    weights[:, 0] += 0.01
    probabilities = weights / weights.sum(axis=1, keepdims=True)
    found = tempered(probabilities, temperature)
    assert found.sum(axis=1) == pytest.approx(1)
    assert np.array_equal(found.max(axis=1), found[np.arange(4), probabilities.argmax(axis=1)])
    for before, after in zip(probabilities, found, strict=True):
        assert np.all(np.diff(after[np.argsort(before, kind="stable")]) >= 0)
    assert tempered(probabilities, 1.0) == pytest.approx(probabilities, abs=1e-12)
    assert tempered(probabilities, None) is probabilities


@pytest.mark.parametrize("wrong", [0.4, 2.5])
def test_what_made_the_probabilities_wrong_is_found(wrong: float) -> None:
    chances, truth = drawn(4000)
    found = fitted_temperature(METRICS, truth, answered(tempered(chances, wrong)), blocks=False)
    assert found == pytest.approx(1 / wrong, rel=0.1)
    assert tempered(tempered(chances, wrong), found) == pytest.approx(chances, abs=0.05)


def test_what_is_wrong_about_a_rare_class_is_found() -> None:
    generator = np.random.default_rng(0)
    logit = generator.normal(-4.6, 1.5, 3000)
    truth = np.where(generator.random(3000) < 1 / (1 + np.exp(-logit)), "bad", "ok").astype(object)
    said = 1 / (1 + np.exp(-2 * logit))
    given = np.c_[said, 1 - said]
    answers = Predictions(np.where(said > 0.5, "bad", "ok").astype(object), said, given, ("bad", "ok"), "bad")
    assert (truth == "bad").mean() < 0.05
    found = fitted_temperature(metrics_for("classification", 2), truth, answers, blocks=False)
    assert found == pytest.approx(2, rel=0.1)


def test_probabilities_that_are_right_are_left_alone() -> None:
    chances, truth = drawn(4000, seed=1)
    assert fitted_temperature(METRICS, truth, answered(chances), blocks=False) is None


def test_certainty_cannot_be_unlearned_and_breaks_nothing() -> None:
    chances, truth = drawn(500)
    sure = np.eye(3)[chances.argmax(axis=1)]
    assert fitted_temperature(METRICS, truth, answered(sure), blocks=False) is None


COPIES = 6  # of the same two columns, each of which naive Bayes takes for news: far too sure, and never certain


def test_scikit_learn_finds_nearly_the_same_temperature() -> None:
    frame = parts(3000)
    inputs, truth = np.tile(frame[["pressure", "temperature"]], COPIES), frame["quality"].to_numpy(dtype=object)
    sure = GaussianNB().fit(inputs[:1000], truth[:1000])
    theirs = CalibratedClassifierCV(FrozenEstimator(sure), method="temperature").fit(inputs[1000:], truth[1000:])
    given = sure.predict_proba(inputs[1000:])
    answers = Predictions(sure.predict(inputs[1000:]), given[:, 0], given, ("bad", "good"), "bad")
    found = fitted_temperature(metrics_for("classification", 2), truth[1000:], answers, blocks=False)
    assert found is not None
    assert tempered(given, found) == pytest.approx(theirs.predict_proba(inputs[1000:]), abs=0.03)  # it goes by the log loss


@pytest.mark.parametrize("candidates", [1, 2])
def test_an_overconfident_model_is_calibrated_and_answers_as_before(candidates: int) -> None:
    frame = parts(1500)
    names = [f"{name}{i}" for i in range(COPIES) for name in ("pressure", "temperature")]
    functions = {
        "features": lambda frame, parameters: pd.DataFrame(np.tile(frame[["pressure", "temperature"]], COPIES), columns=names),
        "candidates": lambda features, parameters: {f"bayes{i}": GaussianNB() for i in range(candidates)},
    }
    part, held = training_and_holdout(make_dataset(project(frame, functions), frame))
    model = train(part, "v", synthetic=False).model
    assert model.card.temperature is not None
    assert model.card.temperature > 1
    plain = TrainedModel(model.estimator, model.card.model_copy(update={"temperature": None}))
    after, before = model.answer(held.features), plain.answer(held.features)
    assert np.array_equal(after.value, before.value)
    figures = metrics_for("classification", 2)
    for name in ("brier_score", "log_loss", "calibration_error"):
        assert figures[name](held.target, after) < figures[name](held.target, before), name
    assert figures["roc_auc"](held.target, after) == pytest.approx(figures["roc_auc"](held.target, before), abs=1e-9)


def test_who_wants_no_calibration_gets_none() -> None:
    frame = parts(600)
    dataset = make_dataset(project(frame, training={"calibrate": False}), frame)
    assert train(training_and_holdout(dataset)[0], "v", synthetic=False).model.card.temperature is None

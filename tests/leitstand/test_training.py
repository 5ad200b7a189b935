import numpy as np
import pytest
from builders import parts, project
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression

from leitstand.dataset import make_dataset, training_and_holdout
from leitstand.errors import ProjectError, UnknownName
from leitstand.training import conformal_quantile, learning_curve, train


def numbers_only(frame: object, _: object) -> object:
    return frame[["pressure", "temperature"]]  # type: ignore[index]


def test_the_better_candidate_is_chosen() -> None:
    functions = {
        "features": numbers_only,
        "candidates": lambda features, parameters: {"guess": DummyClassifier(), "line": LogisticRegression()},
    }
    dataset = make_dataset(project(parts(300), functions), parts(300))
    training = train(training_and_holdout(dataset)[0], "v", synthetic=False)
    assert training.model.card.candidate == "line"
    assert {score.name for score in training.candidates} == {"guess", "line"}


def test_a_flexible_candidate_has_to_be_certainly_better_than_a_simple_one() -> None:
    functions = {
        "features": numbers_only,
        "candidates": lambda features, parameters: {
            "line": LogisticRegression(),
            "same_line_again": LogisticRegression(C=1.05),
        },
    }
    dataset = make_dataset(project(parts(300), functions), parts(300))
    assert train(training_and_holdout(dataset)[0], "v", synthetic=False).model.card.candidate == "line"


def test_the_same_data_train_the_same_model() -> None:
    dataset = make_dataset(project(parts(300)), parts(300))
    part, held = training_and_holdout(dataset)
    one, other = train(part, "v", synthetic=False), train(part, "v", synthetic=False)
    assert np.array_equal(one.model.answer(held.features).score, other.model.answer(held.features).score)


def test_the_interval_covers_new_rows_as_promised() -> None:
    generator = np.random.default_rng(1)
    frame = parts(3000).drop(columns="quality")
    frame["quality"] = frame["pressure"] + generator.normal(0, 2, 3000)
    functions = {"features": numbers_only, "candidates": lambda features, parameters: {"line": LinearRegression()}}
    dataset = make_dataset(project(frame, functions, task="regression", training={"confidence": 0.8}), frame)
    part, held = training_and_holdout(dataset)
    answers = train(part, "v", synthetic=False).model.answer(held.features)
    assert answers.lower is not None
    assert answers.upper is not None
    covered = np.mean((held.target >= answers.lower) & (held.target <= answers.upper))
    assert covered == pytest.approx(0.8, abs=0.04)


def test_a_detector_never_sees_an_anomaly_and_keeps_its_false_alarm_rate() -> None:
    frame = parts(2000)
    changes = {"task": "anomaly", "data": {"normal": "good"}, "training": {"max_false_alarm_rate": 0.1}}
    dataset = make_dataset(project(frame, {"features": numbers_only}, **changes), frame)
    part, held = training_and_holdout(dataset)
    answers = train(part, "v", synthetic=False).model.answer(held.features)
    assert np.mean(answers.value[~held.target]) == pytest.approx(0.1, abs=0.05)
    assert np.mean(answers.value[held.target]) > np.mean(answers.value[~held.target])


def test_the_conformal_quantile_is_corrected_for_small_samples() -> None:
    assert conformal_quantile(np.arange(1.0, 11.0), 0.9) == 10.0
    assert conformal_quantile(np.arange(1.0, 101.0), 0.9) == 91.0


def test_the_learning_curve_says_that_more_data_help_when_they_do() -> None:
    dataset = make_dataset(project(parts(2000), {"features": numbers_only}), parts(2000))
    part, _ = training_and_holdout(dataset)
    curve = learning_curve(part, train(part, "v", synthetic=False))
    assert curve is not None
    assert list(curve.rows) == sorted(curve.rows)
    assert len(curve.values) == len(curve.rows)


def test_a_candidate_that_cannot_learn_is_named() -> None:
    functions = {"candidates": lambda features, parameters: {"line": LogisticRegression()}}  # takes no texts
    dataset = make_dataset(project(parts(), functions), parts())
    with pytest.raises(ProjectError, match="candidate 'line' of project parts could not be trained"):
        train(dataset, "v", synthetic=False)


def test_an_unknown_metric_is_named() -> None:
    dataset = make_dataset(project(parts(), training={"metric": "acuracy"}), parts())
    with pytest.raises(UnknownName, match="Did you mean: accuracy"):
        train(dataset, "v", synthetic=False)


def test_an_unknown_positive_class_is_named() -> None:
    dataset = make_dataset(project(parts(), data={"positive": "bat"}), parts())
    with pytest.raises(UnknownName, match="Did you mean: bad"):
        train(dataset, "v", synthetic=False)

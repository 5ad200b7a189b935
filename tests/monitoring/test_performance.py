import dataclasses
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from leitstand.project import Project
from leitstand.spec import Criterion
from monitoring.performance import performance

GENERATOR = np.random.default_rng(3)


def scored(rows: int, hit_rate: float) -> pd.DataFrame:
    good = GENERATOR.random(rows) < 0.6
    said = np.where(GENERATOR.random(rows) < hit_rate, good, ~good)
    score = np.where(said, 0.8, 0.2) + GENERATOR.uniform(-0.1, 0.1, rows)
    names = np.array(["bad", "good"], dtype=object)
    return pd.DataFrame(
        {
            "prediction": names[said.astype(int)],
            "score": score,
            "probability_bad": 1 - score,
            "probability_good": score,
            "label": names[good.astype(int)],
        }
    )


def test_classes_are_judged_as_on_the_holdout(plant: Callable[..., Project]) -> None:
    window = scored(200, 0.9)

    found = performance(plant("classification", positive="good"), window, {"roc_auc": 0.95})

    truth = window["label"] == "good"
    assert found.metrics["accuracy"] == pytest.approx(accuracy_score(window["label"], window["prediction"]))
    assert found.metrics["roc_auc"] == pytest.approx(roc_auc_score(truth, window["score"]))
    assert found.metrics["f1"] == pytest.approx(f1_score(truth, window["prediction"] == "good"))


def test_the_score_tells_which_class_matters_where_the_project_does_not(plant: Callable[..., Project]) -> None:
    window = scored(200, 0.9)
    window["score"] = window["probability_bad"]

    found = performance(plant("classification"), window, {"roc_auc": 0.95})

    assert found.metrics["recall"] == pytest.approx((window.loc[window["label"] == "bad", "prediction"] == "bad").mean())
    assert found.metrics["roc_auc"] > 0.8


def test_few_unlucky_labels_are_no_drop(plant: Callable[..., Project]) -> None:
    project = plant("classification", positive="good")
    truth = np.array(["good", "bad"] * 20, dtype=object)
    said = truth.copy()
    said[:3] = "bad", "good", "bad"

    found = performance(project, pd.DataFrame({"prediction": said, "label": truth}), {"accuracy": 0.98})

    assert found.metrics["accuracy"] == pytest.approx(0.925)  # 0.055 below, tolerated are 0.05
    assert found.drop is False


def test_many_wrong_answers_are_a_drop(plant: Callable[..., Project]) -> None:
    assert performance(plant("classification", positive="good"), scored(200, 0.6), {"roc_auc": 0.95}).drop is True


def test_too_few_labels_give_no_verdict(plant: Callable[..., Project]) -> None:
    found = performance(plant("classification", positive="good"), scored(29, 0.0), {"roc_auc": 0.95})

    assert (found.rows, found.drop) == (29, None)


def test_classes_that_this_window_lacks_are_known_from_the_probabilities(plant: Callable[..., Project]) -> None:
    window = scored(100, 1.0).query("label == 'good'")

    found = performance(plant("classification", positive="good"), window, {"recall": 0.9})

    assert found.metrics["recall"] == 1


@pytest.mark.parametrize("truth", [["normal", "worn"], [False, True]])
def test_anomalies_may_be_fed_back_as_state_or_as_alarm(plant: Callable[..., Project], truth: list[object]) -> None:
    window = pd.DataFrame({"prediction": [False, True] * 20, "score": [0.1, 0.9] * 20, "label": truth * 20})

    found = performance(plant("anomaly", normal="normal"), window, {"roc_auc": 1.0})

    assert found.metrics["recall"] == 1
    assert found.metrics["roc_auc"] == 1
    assert found.drop is False


def test_the_tolerance_of_an_error_is_a_share_of_it(plant: Callable[..., Project]) -> None:
    window = pd.DataFrame({"prediction": [100.0] * 50, "label": [110.0] * 50})

    assert performance(plant("regression"), window, {"mae": 9.9}).drop is False
    assert performance(plant("regression"), window, {"mae": 9.0}).drop is True


def test_labels_of_another_type_are_left_out_and_named(plant: Callable[..., Project]) -> None:
    window = pd.DataFrame({"prediction": [1.0] * 40, "label": [1.0] * 35 + ["broken"] * 5})

    found = performance(plant("regression"), window, {"mae": 0.1})

    assert (found.rows, found.metrics["mae"]) == (35, 0)
    assert found.fault is not None
    assert (found.fault.rows, found.fault.examples) == (5, ("broken",))


def test_a_window_without_labels_has_no_performance(plant: Callable[..., Project]) -> None:
    found = performance(plant("regression"), pd.DataFrame({"prediction": [1.0]}), {"mae": 0.1})

    assert (found.rows, found.metrics, found.drop) == (0, {}, None)


def test_an_offset_that_leaves_the_order_as_it_was_is_a_drop_of_the_answers(plant: Callable[..., Project]) -> None:
    window = scored(300, 0.9)
    window["score"] = 0.5 + window["score"] / 2  # every answer is "good" now; the order of the scores tells as much as before
    window["prediction"] = "good"
    window["probability_good"], window["probability_bad"] = window["score"], 1 - window["score"]
    before = {"roc_auc": roc_auc_score(window["label"] == "good", window["score"]), "accuracy": 0.9}
    found = performance(plant("classification", positive="good"), window, before)
    assert (found.drop, found.metric) == (True, "accuracy")
    assert found.interval is not None
    assert found.interval.value == pytest.approx(0.6, abs=0.08)


def test_goals_of_the_project_are_watched_too(plant: Callable[..., Project]) -> None:
    truth = np.arange(1.0, 101.0)
    window = pd.DataFrame({"prediction": truth + np.where(np.arange(100) % 10 == 0, 9.0, 0.0), "label": truth})
    project = plant("regression")
    goal = project.spec.model_copy(update={"success": (Criterion(metric="rmse", at_most=2),)})
    found = performance(dataclasses.replace(project, spec=goal), window, {"mae": 0.9, "rmse": 1.0})
    assert (found.drop, found.metric) == (True, "rmse")
    assert performance(project, window, {"mae": 0.9, "rmse": 1.0}).drop is False


def test_two_missed_of_a_rare_class_are_no_drop(plant: Callable[..., Project]) -> None:
    truth = np.array(["bad"] * 2 + ["good"] * 298, dtype=object)
    said = np.full(300, "good", dtype=object)
    found = performance(
        plant("classification", positive="bad"),
        pd.DataFrame({"prediction": said, "label": truth}),
        {"accuracy": 0.99, "recall": 0.9},
    )
    assert (found.drop, found.metric) == (False, "accuracy")

from collections.abc import Callable

import numpy as np
import pytest

from leitstand.prediction import Predictions
from tests.projects.conftest import Case, shipped

CLASSES = ("benign", "malignant")


@pytest.fixture
def cells(case: Callable[[str], Case]) -> Case:
    return case("cell_diagnostics")


def answers(*malignant: float) -> Predictions:
    score = np.asarray(malignant)
    value = np.where(score > 0.5, "malignant", "benign").astype(object)
    return Predictions(value, score, np.column_stack([1 - score, score]), CLASSES, "malignant")


def test_the_data_are_the_569_real_samples(cells):
    assert not cells.project.sample().SYNTHETIC
    assert cells.frame["diagnosis"].value_counts().to_dict() == {"benign": 357, "malignant": 212}
    assert cells.frame["sample_id"].is_unique


def test_recall_of_malignant_samples_is_far_above_the_rule_of_thumb(cells):
    assert cells.judgement.metrics["recall"].value >= 0.9
    assert cells.judgement.baseline_metrics["recall"] < 0.8


def test_the_sample_number_is_not_learned_from(cells):
    assert "sample_id" not in cells.training.model.card.feature_names
    assert "sample_id" not in cells.project.input_contract.names


def test_larger_and_rougher_nuclei_are_more_suspicious(cells):
    typical = cells.frame[cells.frame["diagnosis"] == "benign"].drop(columns="diagnosis").median(numeric_only=True).to_frame().T
    grown = typical.copy()
    worst = ["worst_radius", "worst_texture", "worst_concave_points", "worst_area", "worst_concavity"]
    grown[worst] = cells.frame.loc[cells.frame["diagnosis"] == "malignant", worst].median().to_numpy()
    scores = [cells.training.model.predict(cells.project, frame).score[0] for frame in (typical, grown)]
    assert scores[0] < 0.05
    assert scores[1] > scores[0] + 0.2


def test_rounding_of_the_instrument_does_not_change_the_answer(cells):
    frame = cells.holdout.frame
    rounded = frame.round(4)
    exact, coarse = (cells.training.model.predict(cells.project, each).score for each in (frame, rounded))
    assert np.abs(exact - coarse).max() < 0.02


def test_the_clearest_case_of_each_class_is_recognised(cells):
    frame = cells.frame.sort_values("worst_perimeter").iloc[[0, -1]]
    assert cells.training.model.predict(cells.project, frame).value.tolist() == ["benign", "malignant"]


def test_the_rule_of_thumb_looks_at_the_size_alone(cells):
    said = cells.project.baseline(cells.frame)
    assert (said == "malignant").tolist() == (cells.frame["mean_radius"] > 15).tolist()
    relabelled = cells.frame.assign(diagnosis="benign")
    assert cells.project.baseline(relabelled).tolist() == said.tolist()


def test_without_the_size_there_is_no_rule_of_thumb(cells):
    assert cells.project.baseline(cells.frame.drop(columns="mean_radius")) is None


def test_an_unsure_answer_goes_to_a_person_first():
    project = shipped("cell_diagnostics")
    advice = project.advise(None, answers(0.02, 0.4, 0.7, 0.97))
    assert [each["action"] for each in advice] == ["routine", "decide", "decide", "confirm"]
    assert [each["priority"] for each in advice] == [3, 1, 1, 2]
    assert advice[2]["confidence"] == pytest.approx(0.7)

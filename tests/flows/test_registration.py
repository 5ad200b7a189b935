"""The very same model is registered once, however often it is trained."""

from dataclasses import replace

import numpy as np
import pytest
from workshop import Workshop, parts

from flows.registration import answers_alike
from leitstand.prediction import Predictions

CLASSES = Predictions(
    value=np.array(["bad", "good"], dtype=object),
    score=np.array([0.7, 0.2]),
    probabilities=np.array([[0.7, 0.3], [0.2, 0.8]]),
    classes=("bad", "good"),
    positive="bad",
)
NUMBERS = Predictions(value=np.array([1.0, 2.0]), lower=np.array([0.5, 1.5]), upper=np.array([1.5, 2.5]))


@pytest.fixture
def newer(own_parts: Workshop) -> Workshop:
    """Version 1 in charge, version 2 trained on newer data and in nobody's charge."""
    file = own_parts.table("parts.csv", parts(300, seed=3))
    assert own_parts.done("train", "parts", "--data", file, "--json").document["model"]["version"] == 2
    return own_parts


def versions(workshop: Workshop) -> list[tuple[int, str | None]]:
    return [(number, alias) for number, alias, _ in workshop.state("parts")["versions"]]


@pytest.mark.slow
def test_the_same_model_on_the_same_data_is_no_further_version(newer: Workshop) -> None:
    told = newer.done("train", "parts", "--json").document
    assert (told["model"]["version"], told["model"]["alias"]) == (2, None)
    assert told["milestones"][3]["evidence"]["unchanged"] is False, "the champion is another model"
    assert any(gate["name"] == "champion" for gate in told["gates"])
    promoted = newer.done("run", "parts", "--no-service", "--json").document
    assert (promoted["model"]["version"], promoted["model"]["alias"]) == (2, "champion")
    again = newer.done("run", "parts", "--no-service", "--json").document
    assert again["milestones"][3]["evidence"]["unchanged"] is True
    assert versions(newer) == [(1, None), (2, "champion")]


@pytest.mark.slow
def test_another_model_on_the_same_data_is_a_new_version(newer: Workshop) -> None:
    model = newer.work / "projects" / "parts" / "model.py"
    model.write_text(model.read_text(encoding="utf-8").replace("max_iter=2000", "max_iter=2000, C=0.5"), encoding="utf-8")
    assert newer.done("train", "parts", "--json").document["model"]["version"] == 3


@pytest.mark.slow
def test_a_version_whose_files_were_changed_is_not_taken_for_the_same(newer: Workshop) -> None:
    newest = max((newer.home / "artifacts").rglob("model.skops"), key=lambda file: file.stat().st_mtime)
    newest.write_bytes(newest.read_bytes()[:-1] + b"x")
    assert newer.done("train", "parts", "--json").document["model"]["version"] == 3


@pytest.mark.parametrize("answers", [CLASSES, NUMBERS], ids=["classes", "numbers"])
def test_equal_answers_are_alike_down_to_rounding(answers: Predictions) -> None:
    rounded = replace(answers, score=None if answers.score is None else answers.score * (1 + 1e-12))
    assert answers_alike(answers, rounded)
    assert not answers_alike(None, answers)


@pytest.mark.parametrize(
    ("answers", "changes"),
    [
        (CLASSES, {"value": np.array(["bad", "bad"], dtype=object)}),
        (CLASSES, {"score": np.array([0.7, 0.2001])}),
        (CLASSES, {"probabilities": np.array([[0.7, 0.3], [0.2, 0.7]])}),
        (CLASSES, {"classes": ("bad", "fine")}),
        (NUMBERS, {"value": np.array([1.0, 2.0001])}),
        (NUMBERS, {"lower": np.array([0.4, 1.5])}),
        (NUMBERS, {"upper": None}),
    ],
)
def test_any_other_answer_is_not_alike(answers: Predictions, changes: dict[str, object]) -> None:
    assert not answers_alike(answers, replace(answers, **changes))  # type: ignore[arg-type]

"""``leitstand review``: doubtful answers in a log without a model."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from workshop import Workshop, parts

from infra.prediction_log import LoggedPrediction, PredictionLog
from infra.settings import load_settings

TODAY = datetime.now(UTC)
OUTSIDE, UNSURE, FALLBACK = "outside_training_range:pressure", "below_confidence_floor", "fallback_used"


def plant_of(folder: Path, target: str, task: str, environment: dict[str, str] | None = None) -> Workshop:
    workshop = Workshop(folder, {"LEITSTAND_LANGUAGE": "en", **(environment or {})})
    file = workshop.table("parts.csv", parts())
    workshop.done("new", "parts", "--data", file, "--target", target, "--task", task)
    return workshop


@pytest.fixture
def plant(tmp_path: Path) -> Workshop:
    return plant_of(tmp_path, "quality", "classification")


def log_of(workshop: Workshop) -> PredictionLog:
    url = workshop.environment.get("LEITSTAND_DATABASE_URL")
    return PredictionLog(load_settings(home=workshop.home, database_url=url).database("predictions"))


def filled(workshop: Workshop, prediction: Any = "good", answers: int = 5) -> list[str]:
    """Log sure answers and three doubtful ones, the shadow's among them; return the ids of those that were given out, oldest first."""
    flags = [(OUTSIDE, UNSURE), (UNSURE,), (FALLBACK,)]
    rows = [
        LoggedPrediction({"pressure": 80.0 + i}, prediction, flags=flags[i], time=TODAY - timedelta(hours=9 - i))
        for i in range(3)
    ]
    silent = LoggedPrediction({"pressure": 1.0}, prediction, flags=(OUTSIDE,), role="shadow", paired_id=rows[0].id)
    sure = [LoggedPrediction({"pressure": 50.0}, prediction) for _ in range(answers)]
    log = log_of(workshop)
    log.write("parts", 1, [*rows, silent, *sure])
    log.close()
    return [row.id for row in rows]


def ids(workshop: Workshop, *options: str) -> list[str]:
    return [one["id"] for one in workshop.done("review", "parts", *options, "--json").document["answers"]]


def test_only_flagged_answers_that_were_given_out_are_listed_newest_first(plant: Workshop) -> None:
    assert "No answer waits for a person." in plant.done("review", "parts").told
    first, second, third = filled(plant)
    assert ids(plant) == [third, second, first]
    assert ids(plant, "--flag", "below_confidence_floor") == [second, first]
    assert ids(plant, "--flag", "outside_training_range") == [first]
    assert ids(plant, "--limit", "1") == [third]
    shown = plant.done("review", "parts", "--limit", "3", "--language", "de").told
    for said in (
        f"{third} ",
        "quality: good",
        "zweifelhaft, weil: pressure außerhalb des Trainingsbereichs",
        "Eingaben: pressure 80",
    ):
        assert said in shown
    assert "Nur die neuesten 3" in shown


def test_on_postgresql_the_flags_are_found_too(tmp_path: Path, postgresql_url: str) -> None:
    plant = plant_of(tmp_path, "quality", "classification", {"LEITSTAND_DATABASE_URL": postgresql_url})
    first, second, third = filled(plant)
    assert ids(plant) == [third, second, first]
    assert ids(plant, "--flag", "fallback_used") == [third]


def test_a_verdict_becomes_the_label_with_its_source_and_takes_the_answer_off_the_list(plant: Workshop) -> None:
    first, second, third = filled(plant)
    corrected = plant.done("review", "parts", first, "--truth", "bad", "--json").document
    assert (corrected["label"], corrected["labelled"], corrected["verdict"]) == ("bad", True, "corrected")
    assert plant.done("review", "parts", second, "--ok", "--json").document["label"] == "good"
    assert ids(plant) == [third]
    assert ids(plant, "--all") == [third, second, first]

    log = log_of(plant)
    with log.database.reading() as connection:
        sources = list(connection.exec_driver_sql("SELECT source FROM leitstand_labels"))
    log.close()
    assert {source.partition(":")[0] for (source,) in sources} == {"review"}


def test_what_the_laboratory_labelled_waits_for_nobody(plant: Workshop) -> None:
    first, second, third = filled(plant)
    log = log_of(plant)
    log.label("parts", {second: "bad"}, source="laboratory")
    log.close()
    assert ids(plant) == [third, first]


def test_a_number_that_is_good_enough_is_seen_and_gets_no_label(tmp_path: Path) -> None:
    plant = plant_of(tmp_path, "hardness", "regression")
    first, second, third = filled(plant, prediction=81.5)
    assert "was looked at. It has no label" in plant.done("review", "parts", first, "--ok").told
    assert plant.done("review", "parts", second, "--truth", "83,25", "--json").document["label"] == 83.25
    assert ids(plant) == [third]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("x", "--truth", "bad"), "There is no prediction id 'x'"),
        (("--ok",), "name the id of the answer and exactly one of --truth VALUE and --ok"),
        (("x",), "exactly one of"),
        (("x", "--ok", "--truth", "bad"), "exactly one of"),
        (("--flag", "below_floor"), "There is no flag 'below_floor'. Did you mean: below_confidence_floor?"),
    ],
)
def test_wrong_usage_is_said(plant: Workshop, arguments: tuple[str, ...], match: str) -> None:
    made = plant("review", "parts", *arguments)
    assert made.code == 2
    assert match in made.told


def test_a_truth_that_the_contract_does_not_know_is_refused_and_nothing_is_kept(tmp_path: Path) -> None:
    plant = plant_of(tmp_path, "hardness", "regression")
    first = filled(plant, prediction=81.5)[0]
    made = plant("review", "parts", first, "--truth", "hard")
    assert (made.code, "'hard' cannot be the truth of 'hardness'. Expected: number." in made.told) == (2, True)
    assert first in ids(plant)

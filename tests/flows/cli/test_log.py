"""``leitstand log``: what is kept about predictions, and for how long; on a project and a log without a model."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from workshop import Workshop, parts

from data_contracts.odcs import read_contract, write_contract
from infra.audit import open_audit
from infra.prediction_log import LoggedPrediction, PredictionLog
from infra.pseudonyms import pseudonymiser
from infra.settings import load_settings

TODAY = datetime.now(UTC)


@pytest.fixture
def plant(tmp_path: Path) -> Workshop:
    """The project ``parts`` with an operator's name and number in it; the name is logged under a pseudonym."""
    workshop = Workshop(tmp_path, {"LEITSTAND_LANGUAGE": "en"})
    operators = [f"Erika Muster{number % 7}" for number in range(240)]
    file = workshop.table("parts.csv", parts().assign(operator=operators, number=[number % 7 for number in range(240)]))
    workshop.done("new", "parts", "--data", file, "--target", "quality", "--task", "classification")
    path = workshop.work / "data_contracts" / "parts.odcs.yaml"
    contract = read_contract(path)
    personal = {"operator": "personal", "number": "personal"}
    columns = [one.model_copy(update={"personal_data": personal.get(one.name, "none")}) for one in contract.columns]
    write_contract(contract.model_copy(update={"columns": tuple(columns)}), path)
    return workshop


def log_of(workshop: Workshop) -> PredictionLog:
    return PredictionLog(load_settings(home=workshop.home, database_url=None).database("predictions"))


def filled(workshop: Workshop, *, old: int = 0) -> list[str]:
    """Log ten predictions from today, two of them about Erika Muster3, and some from 100 days ago; return the ids about her."""
    names = pseudonymiser(load_settings(home=workshop.home, database_url=None), ["operator"])
    rows = [
        LoggedPrediction(names.inputs({"operator": f"Erika Muster{i % 5}", "number": i % 5, "pressure": 50.0 + i}), "good")
        for i in range(10)
    ]
    past = [LoggedPrediction({"pressure": 1.0}, "good", time=TODAY - timedelta(days=100)) for _ in range(old)]
    log = log_of(workshop)
    log.write("parts", 1, rows + past)
    log.label("parts", {row.id: "bad" for row in rows}, source="lab")
    log.close()
    return [rows[3].id, rows[8].id]


def test_stats_tell_what_the_log_holds(plant: Workshop) -> None:
    assert plant.done("log", "stats", "parts", "--json").document["rows"] == 0
    filled(plant, old=4)
    told = plant.done("log", "stats", "parts", "--json").document
    assert (told["rows"], told["labels"], [one["model_version"] for one in told["versions"]]) == (14, 10, [1])
    assert datetime.fromisoformat(told["first"]) == TODAY - timedelta(days=100)
    assert told["bytes"] > 1000
    assert told["database_bytes"] > told["bytes"]
    shown = plant.done("log", "stats", "parts")
    assert "14 predictions, 10 labels; the log of all projects takes 0." in shown.told
    assert f"version 1 (champion): 14 predictions, {TODAY - timedelta(days=100):%Y-%m-%d %H:%M} to" in shown.told


def test_show_prints_all_about_one_person_as_json_lines(plant: Workshop) -> None:
    hers = filled(plant)
    made = plant.done("log", "show", "parts", "--column", "operator", "--value", "Erika Muster3")
    entries = [json.loads(line) for line in made.stdout.splitlines()]
    assert sorted(entry["id"] for entry in entries) == sorted(hers)
    assert {entry["inputs"]["number"] for entry in entries} == {3}
    assert entries[0]["inputs"]["operator"].startswith("p:")
    assert entries[0]["labels"][0]["value"] == "bad"
    assert datetime.fromisoformat(entries[0]["time"]) > TODAY - timedelta(minutes=5)
    assert "2 predictions with this value in 'operator'." in made.told
    by_number = plant.done("log", "show", "parts", "--column", "number", "--value", "3", "--json").document
    assert sorted(entry["id"] for entry in by_number["predictions"]) == sorted(hers)


def test_erase_deletes_one_person_and_notes_it_without_the_value(plant: Workshop) -> None:
    hers = filled(plant)
    about = ("--column", "operator", "--value", "Erika Muster3")
    refused = plant("log", "erase", "parts", *about)
    assert (refused.code, "2 predictions and their labels would be deleted for good" in refused.told) == (2, True)
    assert plant.done("log", "erase", "parts", *about, "--dry-run", "--json").document == {
        "project": "parts",
        "column": "operator",
        "rows": 2,
        "erased": False,
    }
    assert log_of(plant).count("parts") == 10
    made = plant.done("log", "erase", "parts", *about, "--yes")
    assert "2 predictions with this value in 'operator' erased" in made.told
    assert f"unfinished batches in {plant.home}/batches/parts/running" in made.told
    assert set(log_of(plant).read("parts")["id"]).isdisjoint(hers)
    assert log_of(plant).count("parts") == 8
    (act,) = open_audit(load_settings(home=plant.home, database_url=None)).read()
    assert (act.kind, act.subject, act.detail) == ("log_erased", "parts", {"column": "operator", "rows": 2})
    assert plant.done("log", "erase", "parts", *about, "--yes", "--json").document["rows"] == 0


def test_a_misspelt_column_never_looks_like_nobody_was_found(plant: Workshop) -> None:
    filled(plant)
    for command in ("show", "erase"):
        made = plant("log", command, "parts", "--column", "operatr", "--value", "Erika Muster3")
        assert (made.code, "Did you mean: operator" in made.told) == (2, True)


def test_a_column_that_the_contract_no_longer_has_is_still_found(plant: Workshop) -> None:
    log_of(plant).write("parts", 1, [LoggedPrediction({"badge": "B-7"}, "good")])
    assert plant.done("log", "erase", "parts", "--column", "badge", "--value", "B-7", "--yes", "--json").document["rows"] == 1


def test_the_log_of_a_project_that_was_removed_can_still_be_looked_after(plant: Workshop) -> None:
    log_of(plant).write("gone", 1, [LoggedPrediction({"customer": "4711"}, "good")])
    assert plant.done("log", "stats", "gone", "--json").document["rows"] == 1
    assert "sets no retention period" in plant("log", "prune", "gone").told
    assert plant.done("log", "erase", "gone", "--column", "customer", "--value", "4711", "--yes", "--json").document["rows"] == 1
    made = plant("log", "stats", "gone")
    assert (made.code, "gone" in made.told) == (2, True)
    assert plant("log", "stats", "../x").code == 2


def test_prune_keeps_as_many_days_as_the_project_says(plant: Workshop) -> None:
    filled(plant, old=4)
    unset = plant("log", "prune", "parts")
    assert (unset.code, "Give --days, or set serving.log_days in project.yaml" in unset.told) == (2, True)
    plant.edit("parts", serving={"log_days": 90})
    dry = plant.done("log", "prune", "parts", "--dry-run", "--json").document
    assert (dry["rows"], dry["deleted"]) == (4, False)
    assert plant.done("log", "prune", "parts", "--days", "101", "--json").document["rows"] == 0
    made = plant.done("log", "prune", "parts", "--language", "de")
    assert "4 Vorhersagen von vor" in made.told
    assert log_of(plant).count("parts") == 10
    (act,) = open_audit(load_settings(home=plant.home, database_url=None)).read()
    assert (act.kind, act.detail["rows"]) == ("log_erased", 4)
    assert plant("log", "prune", "parts", "--days", "0").code == 2


def test_bytes_that_a_reader_keeps_are_an_error(plant: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PredictionLog.__init__.__kwdefaults__, "wait_seconds", 0.3)
    filled(plant)
    log = log_of(plant)
    with log.database.reading() as reader:
        reader.exec_driver_sql("SELECT count(*) FROM leitstand_predictions").scalar()
        made = plant("log", "erase", "parts", "--column", "number", "--value", "3", "--yes")
    assert (made.code, "their bytes still stand in the database's write-ahead log" in made.told) == (1, True)
    assert log.count("parts") == 8
    assert plant.done("log", "erase", "parts", "--column", "number", "--value", "3", "--yes", "--json").document["rows"] == 0


def test_each_command_explains_itself_with_an_example(plant: Workshop) -> None:
    for command in ("stats", "show", "erase", "prune"):
        told = plant.done("log", command, "--help").stdout
        assert f"leitstand log {command}" in told
        assert "Example" in told
        assert "--json" in told

"""``leitstand roadmap value``: the months of a log without a model, with a clock that jumps."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import text
from workshop import Workshop, parts

from flows.value import book_value, promised_balance
from flows.workspace import Desk, open_project
from infra.history import History
from infra.ledger import Ledger
from infra.prediction_log import LoggedPrediction, PredictionLog
from infra.settings import Settings, load_settings
from leitstand import now
from leitstand.errors import StateError

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
BENEFIT = {
    "cases_per_year": 1200,
    "cost_per_error_eur": 50,
    "errors_today": 0.2,
    "expected_error": 0.1,
    "investment_eur": 700,
    "running_cost_eur_per_year": 600,
}


@dataclass
class Plant:
    workshop: Workshop
    clock: Path

    @property
    def settings(self) -> Settings:
        url = self.workshop.environment.get("LEITSTAND_DATABASE_URL")
        return load_settings(home=self.workshop.home, workspace=self.workshop.work, database_url=url)

    def at(self, time: datetime) -> None:
        now.set_clock(self.clock, time)

    def promoted(self, version: int = 1, **evidence: Any) -> None:
        history = History(self.settings.database("history"))
        history.append("parts", "promote", version, who="anna", why="better", evidence=evidence)
        history.close()

    def answers(self, month: int, count: int, version: int = 1, role: Any = "champion") -> list[str]:
        time = JANUARY.replace(month=month, day=15)
        rows = [LoggedPrediction({"pressure": 1.0}, "good", time=time, role=role) for _ in range(count)]
        log = PredictionLog(self.settings.database("predictions"))
        log.write("parts", version, rows)
        log.close()
        return [row.id for row in rows]

    def labels(self, ids: list[str], wrong: int) -> None:
        log = PredictionLog(self.settings.database("predictions"))
        log.label("parts", {id: "bad" if place < wrong else "good" for place, id in enumerate(ids)}, source="lab")
        log.close()

    def value(self, *options: object) -> Any:
        return self.workshop.done("roadmap", "value", "parts", "--json", *options).document

    def book(self) -> Any:
        return self.value("--book")


def plant_in(folder: Path, **environment: str) -> Plant:
    clock = folder / "clock"
    now.set_clock(clock, JANUARY)
    workshop = Workshop(folder, {"LEITSTAND_LANGUAGE": "en", "LEITSTAND_CLOCK": str(clock), **environment})
    file = workshop.table("parts.csv", parts())
    workshop.done("new", "parts", "--data", file, "--target", "quality", "--task", "classification")
    workshop.edit("parts", benefit=BENEFIT)
    now.follow(now.clock_in(clock))
    return Plant(workshop, clock)


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    yield plant_in(tmp_path)
    now.follow(None)


def test_closed_months_are_booked_once_and_the_running_one_is_not(plant: Plant) -> None:
    plant.promoted(measured={"error": 0.08, "missed": None, "false_alarm": None})
    plant.answers(1, 80)
    plant.answers(2, 50)
    plant.at(JANUARY.replace(month=2, day=20))
    assert plant.value()["periods"] == []

    booked = plant.book()

    assert [(one["period"], one["answers"], one["source"], one["error"]) for one in booked["periods"]] == [
        ("2026-01", 80, "promotion", 0.08)
    ]
    assert booked["periods"][0]["earned_eur"] == pytest.approx(80 * 50 * 0.12)
    assert booked["balance_eur"] == pytest.approx(480 - 50 - 700)
    assert booked["paid_back"] is None
    assert plant.book()["entries"] == booked["entries"]


def test_labels_that_come_late_give_a_correcting_entry_and_change_nothing_silently(plant: Plant) -> None:
    plant.promoted(measured={"error": 0.08})
    ids = plant.answers(1, 80)
    plant.at(JANUARY.replace(month=2))
    before = plant.book()["entries"]
    plant.labels(ids[:40], wrong=10)

    after = plant.book()

    assert after["entries"][:1] == before
    correction = after["entries"][1]
    assert (correction["kind"], correction["period"], correction["running_cost_eur"]) == ("correction", "2026-01", 0)
    assert correction["earned_eur"] == pytest.approx(80 * 50 * (0.2 - 0.25) - 80 * 50 * 0.12)
    line = after["periods"][0]
    assert (line["source"], line["error"], line["coverage"], line["corrections"]) == ("labels", 0.25, 0.5, 1)
    assert line["earned_eur"] == pytest.approx(-200)
    assert len(plant.book()["entries"]) == 2


def test_too_few_labels_do_not_stand_for_a_month(plant: Plant) -> None:
    plant.promoted(measured={"error": 0.08})
    plant.labels(plant.answers(1, 80)[:29], wrong=29)
    plant.at(JANUARY.replace(month=2))
    line = plant.book()["periods"][0]
    assert (line["source"], line["labelled"]) == ("promotion", 29)


def test_shadows_fallbacks_and_trials_of_the_service_earn_nothing_and_versions_count_by_their_answers(plant: Plant) -> None:
    plant.promoted(1, measured={"error": 0.1})
    plant.promoted(2, measured={"error": 0.02})
    plant.answers(1, 30, version=1)
    plant.answers(1, 10, version=2, role="canary")
    plant.answers(1, 500, version=3, role="shadow")
    plant.answers(1, 500, version=0, role="fallback")
    rehearsed = plant.answers(1, 500)
    log = PredictionLog(plant.settings.database("predictions"))
    log.note_rehearsal(rehearsed)
    log.close()
    plant.labels(rehearsed, wrong=500)
    plant.at(JANUARY.replace(month=2))
    line = plant.book()["periods"][0]
    assert (line["answers"], line["by_version"], line["error"]) == (40, {"1": 30, "2": 10}, pytest.approx(0.08))


def test_deleted_answers_and_new_assumptions_change_no_booked_month(plant: Plant) -> None:
    plant.promoted(measured={"error": 0.08})
    ids = plant.answers(1, 80)
    plant.at(JANUARY.replace(month=2))
    booked = plant.book()["periods"]
    plant.workshop.edit("parts", benefit={"cost_per_error_eur": 500})
    plant.labels(ids, wrong=0)
    assert plant.book()["periods"][0]["earned_eur"] == pytest.approx(80 * 50 * 0.2)
    plant.workshop.done("log", "prune", "parts", "--days", "1")
    plant.at(JANUARY.replace(month=3))
    after = plant.book()["periods"]
    assert [one["period"] for one in after] == ["2026-01", "2026-02"]
    assert (after[0]["answers"], booked[0]["answers"]) == (80, 80)


def test_the_pass_of_the_maintenance_loop_books_once_a_day(plant: Plant) -> None:
    plant.promoted(measured={"error": 0.08})
    ids = plant.answers(1, 80)
    plant.at(JANUARY.replace(month=2))
    desk = Desk(open_project("parts", plant.settings), plant.settings)
    assert [one.kind for one in book_value(desk)] == ["booking"]
    plant.labels(ids, wrong=0)
    assert book_value(desk) == []
    plant.at(JANUARY.replace(month=2) + timedelta(days=1))
    assert [one.kind for one in book_value(desk)] == ["correction"]


def test_a_project_without_business_case_or_model_books_nothing(plant: Plant) -> None:
    assert plant.book()["entries"] == []
    path = plant.workshop.work / "projects" / "parts" / "project.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    del content["benefit"]
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    plant.promoted()
    plant.at(JANUARY.replace(month=3))
    desk = Desk(open_project("parts", plant.settings), plant.settings)
    assert book_value(desk) == []
    made = plant.workshop("roadmap", "value", "parts")
    assert (made.code, "has no figures for a business case" in made.told) == (1, True)


def test_the_table_and_the_picture_tell_it_in_both_languages(plant: Plant, tmp_path: Path) -> None:
    plant.promoted(measured={"error": 0.08})
    for month in (1, 2, 3):
        plant.answers(month, 80)
    plant.at(JANUARY.replace(month=4))
    shown = plant.workshop.done("roadmap", "value", "parts", "--book", "--picture", tmp_path / "value.png", "--language", "de")
    assert "3 Einträge gebucht." in shown.told
    assert "Die Investition war Ende 2026-02 wieder hereingeholt." in shown.told
    assert (tmp_path / "value.png").read_bytes().startswith(b"\x89PNG")
    assert "paid" not in shown.told
    assert "3 entries, each as it was written." in plant.workshop.done("roadmap", "value", "parts", "--verify").told
    wrong = plant.workshop("roadmap", "value", "parts", "--picture", "value.doc")
    assert (wrong.code, "ends in .png or .svg" in wrong.told) == (2, True)


def test_the_promised_balance_grows_with_the_ramp_up(plant: Plant) -> None:
    plant.workshop.edit("parts", benefit={"ramp_up_months": 2})
    desk = Desk(open_project("parts", plant.settings), plant.settings)
    monthly = 100 * 50 * 0.1
    assert promised_balance(desk, 3) == pytest.approx([monthly / 4 - 50 - 700, monthly - 100 - 700, 2 * monthly - 150 - 700])


def test_a_changed_entry_is_found_on_postgresql_too(tmp_path: Path, postgresql_url: str) -> None:
    plant = plant_in(tmp_path, LEITSTAND_DATABASE_URL=postgresql_url)
    try:
        plant.promoted(measured={"error": 0.08})
        plant.labels(plant.answers(1, 80), wrong=8)
        plant.at(JANUARY.replace(month=3))
        assert [one["source"] for one in plant.book()["periods"]] == ["labels", "promise"]
        ledger = Ledger(plant.settings.database("history"))
        assert ledger.verify("parts") == 2
        with ledger._database.writing() as connection:
            content = json.loads(connection.scalar(text("SELECT content FROM leitstand_value WHERE number = 1")))
            connection.execute(
                text("UPDATE leitstand_value SET content = :content WHERE number = 1"),
                {"content": json.dumps(content | {"earned_eur": 1e6}, sort_keys=True)},
            )
        with pytest.raises(StateError, match="parts was changed from outside: entry 1 is not"):
            ledger.verify("parts")
        ledger.close()
        made = plant.workshop("roadmap", "value", "parts", "--verify")
        assert (made.code, "entry 1 is not as it was written" in made.told) == (1, True)
    finally:
        now.follow(None)

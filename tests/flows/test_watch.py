"""Looking at the champion time and again: windows that do not overlap, labels when they come, and what earlier passes said."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from workshop import Workshop, parts

from flows.watch import Looked, look, note_pass, past_of, require_champion
from flows.workspace import Desk, open_project
from infra.passes import Passes
from infra.prediction_log import LoggedPrediction, new_ids
from infra.settings import load_settings
from leitstand.basis import Basis
from leitstand.now import follow, now

pytestmark = pytest.mark.slow


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC) + timedelta(minutes=5)

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock()
    follow(clock)
    yield clock
    follow(None)


class Plant:
    """The small project in use: rows are answered, labels come, and somebody looks."""

    def __init__(self, workshop: Workshop, clock: Clock) -> None:
        settings = load_settings(home=workshop.home, workspace=workshop.work, database_url=None)
        self.desk, self.clock, self.seed = Desk(open_project("parts", settings), settings), clock, 100

    def answer(self, rows: int, shift: float = 0.0) -> list[str]:
        """Answer rows of the next hour and return their ids."""
        self.clock.time += timedelta(hours=1)
        self.seed += 1
        frame, ids = parts(rows, self.seed, shift), new_ids(rows)
        names = self.desk.project.input_contract.names
        given = frame[names].to_dict("records")
        told = frame["quality"].tolist()
        self.desk.log.write(
            "parts",
            1,
            [LoggedPrediction(inputs=row, prediction=said, id=id_) for row, said, id_ in zip(given, told, ids, strict=True)],
        )
        return ids

    def label(self, ids: list[str]) -> None:
        self.desk.log.label("parts", dict.fromkeys(ids, "good"), source="test")

    def look(self, acted: str = "none") -> Looked:
        looked = look.fn(self.desk)
        note_pass(self.desk, looked, acted)
        return looked


@pytest.fixture
def plant(own_parts: Workshop, clock: Clock) -> Plant:
    own_parts.edit("parts", maintenance={"on_drift": "ask"})
    return Plant(own_parts, clock)


def test_rows_that_were_counted_are_not_counted_again_and_two_windows_convince(plant: Plant) -> None:
    plant.answer(100)
    calm = plant.look()
    assert (calm.signals.rows, calm.decision.action) == (100, "nothing")

    empty = plant.look()
    assert (empty.signals.rows, empty.decision.action) == (0, "collect")

    plant.answer(30, shift=2.0)
    few = plant.look()
    assert (few.signals.rows, few.decision.action) == (30, "collect")

    plant.answer(70, shift=2.0)  # the thirty wait for more
    first = plant.look()
    assert (first.signals.rows, first.decision.action) == (100, "nothing")
    assert "that counts once 2 of 3 windows show it" in first.decision.render("en")

    plant.answer(100, shift=2.0)
    second = plant.look()
    assert (second.signals.rows, second.decision.action) == (100, "ask")
    assert {"pressure", "temperature"} <= set(second.signals.drifted)
    passes = Passes(plant.desk.settings.database("history"))
    assert [one.action for one in passes.latest("parts")] == ["ask", "nothing", "collect", "collect", "nothing"]
    assert passes.verify("parts") == 5
    passes.close()


def test_answers_to_a_trial_of_the_service_are_no_use(plant: Plant) -> None:
    ids = plant.answer(60)
    plant.label(ids)
    plant.desk.log.note_rehearsal(ids)
    plant.answer(10)
    found = plant.look().monitoring
    assert (found.window_rows, found.labelled_rows, found.labels.old_rows) == (10, 0, 10)


def test_a_promotion_by_hand_is_no_training(plant: Plant, own_parts: Workshop) -> None:
    own_parts.done("promote", "parts", "1", "--why", "confirmed")
    (made,) = [one.time for one in plant.desk.snapshots.provenance("parts")]
    champion, history = require_champion(plant.desk), plant.desk.registry.history("parts")
    follow(plant.clock)  # the command follows the machine's
    plant.clock.time += timedelta(hours=1)
    found = past_of(plant.desk, champion, [], history, Basis(), None)
    assert history[-1].time > made
    assert found.hours_since_training == pytest.approx((plant.clock.time - made).total_seconds() / 3600)


def test_after_a_pause_only_what_came_since_is_looked_at(plant: Plant, own_parts: Workshop) -> None:
    own_parts.edit("parts", monitoring={"window_hours": 24})
    busy = Plant(own_parts, plant.clock)
    busy.answer(60)
    history = busy.desk.registry
    history.pause("parts", who="test", why="sensor", evidence={})
    busy.clock.time += timedelta(hours=1)
    history.resume("parts", who="test", why="sensor")
    busy.answer(20)
    assert busy.look().signals.rows == 20


def test_labels_count_when_they_come_and_silence_is_told(plant: Plant) -> None:
    for _ in range(2):
        ids = plant.answer(60)
        plant.label(ids[:40])
        assert plant.look().signals.labels_late is False
    late = plant.answer(60)
    plant.clock.time += timedelta(minutes=1)
    silent = plant.look()
    assert (silent.signals.labels_late, silent.signals.performance_drop, silent.decision.action) == (True, None, "labels")
    assert "Labels are late: 0% of the predictions older than 0 hours have one, usual are 67%" in silent.monitoring.summary("en")

    plant.answer(60)
    plant.label(late)
    heard = plant.look()
    assert (heard.monitoring.labelled_rows, heard.signals.performance_drop is None) == (60, False)


def test_a_pass_that_trained_starts_the_cool_down(plant: Plant, own_parts: Workshop) -> None:
    own_parts.edit(
        "parts", maintenance={"on_drift": "retrain", "cooldown_hours": 24}, monitoring={"confirm_windows": 1, "of_windows": 1}
    )
    busy = Plant(own_parts, plant.clock)
    busy.clock.time += timedelta(hours=30)
    busy.answer(100, shift=2.0)
    assert busy.look("refused").decision.action == "retrain"
    busy.answer(100, shift=2.0)
    waiting = busy.look()
    assert (waiting.decision.action, [one.key for one in waiting.decision.reasons][1]) == ("labels", "cooldown")
    busy.clock.time += timedelta(hours=24)
    busy.answer(100, shift=2.0)
    refused = busy.look()  # the files are as they were
    assert [one.key for one in refused.decision.reasons][1] == "refused_before"
    assert now() == busy.clock.time


def test_what_the_passes_saw_is_listed_over_time(plant: Plant, own_parts: Workshop) -> None:
    assert "Nobody has looked yet" in own_parts.done("monitor", "parts", "--over-time").told
    plant.label(plant.answer(60))
    plant.look()
    told = own_parts.done("monitor", "parts", "--over-time", "--json").document["passes"]
    assert [(one["number"], one["figures"]["labelled_rows"], one["acted"]) for one in told] == [(1, 60, "none")]
    figures = told[0]["figures"]
    assert figures["metric_low"] <= figures["metrics"][figures["metric"]] <= figures["metric_high"]
    shown = own_parts.done("monitor", "parts", "--over-time", "--language", "de").told
    assert "Version 1, 60 Zeilen · 100 % mit Rückmeldung" in shown

"""The maintenance loop with the real parts: approval, trials, pauses, promotions taken back, poisoned labels, and passes that are killed."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
import yaml
from loop import AT_ONCE, TURNED, agree, desk_of, kinds, maintained, settings_of, standing, used
from sqlalchemy import text
from workshop import Workshop, parts

from flows.beside import gain, replayed
from flows.incidents import report_incident
from flows.newly_labelled import new_labelled_rows
from infra.audit import administrative_acts, verify_acts
from infra.passes import Passes
from infra.prediction_log import LoggedPrediction
from leitstand.incident import Statement

pytestmark = pytest.mark.slow


def test_a_challenger_waits_for_a_person_and_is_promoted_by_one(turned: Workshop) -> None:
    turned.edit("parts", maintenance={"promote": "approval"})
    told = maintained(turned)
    assert (told["acted"], told["champion"], told["challenger"]) == ("waiting", 1, 2), told["gates"]
    (waiting,) = turned.done("approvals", "--json").document
    assert (waiting["project"], waiting["version"], waiting["champion"]) == ("parts", 2, 1)
    assert waiting["evidence"]["gain_over_champion"]["low"] > 0
    assert {one["name"] for one in waiting["evidence"]["gate_results"]} >= {"champion", "trust", "stability", "baseline"}
    assert maintained(turned)["acted"] == "none", "there is nothing new to look at"
    assert len(turned.done("approvals", "--json").document) == 1, "asked once"
    assert "Version 7 of parts does not wait for approval; version 2 does" in turned("approve", "parts", "7", "--why", "x").told
    assert open_questions(turned) == 1
    refused = turned.copy(turned.folder.parent / "refused")
    assert "in charge of parts" in turned.done("approve", "parts", "--why", "checked", "--who", "Ada").told
    assert kinds(turned) == [("promote", 1), ("ask", 2), ("promote", 2)]
    assert open_questions(turned) == 0
    assert "No challenger of parts waits" in turned("approve", "parts", "2", "--why", "again").told
    for command in (("promote", "parts", "1"), ("pause", "parts"), ("rollback", "parts"), ("reject", "parts")):
        assert "The text is empty" in turned(*command, "--why", " ").told, "it would stand in the history for ever"
    _rejected(refused)


def open_questions(workshop: Workshop) -> int:
    return open_kinds(workshop).count("approval")


def open_kinds(workshop: Workshop) -> list[str]:
    return [one["kind"] for one in workshop.done("incidents", "--open", "--json").document["incidents"]]


def _rejected(workshop: Workshop) -> None:
    workshop.done("reject", "parts", "--why", "labels of May are wrong", "--who", "Ada")
    assert kinds(workshop) == [("promote", 1), ("ask", 2), ("reject", 2)]
    assert workshop.done("approvals", "--json").document == []
    assert open_questions(workshop) == 0
    workshop.edit("parts", maintenance={"promote": "automatic"})
    asked = parts(120, seed=12)
    used(workshop, asked, asked["quality"].map(TURNED))
    told = maintained(workshop)
    assert (told["acted"], told["champion"]) == ("refused", 1), "what a person refused is never promoted by itself"
    (opened,) = workshop.done("incidents", "--open", "--json").document["incidents"]
    assert (opened["kind"], opened["model_version"]) == ("refused_challenger", 1), "the model in charge"
    acts = [(act.kind, act.who) for act in administrative_acts(settings_of(workshop))]
    assert ("reject", "Ada") in acts
    assert verify_acts(settings_of(workshop)).entries >= 3


def test_a_question_about_another_champion_is_no_question_any_more(turned: Workshop) -> None:
    turned.edit("parts", maintenance={"promote": "approval"})
    assert maintained(turned)["acted"] == "waiting"
    turned.done("promote", "parts", "1", "--why", "confirmed")
    made = turned("approve", "parts", "--why", "late")
    assert made.code == 1
    assert "judged against an earlier champion has to be judged anew" in made.told


@pytest.mark.parametrize(
    ("mode", "good", "ending"), [("shadow", True, "promoted"), ("shadow", False, "withdrawn"), ("canary", False, "withdrawn")]
)
def test_a_trial_ends_with_promotion_or_withdrawal(turned: Workshop, mode: str, good: bool, ending: str) -> None:
    turned.edit("parts", maintenance={"rollout": mode, "rollout_rows": 60})
    told = maintained(turned)
    assert (told["acted"], told["champion"], told["standing"]["challenger"]) == ("trial", 1, 2)
    assert maintained(turned)["trial"]["ending"] == "wait"
    asked = parts(80, seed=9)
    used(turned, asked, asked["quality"].map(TURNED) if good else asked["quality"], challenger=2, mode=mode)
    told = maintained(turned)
    assert (told["acted"], told["champion"]) == (ending, 2 if good else 1), told["trial"]
    assert told["standing"]["challenger"] is None
    assert (told["trial"]["seen"]["gain"]["value"] > 0) == good


def test_a_promotion_whose_predecessor_answers_better_is_taken_back(turned: Workshop) -> None:
    report_incident(desk_of(turned), "refused_challenger", "info", Statement.of("maintenance.same_model", version=1))
    told = turned.done("maintain", "parts").told
    assert (told.count("are worse than promised by more than the tolerance"), kinds(turned)[-1]) == (1, ("promote", 2)), told
    assert "refused_challenger" not in open_kinds(turned), "a later one is in charge"
    asked = parts(120, seed=11)  # the world has turned back
    used(turned, asked, asked["quality"])
    told = maintained(turned)
    assert (told["acted"], told["champion"]) == ("rolled_back", 1), told
    assert kinds(turned) == [("promote", 1), ("promote", 2), ("rollback", 1)]
    assert standing(turned).champion == 1
    opened = turned.done("incidents", "--json").document
    assert "rollback" in str(opened)


def test_labels_that_come_late_are_found_behind_many_answers_without(turned: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    assert maintained(turned)["acted"] == "promoted"
    desk = desk_of(turned)
    since = desk.registry.history("parts")[-1].time
    asked = parts(80, seed=11)
    used(turned, asked, asked["quality"])
    used(turned, parts(150, seed=12))
    monkeypatch.setattr("flows.beside.MOST_ROWS", 100)
    beside = replayed(desk, desk.registry.version("parts", 1), desk.registry.version("parts", 2), since)
    assert beside is not None
    assert len(beside.rows) == 180
    found = gain(desk, beside)
    assert found is not None
    assert (found.rows, found.high < 0) == (80, True)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_challenger_from_a_period_of_shuffled_labels_is_never_promoted(own_parts: Workshop, seed: int) -> None:
    fresh = parts(400, seed=20 + seed)
    fresh["quality"] = np.random.default_rng(seed).permutation(fresh["quality"])
    own_parts.edit("parts", monitoring=AT_ONCE, gates={"champion_tolerance": 0.1})
    used(own_parts, fresh, fresh["quality"])
    own_parts.table("parts.csv", pd.concat([parts(), fresh], ignore_index=True))
    told = maintained(own_parts)
    assert told["decision"]["action"] == "retrain"
    assert told["acted"] in ("refused", "waiting")
    assert told["champion"] == 1
    assert not next(gate["passed"] for gate in told["gates"] if gate["name"] == "trust")


def test_broken_inputs_pause_and_sound_ones_let_the_model_answer_again(own_parts: Workshop) -> None:
    own_parts.edit("parts", monitoring=AT_ONCE, maintenance={"on_broken_input": "pause"})
    dead = parts(100, seed=5)
    used(own_parts, dead.assign(pressure=50.0))
    told = maintained(own_parts)
    assert (told["acted"], told["standing"]["paused"]) == ("paused", True), told["decision"]
    assert "is paused already" in own_parts("pause", "parts", "--why", "too").told
    assert maintained(own_parts)["acted"] == "none"
    used(own_parts, parts(60, seed=6))
    told = maintained(own_parts)
    assert (told["acted"], told["standing"]["paused"]) == ("resumed", False)
    assert "have been sound in the last window." in own_parts.done("history", "parts", "--json").stdout
    assert maintained(own_parts)["acted"] == "none"
    own_parts.done("pause", "parts", "--why", "sensor is being exchanged")
    used(own_parts, parts(60, seed=7))
    assert maintained(own_parts)["standing"]["paused"], "what a person paused a person resumes"
    own_parts.done("resume", "parts", "--why", "sensor is exchanged")
    assert [kind for kind, _ in kinds(own_parts)] == ["promote", "pause", "resume", "pause", "resume"]


def test_an_incident_closes_when_its_cause_is_gone(own_parts: Workshop) -> None:
    own_parts.edit("parts", monitoring=AT_ONCE)
    used(own_parts, parts(100, seed=5).assign(pressure=50.0))
    assert maintained(own_parts)["decision"]["action"] == "ask"
    assert open_kinds(own_parts) == ["broken_input"]
    assert maintained(own_parts)["acted"] == "none"
    assert open_kinds(own_parts) == ["broken_input"], "no new rows tell nothing"
    used(own_parts, parts(60, seed=6))
    maintained(own_parts)
    assert open_kinds(own_parts) == []
    used(own_parts, parts(20, seed=7).assign(pressure=50.0))
    maintained(own_parts)
    assert open_kinds(own_parts) == ["broken_input"], "few rows suffice to see it, and it is not over"


def test_a_pass_tells_what_it_took_in_and_whatever_is_held_back_until_somebody_decides(own_parts: Workshop) -> None:
    project = own_parts.work / "projects" / "parts" / "project.yaml"
    data = yaml.safe_load(project.read_text(encoding="utf-8"))["data"]
    own_parts.edit("parts", data=data | {"incoming": {"folder": "incoming", "settle_seconds": 0}})
    folder = own_parts.work / "incoming"
    folder.mkdir()
    parts(40, seed=31).to_csv(folder / "week 1.csv", index=False)
    parts(40, seed=32).assign(pressure=np.nan).to_csv(folder / "no sensor.csv", index=False)
    dry = own_parts.done("maintain", "parts", "--dry-run").told
    assert "week 1.csv" in dry
    own_parts.done("ingest", "parts")  # by hand, before the pass
    assert open_kinds(own_parts) == []
    told = maintained(own_parts)
    (waiting,) = told["taken"]["waiting"]
    assert (waiting["name"], told["taken"]["deliveries"]) == ("no sensor.csv", [])
    assert open_kinds(own_parts) == ["held_back_delivery"]
    maintained(own_parts)
    (opened,) = own_parts.done("incidents", "--open", "--json").document["incidents"]
    assert opened["times"] == 1, "the same delivery is no news"
    german = own_parts.done("incidents", "show", opened["id"], "--language", "de").told
    assert "was not" not in german
    desk = desk_of(own_parts)
    assert new_labelled_rows(desk, datetime(2026, 1, 1, tzinfo=UTC), None, None) == 40, "the model knows the sources"
    own_parts.done("ingest", "parts", "--refuse", str(waiting["number"]))
    maintained(own_parts)
    assert open_kinds(own_parts) == []
    (folder / "lost.csv").symlink_to(own_parts.work / "nowhere.csv")
    for _ in range(2):
        assert list(maintained(own_parts)["taken"]["missed"]) == [str(folder / "lost.csv")]
        (opened,) = own_parts.done("incidents", "--open", "--json").document["incidents"]
        assert (opened["kind"], opened["times"]) == ("held_back_delivery", 1)
        assert "lost.csv" in opened["what"]
    (folder / "lost.csv").unlink()
    maintained(own_parts)
    assert open_kinds(own_parts) == []


def test_a_schedule_that_nobody_can_read_is_told_at_once(own_parts: Workshop) -> None:
    own_parts.edit("parts", maintenance={"schedule": {"cron": "99 * * * *"}})
    told = own_parts("maintain", "parts", "--dry-run")
    assert told.code == 1
    assert "'99 * * * *'" in told.told
    assert "Bad minute" in told.told


def test_an_error_that_nobody_foresaw_is_an_incident_too(own_parts: Workshop) -> None:
    desk = desk_of(own_parts)
    desk.log.write("parts", 1, [LoggedPrediction({"pressure": "much"}, "good", None, {}) for _ in range(60)])
    failed = own_parts("maintain", "parts")
    assert failed.code == 1
    (told,) = own_parts.done("incidents", "--open", "--json").document["incidents"]
    assert told["kind"] == "failed_pass"
    assert "ValueError" in str(told)
    assert "much" not in str(told), "what stands in the data is not sent by mail"


def test_a_history_changed_from_outside_is_named_with_its_first_broken_entry(own_parts: Workshop) -> None:
    own_parts.done("pause", "parts", "--why", "test")
    desk = desk_of(own_parts)
    passes = Passes(desk.settings.database("history"))
    decision = {"action": "nothing", "reasons": []}
    passes.append("parts", model_version=1, acted="none", trained=False, signals={}, decision=decision, figures={})
    assert (
        "2 entries, none changed; passes of maintenance: 1, none changed" in own_parts.done("history", "parts", "--verify").told
    )
    assert own_parts.done("history", "parts", "--verify", "--json").document["entries"] == 2
    assert "model paused" in own_parts.done("history", "parts").told
    passes.close()
    with desk.registry._history._database.writing() as connection:
        connection.execute(text("UPDATE leitstand_promotions SET who = 'mallory' WHERE number = 2"))
    made = own_parts("history", "parts", "--verify", "--json")
    assert made.code == 1
    assert "entry 2 is not what was written" in made.document["error"]["message"]


def test_a_pass_changed_from_outside_is_named(own_parts: Workshop) -> None:
    desk = desk_of(own_parts)
    passes = Passes(desk.settings.database("history"))
    decision = {"action": "retrain", "reasons": []}
    passes.append("parts", model_version=1, acted="none", trained=True, signals={}, decision=decision, figures={})
    passes.close()
    with desk.registry._history._database.writing() as connection:
        connection.execute(text("UPDATE leitstand_passes SET trained = 0"))
    made = own_parts("history", "parts", "--verify", "--json")
    assert made.code == 1
    assert "Pass 1 of the maintenance loop of 'parts' is not as it was written" in made.document["error"]["message"]


KILLED = """
    import os, signal, sys
    from infra.settings import calm_tools, follow_clock, load_settings
    calm_tools()
    import importlib
    import flows.maintenance, flows.practice_check
    from flows.warming import CHECKING, DRAWING, MONITORING
    for name in (CHECKING, DRAWING, MONITORING):
        importlib.import_module(name)
    from flows.prefect_server import PrefectServer
    from flows.stage import orchestrated
    from flows.workspace import Desk, open_project
    from infra.history import History
    from infra.registry import Registry

    def die(*arguments, **options):
        os.kill(os.getpid(), signal.SIGKILL)

    def after(real):
        return lambda *arguments, **options: die(real(*arguments, **options))

    places = {
        "training": (flows.practice_check, "examine", lambda real: die),
        "registered": (Registry, "register", after),
        "published": (Registry, "publish", after),
        "noted": (History, "append", after),
    }

    def maintain(stop):
        owner, name, deadly = places[stop]
        setattr(owner, name, deadly(getattr(owner, name)))
        settings = load_settings()
        with orchestrated(settings, PrefectServer(os.environ["LEITSTAND_PREFECT_URL"])):
            flows.maintenance.maintenance(Desk(open_project("parts", settings), settings), "killed")

    for line in sys.stdin:  # a child for each: importing everything anew takes seconds
        child = os.fork()
        if child == 0:
            maintain(line.strip())
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture
def kill(turned: Workshop) -> Iterator[Callable[[str], None]]:
    """Run a pass of the loop in a process that is killed at a stage."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), **turned.variables}
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=turned.work,
        env=environment,
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def at(stage: str) -> None:
        print(stage, file=process.stdin, flush=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "-9\n", stage

    yield at
    process.kill()
    process.communicate()


def test_a_pass_killed_at_any_stage_leaves_a_clean_next_pass(turned: Workshop, kill: Callable[[str], None]) -> None:
    turned.edit("parts", maintenance={"rollout": "shadow", "rollout_rows": 60})
    for stage, state in (("training", (1, None)), ("registered", (1, None)), ("published", (1, None)), ("noted", (1, 2))):
        kill(stage)
        assert agree(turned) == state, stage
    asked = parts(80, seed=9)
    used(turned, asked, asked["quality"].map(TURNED), challenger=2)
    kill("noted")
    assert agree(turned) == (2, None), "promoted"
    back = parts(120, seed=11)
    used(turned, back, back["quality"])
    kill("noted")
    assert agree(turned) == (1, None), "rolled back"
    told = maintained(turned)
    assert agree(turned) == (1, None)
    assert told["acted"] in ("none", "refused")
    assert kinds(turned) == [("promote", 1), ("shadow", 2), ("promote", 2), ("rollback", 1)]
    assert [version for version, _, _ in turned.state("parts")["versions"]] in ([1, 2], [1, 2, 3])

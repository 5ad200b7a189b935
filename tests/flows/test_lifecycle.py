"""One command takes a use case from its data to a model that answers and is watched."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import psutil
import pytest
from workshop import Outcome, Workshop

import flows
from infra.prediction_log import PredictionLog
from infra.registry import Registry
from infra.settings import Settings, load_settings
from infra.snapshots import SnapshotStore
from infra.tracking import Tracker
from monitoring.store import MonitoringStore

pytestmark = pytest.mark.slow

NAME = "cell_diagnostics"
ENGLISH = re.compile(r"\b(the|and|is|are|with|of|to|rows|run|error)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Finished:
    """Three runs in a row on the same data: waiting for approval, approved with the service, and once more in German."""

    workshop: Workshop
    waiting: Outcome
    approved: Outcome
    again: Outcome
    left_running: list[psutil.Process]

    @property
    def settings(self) -> Settings:
        return load_settings(home=self.workshop.home, workspace=self.workshop.work, database_url=None)


@pytest.fixture(scope="module")
def finished(new_workshop: Callable[[Path], Workshop], tmp_path_factory: pytest.TempPathFactory) -> Finished:
    workshop = new_workshop(tmp_path_factory.mktemp("cells"))
    waiting = workshop("run", NAME)
    approved = workshop("run", NAME, "--approve", "--json")
    left = workshop.processes()
    again = workshop("run", NAME, "--no-service", "--language", "de")
    return Finished(workshop, waiting, approved, again, left)


def test_run_gives_one_document_that_the_schema_describes(finished: Finished) -> None:
    assert finished.approved.code == 0, finished.approved.stderr
    schema = json.loads((Path(flows.__file__).parent.parent / "docs" / "run.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(finished.approved.document, schema, cls=jsonschema.Draft202012Validator)


def test_the_document_says_what_went_in_and_what_came_out(finished: Finished) -> None:
    told = finished.approved.document
    assert (told["project"], told["task"]) == (NAME, "classification")
    assert {"version", "rows", "accepted", "quarantined"} <= told["data"].keys()
    assert (told["data"]["rows"], told["data"]["accepted"], told["data"]["quarantined"]) == (569, 569, 0)
    assert {"name", "version", "alias", "candidate", "metrics", "baseline_metrics"} <= told["model"].keys()
    assert told["model"]["metrics"]["roc_auc"] > 0.98 > told["model"]["baseline_metrics"]["roc_auc"]
    assert all({"name", "value", "threshold", "passed"} <= gate.keys() for gate in told["gates"])
    assert all(gate["passed"] for gate in told["gates"])
    assert [(one["id"], one["verdict"]) for one in told["milestones"]] == [(f"M{i}", "passed") for i in range(1, 6)]
    assert told["seconds"] > sum(one["seconds"] for one in told["milestones"]) * 0.9
    assert told["data"]["synthetic"] is False


def test_json_leaves_nothing_else_to_read(finished: Finished) -> None:
    assert finished.approved.stderr == ""


def test_every_held_out_row_was_answered_logged_and_labelled(finished: Finished) -> None:
    told = finished.approved.document
    logged = PredictionLog(finished.settings.database("predictions")).read(NAME, model_version=told["model"]["version"])
    assert told["service"]["rows"] == told["service"]["labels"] == told["model"]["holdout_rows"] == len(logged)
    assert logged["id"].is_unique
    assert logged["label"].notna().all()
    right = (logged["prediction"] == logged["label"]).mean()
    assert right == pytest.approx(told["model"]["metrics"]["accuracy"])


def test_the_look_at_the_trial_is_kept(finished: Finished) -> None:
    told = finished.approved.document["monitoring"]
    (kept,) = MonitoringStore(finished.settings).newest(NAME, told["model_version"], 2)
    assert kept.model_dump(mode="json") == told
    assert told["window_rows"] == finished.approved.document["service"]["rows"]
    assert finished.approved.document["decision"]["action"] == "nothing"


def test_the_champion_its_history_and_its_run_agree(finished: Finished) -> None:
    told = finished.approved.document["model"]
    registry = Registry(finished.settings)
    champion = registry.champion(NAME)
    assert champion is not None
    assert (champion.version, champion.sha256, champion.run_id) == (told["version"], told["sha256"], told["run_id"])
    (entry,) = registry.history(NAME)
    assert (entry.kind, entry.from_version, entry.to_version) == ("promote", None, told["version"])
    assert entry.evidence["value"] == told["metrics"][told["metric"]]
    assert entry.why == "approved on the command line"
    run = Tracker(finished.settings).run(told["run_id"])
    assert (run.status, run.tags["data_version"]) == ("FINISHED", finished.approved.document["data"]["version"])
    assert len(SnapshotStore(finished.settings).load(NAME, run.tags["data_version"])) == 569


def test_without_approval_the_model_waits(finished: Finished) -> None:
    assert finished.waiting.code == 0, finished.waiting.stderr
    assert f"waits for approval: 'leitstand promote {NAME} 1 --why …'" in finished.waiting.told
    assert "a person has to approve" in finished.waiting.told
    assert "Traceback" not in finished.waiting.stderr


def test_a_second_run_on_the_same_data_changes_nothing(finished: Finished) -> None:
    assert finished.again.code == 0, finished.again.stderr
    registry = Registry(finished.settings)
    assert [entry.to_version for entry in registry.history(NAME)] == [finished.approved.document["model"]["version"]]
    data = {version.data_version for version in registry.versions(NAME)}
    assert data == {finished.approved.document["data"]["version"]}
    assert [version.version for version in registry.versions(NAME)] == [1], (
        "the run that waited had registered this model already"
    )


def test_people_read_what_happened_step_by_step(finished: Finished) -> None:
    for step in ("M1 Status quo: reading the data", "M4 Practice check: judging on the hold-out", "Gates", "Milestones"):
        assert step in finished.waiting.told
    assert finished.waiting.stdout == ""


def test_whoever_reads_german_reads_no_english(finished: Finished) -> None:
    assert "M4 Praxischeck: an der Prüfmenge beurteilen" in finished.again.told
    assert "Meilensteine" in finished.again.told
    assert [line for line in finished.again.stderr.splitlines() if ENGLISH.search(line)] == []


def test_nothing_is_left_running(finished: Finished) -> None:
    assert finished.left_running == []
    assert finished.workshop.processes() == []

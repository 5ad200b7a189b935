import contextlib
import sqlite3
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from mlflow.models import Model
from sqlalchemy import create_engine, inspect

from infra.databases import parse_url
from infra.mlflow_client import open_client
from infra.settings import Settings, load_settings
from infra.tracking import MODEL_TAG, Tracker
from leitstand.contract import Column, Contract
from leitstand.errors import StateError, UnknownName
from leitstand.model import TrainedModel
from leitstand.model_file import digest, load_model, save_model

from .conftest import INPUTS, copied_database

Run = Callable[..., "subprocess.Popen[str]"]


def test_a_run_is_read_back_as_it_was_logged(any_settings: Settings) -> None:
    tracker = Tracker(any_settings)
    run_id = tracker.start("demo", "first", {"seed": 1, "depth": None}, {"data_version": "abc", "synthetic": True})
    tracker.log_metrics(run_id, {"roc_auc": 0.9, "slice product=Ä (n)": 0.5, "gap": float("nan")})
    tracker.log_tags(run_id, {"verdict": "passed"})
    tracker.finish(run_id)
    run = tracker.run(run_id)
    assert (run.project, run.name, run.status, run.parameters) == ("demo", "first", "FINISHED", {"seed": "1", "depth": "None"})
    assert run.metrics["roc_auc"] == 0.9
    assert run.metrics["slice product_Ä _n_"] == 0.5
    assert run.tags == {"data_version": "abc", "synthetic": "True", "verdict": "passed"}
    assert run.ended is not None
    assert run.started <= run.ended <= datetime.now(UTC) + timedelta(seconds=1)


def test_metrics_keep_every_digit(settings: Settings) -> None:
    tracker = Tracker(settings)
    run_id = tracker.start("demo", "x", {}, {})
    value = 0.1 + 0.2 + 1e-15
    tracker.log_metrics(run_id, {"m": value})
    assert tracker.run(run_id).metrics["m"] == value


def test_over_long_values_are_cut_and_many_parameters_are_taken(settings: Settings) -> None:
    tracker = Tracker(settings)
    parameters = {f"p{number}": number for number in range(150)} | {"long": "x" * 20_000}
    run = tracker.run(tracker.start("demo", "x", parameters, {"long": "y" * 20_000}))
    assert len(run.parameters) == 151
    assert run.parameters["long"].endswith("x…")
    assert run.tags["long"].endswith("y…")


def test_files_and_folders_come_back(settings: Settings, tmp_path: Path) -> None:
    tracker = Tracker(settings)
    run_id = tracker.start("demo", "x", {}, {})
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "roc.svg").write_text("<svg/>")
    tracker.log_file(run_id, tmp_path / "plots" / "roc.svg")
    tracker.log_file(run_id, tmp_path / "plots", "all")
    assert tracker.fetch_file(run_id, "roc.svg", tmp_path).read_text() == "<svg/>"
    assert tracker.fetch_file(run_id, "all/roc.svg", tmp_path).read_text() == "<svg/>"
    with pytest.raises(StateError, match=r"MLflow at .* refused: .*nothing\.txt"):
        tracker.fetch_file(run_id, "nothing.txt", tmp_path)


def test_nothing_is_written_outside_the_state_folder(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tracker = Tracker(settings)
    run_id = tracker.start("demo", "x", {}, {})
    (tmp_path / "note.txt").write_text("x")
    tracker.log_file(run_id, tmp_path / "note.txt")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "note.txt"]


def test_mlflow_shows_the_model_with_flavor_signature_and_requirements(
    settings: Settings, small_model: TrainedModel, tmp_path: Path
) -> None:
    columns = (*INPUTS.columns, Column(name="kind", type="string"), Column(name="when", type="timestamp"))
    sha256 = save_model(small_model, tmp_path / "model")
    tracker = Tracker(settings)
    run_id = tracker.start("demo", "x", {}, {})
    model_id = tracker.log_model(
        run_id, tmp_path / "model", inputs=Contract(id="d", table="d", columns=columns), requirements=["scikit-learn==1.9"]
    )
    logged = open_client(settings).get_logged_model(model_id)
    assert (logged.status, logged.source_run_id, logged.name, logged.tags["sha256"]) == ("READY", run_id, "logistic", sha256)
    folder = Path(logged.artifact_location)
    described = Model.load(str(folder / "MLmodel"))
    assert [(column.name, column.type.name) for column in described.signature.inputs] == [
        ("a", "double"),
        ("b", "double"),
        ("kind", "string"),
        ("when", "datetime"),
    ]
    assert described.signature.outputs.input_names() == ["prediction", "probability_no", "probability_yes"]
    assert described.flavors["leitstand"]["sha256"] == sha256
    assert (folder / "requirements.txt").read_text() == "scikit-learn==1.9\n"
    assert tracker.run(run_id).tags[MODEL_TAG] == model_id
    assert load_model(folder, sha256).card == small_model.card
    assert digest(folder) == sha256


def test_no_flavor_lets_mlflow_load_the_model_by_itself(settings: Settings, small_model: TrainedModel, tmp_path: Path) -> None:
    save_model(small_model, tmp_path / "model")
    tracker = Tracker(settings)
    model_id = tracker.log_model(tracker.start("demo", "x", {}, {}), tmp_path / "model", inputs=INPUTS, requirements=[])
    described = yaml.safe_load((Path(open_client(settings).get_logged_model(model_id).artifact_location) / "MLmodel").read_text())
    assert list(described["flavors"]) == ["leitstand"]


def test_an_unknown_run_is_answered_with_near_ids(settings: Settings) -> None:
    tracker = Tracker(settings)
    run_id = tracker.start("demo", "x", {}, {})
    wrong = run_id[:-2] + ("00" if run_id[-2:] != "00" else "11")
    with pytest.raises(UnknownName, match=rf"no run '{wrong}'. Did you mean: {run_id}\?"):
        tracker.run(wrong)
    with pytest.raises(UnknownName, match=r"no run '\.\./x'"):
        tracker.run("../x")


def test_runs_come_newest_first_and_an_unknown_project_has_none(settings: Settings) -> None:
    tracker = Tracker(settings)
    ids = [tracker.start("demo", str(number), {}, {}) for number in range(3)]
    assert {run.id for run in tracker.runs("demo")} == set(ids)
    assert tracker.runs("demo")[0].started >= tracker.runs("demo")[-1].started
    assert tracker.runs("nothing") == []


RUNNER = """
    import sys
    from pathlib import Path
    from infra.settings import calm_tools, load_settings
    calm_tools()
    from infra.tracking import Tracker
    tracker = Tracker(load_settings(home=Path(sys.argv[1]), database_url=sys.argv[2] or None))
    for number in range(int(sys.argv[3])):
        run_id = tracker.start(f"project_{number % 2}", str(number), {"n": number}, {"t": "x"})
        tracker.log_metrics(run_id, {"m": 1.0})
        print(run_id, flush=True)
        if len(sys.argv) == 4:
            tracker.finish(run_id)
"""


def test_processes_may_use_a_new_state_folder_at_once(any_settings: Settings, run_python: Run) -> None:
    url = any_settings.database_url.get_secret_value() if any_settings.database_url else ""
    processes = [run_python(RUNNER, any_settings.home, url, 10) for _ in range(2)]
    for process in processes:
        _, problems = process.communicate(timeout=180)
        assert process.returncode == 0, problems
    tracker = Tracker(any_settings)
    assert [len(tracker.runs("project_0")), len(tracker.runs("project_1"))] == [10, 10]


def test_runs_that_kill_9_left_open_are_closed_as_killed(settings: Settings, run_python: Run) -> None:
    process = run_python(RUNNER, settings.home, "", 1000, "leave open")
    assert process.stdout is not None
    first = process.stdout.readline().strip()
    process.kill()
    process.wait()
    tracker = Tracker(settings)
    assert first in tracker.close_abandoned("project_0")
    assert tracker.run(first).status == "KILLED"
    assert tracker.close_abandoned("project_0") == []
    assert tracker.close_abandoned("nothing") == []


@pytest.mark.parametrize("seconds", [0.05, 0.5])
def test_first_use_interrupted_by_kill_9_is_mended_by_the_next(new_settings: Settings, run_python: Run, seconds: float) -> None:
    process = run_python(RUNNER, new_settings.home, "", 1)
    while not list(new_settings.root.glob(".mlflow-*/fresh.db")):
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(seconds)
    process.kill()
    process.wait()
    assert Tracker(new_settings).start("demo", "x", {}, {})


def test_a_file_that_is_no_mlflow_database_is_named(new_settings: Settings) -> None:
    (new_settings.folder() / "mlflow.db").write_text("not SQLite" * 100)
    with pytest.raises(StateError, match=r"mlflow\.db is not a readable database"):
        Tracker(new_settings).start("demo", "x", {}, {})


@pytest.mark.postgresql
def test_mlflow_has_a_schema_of_its_own_on_postgresql(postgresql_url: str, tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "home", database_url=postgresql_url)
    Tracker(settings).start("demo", "x", {}, {})
    engine = create_engine(parse_url(postgresql_url))
    assert inspect(engine).get_table_names("public") == []
    assert {"alembic_version", "runs"} <= set(inspect(engine).get_table_names("mlflow"))
    engine.dispose()


def test_an_mlflow_database_of_another_version_is_named(settings: Settings) -> None:
    Tracker(settings).start("demo", "x", {}, {})
    copied_database(settings.root / "mlflow.db", settings.root / "moved.db")
    with contextlib.closing(sqlite3.connect(settings.root / "moved.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = 'bfdc0b4b5a3f'")
    moved = load_settings(home=settings.home, database_url=f"sqlite:///{settings.root / 'moved.db'}")
    with pytest.raises(StateError, match=r"moved\.db was made by another MLflow version"):
        Tracker(moved).start("demo", "x", {}, {})


def test_an_unreachable_server_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    settings = load_settings(home=tmp_path, mlflow_url="http://127.0.0.1:1")
    with pytest.raises(StateError, match=r"MLflow at http://127\.0\.0\.1:1 refused"):
        Tracker(settings).start("demo", "x", {}, {})


def test_an_unreachable_database_is_named_without_its_password(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, database_url="postgresql://u:geheim@127.0.0.1:1/db")
    with pytest.raises(StateError, match="cannot be opened") as caught:
        Tracker(settings).start("demo", "x", {}, {})
    assert "geheim" not in str(caught.value)

"""A pass that is killed at any stage, or runs twice at once, takes everything exactly once all the same."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from infra.received import Received

PASS = """
    import os, signal, sys
    from pathlib import Path
    from infra.settings import calm_tools, load_settings
    calm_tools()
    import flows.ingest
    from data_contracts import checking
    from flows import admission, arrivals
    from flows.workspace import Desk, open_project
    from infra import deliveries, snapshots
    from infra.dvc_repository import DvcRepository
    from infra.snapshot_notes import SnapshotNotes

    def after(real):
        def dying(*arguments, **options):
            real(*arguments, **options)
            os.kill(os.getpid(), signal.SIGKILL)
        return dying

    PLACES = {
        "found": (flows.ingest, "find"),
        "checked": (checking, "check"),
        "held": (admission.Admission, "_held"),
        "origins": (flows.ingest, "save_sources_of_rows"),
        "written": (snapshots, "write_parquet"),
        "pushed": (DvcRepository, "add_and_push"),
        "inside": (deliveries, "_note"),
        "noted": (SnapshotNotes, "append"),
        "saved": (snapshots.SnapshotStore, "save"),
        "tidied": (flows.ingest._Pass, "_tidy"),
    }

    def run(folder, place=None):
        if place is not None:
            owner, name = PLACES[place]
            setattr(owner, name, after(getattr(owner, name)))
        settings = load_settings(home=folder / "home", workspace=folder / "work", database_url=None, artifacts_url=None)
        return flows.ingest.ingest.fn(Desk(open_project("parts", settings), settings))
"""
KILLER = (
    PASS
    + """
    for place in PLACES:
        child = os.fork()
        if child == 0:
            run(Path(sys.argv[1]) / place, place)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(place, os.WTERMSIG(status), flush=True)
"""
)
TWICE = PASS + "\n    print(run(Path(sys.argv[1])).rows_added)\n"


def python(code: str, *arguments: object) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


@pytest.fixture
def full(plant: Any, delivered: Any) -> Any:
    """A plant whose sources are taken, and to which everything comes at once: files good and poisoned, table rows, requests."""
    erp = f"sqlite:///{plant.folder / 'erp.db'}"
    with sqlite3.connect(plant.folder / "erp.db") as connection:
        delivered(50, 6).assign(id=range(6)).to_sql("lines", connection, index=False)
    connection.close()
    plant.project(
        key=False,
        extra="ignore",
        incoming={
            "folder": "incoming", "settle_seconds": 0, "when_taken": "delete", "api": True,
            "database": erp, "table": "lines", "key": "id",
        },
    )  # fmt: skip
    plant.ingest()
    plant.drop(delivered(30, 12), "good.csv")
    plant.drop(delivered(40, 12, pressure=None), "poison.csv")
    received = Received(plant.settings.database("history"))
    received.keep("parts", "r1", json.dumps(json.loads(delivered(60, 4).to_json(orient="records"))), 4, "shop")
    received.close()
    with sqlite3.connect(plant.folder / "erp.db") as connection:
        delivered(53, 2).assign(id=[6, 7]).to_sql("lines", connection, index=False, if_exists="append")
    connection.close()
    return plant


def copy(plant: Any, folder: Path) -> Any:
    """Return the plant in another folder; all of its paths but that of the company's database are relative."""
    shutil.copytree(plant.folder, folder)
    made = object.__new__(type(plant))
    made.__dict__.update(plant.__dict__)
    made.folder, made.work, made.incoming = folder, folder / "work", folder / "work" / "incoming"
    made.settings = plant.settings.model_copy(update={"home": folder / "home", "workspace": folder / "work"})
    made.settings.__dict__.pop("root", None)
    return made


def test_killed_at_any_stage_the_next_pass_takes_everything_exactly_once(full: Any, tmp_path: Path) -> None:
    places = ["found", "checked", "held", "origins", "written", "pushed", "inside", "noted", "saved", "tidied"]
    copies = {place: copy(full, tmp_path / "killed" / place) for place in places}
    said, problems = (killer := python(KILLER, tmp_path / "killed")).communicate(timeout=400)
    assert killer.returncode == 0, problems
    assert dict(line.split() for line in said.splitlines()) == dict.fromkeys(places, "9"), problems
    full.ingest()
    expected = full.table()
    assert len(expected) == 66 + 12 + 4 + 2
    for place, plant in copies.items():
        plant.ingest()
        pd.testing.assert_frame_equal(plant.table(), expected, obj=place)
        known = plant.desk.deliveries.read("parts")
        assert sorted((one.name.split()[0], one.state) for one in known) == [
            ("good.csv", "taken"), ("lines", "taken"), ("lines", "taken"), ("poison.csv", "held"), ("requests", "taken"), ("sources", "taken"),
        ], place  # fmt: skip
        assert [path.name for path in plant.incoming.iterdir()] == ["poison.csv"], place
        assert [path.name for path in (plant.settings.root / "held" / "parts").iterdir()] == [
            one.sha256 for one in known if one.fault
        ]
        notes = [len(note.notes["deliveries"]) for note in plant.desk.snapshots.provenance("parts")]
        assert notes == [2, 3], place
        assert plant.ingest().deliveries == (), place


def test_two_passes_at_once_take_everything_once(full: Any) -> None:
    both = [python(TWICE, full.folder) for _ in range(2)]
    told = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert sorted(int(said) for said, _ in told) == [0, 18]
    assert len(full.table()) == 84


def test_a_full_disk_leaves_nothing_noted_and_the_next_pass_takes_all(full: Any) -> None:
    limit = """
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    try:
        run(Path(sys.argv[1]))
    except Exception as error:
        print(type(error).__name__, error)
"""
    before = len(full.table())
    process = python(PASS + limit, full.folder)
    said, problems = process.communicate(timeout=200)
    assert said.startswith("StateError"), said + problems
    assert len(full.table()) == before
    assert full.ingest().rows_added == 18

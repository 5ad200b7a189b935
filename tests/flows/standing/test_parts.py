"""Parts of the standing services that need none of them to run."""

import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import anyio
import pytest
from workshop import Workshop

from flows.standing.entry import WORKER
from flows.standing.forks import Forks
from flows.standing.logs import following
from flows.standing.plan import note_start, process_of, restarts
from infra.settings import Settings


def test_the_process_that_runs_are_forked_from_has_one_thread_and_no_connection() -> None:
    if not Path("/proc/self/task").exists():
        pytest.skip("only Linux tells")
    code = (
        "import os, flows.standing.preloaded\n"
        "print(len(os.listdir('/proc/self/task')))\n"
        "import psutil; print(len(psutil.Process().net_connections(kind='inet')))\n"
        "print([file.path for file in psutil.Process().open_files() if file.path.endswith('.db')])\n"
    )
    told = subprocess.run([sys.executable, "-c", code], env={**os.environ, **WORKER}, capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["1", "0", "[]"]


def test_a_run_beyond_its_time_is_ended(tmp_path: Path) -> None:
    from flows.standing.worker import WarmWorker

    worker = WarmWorker(Settings(home=tmp_path, run_minutes=0.001), "http://127.0.0.1:9/api", Forks())
    slow = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(600,))
    slow.start()
    try:
        state = anyio.run(worker._watched, slow, uuid4())
    finally:
        slow.kill()
        slow.join()
    assert (state.name, state.type.value) == ("TimedOut", "FAILED")


def test_following_a_log_misses_no_line_when_it_is_moved_aside(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    log = settings.folder("logs") / "worker.log"
    log.write_text("before\n")
    reader = following(settings, ["worker"])
    with log.open("a") as file:
        file.write("one\n")
    assert next(reader) == ("worker", "one")
    with log.open("a") as file:
        file.write("two\n")
    log.rename(log.with_suffix(".log.1"))
    log.write_text("three\n")
    assert [next(reader), next(reader)] == [("worker", "two"), ("worker", "three")]
    reader.close()


def test_a_process_is_known_by_its_start_not_by_its_number_alone(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    note_start(settings, "worker")
    process = process_of(settings, "worker")
    assert process is not None
    assert (process.pid, restarts(settings, "worker")) == (os.getpid(), 0)
    with (tmp_path / "standing" / "worker.starts").open("a") as file:
        file.write(f'{{"pid": {os.getpid()}, "started": 1.0}}\n')
    assert process_of(settings, "worker") is None
    assert restarts(settings, "worker") == 1


def test_the_systemd_unit_is_a_valid_one(tmp_path: Path) -> None:
    told = Workshop(tmp_path).done("up", "--systemd", tmp_path / "units", "--port", "3100", "--json").document
    (unit,) = told["units"]
    text = Path(unit).read_text(encoding="utf-8")
    assert "--port 3100" in text
    assert f'Environment="LEITSTAND_HOME={tmp_path}/home"' in text
    if shutil.which("systemd-analyze"):
        verified = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
        assert (verified.returncode, verified.stderr) == (0, "")


def test_a_folder_for_units_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = Workshop(tmp_path)("up", "--systemd", tmp_path / "file" / "units")
    assert told.code == 1
    assert f"{tmp_path / 'file' / 'units'}" in told.told
    assert "unexpected" not in told.told


def test_the_systemd_unit_holds_no_password(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path, {"LEITSTAND_DATABASE_URL": "postgresql://leitstand:very-secret@db/x"})
    (unit,) = workshop.done("up", "--systemd", tmp_path / "units", "--json").document["units"]
    assert "very-secret" not in Path(unit).read_text(encoding="utf-8")

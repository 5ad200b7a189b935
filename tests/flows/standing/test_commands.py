"""Commands that the worker carries out: real processes, as a person calls them."""

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from flows.standing.commands import Commands
from flows.standing.delegation import SOCKET, bound, conditions
from flows.standing.forks import Forks
from infra.settings import Settings

from .conftest import Plant

pytestmark = pytest.mark.slow


def called(plant: Plant, *arguments: object, **options: Any) -> "subprocess.Popen[str]":
    """Call the command line under the conditions that the services were started under."""
    environment = {**os.environ, **plant.workshop.variables, **options.pop("variables", {})}
    return subprocess.Popen(
        [sys.executable, "-c", "from flows.cli import main; main()", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=options.pop("cwd", plant.workshop.work),
        **options,
    )


def begun(plant: Plant, command: str) -> list[int]:
    """Return the processes that carried such a command out, by the worker's log."""
    lines = plant.workshop.done("logs", "worker", "--lines", "1000", "--json").document["worker"]
    return [int(line.rpartition(" ")[2]) for line in lines if f"Command '{command}' began" in line]


def test_a_command_is_carried_out_by_the_worker_as_it_would_be_here(plant: Plant) -> None:
    before = len(begun(plant, "maintain"))
    warm = called(plant, "maintain", "parts", "--dry-run", "--json")
    told = warm.communicate()
    assert (warm.returncode, told[1]) == (0, "")
    assert len(begun(plant, "maintain")) == before + 1
    here = plant.workshop.done("maintain", "parts", "--dry-run", "--json")
    assert len(begun(plant, "maintain")) == before + 1  # its streams are not those of a process
    assert json.loads(told[0])["decision"] == here.document["decision"]


def test_errors_languages_and_relative_paths_are_those_of_the_caller(plant: Plant, tmp_path: Path) -> None:
    unknown = called(plant, "train", "nowhere", variables={"LEITSTAND_LANGUAGE": "de"})
    assert "gibt es nicht" in unknown.communicate()[1]
    assert unknown.returncode == 2
    (tmp_path / "small.csv").write_text("a,b\n" + "".join(f"{i},{i % 7}\n" for i in range(40)), encoding="utf-8")
    before = len(begun(plant, "contract"))
    proposed = called(plant, "contract", "infer", "small.csv", cwd=tmp_path)
    assert "small" in proposed.communicate()[0]
    assert proposed.returncode == 0
    assert len(begun(plant, "contract")) == before + 1


def test_another_environment_than_that_of_the_services_is_not_handed_over(plant: Plant) -> None:
    before = len(begun(plant, "maintain"))
    for variables in ({"OMP_NUM_THREADS": "1"}, {"LEITSTAND_WARM_COMMANDS": "false"}):
        own = called(plant, "maintain", "parts", "--dry-run", "--json", variables=variables)
        assert '"decision"' in own.communicate()[0]
        assert own.returncode == 0
    assert len(begun(plant, "maintain")) == before


@pytest.mark.parametrize(("told", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_command_ends_with_its_caller(plant: Plant, told: signal.Signals, code: int) -> None:
    before = len(begun(plant, "run"))
    running = called(plant, "run", "parts", "--no-service")
    process = psutil.Process(plant.until(lambda: begun(plant, "run")[before:])[0])
    running.send_signal(told)
    running.communicate()
    assert running.returncode == code
    assert not psutil.wait_procs([process], timeout=10)[1]


def test_a_command_halts_and_goes_on_with_its_caller(plant: Plant) -> None:
    before = len(begun(plant, "run"))
    running = called(plant, "run", "parts", "--no-service")
    both = [psutil.Process(running.pid), psutil.Process(plant.until(lambda: begun(plant, "run")[before:])[0])]
    running.send_signal(signal.SIGTSTP)
    plant.until(lambda: all(process.status() == psutil.STATUS_STOPPED for process in both))
    running.send_signal(signal.SIGCONT)
    plant.until(lambda: not any(process.status() == psutil.STATUS_STOPPED for process in both))
    running.send_signal(signal.SIGINT)
    running.communicate()
    assert running.returncode == 130


def test_a_command_whose_end_nobody_knows_is_said_to_be_lost(plant: Plant) -> None:
    before = len(begun(plant, "run"))
    running = called(plant, "run", "parts", "--no-service", "--json")
    process = psutil.Process(plant.until(lambda: begun(plant, "run")[before:])[0])
    process.parent().kill()  # the one that it was forked from, which would tell of its end
    said = running.communicate()[0]
    assert (running.returncode, "The services ended" in said) == (1, True)
    assert not psutil.wait_procs([process], timeout=10)[1]
    again = called(plant, "maintain", "parts", "--dry-run", "--json")
    assert '"decision"' in again.communicate()[0]
    assert again.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_cannot_be_written_is_no_traceback(plant: Plant, unbuffered: str) -> None:
    command = [sys.executable, "-c", "from flows.cli import main; main()", "maintain", "parts", "--dry-run", "--json"]
    environment = {**os.environ, **plant.workshop.variables, "PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, text=True, env=environment)
    assert ended.returncode in (1, 120)
    assert "No space left" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_usage_names_the_program_as_it_was_called(plant: Plant) -> None:
    told = called(plant, "contract").communicate()
    assert "leitstand contract" in told[0] + told[1]
    assert "python -m" not in told[0] + told[1]


def test_a_worker_that_dies_takes_its_commands_with_it_and_they_say_so(plant: Plant) -> None:
    before = len(begun(plant, "run"))
    running = called(plant, "run", "parts", "--no-service", "--json")
    process = psutil.Process(plant.until(lambda: begun(plant, "run")[before:])[0])
    plant.kill(plant.pids()["worker"])
    said = running.communicate()[0]
    assert running.returncode == 1
    assert "The services ended" in said
    assert not psutil.wait_procs([process], timeout=10)[1]
    plant.ready()
    again = called(plant, "maintain", "parts", "--dry-run", "--json")
    assert '"decision"' in again.communicate()[0]
    assert again.returncode == 0


@pytest.mark.parametrize(
    "sent", [b"", b"\x00", struct.pack("!I", 9) + b"no", struct.pack("!I", 2) + b"[]", struct.pack("!I", 2) + b"{}"]
)
def test_who_asks_for_nonsense_harms_nobody(plant: Plant, sent: bytes) -> None:
    worker = plant.pids()["worker"]
    with socket.socket(socket.AF_UNIX) as asking:
        with contextlib.chdir(plant.workshop.home / "standing"):
            asking.connect(SOCKET)
        asking.sendall(sent)
        asking.shutdown(socket.SHUT_WR)
        asking.settimeout(30)
        while asking.recv(1000):
            pass
    again = called(plant, "maintain", "parts", "--dry-run", "--json")
    assert '"decision"' in again.communicate()[0]
    assert plant.pids()["worker"] == worker
    assert len(begun(plant, "maintain")) > 0


def test_only_the_own_user_can_ask_the_worker(plant: Plant) -> None:
    assert (plant.workshop.home / "standing" / SOCKET).stat().st_mode & 0o777 == 0o600


def shown_conditions(*before: str) -> str:
    """Return the conditions of a process that is started so."""
    command = [*before, sys.executable, "-c", "from flows.standing.delegation import conditions; print(conditions())"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout or "none"


def test_a_folder_that_can_hold_no_socket_ends_only_the_commands(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "standing" / SOCKET).mkdir(parents=True)
    anyio.run(Commands(Settings(home=tmp_path), Forks(), "").carry_out)
    assert "No commands are taken" in caplog.text


def test_the_socket_is_reached_in_a_folder_of_any_length(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 50)
    folder.mkdir()
    with bound(folder) as listener, socket.socket(socket.AF_UNIX) as asking:
        assert (folder / SOCKET).is_socket()
        with contextlib.chdir(folder):
            asking.connect(SOCKET)
        listener.accept()[0].close()


def test_conditions_differ_by_variables_that_are_read_at_an_import_and_by_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = conditions()
    assert shown_conditions("unshare", "--mount") != shown_conditions() == shown_conditions()
    assert shown_conditions("nice") != shown_conditions()
    monkeypatch.setenv("LEITSTAND_LANGUAGE", "de")
    monkeypatch.setenv("DO_NOT_TRACK", "false")
    assert conditions() == usual
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    assert conditions() != usual

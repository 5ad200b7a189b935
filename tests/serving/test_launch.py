"""Real service processes, started, stopped and killed."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
from typing import Any

import httpx
import psutil
import pytest

from leitstand.errors import ServiceError, UnknownName, UsageError
from serving.launch import start_service

pytestmark = pytest.mark.slow

LAUNCHER = """
import json, sys
from infra.settings import Settings
from serving.launch import serve_forever, start_service

def announce(service):
    print(json.dumps([service.url, [process.pid for process in service.family()]]), flush=True)

settings = Settings(home=sys.argv[1], workspace=sys.argv[2])
serve_forever(["cells"], settings, announce=announce)
"""


def gone(processes: list[psutil.Process], seconds: float = 20) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return not alive


def service_processes(home: str) -> list[psutil.Process]:
    """Return the service processes whose state folder is ``home``."""
    found = []
    for process in psutil.process_iter():
        try:
            if "serving.service:LeitstandService" in process.cmdline() and process.environ().get("LEITSTAND_HOME") == home:
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.fixture
def launcher(stage: Any) -> Any:
    command = [sys.executable, "-c", LAUNCHER, str(stage.settings.root), str(stage.settings.workspace)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def started(launcher: Any) -> tuple[str, list[psutil.Process]]:
    url, pids = json.loads(launcher.stdout.readline())
    return url, [psutil.Process(pid) for pid in pids]


def test_stopping_leaves_no_process_and_no_open_port(stage: Any) -> None:
    with start_service(["cells"], stage.settings) as service:
        family = list(service.family())
        assert len(family) >= 2
        assert httpx.get(f"{service.url}/readyz", trust_env=False).json()["status"] == "ready"
        assert service.log.parent == stage.settings.root / "logs"
    assert not any(process.is_running() for process in family)
    with pytest.raises(httpx.ConnectError, match="refused"):
        httpx.get(service.url, trust_env=False)
    service.stop()


@pytest.mark.skipif(not hasattr(psutil.Process, "rlimit"), reason="only Linux tells the limits of another process")
def test_the_service_may_hold_more_connections_than_a_shell_s_limit(stage: Any) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    command = [sys.executable, "-c", LAUNCHER, str(stage.settings.root), str(stage.settings.workspace)]
    process = subprocess.Popen(["sh", "-c", 'ulimit -S -n 1024 && exec "$@"', "sh", *command], stdout=subprocess.PIPE)
    try:
        _, family = started(process)
        assert {one.rlimit(resource.RLIMIT_NOFILE)[0] for one in family} == {1024, min(8192, hard)}
    finally:
        process.kill()
        process.communicate()


def test_the_service_ends_when_its_launcher_is_killed(launcher: Any) -> None:
    url, family = started(launcher)
    assert httpx.get(f"{url}/livez", trust_env=False).status_code == 200
    launcher.kill()
    assert gone(family)


def test_the_worker_ends_when_its_supervisor_is_killed(stage: Any) -> None:
    with start_service(["cells"], stage.settings) as service:
        family = list(service.family())
        service.process.kill()
        assert gone(family)


def test_the_foreground_service_ends_cleanly_on_sigterm(launcher: Any) -> None:
    _, family = started(launcher)
    launcher.send_signal(signal.SIGTERM)
    assert launcher.wait(30) == 0
    assert not any(process.is_running() for process in family)


def test_a_port_in_use_is_named(stage: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServiceError, match=f"Port {port} on 127.0.0.1 is in use"):
            start_service(["cells"], stage.settings, port=port)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.7", "::", "example.org", ""])
def test_only_loopback_can_be_the_address(stage: Any, host: str) -> None:
    with pytest.raises(UsageError, match="address"):
        start_service(["cells"], stage.settings, host=host)


def test_an_unknown_project_is_refused_before_anything_starts(stage: Any) -> None:
    with pytest.raises(UnknownName, match="Did you mean: cells"):
        start_service(["cels"], stage.settings)
    with pytest.raises(UsageError, match="nothing to serve"):
        start_service([], stage.settings)


def test_a_service_without_any_model_is_stopped_with_the_reasons(stage: Any) -> None:
    with pytest.raises(ServiceError, match=r"(?s)untrained has no champion yet.*is not the one that was registered"):
        start_service(["untrained", "tampered"], stage.settings)
    assert _nothing_new_runs(stage)


def test_a_service_that_dies_while_starting_shows_the_end_of_its_log(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENTOML_CONFIG", "/nowhere.yaml")
    with pytest.raises(ServiceError, match=r"(?s)ended while starting.*nowhere.yaml"):
        start_service(["cells"], stage.settings)


def test_a_service_that_is_not_ready_in_time_is_stopped(stage: Any) -> None:
    with pytest.raises(ServiceError, match=r"not ready after 0\.3 s"):
        start_service(["cells"], stage.settings, seconds=0.3)
    assert _nothing_new_runs(stage)


def _nothing_new_runs(stage: Any) -> bool:
    """Say whether the only service of this stage is the one that the other tests share."""
    supervisors = {process.ppid() for process in service_processes(str(stage.settings.root))}
    return len(supervisors - {os.getpid()}) <= 1

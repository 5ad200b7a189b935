"""All standing services, started once, around a project that has a champion and a schedule."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import psutil
import pytest
from workshop import Workshop

WAIT_SECONDS = 240.0
OVER = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


@dataclass
class Plant:
    """The running services, and Prefect's API as anybody can use it."""

    workshop: Workshop

    def status(self) -> dict[str, Any]:
        document: dict[str, Any] = self.workshop("status", "--json").document
        return document

    def pids(self) -> dict[str, int]:
        return {one["service"]: one["pid"] for one in self.status()["services"]}

    def ready(self) -> dict[str, Any]:
        """Return the status as soon as all services are ready."""
        return self.until(lambda: (found := self.status())["running"] and _all_ready(found) and found)

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        self.until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)

    def until(self, found: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            with suppress(psutil.NoSuchProcess, httpx.HTTPError, LookupError):
                if result := found():
                    return result
            time.sleep(0.2)
        raise AssertionError(self.workshop("logs", "--lines", "40").stderr)

    def post(self, path: str, **content: Any) -> Any:
        url = {one["service"]: one["url"] for one in self.status()["services"]}["prefect"]
        answer = httpx.post(f"{url}/api/{path}", json=content, trust_env=False, timeout=30)
        return answer.raise_for_status().json()

    def deployments(self) -> dict[str, Any]:
        return {one["name"]: one for one in self.post("deployments/filter")}

    def trigger(self, project: str) -> str:
        """Plan a run of a project for now, as Prefect's page does; return its id."""
        deployment = self.until(lambda: self.deployments()[project]["id"])
        content = {"state": {"type": "SCHEDULED"}, "idempotency_key": uuid4().hex}  # asked again where its database is busy
        return str(self.until(lambda: self.post(f"deployments/{deployment}/create_flow_run", **content)["id"]))

    def running_runs(self) -> list[int]:
        """Return the processes of runs: those that the process with everything imported has forked."""
        (server,) = (one for one in psutil.Process(self.pids()["worker"]).children() if "forkserver" in " ".join(one.cmdline()))
        return [one.pid for one in server.children()]

    def outcome(self, run: str) -> dict[str, Any]:
        """Return a run once it is over."""

        def over() -> Any:
            (found,) = self.post("flow_runs/filter", flow_runs={"id": {"any_": [run]}})
            return found if found["state_type"] in OVER else None

        outcome: dict[str, Any] = self.until(over)
        return outcome


def _all_ready(status: dict[str, Any]) -> bool:
    return all(one["state"] == "ready" for one in status["services"])


@pytest.fixture(scope="module")
def plant(trained_parts: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """The services, on free ports; a yearly schedule plans runs and starts none."""
    workshop = trained_parts.copy(tmp_path_factory.mktemp("standing") / "copy")
    workshop.edit("parts", maintenance={"schedule": {"cron": "0 3 1 1 *", "time_zone": "Europe/Berlin"}})
    try:
        workshop.done("up", "--detach", "--port", "0", "--prefect-port", "0", "--mlflow-port", "0")
        yield Plant(workshop)
    finally:
        workshop.done("down")
        assert workshop.processes() == []

"""A real Prefect server for the session, a state folder and a workspace for each test, and runs that are done once and only looked at."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pandas as pd
import pytest
from loop import AT_ONCE, TURNED, used
from workshop import Workshop, parts

from infra.ports import reserve_port
from infra.settings import NO_TELEMETRY, load_settings

START_SECONDS = 180.0


@pytest.fixture(scope="session")
def prefect_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prefect server of its own: runs need not wait for a temporary one then."""
    folder = tmp_path_factory.mktemp("prefect")
    port = reserve_port()
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={
                **os.environ,
                **NO_TELEMETRY,
                "PREFECT_HOME": str(folder),
                "PREFECT_PROFILES_PATH": str(folder / "profiles.toml"),
            },
        )
    url = f"http://127.0.0.1:{port}/api"
    try:
        _wait_for(url, server, folder / "log")
        yield url
        _send_what_waits()
    finally:
        server.terminate()
        server.wait(30)


def _send_what_waits() -> None:
    """Let Prefect send what it still holds back; with the server gone it would try for a minute when Python ends."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for worker in (APILogWorker, EventsWorker):
        worker.drain_all(timeout=30)


def _wait_for(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()
        try:
            if httpx.get(f"{url}/health", timeout=2, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with MLflow's tables in it and nothing else: making them takes seconds, copying them none."""
    from infra.mlflow_client import open_client

    settings = load_settings(home=tmp_path_factory.mktemp("empty"), database_url=None, mlflow_url=None)
    open_client(settings)
    return settings.root


@pytest.fixture(scope="session")
def new_workshop(prefect_url: str, empty_home: Path) -> Callable[[Path], Workshop]:
    """Make a workshop in a folder: nothing has run in it yet."""

    def make(folder: Path) -> Workshop:
        workshop = Workshop(folder, {"LEITSTAND_PREFECT_URL": prefect_url, "LEITSTAND_LANGUAGE": "en"})
        workshop.home.mkdir()
        shutil.copy(empty_home / "mlflow.db", workshop.home / "mlflow.db")
        return workshop

    return make


@pytest.fixture
def workshop(new_workshop: Callable[[Path], Workshop], tmp_path: Path) -> Workshop:
    """A state folder and a workspace of the test's own."""
    return new_workshop(tmp_path)


@pytest.fixture(scope="session")
def trained_parts(new_workshop: Callable[[Path], Workshop], tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """The small project ``parts`` with version 1 in charge; to look at only. ``own_parts`` is a copy to change."""
    workshop = new_workshop(tmp_path_factory.mktemp("parts"))
    workshop.project()
    workshop.done("run", "parts", "--no-service", "--json")
    return workshop


@pytest.fixture
def own_parts(trained_parts: Workshop, tmp_path: Path) -> Workshop:
    """A copy of ``trained_parts`` that the test may change."""
    return trained_parts.copy(tmp_path / "copy")


@pytest.fixture(scope="session")
def turned_parts(trained_parts: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Version 1 in charge of a world that has turned: labels say so, and newer rows to learn from are there."""
    workshop = trained_parts.copy(tmp_path_factory.mktemp("turned") / "copy")
    fresh = parts(700, seed=2)
    fresh["quality"] = fresh["quality"].map(TURNED)
    workshop.edit("parts", monitoring=AT_ONCE)
    used(workshop, fresh.head(150), fresh["quality"].head(150))
    workshop.table("parts.csv", pd.concat([parts(), fresh], ignore_index=True))
    return workshop


@pytest.fixture
def turned(turned_parts: Workshop, tmp_path: Path) -> Workshop:
    return turned_parts.copy(tmp_path / "copy")

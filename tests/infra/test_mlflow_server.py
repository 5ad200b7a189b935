"""The form for servers: ``mlflow server`` on PostgreSQL, and our client through it."""

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.mlflow_client import open_client, tracking_url
from infra.ports import reserve_port
from infra.registry import Registry
from infra.settings import Settings, load_settings
from infra.tracking import Tracker
from leitstand.model import TrainedModel
from leitstand.model_file import save_model

from .conftest import INPUTS

pytestmark = [pytest.mark.slow, pytest.mark.postgresql]


@pytest.fixture
def through_server(postgresql_url: str, tmp_path: Path) -> Iterator[Settings]:
    direct = load_settings(home=tmp_path / "home", database_url=postgresql_url)
    open_client(direct)  # makes the schema and its tables
    port = reserve_port()
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", tracking_url(direct), "--host", "127.0.0.1"]
    command += ["--artifacts-destination", str(tmp_path / "store"), "--port", str(port), "--workers", "1"]
    with (tmp_path / "server.log").open("w") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, cwd=tmp_path, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            assert process.poll() is None, (tmp_path / "server.log").read_text()
            try:
                with urllib.request.urlopen(f"{url}/health") as answer:
                    if answer.status == 200:
                        break
            except OSError:
                time.sleep(0.2)
        yield load_settings(home=tmp_path / "client", database_url=postgresql_url, mlflow_url=url)
    finally:
        process.terminate()
        process.wait(timeout=60)


def test_a_model_goes_through_a_server_and_back(
    through_server: Settings, small_model: TrainedModel, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tracker, registry = Tracker(through_server), Registry(through_server)
    run_id = tracker.start("demo", "x", {"seed": 1}, {})
    sha256 = save_model(small_model, tmp_path / "model")
    tracker.log_model(run_id, tmp_path / "model", inputs=INPUTS, requirements=[])
    version = registry.register("demo", run_id, sha256, {"data_version": "abc"})
    registry.promote("demo", version.version, who="anna", why="first")
    tracker.finish(run_id)
    champion = registry.champion("demo")
    assert champion is not None
    assert (champion.version, champion.alias, champion.data_version) == (1, "champion", "abc")
    assert champion.location.startswith("mlflow-artifacts:")
    assert registry.fetch(champion).card == small_model.card
    assert tracker.run(run_id).status == "FINISHED"
    assert capfd.readouterr().out == ""

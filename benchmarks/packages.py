"""Serve packages where nothing but their own requirements is installed. ``python -m benchmarks.packages [PROJECT …] [--rounds 5]``.

Takes the champions of the state folder (``LEITSTAND_HOME``); fetches the requirements from the package index, or from uv's cache.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from flows.workspace import open_project
from infra.ports import reserve_port
from infra.releases import Releases
from infra.settings import Settings, calm_tools, load_settings
from infra.snapshots import SnapshotStore
from serving.client import as_rows
from serving.packaging import Package, package

ROWS = 5
ROW = "| {} | {} | {} | {} | {} | {} | {} |"
HEAD = ("project", "Bento MB", "requirements", "environment MB", "first start s", "later starts s", "worker MB")


@dataclass(frozen=True)
class Start:
    """One start: seconds until the first prediction was answered, and MB of the process that answers, after it."""

    seconds: float
    memory: float


def main() -> None:
    """Pack, install, serve, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.packages", description=__doc__)
    parser.add_argument("projects", nargs="*", help="all with a champion where none is named")
    parser.add_argument("--rounds", type=int, default=5, help="counted starts")
    arguments = parser.parse_args()
    calm_tools()
    settings = load_settings()
    print(ROW.format(*HEAD), ROW.format(*["---"] * 7), sep="\n")
    for name in arguments.projects or sorted(Releases(settings).champions()):
        with tempfile.TemporaryDirectory(prefix="packages-") as scratch:
            print(line(name, settings, Path(scratch), arguments.rounds), flush=True)


def line(name: str, settings: Settings, scratch: Path, rounds: int) -> str:
    """Return one project's row of the table."""
    made = package([name], settings, output=scratch / "package")
    install(made, scratch / "environment")
    size = sum(file.stat().st_size for file in (scratch / "environment").rglob("*") if file.is_file() and not file.is_symlink())
    body = {"rows": rows_of(name, settings)}
    first, *later = [start(name, scratch, body) for _ in range(rounds + 1)]
    figures = (f"{made.size / 1e6:.2f}", len(made.requirements), f"{size / 1e6:.0f}", f"{first.seconds:.1f}")
    seconds, memory = (statistics.median(values) for values in zip(*((one.seconds, one.memory) for one in later), strict=True))
    return ROW.format(name, *figures, f"{seconds:.1f}", f"{memory:.0f}")


def rows_of(name: str, settings: Settings) -> list[dict[str, Any]]:
    """Return rows of the data that the champion was trained on."""
    releases = Releases(settings)
    data = SnapshotStore(settings).load(name, releases.read(name, releases.champions()[name]).data_version)
    return as_rows(data.tail(ROWS), open_project(name, settings).input_contract)


def install(made: Package, environment: Path) -> None:
    """Make a virtual environment with the requirements of the package and nothing else."""
    required = ["--no-deps", "--require-hashes", "-r", str(made.path / "src" / "requirements.txt")]
    if shutil.which("uv"):
        run(["uv", "venv", "--quiet", "--python", sys.executable, str(environment)])
        run(["uv", "pip", "install", "--quiet", "--compile-bytecode", "--python", str(environment / "bin" / "python"), *required])
    else:
        run([sys.executable, "-m", "venv", str(environment)])
        run([str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet", *required])


def run(command: list[str]) -> None:
    """Run a command to its end."""
    subprocess.run(command, check=True)


def start(name: str, scratch: Path, body: dict[str, Any]) -> Start:
    """Serve the package once, ask everything, and check the answers."""
    began = time.perf_counter()
    with served(scratch) as (http, process):
        answer = post(http, f"/{name}/predict", body, process)
        seconds = time.perf_counter() - began
        memory = max(child.memory_info().rss for child in process.children(recursive=True)) / 1e6
        ids = [one["id"] for one in answer["predictions"]]
        labels = [{"id": id_, "value": one["prediction"]} for id_, one in zip(ids, answer["predictions"], strict=True)]
        if not isinstance(labels[0]["value"], bool):  # of an anomaly the label is a text that only the project knows
            assert post(http, f"/{name}/feedback", {"labels": labels}, process)["matched"] == len(body["rows"])
        for path in ("", "openapi.json", "schema", "model"):
            assert http.get(f"/{name}/{path}").status_code == 200, path
    return Start(seconds, memory)


def post(http: httpx.Client, path: str, body: dict[str, Any], process: psutil.Process) -> Any:
    """Return the answer as soon as there is one."""
    while True:
        try:
            answer = http.post(path, json=body)
        except httpx.TransportError:
            assert process.status() != psutil.STATUS_ZOMBIE, "the service has ended"
            time.sleep(0.02)
            continue
        assert answer.status_code == 200, answer.text
        return answer.json()


@contextmanager
def served(scratch: Path) -> Iterator[tuple[httpx.Client, psutil.Process]]:
    """Run ``bentoml serve`` of the clean environment, with an environment that says nothing of this one."""
    port = reserve_port()
    bare = {"PATH": os.defpath, "HOME": str(scratch), "BENTOML_DO_NOT_TRACK": "True"}
    command = [scratch / "environment" / "bin" / "bentoml", "serve", ".", "--host", "127.0.0.1", "--port", str(port)]
    with (scratch / "service.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=scratch / "package", env=bare, stdout=log, stderr=subprocess.STDOUT)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as http:
            yield http, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    main()

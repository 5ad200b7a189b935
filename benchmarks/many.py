"""One service with many projects: how soon it answers, and what it holds in memory. ``python -m benchmarks.many [--projects 200]``.

The first start finds one champion compiled and the others not; the second one finds all compiled.
"""

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import httpx
import psutil

from benchmarks.serving import prepared
from infra.history import History
from infra.releases import COMPILED_FOLDER, RELEASE_FILE, Releases
from infra.settings import Settings, calm_tools
from serving.launch import is_preparing, service_command, service_environment
from serving.preparing import compile_releases

ORIGINAL, PORT = "bench_job", 4817
JSON = {"Content-Type": "application/json"}


def main() -> None:
    """Make the projects, start the service twice and print a line each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.many", description=__doc__)
    parser.add_argument("--projects", type=int, default=200)
    wanted: int = parser.parse_args().projects
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    calm_tools()
    with tempfile.TemporaryDirectory() as scratch:
        workspace = prepared(Path(scratch))
        settings = Settings(home=workspace / ".leitstand", workspace=workspace)
        multiply(settings, wanted - 1)
        for state in ("one of them compiled", "all of them compiled"):
            print(f"{wanted} projects, {state}: {started(settings)}", flush=True)


def multiply(settings: Settings, copies: int) -> None:
    """Put copies of the one project beside it, each with a champion that was never compiled; the original is compiled."""
    releases, history = Releases(settings), History(settings.database("history"))
    version = releases.champions()[ORIGINAL]
    compile_releases(releases, [releases.read(ORIGINAL, version)])
    for number in range(copies):
        name = f"copy_{number:03d}"
        for file in ("project.yaml", "model.py"):
            copied(settings.workspace / "projects" / ORIGINAL / file, settings.workspace / "projects" / name / file, name)
        contract = settings.workspace / "data_contracts" / f"{ORIGINAL}.odcs.yaml"
        copied(contract, contract.with_name(f"{name}.odcs.yaml"), name)
        release = releases.folder(name, version)
        shutil.copytree(releases.folder(ORIGINAL, version), release, ignore=shutil.ignore_patterns(COMPILED_FOLDER))
        copied(releases.folder(ORIGINAL, version) / RELEASE_FILE, release / RELEASE_FILE, name)
        history.append(name, "promote", version, who="benchmarks", why="a copy", evidence={})
    history.close()
    releases.close()


def copied(source: Path, target: Path, name: str) -> None:
    """Copy a text file, with the project's name in it replaced."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(source.read_text(encoding="utf-8").replace(ORIGINAL, name), encoding="utf-8")


def started(settings: Settings) -> str:
    """Start the service as ``leitstand up`` does; return when it answered first, when for all, and what its worker held then."""
    row = {f"sensor_{number:02d}": 0.0 for number in range(30)}
    body = json.dumps({"rows": [row]})
    begin = time.perf_counter()
    command = service_command([], "127.0.0.1", PORT, os.getpid())
    process = subprocess.Popen(command, env=service_environment(settings), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    first = None
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{PORT}", trust_env=False, timeout=30) as client:
            while True:
                time.sleep(0.05)
                try:
                    if first is None and client.post(f"/{ORIGINAL}/predict", content=body, headers=JSON).status_code == 200:
                        first = time.perf_counter() - begin
                    if first is not None and not is_preparing(client.get("/readyz")):
                        break
                except httpx.TransportError:
                    continue
        held = max(one.memory_info().rss for one in psutil.Process(process.pid).children(recursive=True)) / 1e6
        return f"first answer after {first:.1f} s, all ready after {time.perf_counter() - begin:.1f} s, worker {held:.0f} MB"
    finally:
        process.terminate()
        process.wait(60)


if __name__ == "__main__":
    main()

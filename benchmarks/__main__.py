"""Measure speed and memory and write the first part of RESULTS.md. ``python -m benchmarks [--rounds 5]``.

What stands there below ``OTHERS`` is left alone: those figures take hours and come from ``drift``, ``time_lapse``, ``drill`` and the others here.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pandas as pd

from benchmarks.job import write_project, write_table
from benchmarks.measure import Measured, in_turn, median, written_otherwise
from infra.ports import reserve_port

OTHERS = "\n# Figures of the maintenance loop\n"
HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
RUN = [str(BIN / "leitstand"), "run", "bench_job", "--no-service", "--json"]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds of each comparison")
    parser.add_argument("--output", type=Path, default=HERE / "RESULTS.md")
    arguments = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    others = written_otherwise(arguments.output, OTHERS)
    written = head()
    with tempfile.TemporaryDirectory() as scratch:
        # the contract section comes last: its large table would count as memory of every child started after it
        for section in (start_section, lifecycle_section, contract_section):
            made = section(Path(scratch), arguments.rounds)
            print(made, flush=True)
            written += made
            arguments.output.write_text(written + others, encoding="utf-8")  # what was measured stays when a later part fails


def head() -> str:
    """Return the top of the page: what was measured where."""
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return (
        "# Results\n\nWritten by `make bench`. Every figure stands beside a bare script or a peer measured in the same run, in turn, one round of "
        f"warm-up not counted; medians.\n\nMachine: {machine}. Date: {datetime.now(UTC):%Y-%m-%d}.\n"
    )


def environment(workspace: Path, server: str | None) -> dict[str, str]:
    """Return the environment of a measured process: a state folder of its own, and which Prefect server it finds."""
    nowhere = "http://127.0.0.1:9/api"
    return {
        "LEITSTAND_HOME": str(workspace / ".leitstand"),
        "LEITSTAND_WORKSPACE": str(workspace),
        "LEITSTAND_PREFECT_URL": server or nowhere,
    }


def lifecycle_section(scratch: Path, rounds: int) -> str:
    """Measure the job: bare, with Leitstand on a running Prefect server, without one, and in a warm process."""
    workspace = scratch / "job"
    workspace.mkdir()
    table = workspace / "table.csv"
    write_table(table)
    write_project(workspace, table)
    bare = [sys.executable, str(HERE / "bare.py"), str(table), str(workspace)]
    with prefect_server(workspace) as url:
        served = in_turn({"bare": bare, "run": RUN}, rounds, workspace, environment(workspace, url))
        warm = warm_runs(workspace, environment(workspace, url), rounds)
    with services(workspace):
        handed = in_turn({"bare": bare, "run": RUN}, rounds, workspace, environment(workspace, None))
    alone = in_turn({"bare": bare, "run": RUN}, rounds, workspace, environment(workspace, None))
    base = wall(served["bare"])
    rows = [
        ("bare script", base, 1.0, peak(served["bare"]), "–"),
        ("`leitstand run`, `leitstand up` running", wall(handed["run"]), wall(handed["run"]) / wall(handed["bare"]), None, "≤ 3"),
        ("`leitstand run`, Prefect server running", wall(served["run"]), wall(served["run"]) / base, peak(served["run"]), "≤ 3"),
        ("`leitstand run`, no server", wall(alone["run"]), wall(alone["run"]) / wall(alone["bare"]), peak(alone["run"]), "≤ 5"),
        ("second run in a warm process", median(warm), median(warm) / base, None, "≤ 1"),
    ]
    lines = [
        f"| {name} | {seconds:.2f} | {ratio:.2f} | {goal} | {'–' if mb is None else f'{mb:.0f}'} |"
        for name, seconds, ratio, mb, goal in rows
    ]
    title = "\n## One job: 100,000 × 30 rows, 60 rules, gradient boosting, drift of two parts\n\n"
    return title + "| what | s | × bare | goal | peak MB |\n|---|---|---|---|---|\n" + "\n".join(lines) + "\n"


def warm_runs(workspace: Path, variables: dict[str, str], rounds: int) -> list[float]:
    """Return the seconds of every run but the first in one process."""
    output = subprocess.run(
        [sys.executable, "-m", "benchmarks.warm", str(rounds + 1)],
        cwd=workspace, env={**os.environ, **variables, "PYTHONPATH": str(HERE.parent)}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return [float(line.split()[1]) for line in output.splitlines() if line.startswith("seconds")][1:]


def contract_section(scratch: Path, rounds: int) -> str:
    """Measure a contract check and a snapshot of a million rows beside DuckDB."""
    workspace = scratch / "contract"
    workspace.mkdir()
    table, parquet = workspace / "table.csv", workspace / "table.parquet"
    write_table(table, rows=1_000_000)
    pd.read_csv(table).to_parquet(parquet)
    write_project(workspace, table)
    output = subprocess.run(
        [sys.executable, "-m", "benchmarks.contract_check", str(parquet), str(rounds)],
        cwd=workspace, env={**os.environ, **environment(workspace, None), "PYTHONPATH": str(HERE.parent)},
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    found: dict[str, list[float]] = {}
    for line in output.splitlines():
        name, _, seconds = line.partition(" ")
        found.setdefault(name, []).append(float(seconds))
    base = median(found["duckdb"])
    lines = [
        f"| {label} | {median(found[name]):.2f} | {1_000_000 / median(found[name]):,.0f} | {median(found[name]) / base:.1f} |"
        for name, label in (
            ("check", "contract check, 61 rules"),
            ("snapshot", "data version of it"),
            ("duckdb", "plain DuckDB scan, same rules"),
        )
    ]
    title = "\n## Contract check: 1,000,000 × 31 rows\n\n"
    return title + "| what | s | rows/s | × DuckDB |\n|---|---|---|---|\n" + "\n".join(lines) + "\n"


def start_section(scratch: Path, rounds: int) -> str:
    """Measure what a person waits for before anything happens."""
    workspace = scratch / "start"
    workspace.mkdir()
    commands = {
        "`python -c pass`": [sys.executable, "-c", "pass"],
        "`leitstand --help`": [str(BIN / "leitstand"), "--help"],
        "`leitstand projects`": [str(BIN / "leitstand"), "projects"],
    }
    found = in_turn(commands, rounds, workspace, environment(workspace, None))
    lines = [f"| {name} | {wall(runs):.2f} | {'–' if 'pass' in name else '≤ 0.4'} |" for name, runs in found.items()]
    return "\n## Start-up\n\n| what | s | goal |\n|---|---|---|\n" + "\n".join(lines) + "\n"


@contextmanager
def services(workspace: Path) -> Iterator[None]:
    """Run what stands, Prefect server and warm worker among it, while the block lasts."""
    variables, leitstand = {**os.environ, **environment(workspace, None)}, str(BIN / "leitstand")
    ports = ["--port", "0", "--prefect-port", "0", "--mlflow-port", "0"]
    subprocess.run([leitstand, "up", "--detach", *ports], cwd=workspace, env=variables, capture_output=True, check=True)
    try:
        yield
    finally:
        subprocess.run([leitstand, "down"], cwd=workspace, env=variables, capture_output=True, check=True)


def wall(runs: list[Measured]) -> float:
    """Return the median wall time."""
    return median([run.wall for run in runs])


def peak(runs: list[Measured]) -> float:
    """Return the median of the largest resident memory."""
    return median([run.peak_mb for run in runs])


@contextmanager
def prefect_server(workspace: Path) -> Iterator[str]:
    """Run a Prefect server on loopback while the block lasts, and yield its address."""
    from infra.settings import calm_tools

    calm_tools()
    port = reserve_port()
    home = workspace / "prefect-server"
    process = subprocess.Popen(
        [str(BIN / "prefect"), "server", "start", "--host", "127.0.0.1", "--port", str(port)],
        env={**os.environ, "PREFECT_HOME": str(home)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}/api"
    try:
        for _ in range(240):
            try:
                if httpx.get(f"{url}/health", trust_env=False).status_code == 200:
                    break
            except httpx.HTTPError:
                time.sleep(0.25)
        yield url
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    main()

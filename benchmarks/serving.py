"""The service beside what people would use instead: the same model and rows, one machine, in turn. ``python -m benchmarks.serving``.

Needs ``wrk`` (a package of every Linux distribution and of Homebrew) as the load generator; it runs on the same cores as the server, as in
every column of the table.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import joblib
import pandas as pd
import psutil

from benchmarks.job import MODEL, PROJECT, write_contract, write_table
from benchmarks.measure import median, written_otherwise
from infra.ports import reserve_port

BIN = Path(sys.executable).parent
HERE = Path(__file__).parent
ROOT = HERE.parent
ROWS = 20_000
OTHERS = "\n## Against the goals\n"
TITLE = """# The service beside others

Written by `make bench-serving` ({date}): one row of 30 numbers, gradient boosting with 100 trees, `wrk` on the same two cores; medians of {rounds}
rounds of {seconds} s, the servers in turn. `leitstand` validates against the contract, flags what is outside training and has every answer on disk
before it leaves; the others do none of that. `echo` is a bare ASGI application that sends the body back, without and with uvicorn's line per
request on its terminal. MB: PSS of all processes of the server.

"""


@dataclass(frozen=True)
class Load:
    """What wrk saw."""

    per_second: float
    p50_ms: float
    p99_ms: float
    errors: int


@dataclass(frozen=True)
class Peer:
    """One server: how it is started, where it answers, and what it is sent."""

    name: str
    command: Sequence[str]
    path: str
    body: str
    environment: dict[str, str]


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=8, help="of load per server and round")
    parser.add_argument("--only", default="", help="names of servers, separated by commas; the echo is always measured")
    parser.add_argument("--output", type=Path, default=HERE / "SERVING.md")
    arguments = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed: apt-get install wrk, or brew install wrk.")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        every = peers(folder)
        wanted = [name for name in arguments.only.split(",") if name]
        chosen = [peer for peer in every if not wanted or peer.name in (*wanted, "echo")]
        made = TITLE.format(seconds=arguments.seconds, rounds=arguments.rounds, date=f"{datetime.now(UTC):%Y-%m-%d}")
        made += table(chosen, folder, arguments.rounds, arguments.seconds) + "\n" + parts(folder / "serving")
        print(made)
        arguments.output.write_text(made + written_otherwise(arguments.output, OTHERS), encoding="utf-8")


def peers(folder: Path) -> list[Peer]:
    """Train the one model and return every server that answers for it."""
    workspace = prepared(folder)
    frame = pd.read_csv(workspace / "table.csv", nrows=1)
    row = {name: float(value) for name, value in frame.drop(columns="faulty").iloc[0].items()}
    (workspace / "body.json").write_text(json.dumps({"rows": [row]}))
    rows, split = json.dumps({"rows": [row]}), {"dataframe_split": {"columns": list(row), "data": [list(row.values())]}}
    model = {"MODEL_FOLDER": str(workspace), "MLFLOW_DISABLE_TELEMETRY": "true", "BENTOML_DO_NOT_TRACK": "True"}
    one = {**model, "OMP_NUM_THREADS": "1"}
    logged = [sys.executable, "-m", "uvicorn", "--port", "{port}"]
    uvicorn = [*logged, "--no-access-log"]
    bento = [sys.executable, "-m", "bentoml", "serve", "benchmarks.peers.bento_app:Peer", "--port", "{port}"]
    mlflow = [str(BIN / "mlflow"), "models", "serve", "-m", str(workspace / "mlflow"), "--env-manager", "local", "-p", "{port}"]
    own = {"LEITSTAND_HOME": str(workspace / ".leitstand"), "LEITSTAND_WORKSPACE": str(workspace)}
    ours = [str(BIN / "leitstand"), "serve", "bench_job", "--port", "{port}"]
    return [
        Peer("echo", [*uvicorn, "benchmarks.peers.echo:app"], "/", rows, {}),
        Peer("echo as uvicorn starts it", [*logged, "benchmarks.peers.echo:app"], "/", rows, {}),
        Peer("leitstand", ours, "/bench_job/predict", rows, own),
        Peer("fastapi", [*uvicorn, "benchmarks.peers.fastapi_app:app"], "/predict", rows, one),
        Peer("bentoml", bento, "/predict", rows, {**model, "BENTOML_HOME": str(workspace / "bento")}),
        Peer("mlflow", mlflow, "/invocations", json.dumps(split), {**model, "PATH": f"{BIN}:{os.environ['PATH']}"}),
    ]


def prepared(folder: Path) -> Path:
    """Return a workspace whose project ``bench_job`` has a champion, and the same model for the peers."""
    import mlflow.sklearn
    from sklearn.ensemble import HistGradientBoostingClassifier

    workspace = folder / "serving"
    project = workspace / "projects" / "bench_job"
    project.mkdir(parents=True)
    (workspace / "data_contracts").mkdir()
    table = workspace / "table.csv"
    write_table(table, rows=ROWS)
    (project / "project.yaml").write_text(PROJECT.format(table=table), encoding="utf-8")
    (project / "model.py").write_text(MODEL, encoding="utf-8")
    write_contract(workspace / "data_contracts" / "bench_job.odcs.yaml")
    variables = {"LEITSTAND_HOME": str(workspace / ".leitstand"), "LEITSTAND_WORKSPACE": str(workspace)}
    run = [str(BIN / "leitstand"), "run", "bench_job", "--no-service", "--json"]
    subprocess.run(run, env={**os.environ, **variables}, check=True, stdout=subprocess.DEVNULL)
    frame = pd.read_csv(table)
    fitted = HistGradientBoostingClassifier(random_state=0).fit(frame.drop(columns="faulty"), frame["faulty"])
    joblib.dump(fitted, workspace / "model.joblib")
    mlflow.sklearn.save_model(fitted, workspace / "mlflow", pip_requirements=["scikit-learn"], serialization_format="cloudpickle")
    return workspace


def table(chosen: Sequence[Peer], folder: Path, rounds: int, seconds: int) -> str:
    """Measure every server in turn at concurrency 1, 16 and 64 and return the table."""
    found: dict[tuple[str, int], list[Load]] = {}
    starts: dict[str, list[tuple[float, float]]] = {}
    for _ in range(rounds):
        for peer in chosen:
            with running(peer, folder) as (url, first, processes):
                for clients in (16, 1, 64):
                    found.setdefault((peer.name, clients), []).append(load(url, peer, folder, clients, seconds))
                starts.setdefault(peer.name, []).append((first, resident_mb(processes)))
    lines = [
        "| server | /s at 16 | × echo | p50 ms | p99 ms | p50 ms at 1 | p50/p99 ms at 64 | errors | first answer s | MB |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    ceiling = median([one.per_second for one in found["echo", 16]])
    for peer in chosen:
        at = {clients: found[peer.name, clients] for clients in (1, 16, 64)}
        rate = median([one.per_second for one in at[16]])
        errors = sum(one.errors for loads in at.values() for one in loads)
        p50, p99 = median([one.p50_ms for one in at[16]]), median([one.p99_ms for one in at[16]])
        single = median([one.p50_ms for one in at[1]])
        many = f"{median([one.p50_ms for one in at[64]]):.1f} / {median([one.p99_ms for one in at[64]]):.1f}"
        first, mb = median([one for one, _ in starts[peer.name]]), median([one for _, one in starts[peer.name]])
        cells = [peer.name, f"{rate:,.0f}", f"{rate / ceiling:.2f}", f"{p50:.2f}", f"{p99:.1f}", f"{single:.2f}", many, errors]
        lines.append(f"| {' | '.join(map(str, cells))} | {first:.1f} | {mb:.0f} |")
    return "\n".join(lines) + "\n"


def parts(workspace: Path) -> str:
    """Return what one answer costs inside the service, by part."""
    variables = {"LEITSTAND_HOME": str(workspace / ".leitstand"), "LEITSTAND_WORKSPACE": str(workspace), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "benchmarks.serving_parts", "bench_job", str(workspace / "body.json")]
    said = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=True).stdout
    return "| part of one answer, 16 requests together | µs per request |\n|---|---|\n" + said


@contextmanager
def running(peer: Peer, folder: Path) -> Iterator[tuple[str, float, list[psutil.Process]]]:
    """Start a server, wait for its first right answer, and stop it with all its children."""
    port = reserve_port()
    url = f"http://127.0.0.1:{port}{peer.path}"
    command = [part.format(port=port) for part in peer.command]
    environment = {**os.environ, **peer.environment, "PYTHONPATH": str(ROOT)}
    started = time.perf_counter()
    with (folder / f"{peer.name}.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    try:
        first = first_answer(url, peer.body, process, folder / f"{peer.name}.log") - started
        yield url, first, [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    finally:
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        process.send_signal(signal.SIGTERM)
        for one in psutil.wait_procs(family, timeout=20)[1]:
            one.kill()
        process.wait()


def first_answer(url: str, body: str, process: subprocess.Popen[bytes], log: Path) -> float:
    """Return when the server first answered with 200."""
    deadline = time.perf_counter() + 120
    while time.perf_counter() < deadline and process.poll() is None:
        try:
            if httpx.post(url, content=body, headers={"content-type": "application/json"}, timeout=30).status_code == 200:
                return time.perf_counter()
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"{url} does not answer: {log.read_text()[-2000:]}")


def load(url: str, peer: Peer, folder: Path, clients: int, seconds: int) -> Load:
    """Put a load on a server and return what came back."""
    script = folder / f"{peer.name}.lua"
    script.write_text(f"wrk.method='POST'\nwrk.headers['Content-Type']='application/json'\nwrk.body=[==[{peer.body}]==]\n")
    command = ["wrk", "-t1", f"-c{clients}", "--latency", "--timeout", "20s", "-s", str(script), url]
    subprocess.run([*command, "-d1s"], capture_output=True, check=True)  # warm-up
    said = subprocess.run([*command, f"-d{seconds}s"], capture_output=True, text=True, check=True).stdout
    bad = sum(int(number) for number in re.findall(r"(?:Non-2xx or 3xx responses: |connect |read |write |timeout )(\d+)", said))
    return Load(float(re.findall(r"Requests/sec:\s+([\d.]+)", said)[0]), _ms(said, "50%"), _ms(said, "99%"), bad)


def _ms(said: str, share: str) -> float:
    value, unit = re.findall(rf"{share}\s+([\d.]+)(us|ms|s)", said)[0]
    return float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def resident_mb(processes: list[psutil.Process]) -> float:
    """Return the memory of a family of processes, what they share counted once (PSS)."""
    return sum(one.memory_full_info().pss for one in processes if one.is_running()) / 1e6


if __name__ == "__main__":
    main()

"""Maintenance passes on one standing worker: seconds each, and its memory over many. ``python -m benchmarks.worker --projects 200 --passes 1000``.

Every pass is one planned run of Prefect, as a schedule starts it: a fork, monitoring of 200 answers with Evidently, the decision to do nothing.
"""

import argparse
import itertools
import statistics
import tempfile
import time
from pathlib import Path

import httpx
import pandas as pd
import psutil

from infra.settings import Settings, calm_tools

calm_tools()

from benchmarks.job import PROJECT, write_contract, write_table  # noqa: E402 - after the tools were calmed
from flows.standing.launching import down, up  # noqa: E402
from flows.standing.plan import Plan, process_of  # noqa: E402

ROWS, ANSWERS = 1_500, 200
WAITING = 20  # runs planned ahead, so that the worker never waits for this script

QUICK = """training: {learning_curve: false, importance: false}
maintenance: {schedule: {cron: "0 3 1 1 *"}}
"""
MODEL = """from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from leitstand.pipelines import encode


def candidates(features, parameters):
    return {"only": make_pipeline(encode(features, scale=True), LogisticRegression())}
"""


def main() -> None:
    """Prepare the projects, start the services, run the passes, and print what they took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worker", description=__doc__)
    parser.add_argument("--projects", type=int, default=200)
    parser.add_argument("--passes", type=int, default=1_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings(home=Path(scratch) / "home", workspace=Path(scratch), prefect_url="http://127.0.0.1:9/api")
        names = [f"line_{number:03d}" for number in range(arguments.projects)]
        prepare(settings, names)
        plan = up(settings, host="127.0.0.1", ports={"prefect": 0, "mlflow": 0, "service": 0})
        try:
            measure(settings, plan, names, arguments.passes)
        finally:
            down(settings)


def prepare(settings: Settings, names: list[str]) -> None:
    """Make and train all projects in this process, and let each champion answer for some rows."""
    from flows.lifecycle import lifecycle
    from flows.prefect_server import prefect_server
    from flows.stage import orchestrated
    from flows.workspace import Desk, open_project

    workspace = settings.workspace
    (workspace / "data_contracts").mkdir()
    write_table(workspace / "table.csv", ROWS)
    asked = pd.read_csv(workspace / "table.csv", nrows=ANSWERS).drop(columns="faulty")
    asked.to_csv(workspace / "asked.csv", index=False)
    with prefect_server(settings) as server, orchestrated(settings, server):
        for name in names:
            folder = workspace / "projects" / name
            folder.mkdir(parents=True)
            text = PROJECT.format(table=workspace / "table.csv").replace("bench_job", name)
            (folder / "project.yaml").write_text(text + QUICK, encoding="utf-8")
            (folder / "model.py").write_text(MODEL, encoding="utf-8")
            write_contract(workspace / "data_contracts" / f"{name}.odcs.yaml")
            lifecycle(Desk(open_project(name, settings), settings), "benchmark", False)
            answer(settings, name)


def answer(settings: Settings, name: str) -> None:
    """Predict the rows and log the answers."""
    from flows.workspace import open_project
    from infra.prediction_log import PredictionLog
    from serving.batch import Batch, predict_batch
    from serving.batch_input import source_of
    from serving.batch_model import champion_for_batch
    from serving.batch_output import Target

    release, model = champion_for_batch(name, settings)
    source = source_of(str(settings.workspace / "asked.csv"), None, None)
    target = Target.of(str(settings.workspace / f"{name}.csv"), None)
    batch = Batch(open_project(name, settings), model, release, source, target, log="all")
    predict_batch(batch, settings, PredictionLog(settings.database("predictions")))


def measure(settings: Settings, plan: Plan, names: list[str], passes: int) -> None:
    """Plan the passes, project by project, and print seconds and memory."""
    with httpx.Client(base_url=plan.prefect_url, trust_env=False, timeout=60) as client:
        found = {one["name"]: one["id"] for one in page(client, "deployments/filter")}
        projects = itertools.cycle(names)
        planned: list[str] = []
        memory, started, over = [worker_mb(settings)], time.perf_counter(), 0
        while over < passes:
            while len(planned) < passes and len(planned) < over + min(WAITING, len(names)):
                made = client.post(f"/deployments/{found[next(projects)]}/create_flow_run", json={"state": {"type": "SCHEDULED"}})
                if made.status_code == httpx.codes.SERVICE_UNAVAILABLE:  # its SQLite file was busy; the next round tries again
                    break
                planned.append(made.raise_for_status().json()["id"])
            time.sleep(0.5)
            before, over = over, len(planned) - waiting(client, planned[over:])
            if over // 50 > before // 50:
                memory.append(worker_mb(settings))
                print(
                    f"{over} passes, {(time.perf_counter() - started) / over:.2f} s each, worker {memory[-1]:.0f} MB", flush=True
                )
        each = (time.perf_counter() - started) / passes
        runs = [run for run in page(client, "flow_runs/filter", sort="ID_DESC") if run["parameters"].get("project") in found]
    states = {state: sum(run["state_name"] == state for run in runs) for state in {run["state_name"] for run in runs}}
    took = statistics.median(run["total_run_time"] for run in runs if run["state_name"] == "Completed")
    memory.append(worker_mb(settings))
    print(
        f"{passes} passes over {len(names)} projects: {each:.2f} s each, of which {took:.2f} s the pass itself; {states} of the latest"
    )
    print(f"200 projects once a day: {200 * each / 3600:.2f} h; worker {memory[0]:.0f} MB at first, {memory[-1]:.0f} MB at last")


def waiting(client: httpx.Client, ids: list[str]) -> int:
    """Return how many of these runs are not over yet."""
    underway = {"id": {"any_": ids}, "state": {"type": {"any_": ["SCHEDULED", "PENDING", "RUNNING"]}}}
    answer = client.post("/flow_runs/count", json={"flow_runs": underway})
    return int(answer.raise_for_status().json()) if ids else 0


def page(client: httpx.Client, path: str, **asked: str) -> list[dict[str, object]]:
    """Return what Prefect lists, up to its limit."""
    return list(client.post(f"/{path}", json={"limit": 200, **asked}).raise_for_status().json())


def worker_mb(settings: Settings) -> float:
    """Return the resident memory of the worker and of the process that its runs are forked from, without the runs.

    Pages that a run under way shares with them count, or the figure would fall while one runs.
    """
    worker = process_of(settings, "worker")
    if worker is None:
        return float("nan")
    standing = [worker, *worker.children()]
    total = 0
    for one in standing:
        try:
            total += one.memory_info().rss
        except psutil.Error:
            continue
    return total / 1e6


if __name__ == "__main__":
    main()

"""How the standing services are, and which runs come next."""

import time
from datetime import datetime
from typing import Any, Literal

import httpx
import psutil
from pydantic import BaseModel, ConfigDict

from flows.cron import check_cron, next_time
from flows.standing.plan import KEEPER, SERVICES, Plan, ServiceName, process_of, read_plan, restarts
from infra.settings import Settings
from infra.supervision import FOLDER, supervisor
from leitstand.errors import LeitstandError
from leitstand.folders import find_projects
from leitstand.spec import load_spec

HEALTH = {"prefect": "/api/health", "mlflow": "/health", "service": "/livez"}
POOL = "leitstand"
TAG = "leitstand"
NEXT_RUNS = 200  # what Prefect gives at once
DEPLOYED = {"deployments": {"tags": {"all_": [TAG]}}, "limit": NEXT_RUNS}
State = Literal["ready", "starting", "restarting", "stopped"]


class ServiceStatus(BaseModel):
    """One service.

    Parameters
    ----------
    state : ``ready`` answers, ``starting`` does not yet, ``restarting`` died and waits for the supervisor
    restarts : since ``leitstand up``
    memory_mb : of it and its children, shared memory counted once where the system tells
    """

    model_config = ConfigDict(frozen=True)

    service: ServiceName
    state: State
    pid: int | None
    url: str | None
    uptime_seconds: float | None
    restarts: int
    memory_mb: float | None


class NextRun(BaseModel):
    """One run to come."""

    model_config = ConfigDict(frozen=True)

    project: str
    time: datetime


class BrokenProject(BaseModel):
    """A project whose project.yaml cannot be read, so that its schedule stays as it was.

    Parameters
    ----------
    why : names the file, and what is wrong with it
    """

    model_config = ConfigDict(frozen=True)

    project: str
    why: str


class Status(BaseModel):
    """All of it.

    Parameters
    ----------
    running : whether the supervisor runs
    next_runs : the next one of each project; None where the Prefect server does not answer
    broken : projects whose schedule cannot be read
    """

    model_config = ConfigDict(frozen=True)

    running: bool
    supervisor: int | None
    services: tuple[ServiceStatus, ...]
    next_runs: tuple[NextRun, ...] | None
    broken: tuple[BrokenProject, ...]

    @property
    def ready(self) -> bool:
        """Whether all services are."""
        return all(one.state == "ready" for one in self.services)


def status(settings: Settings) -> Status:
    """Return how the services of this state folder are."""
    plan, running = read_plan(settings), supervisor(settings)
    with httpx.Client(trust_env=False, timeout=5) as client:
        return Status(
            running=running is not None,
            supervisor=None if running is None else running.pid,
            services=tuple(_status(settings, plan, name, client) for name in SERVICES),
            next_runs=None if plan is None else next_runs(plan, client),
            broken=broken_projects(settings),
        )


def broken_projects(settings: Settings) -> tuple[BrokenProject, ...]:
    """Return the projects whose schedule cannot be read."""
    found = []
    for name, folder in find_projects(settings.roots).items():
        file = folder / "project.yaml"
        try:
            schedule = load_spec(file).maintenance.schedule
            if schedule is not None:
                check_cron(name, schedule.cron)
        except LeitstandError as error:
            found.append(BrokenProject(project=name, why=error.render(settings.language)))
        except OSError as error:
            found.append(BrokenProject(project=name, why=f"{file}: {error.strerror}"))
    return tuple(found)


def is_ready(settings: Settings, plan: Plan, name: ServiceName, client: httpx.Client) -> bool:
    """Return whether a service lives and answers."""
    process = process_of(settings, name)
    if process is None:
        return False
    if name == "worker":
        return _worker_says(settings) == process.pid
    try:
        return client.get(f"{plan.url(name)}{HEALTH[name]}").status_code == 200
    except httpx.HTTPError:
        return False


def say_ready(settings: Settings, pid: int) -> None:
    """Note that the worker with this process id takes runs now."""
    (settings.folder(FOLDER) / "worker.ready").write_text(str(pid), encoding="ascii")


def next_runs(plan: Plan, client: httpx.Client) -> tuple[NextRun, ...] | None:
    """Return the next run of each project, soonest first; None if Prefect does not say.

    Of a deployment whose next run lies beyond what Prefect plans ahead, its schedule says when it comes.
    """
    wanted = {
        "sort": "EXPECTED_START_TIME_ASC",
        "limit": NEXT_RUNS,
        "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
        "work_pools": {"name": {"any_": [POOL]}},
    }
    try:
        answer = client.post(f"{plan.prefect_url}/flow_runs/filter", json=wanted).raise_for_status()
        deployments = client.post(f"{plan.prefect_url}/deployments/filter", json=DEPLOYED).raise_for_status()
    except httpx.HTTPError:
        return None
    found: dict[str, NextRun] = {}
    for run in answer.json():
        project = str(run["parameters"].get("project", "?"))
        found.setdefault(project, NextRun(project=project, time=run["expected_start_time"]))
    for one in deployments.json():
        for given in [] if one["paused"] or one["name"] in found else one["schedules"]:
            schedule = given["schedule"]
            coming = (
                next_time(schedule["cron"], schedule["timezone"] or "UTC") if given["active"] and "cron" in schedule else None
            )
            if coming is not None:
                found[one["name"]] = NextRun(project=one["name"], time=coming)
    return tuple(sorted(found.values(), key=lambda run: run.time))


def _status(settings: Settings, plan: Plan | None, name: ServiceName, client: httpx.Client) -> ServiceStatus:
    process = process_of(settings, name)
    state: State = "stopped"
    if plan is not None and (supervisor(settings) or process_of(settings, KEEPER)):
        state = "restarting" if process is None else "ready" if is_ready(settings, plan, name, client) else "starting"
    return ServiceStatus(
        service=name,
        state=state,
        pid=None if process is None else process.pid,
        url=None if plan is None else plan.url(name),
        uptime_seconds=None if process is None else round(time.time() - process.create_time(), 1),
        restarts=restarts(settings, name),
        memory_mb=None if process is None else _memory_mb(process),
    )


def _memory_mb(process: psutil.Process) -> float | None:
    total = 0
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return None
    for one in family:
        try:
            used: Any = one.memory_full_info()
            total += getattr(used, "pss", used.rss)
        except psutil.Error:
            continue
    return round(total / 1e6, 1)


def _worker_says(settings: Settings) -> int | None:
    try:
        return int((settings.root / FOLDER / "worker.ready").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None

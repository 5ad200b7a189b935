"""What was started with ``leitstand up``: which services, where they listen, and which processes they are."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from infra.settings import Settings
from infra.supervision import FOLDER, log_file

ServiceName = Literal["prefect", "mlflow", "worker", "service"]
SERVICES: tuple[ServiceName, ...] = get_args(ServiceName)
KEEPER = "keeper"
LOGS: tuple[str, ...] = (*SERVICES, KEEPER, "supervisor")


class Plan(BaseModel):
    """Where the standing services listen.

    Parameters
    ----------
    host : of the prediction service; all others are on loopback
    ports : of the services that have one
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str
    ports: dict[ServiceName, int]

    @property
    def prefect_url(self) -> str:
        """Address of Prefect's API."""
        return f"http://127.0.0.1:{self.ports['prefect']}/api"

    def url(self, service: ServiceName) -> str | None:
        """Return where a service is reached from this machine, None for one that has no address."""
        if service not in self.ports:
            return None
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host) if service == "service" else "127.0.0.1"  # noqa: S104 - compared with, not bound to
        return f"http://{f'[{host}]' if ':' in host else host}:{self.ports[service]}"


def plan_file(settings: Settings) -> Path:
    """Return where the plan is; it exists from ``leitstand up`` to ``leitstand down``."""
    return settings.root / FOLDER / "plan.json"


def read_plan(settings: Settings) -> Plan | None:
    """Return the plan, or None where nothing is meant to stand."""
    try:
        return Plan.model_validate_json(plan_file(settings).read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None


def write_plan(settings: Settings, plan: Plan) -> None:
    """Keep the plan."""
    path = settings.folder(FOLDER) / "plan.json"
    fresh = path.with_suffix(".new")
    fresh.write_text(plan.model_dump_json(), encoding="utf-8")
    fresh.replace(path)


def forget_plan(settings: Settings) -> None:
    """Say that nothing is meant to stand any more."""
    plan_file(settings).unlink(missing_ok=True)


def note_start(settings: Settings, name: str) -> None:
    """Note that this process is the service ``name`` from now on."""
    entry = {"pid": os.getpid(), "started": psutil.Process().create_time()}
    with _starts(settings, name).open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


def forget_starts(settings: Settings) -> None:
    """Begin to count restarts anew."""
    for name in (*SERVICES, KEEPER):
        _starts(settings, name).unlink(missing_ok=True)


def restarts(settings: Settings, name: str) -> int:
    """Return how often a service was started again since ``leitstand up``."""
    return max(0, len(_entries(settings, name)) - 1)


def process_of(settings: Settings, name: str) -> psutil.Process | None:
    """Return the process of a service if it lives."""
    entries = _entries(settings, name)
    return _living(entries[-1]) if entries else None


def processes(settings: Settings, names: Sequence[str] = (*SERVICES, KEEPER)) -> set[psutil.Process]:
    """Return all living processes of services, also earlier ones that have not ended yet, with their children."""
    found = {process for name in names for entry in _entries(settings, name) if (process := _living(entry)) is not None}
    for process in tuple(found):
        try:
            found |= set(process.children(recursive=True))
        except psutil.NoSuchProcess:
            continue
    return found


def _starts(settings: Settings, name: str) -> Path:
    return settings.folder(FOLDER) / f"{name}.starts"


def _entries(settings: Settings, name: str) -> list[dict[str, float]]:
    try:
        lines = _starts(settings, name).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    return [json.loads(line) for line in lines if line.endswith("}")]


def _living(entry: dict[str, float]) -> psutil.Process | None:
    try:
        process = psutil.Process(int(entry["pid"]))
        same = process.create_time() == entry["started"] and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return None
    return process if same else None


def last_lines(settings: Settings, name: str, lines: int) -> list[str]:
    """Return the end of what a service printed."""
    try:
        return log_file(settings, name).read_text(encoding="utf-8", errors="replace").splitlines()[-lines:] if lines else []
    except OSError:
        return []

"""Keeping Prefect's deployments as the projects' specs want them: one for each project with a schedule, changed within seconds of the file."""

import logging
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags
from prefect.client.schemas.objects import State, StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.client.schemas.sorting import DeploymentSort
from prefect.exceptions import ObjectNotFound
from pydantic import ValidationError

from flows.cron import check_cron
from flows.standing.forked import FLOW
from flows.standing.status import POOL, TAG
from infra.settings import Settings
from leitstand.errors import LeitstandError
from leitstand.folders import find_projects
from leitstand.policy import Schedule
from leitstand.spec import load_spec

logger = logging.getLogger("leitstand.worker")
PAGE = 200
MISSED = "The worker was away or busy; a later run of the project stands for this one."

Stamp = tuple[int, int]


class Schedules:
    """The schedules of all projects, read again where a file has changed.

    A project whose files are broken keeps the schedule that it had: somebody is editing, and the run itself will say what is wrong.

    Attributes
    ----------
    broken : projects whose project.yaml could not be read when it was looked at last; which schedule they had, a worker that
        started since does not know, so their deployments are left alone
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stamps: dict[str, Stamp] = {}
        self._read: dict[str, Schedule | None] = {}
        self.broken: set[str] = set()

    def wanted(self) -> dict[str, Schedule]:
        """Return the schedule of each project that has one."""
        found = find_projects(self._settings.roots)
        for name in self._stamps.keys() - found.keys():
            del self._stamps[name]
            self._read.pop(name, None)
        self.broken &= found.keys()
        for name, folder in found.items():
            self._look(name, folder / "project.yaml")
        return {name: schedule for name, schedule in self._read.items() if schedule is not None}

    def _look(self, name: str, file: Path) -> None:
        try:
            state = file.stat()
            stamp = (state.st_mtime_ns, state.st_size)
            if self._stamps.get(name) == stamp:
                return
            self._stamps[name] = stamp
            schedule = load_spec(file).maintenance.schedule
            if schedule is not None:
                check_cron(name, schedule.cron)
                _cron(schedule)
            self._read[name] = schedule
            self.broken.discard(name)
        except (LeitstandError, OSError, ValueError) as error:
            self.broken.add(name)
            logger.error("%s: the schedule stays as it was: %s", name, error)


async def keep_deployments(client: PrefectClient, wanted: Mapping[str, Schedule], broken: Collection[str] = ()) -> list[str]:
    """Make, change and delete deployments until they are those that are wanted; return the projects that changed.

    Parameters
    ----------
    broken : projects whose deployment stays as it is
    """
    existing: dict[str, DeploymentResponse] = {}
    tagged = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
    while page := await client.read_deployments(
        deployment_filter=tagged, limit=PAGE, sort=DeploymentSort.NAME_ASC, offset=len(existing)
    ):
        existing.update({one.name: one for one in page})
    flow = await client.create_flow_from_name(FLOW) if wanted else None
    changed = []
    for name, schedule in wanted.items():
        found = existing.pop(name, None)
        if found is None or [one.schedule for one in found.schedules] != [_cron(schedule)]:
            await _deploy(client, flow, name, schedule)
            changed.append(name)
    for name, left in existing.items():
        if name in broken:
            continue
        try:
            await client.delete_deployment(left.id)
        except ObjectNotFound:  # somebody else did
            continue
        changed.append(name)
    return changed


async def drop_missed(client: PrefectClient) -> int:
    """Of each deployment's runs that are due keep the latest, cancel the others, and return how many were."""
    due = await client.get_scheduled_flow_runs_for_work_pool(POOL, scheduled_before=datetime.now(UTC))
    runs = sorted((one.flow_run for one in due), key=lambda run: run.expected_start_time or datetime.min.replace(tzinfo=UTC))
    latest = {run.deployment_id: run.id for run in runs}
    missed = [run for run in runs if latest[run.deployment_id] != run.id]
    for run in missed:
        state: State[None] = State(type=StateType.CANCELLED, name="Missed", message=MISSED)
        await client.set_flow_run_state(run.id, state, force=True)
    return len(missed)


async def _deploy(client: PrefectClient, flow: UUID | None, name: str, schedule: Schedule) -> None:
    assert flow is not None
    await client.create_deployment(
        flow,
        name,
        schedules=[DeploymentScheduleCreate(schedule=_cron(schedule), active=True)],
        parameters={"project": name},
        tags=[TAG],
        work_pool_name=POOL,
        entrypoint="flows/standing/passing.py:scheduled_pass",
        paused=False,
    )


def _cron(schedule: Schedule) -> CronSchedule:
    """Return Prefect's form of a schedule.

    Raises
    ------
    ValueError
        If the expression has five fields, but is none.
    """
    try:
        return CronSchedule(cron=schedule.cron, timezone=schedule.time_zone)
    except ValidationError as error:
        raise ValueError(f"{schedule.cron!r} is no cron expression") from error

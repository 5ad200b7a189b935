"""The warm worker: forks a process for each run that is due in Prefect, and for each command that is handed to it."""

import logging
import os
import signal
import sys
from contextlib import suppress
from multiprocessing.process import BaseProcess
from uuid import UUID

import anyio
import anyio.abc
import anyio.to_thread
import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectAlreadyExists, PrefectException
from prefect.states import Crashed, Failed
from prefect.workers.base import BaseJobConfiguration, BaseVariables, BaseWorker, BaseWorkerResult

from flows.prefect_server import PrefectServer
from flows.standing.commands import Commands
from flows.standing.forked import report_lost, run_pass
from flows.standing.forks import Forks
from flows.standing.schedules import Schedules, drop_missed, keep_deployments
from flows.standing.status import POOL, say_ready
from infra.settings import Settings

logger = logging.getLogger("leitstand.worker")
LOOK_SECONDS = 2.0
SYNC_SECONDS = 60.0  # also without a changed file: somebody may have deleted a deployment
CANCEL_LOOK_SECONDS = 5.0
LOST_RUNS = 200  # what Prefect gives at once; more than one worker can have under way


class WarmResult(BaseWorkerResult):
    """How the process of a run ended."""


class WarmWorker(BaseWorker[BaseJobConfiguration, BaseVariables, WarmResult]):
    """Prefect's worker, whose runs are forked."""

    type = "leitstand-warm"
    job_configuration = BaseJobConfiguration

    def __init__(self, settings: Settings, prefect_url: str, forks: Forks) -> None:
        super().__init__(POOL, name="leitstand", limit=settings.worker_runs, prefetch_seconds=0)
        self._settings, self._prefect_url, self._forks = settings, prefect_url, forks

    async def get_and_submit_flow_runs(self) -> list[FlowRun]:
        """Take runs that are due; of several that one project missed, only the latest."""
        if self.limiter.available_tokens < 1:
            return []
        if missed := await drop_missed(self.client):
            logger.info("%d missed runs are left out", missed)
        return await super().get_and_submit_flow_runs()

    async def run(
        self,
        flow_run: FlowRun,
        configuration: BaseJobConfiguration,
        task_status: anyio.abc.TaskStatus[int] | None = None,
    ) -> WarmResult:
        """Run one flow run in a process of its own, as long as project and settings let it."""
        project = str(flow_run.parameters.get("project", ""))
        process = await self._forks.start(run_pass, flow_run.id, project, self._prefect_url)
        if task_status is not None:
            task_status.started(process.pid or 0)
        logger.info("%s: run %s began in process %s", project, flow_run.name, process.pid)
        try:
            ended = await self._watched(process, flow_run.id)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._end(process, flow_run.id, Crashed(message="The worker was stopped."))
            raise
        if ended is not None:
            await self._end(process, flow_run.id, ended)
        if ended is not None and ended.type == StateType.FAILED:
            await self.report(project, "standing.run_timed_out", minutes=self._settings.run_minutes)
        elif ended is None and process.exitcode:
            await self.report(project, "standing.run_crashed", code=process.exitcode)
        logger.info("%s: run %s ended with code %s", project, flow_run.name, process.exitcode)
        return WarmResult(identifier=str(process.pid), status_code=0 if ended is not None else process.exitcode or 0)

    async def report(self, project: str, key: str, **values: object) -> None:
        """Tell those who have to know of a run that is lost; in a process of its own, for that needs the project and its stores."""
        process = await self._forks.start(report_lost, project, key, values)
        if await self._forks.end_of(process):
            logger.error("%s: nobody could be told of it", project)

    async def _watched(self, process: BaseProcess, flow_run_id: UUID) -> "State[None] | None":
        """Return None when the process ended, or the state in which it is to be ended before."""
        minutes = self._settings.run_minutes
        with anyio.move_on_after(minutes * 60):
            while True:
                with anyio.move_on_after(CANCEL_LOOK_SECONDS):
                    await self._forks.end_of(process)
                    return None
                if await self._is_cancelling(flow_run_id):
                    return State(type=StateType.CANCELLED, message="Cancelled while it ran.")
        return Failed(name="TimedOut", message=f"The run took longer than {minutes:g} minutes (LEITSTAND_RUN_MINUTES).")

    async def _is_cancelling(self, flow_run_id: UUID) -> bool:
        try:
            state = (await self.client.read_flow_run(flow_run_id)).state
        except (PrefectException, httpx.HTTPError):
            return False
        return state is not None and state.is_cancelling()

    async def _end(self, process: BaseProcess, flow_run_id: UUID, state: "State[None]") -> None:
        await self._forks.stop(process)
        await self.client.set_flow_run_state(flow_run_id, state, force=True)


def work(settings: Settings, prefect_url: str, conditions: str) -> None:
    """Be the worker until SIGTERM.

    Parameters
    ----------
    conditions : under which this process was started, see ``flows.standing.delegation``
    """
    _print_log()
    PrefectServer(prefect_url).wait()
    anyio.run(_work, settings, prefect_url, conditions)


def _print_log() -> None:
    """Print what our logger says, past the settings that Prefect makes for all others."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate, logger.disabled = False, False


async def _work(settings: Settings, prefect_url: str, conditions: str) -> None:
    forks, schedules = Forks(), Schedules(settings)
    worker, commands = WarmWorker(settings, prefect_url, forks), Commands(settings, forks, conditions)
    async with anyio.create_task_group() as group:
        group.start_soon(_until_told, group.cancel_scope)
        async with get_client() as client:
            await _make_pool(client)
            lost = await _close_lost(client)
            await keep_deployments(client, schedules.wanted(), schedules.broken)
            group.start_soon(_follow, client, schedules)
            await forks.warm_up()
            group.start_soon(commands.carry_out)
            for project in lost:
                await worker.report(project, "standing.run_lost")
            say_ready(settings, os.getpid())
            await worker.start(printer=logger.info)


async def _until_told(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as told:
        async for _ in told:
            scope.cancel()
            return


async def _make_pool(client: PrefectClient) -> None:
    template = WarmWorker.get_default_base_job_template()
    with suppress(ObjectAlreadyExists):
        await client.create_work_pool(WorkPoolCreate(name=POOL, type=WarmWorker.type, base_job_template=template))


async def _close_lost(client: PrefectClient) -> list[str]:
    """Say of runs that a killed worker left open that they crashed, for their processes ended with it; return their projects."""
    underway = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]
    runs = await client.read_flow_runs(
        flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=underway))),
        work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL])),
        sort=FlowRunSort.START_TIME_ASC,
        limit=LOST_RUNS,
    )
    for run in runs:
        logger.warning("%s: run %s was lost with the worker", run.parameters.get("project"), run.name)
        await client.set_flow_run_state(run.id, Crashed(message="The worker ended while this ran."), force=True)
    return [str(run.parameters["project"]) for run in runs if "project" in run.parameters]


async def _follow(client: PrefectClient, schedules: Schedules) -> None:
    """Keep the deployments as the specs are: at once when one has changed, and now and then in case somebody changed a deployment."""
    known, since = schedules.wanted(), 0.0
    while True:
        await anyio.sleep(LOOK_SECONDS)
        since += LOOK_SECONDS
        wanted = await anyio.to_thread.run_sync(schedules.wanted)
        if wanted == known and since < SYNC_SECONDS:
            continue
        try:
            for name in await keep_deployments(client, wanted, schedules.broken):
                logger.info("%s: %s", name, f"runs at {wanted[name].cron}" if name in wanted else "runs no more")
        except (PrefectException, httpx.HTTPError) as error:
            logger.error("The schedules could not be kept: %s", error)
            continue
        known, since = wanted, 0.0

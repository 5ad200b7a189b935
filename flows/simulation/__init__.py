"""The time-lapse: years of operation in minutes, with the real flows, registry, stores and service.

Every policy has a workspace and a state folder of its own, and a process of its own, because its clock jumps.
"""

import os
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from queue import Empty
from typing import Any

from flows.prefect_server import PrefectServer
from flows.simulation.figures import PolicyFigures, TimeLapse, policy_figures, priced, regret
from flows.simulation.stream import Stream
from infra.settings import Settings
from leitstand.project import Project

NAMES = ("never", "always", "leitstand", "oracle")
Progress = Callable[[str, int], None]


@dataclass(frozen=True)
class _Task:
    name: str
    project: Project
    stream: Stream
    folder: Path
    settings: Settings
    server: PrefectServer


def simulate(
    project: Project,
    stream: Stream,
    settings: Settings,
    server: PrefectServer,
    folder: Path,
    *,
    seed: int = 0,
    policies: Sequence[str] = NAMES,
    report: Progress = lambda policy, period: None,
) -> TimeLapse:
    """Let each policy live through the stream, and compare them.

    Parameters
    ----------
    folder : for the state of the policies and the picture; emptied first
    report : told (policy, number of the period that begins)

    Raises
    ------
    LeitstandError
        If the first model cannot be trained.
    """
    started = time.perf_counter()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    calm = PrefectServer(server.url)  # without the process, which does not travel
    tasks = [_Task(name, project, stream, folder / name, settings, calm) for name in policies]
    found = dict(zip(policies, _side_by_side(tasks, report), strict=True))
    first = next((period.world for period in stream.periods), None)
    changes = None if first is None else tuple(n for n, one in enumerate(stream.periods) if one.world and one.world.changed)
    return TimeLapse(
        project=project.name,
        stream=stream.what,
        seed=seed,
        periods=len(stream.periods),
        moved=stream.moved,
        changes=changes,
        cost_assumed=priced(project)[1],
        synthetic=stream.synthetic,
        policies=found,
        regret=regret(found),
        picture=None,
        seconds=round(time.perf_counter() - started, 1),
    )


def _side_by_side(tasks: Sequence[_Task], report: Progress) -> list[PolicyFigures]:
    context = get_context("spawn")
    queue: Any = context.Manager().Queue()
    workers = min(len(tasks), os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(os.getpid(), queue)) as executor:
        futures = [executor.submit(_lived, task) for task in tasks]
        try:
            while not all(one.done() for one in futures):
                _pass_on(queue, report)
                failed = [one for one in futures if one.done() and one.exception() is not None]
                if failed:
                    break
            return [one.result() for one in futures]
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise


def _pass_on(queue: Any, report: Progress) -> None:
    try:
        report(*queue.get(timeout=0.2))
    except Empty:
        return


_queue: Any = None


def _begin(parent: int, queue: Any) -> None:
    """Prepare a process: it ends with ours, and Ctrl-C is ours to handle."""
    import signal

    from infra.lifeline import end_with
    from infra.settings import calm_tools

    global _queue
    _queue = queue
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(parent)
    calm_tools()


def _lived(task: _Task) -> PolicyFigures:
    """Live through the stream as one policy, in a process of its own."""
    from flows.introduction import promote
    from flows.practice_check import practice_check
    from flows.simulation.ground import lay
    from flows.simulation.lapse import Lapse
    from flows.simulation.policies import POLICIES
    from flows.stage import orchestrated
    from flows.status_quo import status_quo
    from flows.workspace import Desk, open_project
    from infra.settings import follow_clock
    from leitstand.now import set_clock
    from serving.launch import start_service

    started = time.perf_counter()
    ground = lay(task.folder, task.project, task.stream, task.settings)
    set_clock(ground.clock, task.stream.periods[0].start)
    follow_clock(ground.settings)
    desk = Desk(open_project(task.project.name, ground.settings), ground.settings)
    with orchestrated(ground.settings, task.server):
        pilot = practice_check(desk, status_quo(desk))
        promote(desk, pilot, "time-lapse", "the first model, whatever its gates say")
        with start_service([task.project.name], ground.settings) as service:
            lapse = Lapse(desk, ground, task.stream, service)
            results = lapse.run(POLICIES[task.name], lambda period: _queue.put((task.name, period)))
    return policy_figures(desk.project, task.stream, results, time.perf_counter() - started)

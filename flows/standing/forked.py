"""What happens in the process of a run, from its fork on; light, for the worker names it without importing the stack."""

import os
import signal
from contextlib import suppress
from multiprocessing import parent_process
from pathlib import Path
from threading import Thread
from uuid import UUID

from infra.settings import follow_clock, load_settings, set_variables

FLOW = "scheduled-pass"
KILL_ME_FIRST = "500"  # of 1000: when memory runs out, the kernel takes the run and not a service


def nothing() -> None:
    """Be forked, and end."""


def run_pass(flow_run_id: UUID, project: str, prefect_url: str) -> None:
    """Run one flow run in a fresh process, which ends with the worker.

    An error of the pass is the state of its run; only what keeps the run from having a state ends the process with a code.
    """
    Thread(target=_end_with_worker, name="lifeline", daemon=True).start()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with suppress(OSError):  # there is no such file but on Linux
        Path("/proc/self/oom_score_adj").write_text(KILL_ME_FIRST, encoding="ascii")
    settings = load_settings()
    follow_clock(settings)
    from threadpoolctl import threadpool_limits

    from flows.standing.passing import carry_out

    cores = os.cpu_count() or 1
    set_variables({"OPENBLAS_NUM_THREADS": str(cores)})
    threadpool_limits(cores, user_api="blas")  # it was loaded with one thread, so that there was no other to fork beside
    carry_out(flow_run_id, project, prefect_url, settings)


def report_lost(project: str, key: str, values: dict[str, object]) -> None:
    """Open an incident about a run that could not do so itself; ``key`` of the catalogue says what happened to it."""
    settings = load_settings()
    follow_clock(settings)
    from flows.incidents import report_incident
    from flows.workspace import Desk, open_project
    from leitstand.incident import Statement

    desk = Desk(open_project(project, settings), settings)
    report_incident(desk, "failed_pass", "warning", Statement.of(key, **values))


def _end_with_worker() -> None:
    worker = parent_process()
    if worker is not None:
        worker.join()
        os.kill(os.getpid(), signal.SIGKILL)

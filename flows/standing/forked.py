"""What happens in the process of a run, from its fork on; light, for the worker names it without importing the stack."""

import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import parent_process
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from infra.settings import calm_tools, follow_clock, load_settings, replace_environment, set_variables

if TYPE_CHECKING:
    from io import TextIOWrapper

FLOW = "scheduled-pass"
INTERRUPTED, UNWRITTEN = 130, 120
"""Exit codes; the second is Python's own where the last of the output cannot be written."""
STREAMS = (("stdin", "r", -1), ("stdout", "w", -1), ("stderr", "w", 1))
"""Each with its mode and its buffer: the error output leaves by lines wherever it goes."""
KILL_ME_FIRST = "500"  # of 1000: when memory runs out, the kernel takes the run and not a service


def run_pass(flow_run_id: UUID, project: str, prefect_url: str) -> None:
    """Run one flow run in a fresh process, which ends with the worker.

    An error of the pass is the state of its run; only what keeps the run from having a state ends the process with a code.
    """
    _begin()
    _hear_interrupts()
    set_variables({"OPENBLAS_NUM_THREADS": str(_cores())})
    _use_cores(_cores())
    settings = load_settings()
    follow_clock(settings)
    from flows.standing.passing import carry_out

    carry_out(flow_run_id, project, prefect_url, settings)


def run_command(command: dict[str, Any], streams: Sequence[int]) -> None:
    """Be the process that somebody called with a command, unless he has given up.

    Parameters
    ----------
    command : its ``arguments``, ``environment``, ``folder``, ``mask`` of new files, and ``streams``: how these are written
    streams : its standard input, output and error output, and its connection
    """
    *streams, connection = streams
    if select.select([connection], [], [], 0)[0]:  # nothing comes from there but the end
        return
    os.close(connection)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        _begin()
        _take_over(command, streams)
        _hear_interrupts()  # not before: one that falls into another's code may come out as an error of its own
        from flows.cli.app import carry_out

        carry_out(command["arguments"])
    except KeyboardInterrupt:  # before the command line could say so
        sys.exit(INTERRUPTED)
    finally:
        _write_out()


def report_lost(project: str, key: str, values: dict[str, object]) -> None:
    """Open an incident about a run that could not do so itself; ``key`` of the catalogue says what happened to it."""
    settings = load_settings()
    follow_clock(settings)
    from flows.incidents import report_incident
    from flows.workspace import Desk, open_project
    from leitstand.incident import Statement

    desk = Desk(open_project(project, settings), settings)
    report_incident(desk, "failed_pass", "warning", Statement.of(key, **values))


def _begin() -> None:
    """Take the place of a process among others: end with the worker, and be the first to go when memory runs out."""
    Thread(target=_end_with_worker, name="lifeline", daemon=True).start()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with suppress(OSError):  # there is no such file but on Linux
        Path("/proc/self/oom_score_adj").write_text(KILL_ME_FIRST, encoding="ascii")
    import numpy as np

    np.random.seed()


def _write_out() -> None:
    """Write what is left of the output; what cannot be written must not keep the process from ending as Python does then."""
    for number, stream in enumerate((sys.stdout, sys.stderr), 1):
        try:
            stream.flush()
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, number)
            os.close(nowhere)
            if not isinstance(error, BrokenPipeError):
                sys.stderr.write(f"{error}\n")
            sys.exit(UNWRITTEN)


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _hear_interrupts() -> None:
    """Let Ctrl-C through, which is blocked in the process that runs are forked from."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])


def _use_cores(cores: int) -> None:
    """Let OpenBLAS use so many: it was loaded with one thread, so that there was no other to fork beside."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(cores, user_api="blas")


def _take_over(command: dict[str, Any], streams: Sequence[int]) -> None:
    """Make the caller's streams, variables, folder and mask those of this process."""
    for number, (stream, how) in enumerate(zip(streams, command["streams"], strict=True)):
        os.dup2(stream, number)
        os.close(stream)
        name, mode, buffering = STREAMS[number]
        opened = open(number, mode, buffering, encoding=how["encoding"], errors=how["errors"], closefd=False)  # noqa: SIM115 - lives on
        cast("TextIOWrapper", opened).reconfigure(write_through=how["write_through"])
        setattr(sys, name, opened)
    sys.argv = ["leitstand", *command["arguments"]]
    variables = command["environment"]
    replace_environment(variables)
    time.tzset()
    os.chdir(command["folder"])
    os.umask(command["mask"])
    wanted = [variables.get(name, "") for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")]
    _use_cores(next((int(number) for number in wanted if number.isdigit()), _cores()))
    calm_tools()
    from prefect.context import refresh_global_settings_context
    from prefect.logging.configuration import setup_logging

    refresh_global_settings_context()  # they are the worker's, which has another way with messages
    setup_logging()


def _end_with_worker() -> None:
    worker = parent_process()
    if worker is not None:
        worker.join()
        os.kill(os.getpid(), signal.SIGKILL)

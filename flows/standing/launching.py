"""Starting and ending all standing services in one go."""

import errno
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil

from flows.standing.keeper import end_all
from flows.standing.plan import (
    KEEPER,
    SERVICES,
    Plan,
    ServiceName,
    forget_plan,
    forget_starts,
    last_lines,
    processes,
    read_plan,
    restarts,
    write_plan,
)
from flows.standing.status import is_ready
from infra.locks import hold
from infra.ports import reserve_port
from infra.settings import Settings
from infra.supervision import STOP_SECONDS, log_file, start_supervisor, supervisor, write_configuration
from leitstand.errors import ServiceError, StateError
from serving.launch import is_preparing

START_SECONDS = 300.0  # without a word; all are ready after 15 on two cores with nothing else to do
TRIES = 3  # a service that dies as often while all are started does not work
TAIL_LINES = 15
LOOK_SECONDS = 0.5
DOWN_WAIT_SECONDS = 30.0
LOOPBACK = "127.0.0.1"

Started = Callable[[ServiceName, Plan], None]


def up(settings: Settings, *, host: str, ports: dict[ServiceName, int], started: Started = lambda name, plan: None) -> Plan:
    """Start all services and return when each answers.

    Parameters
    ----------
    host : of the prediction service; other than loopback only once there is an API key
    ports : of each service that has one; 0 takes a free one
    started : told of each service that answers

    Raises
    ------
    StateError
        If they run already.
    ServiceError
        If a port is taken, or a service dies or does not answer in time; nothing is left running then.
    UsageError
        If the host is no address of this machine, or needs an API key.
    """
    from serving.standing import check_host

    with hold(settings, "standing", wait_seconds=0, busy="standing.being_started"):
        running = supervisor(settings)
        if running is not None:
            raise StateError("standing.already", pid=running.pid)
        end_all(processes(settings), 0)  # what a power cut or kill left behind of an earlier one
        address = check_host(settings, host)
        plan = Plan(
            host=address, ports={name: _free(address if name == "service" else LOOPBACK, port) for name, port in ports.items()}
        )
        forget_starts(settings)
        write_plan(settings, plan)
        try:
            start_supervisor(settings, write_configuration(settings, commands()))
            _wait(settings, plan, started)
        except BaseException:
            _end(settings)
            raise
    return plan


def commands() -> dict[str, list[str]]:
    """Return the command of each service and of the supervisor's keeper, in the order of their start."""
    return {name: [sys.executable, "-m", "flows.standing.entry", name] for name in (*SERVICES, KEEPER)}


def down(settings: Settings) -> bool:
    """End all services; return whether any were running. Returns when none is left.

    Raises
    ------
    Busy
        If another call is starting them, and goes on with it for longer than is waited here.
    """
    with hold(settings, "standing", wait_seconds=DOWN_WAIT_SECONDS, busy="standing.being_started"):
        return _end(settings)


def _end(settings: Settings) -> bool:
    wanted = read_plan(settings) is not None
    forget_plan(settings)  # first, so that the keeper starts nothing any more
    left = processes(settings)
    running = supervisor(settings)
    if running is not None:
        left |= {running}
        running.terminate()
    else:
        _terminate(left)
    end_all(left, STOP_SECONDS + 5)
    end_all(processes(settings), 0)
    forget_starts(settings)
    return wanted or bool(left)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM do in this block what Ctrl-C does; to be called in the main thread."""
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def remain(settings: Settings) -> None:
    """Return when the services were ended, or at Ctrl-C."""
    with suppress(KeyboardInterrupt):
        while read_plan(settings) is not None:
            time.sleep(LOOK_SECONDS)


def prefect_port(settings: Settings) -> int:
    """Return the port of the Prefect server that the settings name."""
    return urlsplit(settings.prefect_url).port or 4200


def _terminate(left: set[psutil.Process]) -> None:
    for process in left:
        try:
            process.terminate()
        except psutil.NoSuchProcess:
            continue


def _free(host: str, port: int) -> int:
    try:
        return reserve_port(host, port)
    except OSError as error:
        key = "port_taken" if error.errno == errno.EADDRINUSE else "port_refused"
        raise ServiceError(f"standing.{key}", host=host, port=port, detail=os.strerror(error.errno or 0)) from error


def _wait(settings: Settings, plan: Plan, started: Started) -> None:
    waiting, heard, told = list(SERVICES), time.monotonic(), 0
    with httpx.Client(trust_env=False, timeout=5) as client:
        while waiting:
            for name in tuple(waiting):
                if is_ready(settings, plan, name, client) and not (name == "service" and _is_preparing(plan, client)):
                    waiting.remove(name)
                    started(name, plan)
                elif restarts(settings, name) >= TRIES:
                    raise _failed("standing.died", settings, name)
            length = sum(_length(log_file(settings, name)) for name in waiting)
            if length != told:  # a service that prepares two hundred models takes its time, and says so
                heard, told = time.monotonic(), length
            if time.monotonic() > heard + START_SECONDS:
                raise _failed("standing.slow", settings, waiting[0])
            time.sleep(0.1)


def _is_preparing(plan: Plan, client: httpx.Client) -> bool:
    """Return whether the service has models still to prepare; it answers for the others already."""
    try:
        return is_preparing(client.get(f"{plan.url('service')}/readyz"))
    except httpx.HTTPError:
        return True


def _length(log: Path) -> int:
    try:
        return log.stat().st_size
    except FileNotFoundError:
        return 0


def _failed(key: str, settings: Settings, name: ServiceName) -> ServiceError:
    tail = "\n".join(last_lines(settings, name, TAIL_LINES))
    return ServiceError(key, service=name, seconds=f"{START_SECONDS:g}", log=log_file(settings, name), tail=tail)

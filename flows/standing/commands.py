"""The worker's side of commands that are handed to it, see ``flows.standing.delegation``."""

import logging
import os
import socket
from contextlib import suppress
from functools import partial
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import DupFd
from typing import Any

import anyio
import anyio.to_thread

from flows.standing.delegation import ANSWER_SECONDS, STREAMS, bound, receive, send
from flows.standing.forked import run_command
from flows.standing.forks import Forks
from infra.settings import Settings
from infra.supervision import FOLDER

logger = logging.getLogger("leitstand.worker")
LOST = (
    255  # what multiprocessing says of a process that the fork server could not tell the end of; no command of ours ends with it
)
PAUSE_SECONDS = 1.0


class Commands:
    """Takes commands and has each carried out by a forked process, which ends with the one that handed it over.

    Parameters
    ----------
    conditions : under which everything was imported; a command that comes under others is not taken
    """

    def __init__(self, settings: Settings, forks: Forks, conditions: str) -> None:
        self._settings, self._forks, self._conditions = settings, forks, conditions

    async def carry_out(self) -> None:
        """Do so until cancelled; without a socket there are no commands, and all else goes on."""
        try:
            listener = bound(self._settings.folder(FOLDER))
        except OSError as error:  # as on some network drives
            logger.warning("No commands are taken, for there can be no socket in the state folder: %s", error)
            return
        with listener:
            listener.setblocking(False)
            async with anyio.create_task_group() as group:
                while True:
                    await anyio.wait_readable(listener)
                    try:
                        group.start_soon(self._safely_serve, listener.accept()[0])
                    except OSError:  # whoever asked is gone again, or too many files are open
                        await anyio.sleep(PAUSE_SECONDS)

    async def _safely_serve(self, connection: socket.socket) -> None:
        """Serve one who asks; what goes wrong with one ends neither the worker nor its runs."""
        try:
            await self._serve(connection)
        except Exception:
            logger.exception("A command was not carried out")

    async def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(ANSWER_SECONDS)
            with suppress(OSError, ValueError):
                request, streams = await anyio.to_thread.run_sync(partial(receive, connection, STREAMS))
                try:
                    process = await self._started(request, streams, connection)
                finally:
                    for stream in streams:
                        os.close(stream)
                if process is None:
                    send(connection, {"process": None})
                    return
                logger.info("Command %r began in process %s", request["command"], process.pid)
                try:
                    send(connection, {"process": process.pid})
                    await self._ended_or_alone(process, connection)
                finally:
                    with anyio.CancelScope(shield=True):
                        if process.exitcode is None:
                            await self._forks.stop(process)
                logger.info("Command %r ended with code %s", request["command"], process.exitcode)
                if process.exitcode != LOST:
                    send(connection, {"code": process.exitcode})

    async def _started(self, request: dict[str, Any], streams: list[int], connection: socket.socket) -> BaseProcess | None:
        if len(streams) != STREAMS or request.pop("conditions", "") != self._conditions:
            return None
        return await self._forks.start(run_command, request, _Streams([*streams, connection.fileno()]))

    async def _ended_or_alone(self, process: BaseProcess, connection: socket.socket) -> None:
        """Wait until a process has ended, or whoever waits for it is gone."""

        async def gone() -> None:
            await anyio.wait_readable(connection)  # nothing comes any more but the end
            group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(gone)
            await self._forks.end_of(process)
            group.cancel_scope.cancel()


class _Streams:
    """Streams that travel to a process that is being forked, which gets their numbers there."""

    def __init__(self, numbers: list[int]) -> None:
        self._numbers = numbers

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrived, tuple(DupFd(number) for number in self._numbers)


def _arrived(*streams: Any) -> list[int]:
    return [stream.detach() for stream in streams]

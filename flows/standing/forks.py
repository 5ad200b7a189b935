"""Processes forked from one that has the whole stack imported.

The standard library's fork server does it: a process of one thread that imported ``flows.standing.preloaded`` and nothing else. It is started
again by the next fork should it be killed.
"""

import multiprocessing
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

import anyio
import anyio.to_thread

GRACE_SECONDS = 5.0


def nothing() -> None:
    """Be forked, and end."""


class Forks:
    """Starts and ends forked processes; for one event loop."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["flows.standing.preloaded"])
        self._turn = anyio.Lock()  # whoever starts a process reads the exit codes of all, which are there to be read once

    async def warm_up(self) -> None:
        """Start the process that others are forked from, and return when it has everything imported."""
        first = self._context.Process(target=nothing)
        await anyio.to_thread.run_sync(first.start, abandon_on_cancel=True)
        await self.end_of(first)

    async def start(self, target: Callable[..., None], *arguments: Any) -> BaseProcess:
        """Fork a process that calls ``target``."""
        process = self._context.Process(target=target, args=arguments)
        async with self._turn:
            await anyio.to_thread.run_sync(process.start)
        return process

    async def end_of(self, process: BaseProcess) -> int:
        """Wait until a process has ended and return its exit code; the negative number of a signal that ended it."""
        await anyio.wait_readable(process.sentinel)
        async with self._turn:
            process.join()
        return process.exitcode or 0

    async def stop(self, process: BaseProcess) -> None:
        """End a process: SIGTERM first, SIGKILL after some seconds."""
        process.terminate()
        with anyio.move_on_after(GRACE_SECONDS):
            await self.end_of(process)
            return
        process.kill()
        await self.end_of(process)

"""What a challenger says to requests that the champion has answered: computed after the answer has left, and logged beside it.

The champion comes first. The rows wait a moment so that many are answered in one call, in a thread of their own; they share the champion's
transactions in the log. Where the service has much to do, or they come faster than the challenger is, they are dropped and counted.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter

from infra.group_commit import GroupCommit
from infra.prediction_entries import LogEntry
from leitstand.errors import StateError
from leitstand.now import now
from serving.endpoint import Answered, Asked, Endpoint, without_values
from serving.metrics import Metrics
from serving.queue import MOST_WAITING, Queue, outcome

logger = logging.getLogger("bentoml.leitstand")
GATHER_SECONDS = 0.02  # long enough for one call to answer many rows, short enough to hold few of them
MOST_WAITING_ROWS = 5_000  # some megabytes
MOST_TOGETHER = 500  # rows of one call
BUSY = MOST_WAITING // 8  # requests under way from which on the service has enough to do without its shadow


@dataclass(frozen=True, slots=True)
class _Silent:
    """One request for the challenger, with the ids under which it was answered."""

    endpoint: Endpoint
    asked: Asked
    ids: tuple[str, ...]
    client: str
    request_id: str


class Shadow:
    """The challengers' line. To be used from one event loop.

    Parameters
    ----------
    queue : the line of those who wait for an answer
    """

    def __init__(self, commit: GroupCommit, queue: Queue, metrics: Metrics) -> None:
        self._commit, self._queue, self._metrics = commit, queue, metrics
        self._waiting: list[_Silent] = []
        self._rows = 0
        self._busy = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="shadow")

    def offer(self, endpoint: Endpoint, asked: Asked, answered: Answered, client: str, request_id: str) -> None:
        """Let the challenger answer a request that was answered, unless there is no room for it."""
        rows = len(asked.rows)
        if self._queue.under_way >= BUSY or self._rows + rows > MOST_WAITING_ROWS:
            self._metrics.shadowed(endpoint.project.name, "dropped", rows)
            return
        ids = tuple(id_ for id_, _, _ in answered.rows)
        self._waiting.append(_Silent(endpoint, asked, ids, client, request_id))
        self._rows += rows
        if not self._busy:
            self._busy = True
            asyncio.get_running_loop().call_later(GATHER_SECONDS, self._move)

    def close(self) -> None:
        """End the thread; what waits is left out."""
        self._waiting.clear()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _move(self) -> None:
        batch = self._next()
        if not batch:
            self._busy = False
            return
        asked, loop = [one.asked for one in batch], asyncio.get_running_loop()
        try:
            future = loop.run_in_executor(self._thread, _timed, batch[0].endpoint, asked)
        except RuntimeError:  # closed
            return
        future.add_done_callback(lambda done: self._log(batch, done))

    def _next(self) -> list[_Silent]:
        """Take what one call of one challenger answers."""
        batch: list[_Silent] = []
        rows = 0
        for one in self._waiting:
            if batch and (one.endpoint is not batch[0].endpoint or rows + len(one.asked.rows) > MOST_TOGETHER):
                break
            batch.append(one)
            rows += len(one.asked.rows)
        del self._waiting[: len(batch)]
        return batch

    def _log(self, batch: list[_Silent], done: "asyncio.Future[tuple[list[Answered | BaseException], float]]") -> None:
        """Hand what the challenger said to the log, and go on."""
        self._rows -= sum(len(one.asked.rows) for one in batch)
        if done.cancelled():
            return
        answers, milliseconds = done.result()
        moment = now()
        for one, answered in zip(batch, answers, strict=True):
            name, rows = one.endpoint.project.name, len(one.asked.rows)
            if isinstance(answered, BaseException):
                logger.warning("%s version %s in the shadow: %s", name, one.endpoint.version, without_values(answered))
                self._metrics.shadowed(name, "failed", rows)
                continue
            entry = LogEntry(
                name, one.endpoint.version, one.request_id, moment, one.client, milliseconds, answered.rows, "shadow", one.ids
            )
            kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            kept.add_done_callback(self._counting(name, rows))
            try:
                self._commit.submit(entry, kept, None)
            except StateError as error:
                kept.set_exception(error)
        self._again()

    def _again(self) -> None:
        if self._waiting:
            asyncio.get_running_loop().call_later(GATHER_SECONDS, self._move)
        else:
            self._busy = False

    def _counting(self, project: str, rows: int) -> "Callable[[asyncio.Future[None]], None]":
        def count(kept: "asyncio.Future[None]") -> None:
            lost = kept.cancelled() or kept.exception() is not None
            self._metrics.shadowed(project, "dropped" if lost else "logged", rows)

        return count


def _timed(endpoint: Endpoint, asked: list[Asked]) -> tuple[list[Answered | BaseException], float]:
    """Return the answers, and the milliseconds that they took per row: the limit of ``gates.max_latency_ms`` is one of a single row."""
    started = perf_counter()
    answers = outcome(endpoint, asked)
    return answers, (perf_counter() - started) * 1000 / max(1, sum(len(one.rows) for one in asked))

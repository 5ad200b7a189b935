"""The line in which requests wait for a model and for the log.

What arrives in one turn of the event loop is answered together: a model needs hardly longer for sixteen rows than for one. A compiled model
answers in the loop itself, any other in a thread, where the next requests gather until the last ones are done. An answer leaves when its
predictions are in the log. The line is short: whoever finds it full is refused at once instead of waiting for nothing.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import urandom
from time import perf_counter

from infra.group_commit import GroupCommit
from infra.prediction_entries import LogEntry
from leitstand.errors import StateError
from leitstand.now import now
from serving.endpoint import Answered, Asked, Endpoint
from serving.problems import Problem, saying

MOST_WAITING = 256  # requests; at two thousand a second the last of them waits an eighth of a second
QUICK_ROWS = 256  # more than this in one request block the event loop for longer than a thread costs
MOST_TOGETHER = 2000  # rows that one call of a model answers
THREADS = 2  # slow models that compute side by side
RETRY_SECONDS = 1


def overloaded() -> Problem:
    """Return the refusal of a service that has enough to do."""
    said = saying("serving.overloaded", seconds=RETRY_SECONDS)
    return Problem(503, "overloaded", said, headers={"Retry-After": str(RETRY_SECONDS)})


@dataclass(slots=True)
class _Waiting:
    """One request in the line; ``done`` gets the answer or the problem."""

    asked: Asked
    client: str
    started: float
    done: "asyncio.Future[Answered]"


class Queue:
    """All lines of one process: one per endpoint and kind of way. To be used from one event loop.

    Parameters
    ----------
    most_waiting : requests under way at most; the next is refused
    """

    def __init__(self, commit: GroupCommit, most_waiting: int = MOST_WAITING) -> None:
        self._commit = commit
        self._most_waiting = most_waiting
        self._under_way = 0
        self._lines: dict[tuple[str, bool], _Line] = {}
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="model")

    def require_room(self) -> None:
        """Refuse when the line is full.

        Raises
        ------
        Problem
            503, with the time after which a client may try again.
        """
        if self._under_way >= self._most_waiting:
            raise overloaded()

    async def answer(self, endpoint: Endpoint, asked: Asked, client: str, started: float) -> Answered:
        """Return the answer to a request when it is in the log.

        Parameters
        ----------
        started : ``perf_counter`` when the request came

        Raises
        ------
        Problem
            If the input cannot be used, or the line is full.
        StateError
            If the log cannot be written.
        """
        self.require_room()
        quick = endpoint.quick and len(asked.rows) <= QUICK_ROWS
        line = self._lines.get((endpoint.project.name, quick))
        if line is None or line.endpoint is not endpoint:  # a new champion; what waits for the one before is still answered
            line = _Line(endpoint, self._commit, None if quick else self._threads)
            self._lines[endpoint.project.name, quick] = line
        waiting = _Waiting(asked, client, started, asyncio.get_running_loop().create_future())
        self._under_way += 1
        try:
            line.put(waiting)
            return await waiting.done
        finally:
            self._under_way -= 1

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class _Line:
    """Requests that wait for one model."""

    def __init__(self, endpoint: Endpoint, commit: GroupCommit, threads: ThreadPoolExecutor | None) -> None:
        self.endpoint, self._commit, self._threads = endpoint, commit, threads
        self._waiting: list[_Waiting] = []
        self._busy = False

    def put(self, waiting: _Waiting) -> None:
        """Add a request; the line moves on when the event loop has seen to all that arrived with it."""
        self._waiting.append(waiting)
        if not self._busy:
            self._busy = True
            asyncio.get_running_loop().call_soon(self._move)

    def _move(self) -> None:
        batch = self._next()
        if not batch:
            self._busy = False
        elif self._threads is None:
            self._settle(batch, _outcome(self.endpoint, batch))
            if self._waiting:
                asyncio.get_running_loop().call_soon(self._move)
            else:
                self._busy = False
        else:
            loop = asyncio.get_running_loop()
            future = loop.run_in_executor(self._threads, _outcome, self.endpoint, batch)
            future.add_done_callback(lambda done: self._settle_and_move(batch, done))

    def _settle_and_move(self, batch: list[_Waiting], done: "asyncio.Future[list[Answered | BaseException]]") -> None:
        if not done.cancelled():
            self._settle(batch, done.result())
        self._move()

    def _next(self) -> list[_Waiting]:
        """Take from the line what one call of the model answers; who has given up is left out."""
        batch: list[_Waiting] = []
        rows = 0
        for position, one in enumerate(self._waiting):
            if one.done.done():
                continue
            if batch and rows + len(one.asked.rows) > MOST_TOGETHER:
                self._waiting = self._waiting[position:]
                return batch
            batch.append(one)
            rows += len(one.asked.rows)
        self._waiting = []
        return batch

    def _settle(self, batch: list[_Waiting], outcome: "list[Answered | BaseException]") -> None:
        """Hand the answers to the log, and to the clients when they are in it."""
        moment, ended = now(), perf_counter()
        for one, answered in zip(batch, outcome, strict=True):
            if one.done.done():  # gave up while the model computed: never seen, so never logged
                continue
            if isinstance(answered, BaseException):
                one.done.set_exception(answered)
                continue
            entry = LogEntry(
                project=self.endpoint.project.name,
                model_version=self.endpoint.version,
                request_id=urandom(16).hex(),
                time=moment,
                client=one.client,
                latency_ms=(ended - one.started) * 1000,
                rows=answered.rows,
            )
            try:
                self._commit.submit(entry, one.done, answered)
            except StateError as error:
                one.done.set_exception(error)


def _outcome(endpoint: Endpoint, batch: list[_Waiting]) -> "list[Answered | BaseException]":
    """Return one answer or error per request; what fails together is tried one by one, so that one request harms no other."""
    try:
        return list(endpoint.answer([one.asked for one in batch]))
    except Exception as error:
        if len(batch) == 1:
            return [error]
        return [answered for one in batch for answered in _outcome(endpoint, [one])]

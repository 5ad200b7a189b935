"""The line in which requests wait for a model and for the log.

What arrives in one turn of the event loop is answered together: a model needs hardly longer for sixteen rows than for one. A compiled model
answers in the loop itself, any other in a thread, where the next requests gather until the last ones are done. An answer leaves when its
predictions are in the log. The line is short: whoever finds it full is refused at once instead of waiting for nothing.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import urandom
from time import perf_counter
from weakref import WeakKeyDictionary

from infra.group_commit import GroupCommit
from infra.prediction_entries import LogEntry, Role
from leitstand.errors import StateError
from leitstand.now import now
from serving.endpoint import Answered, Asked, Endpoint
from serving.problems import Problem, saying

MOST_WAITING = 512  # requests; at two thousand a second the last of them waits a quarter of a second
MOST_ROWS = 8_000  # of more than a few requests: as long to answer
FEW = 64  # requests; one of many rows alone keeps nobody else out
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

    endpoint: Endpoint
    asked: Asked
    client: str
    started: float
    role: Role
    request_id: str
    done: "asyncio.Future[Answered]"


class Queue:
    """All lines of one process: one per endpoint and kind of way, for as long as the endpoint lives. To be used from one event loop.

    Parameters
    ----------
    most_waiting : requests under way at most; the next is refused
    """

    def __init__(self, commit: GroupCommit, most_waiting: int = MOST_WAITING) -> None:
        self._commit = commit
        self._most_waiting = most_waiting
        self.under_way = self._rows = 0
        self._lines: WeakKeyDictionary[Endpoint, dict[bool, _Line]] = WeakKeyDictionary()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="model")

    @property
    def is_full(self) -> bool:
        """Whether the next request is refused."""
        return self.under_way >= self._most_waiting or (self._rows >= MOST_ROWS and self.under_way >= FEW)

    async def answer(
        self,
        endpoint: Endpoint,
        asked: Asked,
        client: str,
        started: float,
        role: Role = "champion",
        request_id: str | None = None,
    ) -> Answered:
        """Return the answer to a request when it is in the log.

        Parameters
        ----------
        started : ``perf_counter`` when the request came
        role, request_id : as the log keeps them

        Raises
        ------
        Problem
            If the input cannot be used, or the line is full: 503, with the time after which a client may try again.
        StateError
            If the log cannot be written.
        """
        if self.is_full:
            raise overloaded()
        quick = endpoint.quick and len(asked.rows) <= QUICK_ROWS
        lines = self._lines.get(endpoint)
        if lines is None:
            lines = self._lines[endpoint] = {}
        line = lines.get(quick)
        if line is None:
            line = lines[quick] = _Line(self._commit, None if quick else self._threads)
        loop = asyncio.get_running_loop()
        waiting = _Waiting(endpoint, asked, client, started, role, request_id or new_request_id(), loop.create_future())
        self.under_way += 1
        self._rows += len(asked.rows)
        try:
            line.put(waiting)
            return await waiting.done
        finally:
            self.under_way -= 1
            self._rows -= len(asked.rows)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class _Line:
    """Requests that wait for one model. They hold it, the line does not: it must not keep a model that nobody asks any more."""

    def __init__(self, commit: GroupCommit, threads: ThreadPoolExecutor | None) -> None:
        self._commit, self._threads = commit, threads
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
            self._settle(batch, _outcome(batch))
            if self._waiting:
                asyncio.get_running_loop().call_soon(self._move)
            else:
                self._busy = False
        else:
            loop = asyncio.get_running_loop()
            future = loop.run_in_executor(self._threads, _outcome, batch)
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
                project=one.endpoint.project.name,
                model_version=one.endpoint.version,
                request_id=one.request_id,
                time=moment,
                client=one.client,
                latency_ms=(ended - one.started) * 1000,
                rows=answered.rows,
                role=one.role,
            )
            try:
                self._commit.submit(entry, one.done, answered)
            except StateError as error:
                one.done.set_exception(error)


def _outcome(batch: Sequence[_Waiting]) -> "list[Answered | BaseException]":
    return outcome(batch[0].endpoint, [one.asked for one in batch])


def outcome(endpoint: Endpoint, asked: Sequence[Asked]) -> "list[Answered | BaseException]":
    """Return one answer or error per request; what fails together is tried one by one, so that one request harms no other."""
    try:
        return list(endpoint.answer(asked))
    except Exception as error:
        if len(asked) == 1:
            return [error]
        return [answered for one in asked for answered in outcome(endpoint, [one])]


def new_request_id() -> str:
    """Return the id under which the log keeps a request."""
    return urandom(16).hex()

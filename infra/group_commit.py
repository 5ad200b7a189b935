"""Group commit: one transaction for all answers that wait for the disk at the same moment.

A commit costs one fsync, whether it holds one row or a thousand. So a thread of its own takes whatever waits, stores it in one transaction,
and by then the next ones wait: the more load, the larger the groups (Gawlick and Kinkade, "Varieties of concurrency control in IMS/VS Fast
Path", 1985). Nobody waits for a timer, and a single client waits for its own fsync only.
"""

import asyncio
import copy
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from infra.prediction_entries import LogEntry
from infra.prediction_log import PredictionLog
from leitstand.errors import Busy, StateError

T = TypeVar("T")
MOST_WAITING_ROWS = 20_000  # some 25 MB with 30 columns
MOST_ROWS = 5_000  # of one transaction: longer ones keep other writers from the file
_ABOUT_ROWS = (
    "infra.database_failed",
    "infra.database_broken",
    "log.entry_refused",
)  # may come from one entry; others hold for all

_Waiting = tuple[LogEntry, "asyncio.Future[Any]", Any]


class GroupCommit:
    """Commits the entries of one event loop to the log; to be closed in the end.

    Parameters
    ----------
    log : stays open when this is closed
    most_waiting_rows : more are refused, so that a slow disk cannot fill the memory
    most_rows : of one transaction, give or take one entry
    """

    def __init__(self, log: PredictionLog, *, most_waiting_rows: int = MOST_WAITING_ROWS, most_rows: int = MOST_ROWS) -> None:
        self._log, self._most_waiting, self._most_rows = log, most_waiting_rows, most_rows
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._waiting = 0
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None

    @property
    def waiting_rows(self) -> int:
        """How many rows are not on disk yet."""
        return self._waiting

    async def commit(self, entry: LogEntry) -> None:
        """Wait until the entry is on disk.

        Whoever gives up waiting does not take the entry back: it is stored all the same.

        Raises
        ------
        Busy
            If too many rows wait already, or the database stayed locked. The entry is not stored then.
        StateError
            If the database cannot be reached or written, or this was closed. The entry is not stored then.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.submit(entry, done, None)
        await done

    def submit(self, entry: LogEntry, done: "asyncio.Future[T]", answer: T) -> None:
        """Let ``done`` get ``answer`` once the entry is on disk, or the errors of ``commit``; refusals are raised at once."""
        rows = len(entry.rows)
        if self._closed:
            raise StateError("log.closed")
        if self._waiting and self._waiting + rows > self._most_waiting:
            raise Busy("log.too_many_waiting", rows=self._waiting)
        if self._loop is None:
            self._start()
        self._waiting += rows
        self._queue.put((entry, done, answer))

    async def close(self) -> None:
        """Store what waits, then end the thread. What comes later is refused."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = Thread(target=self._write, name="prediction-log", daemon=True)
        self._thread.start()

    def _write(self) -> None:
        assert self._loop is not None
        closing = False
        while not closing:
            taken, closing = self._take()
            if taken:
                errors = self._append(taken)
                try:
                    self._loop.call_soon_threadsafe(self._settle, taken, errors)
                except RuntimeError:  # the loop is closed: nobody waits for the answer any more
                    closing = True

    def _take(self) -> tuple[list[_Waiting], bool]:
        """Return all that waits, once something does; and whether it was the last."""
        taken: list[_Waiting] = []
        rows = 0
        while rows < self._most_rows:
            try:
                item = self._queue.get(block=not taken)
            except Empty:
                break
            if item is None:
                return taken, True
            taken.append(item)
            rows += len(item[0].rows)
        return taken, False

    def _append(self, taken: list[_Waiting]) -> list[StateError | None]:
        """Store the entries; return for each why it is not stored, None where it is."""
        error = self._try([entry for entry, _, _ in taken])
        if isinstance(error, Busy):  # whoever waits already would wait as long again, and those behind them longer
            self._take_all(taken)
        if error is None or len(taken) == 1 or error.key not in _ABOUT_ROWS:
            return [error] * len(taken)
        errors: list[StateError | None] = []
        for entry, _, _ in taken:
            last = errors[-1] if errors else None
            errors.append(last if isinstance(last, Busy) else self._try([entry]))
        return errors

    def _try(self, entries: Sequence[LogEntry]) -> StateError | None:
        try:
            self._log.append(entries)
        except StateError as error:
            return error
        except Exception as error:  # an entry that is none; the thread must live on for the others
            refused = StateError("log.entry_refused", reason=type(error).__name__)
            refused.__cause__ = error
            return refused
        return None

    def _take_all(self, taken: list[_Waiting]) -> None:
        while not self._queue.empty():
            item = self._queue.get()
            if item is None:
                self._queue.put(None)  # for _take, which ends then
                return
            taken.append(item)

    def _settle(self, taken: list[_Waiting], errors: Sequence[StateError | None]) -> None:
        """Tell those who wait; in the event loop, once for all of them."""
        for (entry, done, answer), error in zip(taken, errors, strict=True):
            self._waiting -= len(entry.rows)
            if done.done():
                continue
            if error is None:
                done.set_result(answer)
            else:
                own = copy.copy(error)  # because a traceback is written into it
                own.__cause__ = error.__cause__
                done.set_exception(own)

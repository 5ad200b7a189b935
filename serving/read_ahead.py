"""Using several threads on a sequence without ever holding much of it."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


@contextmanager
def read_ahead(items: Generator[Item], waiting: int) -> Iterator[Iterator[Item]]:
    """Let another thread work off a generator while this one uses what it gave; an error comes out where its item would have.

    Parameters
    ----------
    waiting : how many items may wait to be used
    """
    queue: Queue[tuple[Item] | BaseException | None] = Queue(waiting)
    stopped = Event()

    def offer(item: tuple[Item] | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                queue.put(item, timeout=0.1)
            except Full:
                continue
            return

    def work() -> None:
        try:
            with closing(items):
                for item in items:
                    offer((item,))
                    if stopped.is_set():
                        return
            offer(None)
        except BaseException as error:
            offer(error)

    def taken() -> Iterator[Item]:
        while (got := queue.get()) is not None:
            if isinstance(got, BaseException):
                raise got
            yield got[0]

    thread = Thread(target=work, name="leitstand-read-ahead", daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        stopped.set()
        thread.join()


def in_parallel(make: Callable[[Item], Made], items: Iterable[Item], threads: int) -> Iterator[Made]:
    """Yield what ``make`` gives for each item, in order, made by some threads that are never further ahead than their number."""
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Made]] = deque()
        for item in items:
            waiting.append(pool.submit(make, item))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

"""How far a batch is: rows, rows per second and the time it will still take, on stderr."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from flows.cli.app import call
from flows.cli.console import console, shown
from leitstand.texts import text

LINE_SECONDS = 10.0


@contextmanager
def predicting(quiet: bool) -> Iterator[Callable[[int, int | None], None]]:
    """Show a bar while the block runs, and yield what is told rows done and rows in all; on a pipe, a line every ten seconds."""
    if quiet:
        yield lambda done, total: None
        return
    out = console()
    if not out.is_terminal:
        yield _Lines(lambda line: out.print(line, soft_wrap=True))
        return
    columns = (TextColumn("{task.description}"), BarColumn(24), _Rows(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out) as progress:
        bar = progress.add_task(text("batch.predicting", call.language), total=None)
        began: list[int] = []

        def told(done: int, total: int | None) -> None:
            if not began:  # rows of an earlier run say nothing about the speed of this one
                began.append(done)
                progress.reset(bar, completed=done)
            progress.update(bar, completed=done, total=total)

        yield told


class _Rows(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(_told(int(task.completed), None if task.total is None else int(task.total), task.speed))


class _Lines:
    """Prints a line now and then."""

    def __init__(self, out: Callable[[str], None]) -> None:
        self._out, self._last, self._rows = out, time.monotonic(), 0

    def __call__(self, done: int, total: int | None) -> None:
        passed = time.monotonic() - self._last
        if passed >= LINE_SECONDS:
            self._out(_told(done, total, (done - self._rows) / passed))
            self._last, self._rows = time.monotonic(), done


def _told(done: int, total: int | None, speed: float | None) -> str:
    key = "batch.rows" if total is None else "batch.rows_of"
    rows = text(key, call.language, rows=_number(done), total=_number(total or 0))
    return rows if speed is None else f"{rows}, {text('batch.rate', call.language, rate=_number(speed))}"


def _number(value: float) -> str:
    return str(int(value)) if value < 10_000 else shown(float(value))

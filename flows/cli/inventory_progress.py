"""How far an inventory is: data sets done, and which one is being read, on stderr."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from flows.cli.app import call
from flows.cli.console import console
from leitstand.texts import text

LINE_SECONDS = 10.0


@contextmanager
def looking(quiet: bool) -> Iterator[Callable[[int, int, str], None]]:
    """Show a bar while the block runs, and yield what is told data sets done, in all, and the next one's name; on a pipe, a line now and then."""
    if quiet:
        yield lambda done, total, name: None
        return
    out = console()
    if not out.is_terminal:
        last = time.monotonic()

        def line(done: int, total: int, name: str) -> None:
            nonlocal last
            if time.monotonic() - last >= LINE_SECONDS:
                out.print(
                    text("inventory.progress", call.language, done=done, total=total, name=name), soft_wrap=True, markup=False
                )
                last = time.monotonic()

        yield line
        return
    columns = (
        SpinnerColumn(),
        BarColumn(24),
        MofNCompleteColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=out) as progress:
        bar = progress.add_task("", total=None)
        yield lambda done, total, name: progress.update(bar, completed=done, total=total, description=name)

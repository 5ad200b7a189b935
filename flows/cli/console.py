"""What a person sees on the terminal: progress per milestone and tables, all on stderr."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from flows.cli.app import call
from leitstand.milestones import NAMES, MilestoneId
from leitstand.texts import text

if TYPE_CHECKING:  # loads pandas and scikit-learn, which a list of projects does not need
    from flows.workspace import Report

STEPS: dict[MilestoneId, int] = {"M1": 1, "M2": 1, "M3": 1, "M4": 7, "M5": 4}


def console() -> Console:
    """Return the console for people: stderr, so that stdout holds nothing but documents."""
    return Console(stderr=True)


def say(key: str, **values: object) -> None:
    """Print one sentence of the catalogue: of the area ``flows`` where ``key`` names none."""
    console().print(text(_message(key), call.language, **values), soft_wrap=True)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; ``columns`` are keys of the catalogue, as ``say`` takes them."""
    made = Table(title=title, title_justify="left", header_style="bold", show_edge=False, pad_edge=False)
    for column in columns:
        made.add_column(text(_message(column), call.language), overflow="fold")
    for row in rows:
        made.add_row(*(shown(cell) for cell in row))
    console().print(made)


def shown(value: object) -> str:
    """Return a cell's text in the call's language: figures with four digits, a dash for nothing."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return text("flows.yes" if value else "flows.no", call.language)
    if isinstance(value, float):
        digits = f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
        return digits.translate(str.maketrans(",.", ".,")) if call.language == "de" else digits
    return str(value)


@contextmanager
def milestones(quiet: bool) -> Iterator["Report"]:
    """Show one bar per milestone while the block runs, and yield what a desk reports to; on a pipe, one line per step."""
    if quiet:
        yield lambda milestone, doing: None
        return
    out = console()
    if not out.is_terminal:
        yield lambda milestone, doing: out.print(f"{milestone} {_named(milestone)}: {_doing(doing)}", soft_wrap=True)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(24),
        TextColumn("{task.fields[doing]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=out) as progress:
        yield _Bars(progress)


class _Bars:
    """One bar per milestone; a step begins when it is reported, and ends when the next one is."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[str, TaskID] = {}
        self._current: TaskID | None = None

    def __call__(self, milestone: str, doing: str) -> None:
        if milestone not in self._bars:
            self._finish()
            total = STEPS[milestone]  # type: ignore[index]
            name = f"{milestone} {_named(milestone)}"
            self._bars[milestone] = self._progress.add_task(f"{name:<22}", total=total, doing="")
        elif self._current is not None:
            self._progress.advance(self._current)
        self._current = self._bars[milestone]
        bar = self._progress.tasks[self._progress.task_ids.index(self._current)]
        if bar.total is not None and bar.completed >= bar.total:
            self._progress.update(self._current, total=bar.total + 1)
        self._progress.update(self._current, doing=_doing(doing))

    def _finish(self) -> None:
        if self._current is not None:
            bar = self._progress.tasks[self._progress.task_ids.index(self._current)]
            self._progress.update(self._current, completed=bar.total, doing="")


def _message(key: str) -> str:
    return key if "." in key else f"flows.{key}"


def _named(milestone: str) -> str:
    return text(f"roadmap.{NAMES[milestone]}", call.language)  # type: ignore[index]


def _doing(doing: str) -> str:
    step, _, rest = doing.partition(" ") if doing.startswith("train ") else (doing.replace(" ", "_"), "", "")
    return f"{text(f'roadmap.step_{step}', call.language)} {rest}".strip()

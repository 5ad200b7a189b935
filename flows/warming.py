"""Slow tools, and a second process that loads and uses them beside the first.

Great Expectations takes two seconds to import, Evidently another two, Matplotlib half of one, and a Python process imports and computes on one core
at a time. So a cold command hands contract checks, drift and pictures to a second process, which loads each tool while the first one works. A
warm process needs no second one: everything is loaded.
"""

import atexit
import gc
import importlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from infra.garbage import collect_rarely
from infra.lifeline import end_with
from infra.settings import calm_tools, follow_clock, load_settings

if TYPE_CHECKING:
    import pandas as pd

    from data_contracts.result import CheckResult
    from leitstand.contract import Contract
    from leitstand.judging import Judgement
    from leitstand.project import Project
    from leitstand.training import CandidateScore, LearningCurve
    from monitoring.result import MonitoringResult

CHECKING, MONITORING, DRAWING, MODEL_FILES = "data_contracts.checking", "monitoring.report", "flows.charts", "skops.io"


class Tools:
    """The slow tools, in this process."""

    def load_later(self) -> None:
        """Load what the end of a run needs, if that costs nobody time; may be said twice."""

    def check(self, frame: "pd.DataFrame", contract: "Contract") -> "CheckResult":
        """Check a contract; see ``data_contracts.checking.check``."""
        return cast("CheckResult", self._call(CHECKING, "check", frame, contract))

    def monitor(
        self, project: "Project", reference: "pd.DataFrame", window: "pd.DataFrame", **details: Any
    ) -> "MonitoringResult":
        """Compare a window with the reference; see ``monitoring.report.monitor``."""
        return cast("MonitoringResult", self._call(MONITORING, "monitor", project, reference, window, **details))

    def draw(
        self, folder: Path, candidates: "Sequence[CandidateScore]", judgement: "Judgement", curve: "LearningCurve | None"
    ) -> None:
        """Draw the pictures of a run; see ``flows.charts.draw_charts``."""
        self._call(DRAWING, "draw_charts", folder, candidates, judgement, curve)

    def _call(self, module: str, name: str, *arguments: Any, **details: Any) -> Any:
        return _call(module, name, *arguments, **details)


class _ToolsAside(Tools):
    """The slow tools, in a second process."""

    def __init__(self, executor: ProcessPoolExecutor) -> None:
        self._executor = executor
        executor.submit(_load, CHECKING)

    def check(self, frame: "pd.DataFrame", contract: "Contract") -> "CheckResult":
        checked = self._executor.submit(_call, CHECKING, "check", frame, contract)
        _load(MODEL_FILES)  # a second of this process's time, which has nothing else to do until then
        return cast("CheckResult", checked.result())

    def load_later(self) -> None:
        for name in (DRAWING, MONITORING):
            self._executor.submit(_load, name)

    def _call(self, module: str, name: str, *arguments: Any, **details: Any) -> Any:
        return self._executor.submit(_call, module, name, *arguments, **details).result()


@contextmanager
def tools_aside() -> Iterator[Tools]:
    """Yield the tools in a second process, which begins to import at once and ends with the block; in this one if it has them loaded."""
    if CHECKING in sys.modules:
        yield Tools()
        return
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_begin, initargs=(os.getpid(),)) as executor:
        yield _ToolsAside(executor)


def _begin(parent: int) -> None:
    """Let the second process end with the first, also when that is killed; Ctrl-C is the first one's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    collect_rarely()
    atexit.register(gc.freeze)  # Python would look through all of it once more at the end, which takes a second
    end_with(parent)
    calm_tools()
    follow_clock(load_settings())


def _load(module: str) -> None:
    importlib.import_module(module)


def _call(module: str, name: str, *arguments: Any, **details: Any) -> Any:
    return getattr(importlib.import_module(module), name)(*arguments, **details)

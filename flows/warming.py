"""Loading slow tools while something else is being done.

Great Expectations takes two seconds to import, Evidently another two, and Python imports on one core at a time. So a cold command checks
its contract in a second process, which imports while the first one does, and loads what the end of a run needs in a thread while models are
trained outside Python. A warm process needs neither: everything is loaded.
"""

import importlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from threading import Thread
from typing import TYPE_CHECKING

from infra.lifeline import end_with
from infra.settings import calm_tools

if TYPE_CHECKING:
    import pandas as pd

    from data_contracts.result import CheckResult
    from leitstand.contract import Contract

Check = Callable[["pd.DataFrame", "Contract"], "CheckResult"]
CHECKING = "data_contracts.checking"
LATER = ("monitoring.report", "flows.charts")


def check_here(frame: "pd.DataFrame", contract: "Contract") -> "CheckResult":
    """Check a contract in this process."""
    from data_contracts.checking import check

    return check(frame, contract)


@contextmanager
def checking_aside() -> Iterator[Check]:
    """Yield a contract check that runs in a second process, which begins to import at once and ends with the block."""
    if CHECKING in sys.modules:
        yield check_here
        return
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_begin, initargs=(os.getpid(),)) as executor:
        executor.submit(_load, CHECKING)
        yield lambda frame, contract: executor.submit(check_here, frame, contract).result()


def _begin(parent: int) -> None:
    """Let the second process end with the first, also when that is killed; Ctrl-C is the first one's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(parent)
    calm_tools()


def _load(module: str) -> None:
    importlib.import_module(module)


def load_for_the_end() -> None:
    """Load what the end of a run needs, in a thread."""
    missing = [name for name in LATER if name not in sys.modules]
    if missing:
        Thread(target=lambda: [importlib.import_module(name) for name in missing], name="warming", daemon=True).start()

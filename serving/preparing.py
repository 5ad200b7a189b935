"""Making releases ready to be loaded: fetched from the registry where another machine published them, and compiled; in child processes.

The tools for that are large, and the service need not hold them. It takes seconds, and minutes for a model that hangs. No other model waits for
that: neither when the service starts, nor when a project is to go back to its last model meanwhile.
"""

import logging
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from math import inf
from pathlib import Path
from threading import Condition, Thread
from time import monotonic

from infra.releases import COMPILED_FOLDER, Release, Releases
from leitstand.errors import LeitstandError, ServiceError
from serving.compiled import read_compilation

logger = logging.getLogger("bentoml.leitstand")
AGAIN_SECONDS = 60.0  # until what did not work is tried once more
CHILD_SECONDS = 600.0
COMPILED_TOGETHER = 20
Version = tuple[str, int]


class BeingPrepared(ServiceError):
    """A project's model is being fetched or compiled; it answers as soon as that is done."""


class Preparing:
    """Prepares releases in a thread of its own, in the order in which they are asked for."""

    def __init__(self, releases: Releases) -> None:
        self._releases = releases
        self._changed = Condition()
        self._due: dict[Version, None] = {}
        self._tried: dict[Version, float] = {}
        self._stopped = False
        Thread(target=self._work, name="preparing", daemon=True).start()

    def is_done(self, project: str, version: int) -> bool:
        """Return whether a release is prepared, or could not be a short while ago; otherwise it is from now on."""
        wanted = (project, version)
        if self._is_prepared(wanted):
            return True
        with self._changed:
            if wanted not in self._due and monotonic() < self._tried.get(wanted, -inf) + AGAIN_SECONDS:
                return True
            self._due.setdefault(wanted)
            self._changed.notify()
        return False

    def stop(self) -> None:
        """Begin nothing more."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _is_prepared(self, wanted: Version) -> bool:
        return self._releases.has(*wanted) and _is_compiled(self._releases.folder(*wanted))

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._due or self._stopped)
                if self._stopped:
                    return
                wanted = list(self._due)[:COMPILED_TOGETHER]
            try:
                self._prepare(wanted)
            except Exception:  # whatever it is, the thread has to go on, and the models are loaded as they are
                logger.exception("preparing %s", wanted)
            with self._changed:
                for one in wanted:
                    del self._due[one]
                    self._tried[one] = monotonic()

    def _prepare(self, wanted: Sequence[Version]) -> None:
        found = []
        for one in wanted:
            if not self._releases.has(*one):
                fetch_release(*one)
            with suppress(LeitstandError):  # said when it is to be loaded
                found.append(self._releases.read(*one))
        compile_releases(self._releases, found)


def fetch_release(name: str, version: int) -> None:
    """Fetch a release that was published on another machine; in a child process, for it needs the model registry."""
    _child("infra.publishing", name, str(version))


def compile_releases(releases: Releases, wanted: Sequence[Release]) -> None:
    """Compile the releases for which that was not done.

    Loading the tools takes longer than compiling a model, so one process compiles several. What one that breaks down left undone is tried again,
    each alone, and last the one that it broke down on.
    """
    left = _uncompiled(releases, wanted)
    for start in range(0, len(left), COMPILED_TOGETHER):
        together = left[start : start + COMPILED_TOGETHER]
        _child("serving.compiling", *(str(releases.folder(one.project, one.version)) for one in together))
        if len(together) > 1 and (undone := _uncompiled(releases, together)):
            for one in (*undone[1:], undone[0]):
                _child("serving.compiling", str(releases.folder(one.project, one.version)))


def _uncompiled(releases: Releases, wanted: Sequence[Release]) -> list[Release]:
    return [one for one in wanted if not _is_compiled(releases.folder(one.project, one.version))]


def _is_compiled(folder: Path) -> bool:
    """Return whether compiling was tried; what is wrong with a note that cannot be read is said when the release is loaded."""
    try:
        return read_compilation(folder / COMPILED_FOLDER) is not None
    except (LeitstandError, OSError):
        return True


def _child(module: str, *arguments: str) -> None:
    """Run one of our modules to its end; what it says goes to the log, and if it fails, what it was to make is simply not there."""
    command = [sys.executable, "-m", module, *arguments]
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=CHILD_SECONDS, stdin=subprocess.DEVNULL, check=False
        )
    except subprocess.TimeoutExpired:
        logger.error("%s took longer than %g s", module, CHILD_SECONDS)
        return
    for line in ended.stdout.splitlines():
        logger.info("%s: %s", module, line)
    if ended.returncode != 0:
        logger.warning("%s: %s", module, "".join(ended.stderr.strip()[-500:].splitlines()[-1:]) or "-")

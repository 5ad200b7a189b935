"""One run of a project at a time, and short waits where tools would fail at once."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from infra.disk import disk_error
from infra.settings import Settings
from leitstand.errors import Busy


@contextmanager
def project_lock(settings: Settings, project: str, *, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the project for the length of the block. The operating system frees it when the process dies, however it dies.

    Raises
    ------
    Busy
        If another run holds it after ``wait_seconds``; says which process, and since when.
    StateError
        If the state folder cannot be written.
    """
    with hold(settings, f"project-{project}", wait_seconds=wait_seconds, busy="infra.project_busy", project=project):
        yield


@contextmanager
def hold(
    settings: Settings, name: str, *, wait_seconds: float, busy: str = "infra.lock_busy", **values: object
) -> Iterator[None]:
    """Hold the lock ``name`` of the state folder; errors as in ``project_lock``, with the message ``busy``."""
    try:
        path = settings.folder("locks") / f"{name}.lock"
        lock = FileLock(path)
        lock.acquire(timeout=wait_seconds, poll_interval=0.02)
    except Timeout as error:
        pid, since = _holder(path)
        raise Busy(busy, pid=pid, since=since, path=path, **values) from error
    except OSError as error:
        raise disk_error(settings.root / "locks", error) from error
    try:
        note = {"pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
        _note_file(path).write_text(json.dumps(note), encoding="utf-8")
        yield
    finally:
        lock.release()


def _note_file(lock: Path) -> Path:
    return lock.with_suffix(".json")  # not the lock file itself: filelock empties that when it opens it


def _holder(lock: Path) -> tuple[object, object]:
    try:
        note = json.loads(_note_file(lock).read_text(encoding="utf-8"))
        return note["pid"], note["since"]
    except (OSError, ValueError, KeyError):  # the holder has not written its note yet
        return "?", "?"

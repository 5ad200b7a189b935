"""Reading what the standing services print, also while it is rotated."""

import os
import time
from collections.abc import Generator, Sequence
from io import BufferedReader
from pathlib import Path

from flows.standing.plan import LOGS, last_lines
from infra.settings import Settings
from infra.supervision import log_file
from leitstand.errors import UnknownName

LOOK_SECONDS = 0.3


def log_names(service: str | None) -> tuple[str, ...]:
    """Return the logs to show: that of a service, or all.

    Raises
    ------
    UsageError
        If there is none of that name (did you mean).
    """
    if service is None:
        return LOGS
    if service not in LOGS:
        raise UnknownName("service", service, LOGS)
    return (service,)


def latest(settings: Settings, names: Sequence[str], lines: int) -> dict[str, list[str]]:
    """Return the last lines of each log."""
    return {name: last_lines(settings, name, lines) for name in names}


def following(settings: Settings, names: Sequence[str]) -> Generator[tuple[str, str], None, None]:
    """Return each line that is printed from this call on, with the name of its service, for ever."""
    return _lines([_Followed(name, log_file(settings, name)) for name in names])


def _lines(logs: list["_Followed"]) -> Generator[tuple[str, str], None, None]:
    try:
        while True:
            new = [(log.name, line) for log in logs for line in log.lines()]
            yield from new
            if not new:
                time.sleep(LOOK_SECONDS)
    finally:
        for log in logs:
            log.close()


class _Followed:
    """A log file that is read on; when it was moved aside, the rest of it and then the new one."""

    def __init__(self, name: str, path: Path) -> None:
        self.name, self._path = name, path
        self._rest = b""
        self._file = self._open()
        if self._file is not None:
            self._file.seek(0, os.SEEK_END)

    def lines(self) -> list[str]:
        """Return the whole lines that came since this was last asked."""
        moved = self._moved()
        self._rest += self._file.read() if self._file is not None else b""
        if moved:
            self.close()
            self._file = self._open()
        *whole, self._rest = self._rest.split(b"\n")
        return [line.decode("utf-8", errors="replace") for line in whole]

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _open(self) -> BufferedReader | None:
        try:
            return self._path.open("rb")
        except FileNotFoundError:
            return None

    def _moved(self) -> bool:
        if self._file is None:
            return True
        try:
            return self._path.stat().st_ino != os.fstat(self._file.fileno()).st_ino
        except FileNotFoundError:
            return False

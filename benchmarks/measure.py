"""Measuring whole processes: wall time, CPU time and the largest resident memory, as the operating system accounts for them."""

import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Measured:
    """One finished process: seconds and MB (the largest single process)."""

    wall: float
    cpu: float
    peak_mb: float


def measure(command: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> Measured:
    """Run a command to its end and return what it took.

    Raises
    ------
    RuntimeError
        If it ends with an error; holds the end of its output.
    """
    with (cwd / "output.log").open("w+b") as output:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=cwd, env={**os.environ, **environment}, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {output.read()[-2000:].decode()}")
    scale = 1 if os.uname().sysname == "Darwin" else 1024
    return Measured(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * scale / 1e6)


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def in_turn(
    commands: Mapping[str, Sequence[str]], rounds: int, cwd: Path, environment: Mapping[str, str]
) -> dict[str, list[Measured]]:
    """Run all commands ``rounds`` times in turn (A B A B …) after one round that does not count, so that a slow spell hits all alike."""
    found: dict[str, list[Measured]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            one = measure(command, cwd, environment)
            if number:
                found[name].append(one)
    return found


def written_otherwise(page: Path, heading: str) -> str:
    """Return what stands on a page from a heading on, with the heading; other commands wrote it, so whoever renews the page keeps it."""
    before = page.read_text(encoding="utf-8") if page.exists() else ""
    _, mark, rest = before.partition(heading)
    return mark + rest

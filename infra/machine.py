"""What the machine offers: ports, disk, clock, and whether the state folder can be written."""

import shutil
import socket
import tempfile
import time
from pathlib import Path

import psutil

OURS = ("prefect", "mlflow", "bentoml", "leitstand")


def port_is_taken(port: int) -> bool:
    """Return whether something listens on this port of the loopback interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def listener(port: int) -> psutil.Process | None:
    """Return the process that listens on a port; None where the system does not tell (macOS tells only root)."""
    try:
        listening = [
            c.pid for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.laddr and c.laddr.port == port
        ]
        return next((psutil.Process(pid) for pid in listening if pid is not None), None)
    except psutil.Error:
        return None


def is_ours(process: psutil.Process) -> bool:
    """Return whether a process is one of the services of this platform."""
    try:
        call = " ".join(process.cmdline()[:4])
    except psutil.Error:
        return False
    return any(name in call for name in OURS)


def existing_parent(path: Path) -> Path:
    """Return ``path``, or the nearest folder above it that exists."""
    return next(each for each in (path, *path.parents) if each.exists())


def free_bytes(path: Path) -> int:
    """Return the free space where ``path`` is or would be made."""
    return shutil.disk_usage(existing_parent(path)).free


def try_writing(path: Path) -> float:
    """Write a file where ``path`` is or would be made, remove it, and return how many seconds its time is ahead of the system clock.

    Raises
    ------
    OSError
        If that cannot be done.
    """
    with tempfile.NamedTemporaryFile(dir=existing_parent(path), prefix=".leitstand-") as file:
        file.write(b"x")
        file.flush()
        return Path(file.name).stat().st_mtime - time.time()


class ClockWatch:
    """Compares the wall clock with the one that cannot be set, from its making on."""

    def __init__(self) -> None:
        self._wall, self._monotonic = time.time(), time.monotonic()

    def drift_seconds(self) -> float:
        """Return how much further the wall clock went than the monotonic one."""
        return (time.time() - self._wall) - (time.monotonic() - self._monotonic)

"""Disks of a few megabytes, to be filled."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


@contextmanager
def mounted(place: Path, size_bytes: int) -> Iterator[Path]:
    """A disk of its own at a folder, which is made; the test is skipped where none can be mounted."""
    place.mkdir()
    if os.getuid() != 0:
        pytest.skip("only root may mount a disk of its own")
    options = ["-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs"]
    made = subprocess.run(["mount", *options, str(place)], capture_output=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"no disk can be mounted here: {made.stderr.decode().strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(ballast: Path) -> None:
    """Write until the disk is full."""
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass

"""What is installed, beside what the lock says, and whether it is compiled."""

import importlib.util
import re
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement

import leitstand

LOCK = "requirements.lock"
HEAVY = ("bentoml", "evidently", "great_expectations", "mlflow", "pandas", "prefect", "sklearn")
_PINNED = re.compile(r"^[A-Za-z0-9].*==")


@dataclass(frozen=True)
class Mismatch:
    """A package that is not as the lock says; ``found`` is None where it is missing."""

    package: str
    locked: str
    found: str | None


def lock_file() -> Path | None:
    """Return the lock of this installation: in the repository it was installed from; None where there is none."""
    path = Path(leitstand.__file__).resolve().parent.parent / LOCK
    return path if path.is_file() else None


def locked_requirements(lock: Path) -> list[Requirement]:
    """Return the pinned requirements of a lock that hold for this Python on this system."""
    lines = lock.read_text(encoding="utf-8").splitlines()
    pinned = [Requirement(line.rstrip("\\ ")) for line in lines if _PINNED.match(line)]
    return [each for each in pinned if each.marker is None or each.marker.evaluate()]


def mismatches(lock: Path) -> list[Mismatch]:
    """Return every package whose installed version is not the locked one."""
    return [found for each in locked_requirements(lock) if (found := _compare(each)) is not None]


def _compare(requirement: Requirement) -> Mismatch | None:
    locked = next(iter(requirement.specifier)).version
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        return Mismatch(requirement.name, locked, None)
    return None if requirement.specifier.contains(found, prereleases=True) else Mismatch(requirement.name, locked, found)


def uncompiled() -> list[str]:
    """Return the large packages that have no byte-code for this Python, so that every start compiles them anew."""
    return [name for name in HEAVY if not _is_compiled(name)]


def _is_compiled(package: str) -> bool:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return True  # not installed is another finding
    return Path(importlib.util.cache_from_source(spec.origin)).is_file()


def writes_byte_code() -> bool:
    """Return whether this Python keeps what it compiles; PYTHONDONTWRITEBYTECODE and ``-B`` switch that off."""
    return not sys.dont_write_bytecode

"""The pinned requirements of a package: the libraries that its code imports, and all that these need, in the versions that are installed."""

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from leitstand.errors import ProjectError
from serving.packaging.sources import CODE

# Training and monitoring tools: what they weigh, and the holes that are found in them, have no place behind a shop.
TOOLS = ("mlflow", "prefect", "great-expectations", "evidently", "dvc", "matplotlib")
EXPLAINER = "shap"
READER = "pyarrow"  # pandas imports it for Parquet files
UNSEEN = ("uvloop", "httptools")  # uvicorn looks for them
LOCK = CODE / "requirements.lock"
_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)[^\\\n]*\\\n((?:    --hash=\S+(?: \\)?\n?)+)", re.MULTILINE)


@dataclass(frozen=True)
class Pin:
    """One library in one version.

    Parameters
    ----------
    name : as package indexes compare names
    hashes : of its files, such as ``sha256:…``; empty where the lock does not have them
    """

    name: str
    version: str
    hashes: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The requirement without hashes."""
        return f"{self.name}=={self.version}"


def pins(imports: Mapping[str, Path], *, explaining: bool, lock: Path = LOCK) -> tuple[Pin, ...]:
    """Return the requirements, by name.

    Parameters
    ----------
    imports : outermost name of every library, with a file that imports it
    explaining : whether shap is among them, and what reads the rows it compares with

    Raises
    ------
    ProjectError
        If a library is not installed, or the imports bring a training or monitoring tool along.
    """
    known = packages_distributions()
    roots: dict[str, Path] = {}
    for name, file in imports.items():
        if name not in known:
            raise ProjectError("package.import_unknown", module=name, path=file)
        if explaining or name != EXPLAINER:
            roots |= {canonicalize_name(library): file for library in known[name]}
    others = [*UNSEEN, *((EXPLAINER, READER) if explaining else ())]
    found = _with_all_they_need([*roots, *(name for name in others if _is_installed(name))])
    for tool in TOOLS:
        if tool in found:
            file = next(file for root, file in roots.items() if tool in _with_all_they_need([root]))
            raise ProjectError("package.tool_needed", tool=tool, path=file)
    hashes = _hashes(lock)
    return tuple(Pin(name, version, hashes.get((name, version), ())) for name, version in sorted(found.items()))


def requirements_text(found: Iterable[Pin]) -> str:
    """Return the content of ``requirements.txt``: with hashes if all have some, for pip takes either all or none."""
    found = list(found)
    if not is_hashed(found):
        return "".join(f"{pin.line}\n" for pin in found)
    return "".join(" \\\n    ".join([pin.line, *(f"--hash={value}" for value in pin.hashes)]) + "\n" for pin in found)


def is_hashed(found: Iterable[Pin]) -> bool:
    """Return whether every file that gets installed is checked against a hash."""
    return all(pin.hashes for pin in found)


def _with_all_they_need(roots: Iterable[str]) -> dict[str, str]:
    """Return name to version of the libraries and, by their own metadata, everything that they require on this platform."""
    ours: dict[str, set[str]] = {canonicalize_name(one.name): one.extras for one in map(Requirement, requires("leitstand") or [])}
    waiting = [(root, frozenset(ours.get(root, ()))) for root in roots]
    seen: set[tuple[str, frozenset[str]]] = set()
    found: dict[str, str] = {}
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        name, extras = one
        library = distribution(name)
        found[name] = library.version
        for needed in map(Requirement, library.requires or []):
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
                waiting.append((canonicalize_name(needed.name), frozenset(needed.extras)))
    return found


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def _hashes(lock: Path) -> dict[tuple[str, str], tuple[str, ...]]:
    if not lock.is_file():
        return {}
    return {
        (canonicalize_name(name), version): tuple(re.findall(r"--hash=(\S+)", block))
        for name, version, block in _LOCKED.findall(lock.read_text(encoding="utf-8"))
    }


def python_version() -> str:
    """Return the Python that the versions were chosen for, such as ``3.11``."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"

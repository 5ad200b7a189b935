"""Files in the watched folder: which of them are whole and were not delivered before."""

import hashlib
import os
import re
import shutil
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from data_contracts.reading import read_file, read_source
from flows.arrival import Arrival, Changing, Found
from flows.workspace import Desk
from infra.deliveries import Delivery, SeenFile
from leitstand.errors import SourceError
from leitstand.incoming import Incoming
from leitstand.spec import Source

UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".filepart", ".new", ".swp", ".lock", "~")
_MOMENT = re.compile(r"(?<!\d)(20\d\d)-?([01]\d)-?([0-3]\d)(?:[T_ -]?([0-2]\d)[-:h]?([0-5]\d)(?:[-:]?([0-5]\d))?)?(?!\d)")


def look_at_folder(desk: Desk, incoming: Incoming, known: Sequence[Delivery], found: Found) -> None:
    """Add what the watched folder holds to what was found; a folder, or a file in it, that cannot be read is named as missed.

    Parameters
    ----------
    known : all deliveries so far
    """
    folder = desk.settings.workspace / (incoming.folder or Path()).expanduser()
    try:
        _look(desk, incoming, folder, known, found)
    except OSError as error:
        reason = error.strerror or str(error)
        found.missed[str(incoming.folder)] = SourceError("ingest.folder_unreadable", path=folder, detail=reason)


def _look(desk: Desk, incoming: Incoming, folder: Path, known: Sequence[Delivery], found: Found) -> None:
    states = {one.sha256: one.state for one in known}
    seen, files = desk.deliveries.files(desk.project.name), {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "~$")) or path.name.lower().endswith(UNFINISHED):
            continue
        before = seen.get(path.name)
        try:
            file = _seen_now(incoming, path, before)
        except OSError as error:
            if not os.path.lexists(path):  # taken away since it was listed
                continue
            if before is not None:
                files[path.name] = before
            reason = error.strerror or str(error)
            found.missed[str(path)] = SourceError("ingest.file_unreadable", path=path, detail=reason)
            continue
        if file is None:
            continue
        files[path.name] = file
        if file.sha256 in states:
            found.taken += [path] if states[file.sha256] == "taken" else []
            found.duplicates += [] if file == before else [path.name]
        elif any(arrival.sha256 == file.sha256 for arrival in found.arrivals):
            found.duplicates.append(path.name)
        else:
            found.arrivals.append(_file_arrival(desk, incoming, path, file))
    found.files = files


def _seen_now(incoming: Incoming, path: Path, before: SeenFile | None) -> SeenFile | None:
    """Return a file as it is now, hashed only where it has changed; None for what is no delivery, or still being written."""
    if path.is_dir() and not (path / incoming.manifest).is_file():
        return None
    size, modified_ns = _extent(path)
    if abs(time.time() - modified_ns / 1e9) < incoming.settle_seconds:  # the machine's clock, for the file's time is from there
        return None
    is_same = before is not None and (before.size, before.modified_ns) == (size, modified_ns)
    return SeenFile(size, modified_ns, before.sha256 if is_same and before is not None else sha256_of(path))


def _file_arrival(desk: Desk, incoming: Incoming, path: Path, seen: SeenFile) -> Arrival:
    modified = datetime.fromtimestamp(seen.modified_ns / 1e9, UTC)

    def read() -> pd.DataFrame:
        try:
            frame = read_delivered(desk, incoming, path)
        finally:
            if not is_as_seen(path, seen):
                raise Changing(path)
        return frame

    def keep(folder: Path) -> None:
        shutil.copytree(path, folder / path.name) if path.is_dir() else shutil.copy2(path, folder / path.name)

    moment = _moment_in(path.name) if incoming.order == "name" else None
    return Arrival("file", path.name, seen.sha256, moment or modified, modified, read, keep, path=path)


def read_delivered(desk: Desk, incoming: Incoming, path: Path) -> pd.DataFrame:
    """Return the rows of a delivered file or folder as they stand there.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    how = incoming.model_dump(include={"delimiter", "encoding", "decimal", "header", "sheet", "manifest"})
    if path.is_dir():
        return read_source(Source(folder=path, **how), base=path.parent, contract=desk.project.contract)
    return read_file(path, Source(file=path, **how), desk.project.contract)


def _moment_in(name: str) -> datetime | None:
    """Return the date or time in a file's name, read as UTC; None where there is none."""
    for found in _MOMENT.finditer(name):
        try:
            year, month, day, hour, minute, second = (int(part) for part in found.groups(default="0"))
            return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        except ValueError:
            continue
    return None


def is_as_seen(path: Path, seen: SeenFile) -> bool:
    """Return whether a file, or folder, is still there and was not written to since it was looked at."""
    return path.exists() and _extent(path) == (seen.size, seen.modified_ns)


def _extent(path: Path) -> tuple[int, int]:
    """Return size and latest modification of a file, or of all files of a folder."""
    stats = [one.stat() for one in (sorted(path.rglob("*")) if path.is_dir() else [path]) if one.is_file()]
    return sum(stat.st_size for stat in stats), max((stat.st_mtime_ns for stat in stats), default=0)


def sha256_of(path: Path) -> str:
    """Return the hash of a file's content, or of all files of a folder with their names."""
    if path.is_dir():
        parts = [f"{one.relative_to(path).as_posix()}:{sha256_of(one)}" for one in sorted(path.rglob("*")) if one.is_file()]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

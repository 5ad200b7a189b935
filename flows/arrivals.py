"""What has arrived since the last pass: files in the watched folder, rows in a database, rows that the service received, what a person let in."""

import hashlib
import json
import re
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from data_contracts.reading import read_file, read_source
from flows.workspace import Desk
from infra.bookmarks import Overlap, fresh_rows, looking_back, read_bookmark, row_hashes
from infra.deliveries import Delivery, Kind, SeenFile
from infra.received import Request
from infra.tables import read_since
from leitstand.errors import DataError, SourceError, StateError
from leitstand.incoming import Incoming
from leitstand.now import now
from leitstand.spec import Source

UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".filepart", ".new", ".swp", ".lock", "~")
HELD_TABLE = "rows.csv"
_MOMENT = re.compile(r"(?<!\d)(20\d\d)-?([01]\d)-?([0-3]\d)(?:[T_ -]?([0-2]\d)[-:h]?([0-5]\d)(?:[-:]?([0-5]\d))?)?(?!\d)")


class Changing(Exception):
    """A file was written to while it was read; the next pass will find it whole."""


@dataclass(frozen=True)
class Arrival:
    """A delivery that nobody has taken yet.

    Parameters
    ----------
    read : returns its rows; raises SourceError, or Changing
    keep : puts a copy of it into a folder, so that nothing is lost while a person decides
    number : the one it has already, where a person let it in
    rows_in_order : later rows may correct earlier ones of the same key, as in requests and in tables that log changes
    bookmark : place and value to be noted with it
    received : places of the requests it is made of
    """

    kind: Kind
    name: str
    sha256: str
    moment: datetime
    modified: datetime
    read: Callable[[], pd.DataFrame]
    keep: Callable[[Path], None]
    number: int | None = None
    rows_in_order: bool = False
    bookmark: tuple[str, str] | None = None
    received: tuple[int, ...] = ()
    path: Path | None = None

    @property
    def place(self) -> tuple[datetime, datetime, str]:
        """What arrivals are ordered by, the newest last."""
        return self.moment, self.modified, self.sha256


@dataclass
class Found:
    """What a look at all places found.

    Parameters
    ----------
    files : every settled file of the watched folder; None where none was looked at
    duplicates : names of files whose content was delivered before under another name, and that were not seen before
    missed : place to the reason why it could not be looked at; the next pass tries again
    taken : files of deliveries that were taken
    """

    arrivals: list[Arrival] = field(default_factory=list)
    files: dict[str, SeenFile] | None = None
    duplicates: list[str] = field(default_factory=list)
    missed: dict[str, DataError | StateError] = field(default_factory=dict)
    taken: list[Path] = field(default_factory=list)


def find(desk: Desk, known: Sequence[Delivery]) -> Found:
    """Look at every place that project.yaml names.

    Parameters
    ----------
    known : all deliveries so far
    """
    incoming, found = _incoming(desk), Found()
    found.arrivals += [_let_in(desk, one) for one in known if one.state == "allowed"]
    if incoming.folder is not None:
        try:
            _look_at_folder(desk, incoming, known, found)
        except OSError as error:
            reason = error.strerror or str(error)
            found.missed[str(incoming.folder)] = SourceError(
                "ingest.folder_unreadable", path=_folder(desk, incoming), detail=reason
            )
    if incoming.database is not None:
        try:
            found.arrivals += _look_at_table(desk, incoming)
        except (SourceError, StateError) as error:
            found.missed[incoming.table or "query"] = error
    if incoming.api:
        found.arrivals += _look_at_requests(desk)
    found.arrivals.sort(key=lambda arrival: arrival.place)
    return found


def held_folder(desk: Desk, sha256: str) -> Path:
    """Return where the copy of a delivery that is held back lies."""
    return desk.settings.root / "held" / desk.project.name / sha256


def _incoming(desk: Desk) -> Incoming:
    incoming = desk.project.spec.data.incoming
    assert incoming is not None
    return incoming


def _folder(desk: Desk, incoming: Incoming) -> Path:
    return desk.settings.workspace / (incoming.folder or "").expanduser()  # type: ignore[union-attr]


def _look_at_folder(desk: Desk, incoming: Incoming, known: Sequence[Delivery], found: Found) -> None:
    states = {one.sha256: one.state for one in known}
    seen, found.files = desk.deliveries.files(desk.project.name), {}
    for path in sorted(_folder(desk, incoming).iterdir()):
        if path.name.startswith((".", "~$")) or path.name.lower().endswith(UNFINISHED):
            continue
        if path.is_dir() and not (path / incoming.manifest).is_file():
            continue
        size, modified_ns = _extent(path)
        if (
            abs(time.time() - modified_ns / 1e9) < incoming.settle_seconds
        ):  # the machine's clock, for the file's time is from there
            continue
        before = seen.get(path.name)
        is_same = before is not None and (before.size, before.modified_ns) == (size, modified_ns)
        sha256 = before.sha256 if is_same and before is not None else sha256_of(path)
        found.files[path.name] = SeenFile(size, modified_ns, sha256)
        if sha256 in states:
            found.taken += [path] if states[sha256] == "taken" else []
            found.duplicates += [] if is_same else [path.name]
        elif any(arrival.sha256 == sha256 for arrival in found.arrivals):
            found.duplicates.append(path.name)
        else:
            found.arrivals.append(_file_arrival(desk, incoming, path, found.files[path.name]))


def _file_arrival(desk: Desk, incoming: Incoming, path: Path, seen: SeenFile) -> Arrival:
    modified = datetime.fromtimestamp(seen.modified_ns / 1e9, UTC)

    def read() -> pd.DataFrame:
        try:
            frame = _read(desk, incoming, path)
        finally:
            if not path.exists() or _extent(path) != (seen.size, seen.modified_ns):
                raise Changing(path)
        return frame

    def keep(folder: Path) -> None:
        shutil.copytree(path, folder / path.name) if path.is_dir() else shutil.copy2(path, folder / path.name)

    moment = _moment_in(path.name) if incoming.order == "name" else None
    return Arrival("file", path.name, seen.sha256, moment or modified, modified, read, keep, path=path)


def _read(desk: Desk, incoming: Incoming, path: Path) -> pd.DataFrame:
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


def _look_at_table(desk: Desk, incoming: Incoming) -> list[Arrival]:
    column, back = incoming.key or incoming.time or "", Overlap(incoming.overlap_keys, incoming.overlap_hours)
    source = Source(database=incoming.database, table=incoming.table, query=incoming.query)
    named = incoming.table or hashlib.sha256((incoming.query or "").encode()).hexdigest()[:12]
    place = f"table:{hashlib.sha256(f'{incoming.database}|{named}|{column}'.encode()).hexdigest()[:40]}"
    noted = desk.deliveries.bookmark(desk.project.name, place)
    before = None if noted is None else read_bookmark(noted)
    rows = read_since(source, column, None if before is None else looking_back(before.value, back))
    fresh, reached = fresh_rows(rows, column, before, back)
    if fresh.empty:
        return []
    moment = now()
    content = hashlib.sha256(f"{place}|{noted}".encode() + row_hashes(fresh).tobytes()).hexdigest()

    def keep(folder: Path) -> None:
        fresh.to_csv(folder / HELD_TABLE, index=False)

    name = f"{incoming.table or 'query'} {moment:%Y-%m-%dT%H:%M:%S}"
    bookmark = None if reached is None else (place, reached.text())
    return [Arrival("table", name, content, moment, moment, lambda: fresh, keep, rows_in_order=True, bookmark=bookmark)]


def _look_at_requests(desk: Desk) -> list[Arrival]:
    requests = desk.received.waiting(desk.project.name)
    return [_request_arrival(desk, requests)] if requests else []


def _request_arrival(desk: Desk, requests: Sequence[Request]) -> Arrival:
    first, last = requests[0], requests[-1]
    content = hashlib.sha256("\n".join(one.id for one in requests).encode()).hexdigest()

    def read() -> pd.DataFrame:
        rows = [row for one in requests for row in json.loads(one.content)]
        return pd.DataFrame(
            {name: pd.Series([row.get(name) for row in rows], dtype=object) for name in desk.project.contract.names}
        )

    name, sequences = f"requests {first.sequence}-{last.sequence}", tuple(one.sequence for one in requests)
    return Arrival("api", name, content, last.time, last.time, read, lambda folder: None, rows_in_order=True, received=sequences)


def _let_in(desk: Desk, delivery: Delivery) -> Arrival:
    """Return a delivery that was held back and that a person let in."""
    if delivery.kind == "api":
        again = _request_arrival(desk, desk.received.of_delivery(desk.project.name, delivery.number))
        return replace(again, name=delivery.name, sha256=delivery.sha256, number=delivery.number)
    folder = held_folder(desk, delivery.sha256)

    def read() -> pd.DataFrame:
        if delivery.kind == "table":
            return read_file(folder / HELD_TABLE, Source(file=folder / HELD_TABLE), desk.project.contract)
        return _read(desk, _incoming(desk), folder / delivery.name)

    kept = (delivery.kind, delivery.name, delivery.sha256, delivery.moment, delivery.modified)
    return Arrival(*kept, read, lambda folder: None, number=delivery.number, rows_in_order=delivery.kind == "table")

"""The inventory: every place that was named, files and databases, as one list of described data sets."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from data_contracts.inventory.found import DataSet, Inventory
from data_contracts.inventory.joins import find_joins
from data_contracts.inventory.places import Folder, walk
from data_contracts.inventory.stocktaking import Piece, Unread, frames_piece, pieces_in, read_piece, unread
from data_contracts.inventory.workbench import Workbench
from infra.database_stock import TableStock, list_tables, shown
from infra.settings import Settings
from infra.tables import count_rows, stream_database
from leitstand.errors import LeitstandError, SourceError
from leitstand.now import now
from leitstand.project import Project
from leitstand.spec import Source

MOST_DATABASE_ROWS = 1_000_000
"""A database is asked for so many rows of a table and no more: others work with it. The number of all rows is counted."""
Told = Callable[[int, int, str], None]


def take_inventory(
    places: Sequence[str], settings: Settings, *, leave_out: Path | None = None, told: Told | None = None
) -> Inventory:
    """Return everything that is found at the places; what cannot be read is a row that says why.

    Parameters
    ----------
    places : files, folders, SQLAlchemy URLs, or ``env:NAME`` of a variable that holds a URL
    leave_out : folder that is not looked into, because the inventory is written there
    told : called with data sets done, data sets in all, and the name of the next one
    """
    folders, pieces = _look_around(places, settings, frozenset({leave_out.resolve()} if leave_out else ()))
    found: list[DataSet] = []
    with _workbench(settings) as bench:
        for done, piece in enumerate(pieces):
            if told is not None:
                told(done, len(pieces), piece.name)
            made = [unread(piece)] if isinstance(piece, Unread) else read_piece(bench, piece)
            found += made
            if not made and isinstance(piece, Piece):
                _count_as_other(folders, piece)
    if told is not None:
        told(len(pieces), len(pieces), "")
    sets = _named_apart(found)
    return Inventory(now(), tuple(_shown_place(place) for place in places), sets, find_joins(sets), _others(folders))


def is_database(place: str) -> bool:
    """Return whether a place is a database: a URL, or the variable that holds one."""
    return "://" in place or place.startswith("env:")


def sources_of(project: Project, settings: Settings) -> list[str]:
    """Return the places of a project's own sources; its built-in sample is written first where it learns from that."""
    from flows.status_quo import write_sample
    from flows.workspace import Desk

    write_sample(Desk(project, settings))
    made = []
    for source in project.spec.data.sources.values():
        if source.database is not None:
            made.append(source.database)
        elif source.sample is not None:
            made.append(str(settings.root / "samples" / project.name / source.sample))
        else:
            made.append(str(settings.workspace / (source.file or source.folder or Path()).expanduser()))
    return made


def _look_around(
    places: Sequence[str], settings: Settings, leave_out: frozenset[Path]
) -> tuple[list[Folder], list[Piece | Unread]]:
    folders: list[Folder] = []
    pieces: list[Piece | Unread] = []
    for place in places:
        if is_database(place):
            pieces += _tables(place, "database", ())
            continue
        path = Path(place).expanduser()
        if not path.exists():
            pieces.append(Unread(path.name or place, place, "–", (), SourceError("inventory.place_missing", path=place)))
            continue
        folder = walk(path.resolve() if path.is_dir() else path.absolute(), leave_out=leave_out | {settings.root})
        folders.append(folder)
        pieces += pieces_in(folder)
        for one in folder.below():
            for file in one.files.get("sqlite", ()):
                pieces += _tables(f"sqlite:///{file}", "sqlite", (file,))
    return folders, pieces


def _tables(url: str, form: str, files: tuple[Path, ...]) -> Iterator[Piece | Unread]:
    """Yield every table of a database."""
    try:
        tables = list_tables(url)
    except LeitstandError as error:
        name = files[0].name if files else shown(url)
        yield Unread(name, str(files[0]) if files else shown(url), form, files, error)
        return
    for table in tables:
        place = f"{files[0] if files else shown(url)}#{table.name}"
        yield _table(url, table, place, form, files)


def _table(url: str, table: TableStock, place: str, form: str, files: tuple[Path, ...]) -> Piece:
    source = Source(database=url, table=table.name)
    made = frames_piece(
        table.name,
        place,
        form,
        lambda: stream_database(source),
        rows=lambda: count_rows(source),
        most=MOST_DATABASE_ROWS,
        keys=(table.primary_key,) if table.primary_key else (),
        foreign_keys=table.foreign_keys,
    )
    return replace(made, files=files)


@contextmanager
def _workbench(settings: Settings) -> Iterator[Workbench]:
    """Open a workbench in the state folder, where there is room for as much as the largest data set, and leave nothing of it."""
    scratch = Path(tempfile.mkdtemp(prefix="inventory-", dir=settings.folder("scratch")))
    bench = Workbench(scratch)
    try:
        yield bench
    finally:
        bench.close()
        shutil.rmtree(scratch, ignore_errors=True)


def _count_as_other(folders: Sequence[Folder], piece: Piece) -> None:
    for path in piece.files:
        for folder in folders:
            for one in folder.below():
                if one.path == path.parent:
                    one.others[path.suffix.lower()] += 1


def _others(folders: Sequence[Folder]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for folder in folders:
        for one in folder.below():
            for suffix, count in one.others.items():
                counted[suffix or "–"] = counted.get(suffix or "–", 0) + count
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))


def _named_apart(sets: Sequence[DataSet]) -> tuple[DataSet, ...]:
    """Return the data sets under names that tell them apart: with the folder before them where two are called the same, or with a number."""
    made: list[DataSet] = []
    names = [one.name for one in sets]
    taken: set[str] = set()
    for one in sets:
        name = one.name
        if names.count(name) > 1:
            place = Path(one.path.partition("#")[0])
            name = f"{place.parent.name}/{name}" if place.is_file() else f"{name} ({one.format})"
        number = 2
        unique = name
        while unique in taken:
            unique, number = f"{name} {number}", number + 1
        taken.add(unique)
        made.append(replace(one, name=unique))
    return tuple(made)


def _shown_place(place: str) -> str:
    return shown(place) if is_database(place) else place

"""Taking stock: every data set at a place, read one after the other; whatever cannot be read becomes a row that says why."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from data_contracts.csv_format import Format, detect_format
from data_contracts.inventory import tables
from data_contracts.inventory.csv_table import load_csv, refuse_endless_lines
from data_contracts.inventory.describing import describe, file_times
from data_contracts.inventory.file_frames import read_heads
from data_contracts.inventory.found import DataSet
from data_contracts.inventory.places import FileSet, Folder, Kind, file_sets
from data_contracts.inventory.verdict import judge
from data_contracts.inventory.workbench import Table, Workbench
from data_contracts.spreadsheets import read_excel, sheet_names
from leitstand.errors import LeitstandError, SourceError
from leitstand.spec import Source

LONGEST_NAME = 60  # characters; longer ones are no names
SMALL_FILE = 1 << 14  # bytes; no line of names is longer
LARGEST_RECORD = 1 << 20  # bytes; larger files hold more than one record
FEWEST_ROWS_OF_TEXT = 3  # a text file with fewer lines of as many values is prose with a comma in it


@dataclass(frozen=True)
class Piece:
    """One data set to be read.

    Parameters
    ----------
    load : puts it on the workbench
    lenient : whether a failure only says that it is no table, which makes it one of the other files
    alone : makes a data set of one of the files; None where there is just one, or where they only make sense together
    """

    name: str
    path: str
    format: str
    files: tuple[Path, ...]
    load: Callable[[Workbench], Table]
    lenient: bool = False
    keys: tuple[tuple[str, ...], ...] = ()
    foreign_keys: tuple[tuple[str, str, str], ...] = ()
    alone: "Callable[[Path], Piece] | None" = None


@dataclass(frozen=True)
class Unread:
    """What could not even be looked into."""

    name: str
    path: str
    format: str
    files: tuple[Path, ...]
    problem: LeitstandError


def read_piece(bench: Workbench, piece: Piece) -> list[DataSet]:
    """Return the described data set, or one that says why it cannot be read; nothing where it is no table and need not be one.

    Files that make a data set together only if all of them can be read are otherwise a data set each.
    """
    size, modified = file_times(piece.files) if piece.files else (0, None)
    one = DataSet(
        name=piece.name,
        path=piece.path,
        format=piece.format,
        files=max(len(piece.files), 1),
        bytes=size,
        modified=modified,
        keys=piece.keys,
        foreign_keys=piece.foreign_keys,
    )
    try:
        with bench.clean():
            table = piece.load(bench)
            prose = piece.lenient and table.read < FEWEST_ROWS_OF_TEXT * len(piece.files)
            return [] if prose else [describe(bench, table, one)]
    except LeitstandError as error:
        problem = error
    except MemoryError:
        problem = SourceError("inventory.too_large", path=piece.path)
    except Exception as error:  # one data set must not cost all others their place
        problem = SourceError("inventory.unreadable", path=piece.path, detail=tables.first_line(error))
    if piece.alone is not None:
        return [found for path in piece.files for found in read_piece(bench, piece.alone(path))]
    return [] if piece.lenient else [refused(one, problem)]


def refused(one: DataSet, error: LeitstandError) -> DataSet:
    """Return a data set that could not be read."""
    made = DataSet(one.name, one.path, one.format, one.files, one.bytes, modified=one.modified, problem=error)
    rows = 0 if error.key in ("inventory.no_rows", "contracts.no_rows", "contracts.file_empty") else None
    return DataSet(**{**made.__dict__, "verdict": judge(made), "rows": rows})


def unread(one: Unread) -> DataSet:
    """Return the row of what could not even be looked into."""
    return refused(DataSet(one.name, one.path, one.format, max(len(one.files), 1)), one.problem)


def pieces_in(folder: Folder) -> Iterator[Piece | Unread]:
    """Yield every data set in a folder and below it; databases among the files are left to who can read them."""
    for one in folder.below():
        for path, problem in one.problems:
            yield Unread(path.name, str(path), "folder", (), problem)
        yield from _texts(one)
        for path in one.files.get("excel", ()):
            yield from _sheets(path)
        yield from _together(one, "parquet", tables.load_parquet, _parquet_columns)
        yield from _together(one, "json", tables.load_json, _single_record)
    for files in file_sets(folder):
        yield _file_set(files)


def frames_piece(
    name: str, path: str, form: str, frames: Callable[[], Iterable[pd.DataFrame]], *, rows: Callable[[], int | None], most: int,
    keys: tuple[tuple[str, ...], ...] = (), foreign_keys: tuple[tuple[str, str, str], ...] = (),
) -> Piece:  # fmt: skip
    """Return a data set that comes in frames, such as a table of a database."""
    return Piece(
        name,
        path,
        form,
        (),
        lambda bench: tables.load_frames(bench, frames(), rows(), most),
        keys=keys,
        foreign_keys=foreign_keys,
    )


def _texts(folder: Folder) -> Iterator[Piece | Unread]:
    """Yield the tables among the text files: files with the same columns are parts of one."""
    together: dict[Format, list[Path]] = defaultdict(list)
    kinds: dict[Path, Kind] = {path: kind for kind in ("csv", "text") for path in folder.files.get(kind, ())}
    for path, kind in kinds.items():
        try:
            if path.stat().st_size == 0:
                raise SourceError("contracts.file_empty", path=path)
            refuse_endless_lines(path)
            form = _format(path)
            _refuse_no_rows(path, form)
        except LeitstandError as error:
            if kind == "text":
                folder.others[path.suffix.lower()] += 1
            else:
                yield Unread(path.stem, str(path), "csv", (path,), error)
            continue
        except (OSError, UnicodeError, ValueError) as error:  # also a field larger than the csv module takes
            yield Unread(path.stem, str(path), "csv", (path,), _unreadable(path, error))
            continue
        if kind == "text" and len(form.names) < 2:
            folder.others[path.suffix.lower()] += 1
        else:
            together[form].append(path)
    for form, paths in together.items():
        yield _text(form, paths, lenient=all(kinds[path] == "text" for path in paths))


def _text(form: Format, paths: Sequence[Path], *, lenient: bool) -> Piece:
    name, place = _called(paths[0].parent, paths)
    alone = partial(_alone, form, lenient) if len(paths) > 1 else None
    return Piece(name, place, "csv", tuple(paths), lambda bench: load_csv(bench, paths, form), lenient, alone=alone)


def _alone(form: Format, lenient: bool, path: Path) -> Piece:
    return _text(form, [path], lenient=lenient)


def _format(path: Path) -> Format:
    """Return how a text file is written; a first line that holds whole sentences is data and no line of names."""
    form = detect_format(path, encoding=None, delimiter=None, header=None)
    if form.header and any(len(name) > LONGEST_NAME or (" " in name and name[-1] in ".!?…") for name in form.names):
        return detect_format(path, encoding=None, delimiter=None, header=False)
    return form


def _refuse_no_rows(path: Path, form: Format) -> None:
    """Refuse a file that has names and no rows, which would vanish among others with the same names."""
    if form.header and path.stat().st_size < SMALL_FILE:
        lines = [line for line in path.read_text(encoding=form.encoding, errors="replace").splitlines() if line.strip()]
        if len(lines) <= 1 + form.skip_lines:
            raise SourceError("contracts.no_rows", path=path)


def _sheets(path: Path) -> Iterator[Piece | Unread]:
    try:
        names = sheet_names(path)
    except LeitstandError as error:
        yield Unread(path.stem, str(path), "excel", (path,), error)
        return
    for sheet in names:
        name = path.stem if len(names) == 1 else f"{path.stem} – {sheet}"

        def load(bench: Workbench, sheet: str = sheet) -> Table:
            return tables.load_frames(bench, [read_excel(path, Source(file=path, sheet=sheet))])

        yield Piece(name, f"{path}#{sheet}", "excel", (path,), load)


def _together(
    folder: Folder, kind: Kind, load: Callable[[Workbench, Sequence[Path]], Table], columns: Callable[[Path], object]
) -> Iterator[Piece]:
    """Yield files with the same columns as one piece."""
    groups: dict[object, list[Path]] = defaultdict(list)
    for path in folder.files.get(kind, ()):
        groups[columns(path) or path].append(path)
    for paths in groups.values():
        yield _alike(kind, load, paths)


def _alike(kind: Kind, load: Callable[[Workbench, Sequence[Path]], Table], paths: Sequence[Path]) -> Piece:
    name, place = _called(paths[0].parent, paths)
    alone = (lambda path: _alike(kind, load, [path])) if len(paths) > 1 else None
    return Piece(name, place, kind, tuple(paths), lambda bench: load(bench, paths), alone=alone)


def _parquet_columns(path: Path) -> object:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return tuple(pq.read_schema(path).names)
    except (pa.ArrowInvalid, OSError):
        return None


def _single_record(path: Path) -> object:
    """Return the same for all files that hold one record, which belong together as the rows of one table; None for others."""
    try:
        content = json.loads(path.read_bytes()) if path.stat().st_size < LARGEST_RECORD else None
    except (OSError, ValueError, RecursionError):
        return None
    return "record" if isinstance(content, dict) or (isinstance(content, list) and len(content) == 1) else None


def _file_set(files: FileSet) -> Piece:
    def load(bench: Workbench) -> Table:
        frame, notes = read_heads(files)
        made = tables.load_frames(bench, [frame])
        return Table(made.types, made.unsure, made.read, made.rows, (*made.notes, *notes))

    name, place = _called(files.folder, files.files)
    return Piece(name, place, files.kind, files.files, load)


def _called(folder: Path, paths: Sequence[Path]) -> tuple[str, str]:
    """Return name and path of a data set: the file's own, or the folder's where it has several."""
    return (paths[0].stem, str(paths[0])) if len(paths) == 1 else (folder.name or str(folder), str(folder))


def _unreadable(path: Path, error: Exception) -> SourceError:
    detail = error.strerror if isinstance(error, OSError) and error.strerror else tables.first_line(error)
    return SourceError("inventory.unreadable", path=path, detail=detail)

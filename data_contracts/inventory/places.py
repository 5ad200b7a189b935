"""Which data sets lie in a folder: every file of a known kind, files that belong together as one set, and a count of all others."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from leitstand.errors import LeitstandError, SourceError

Kind = Literal["csv", "text", "parquet", "json", "excel", "sqlite", "audio", "image", "pdf", "point_cloud", "arrays"]
KINDS: dict[str, Kind] = {
    ".csv": "csv", ".tsv": "csv", ".txt": "text", ".dat": "text", ".asc": "text",
    ".parquet": "parquet", ".pq": "parquet",
    ".json": "json", ".jsonl": "json", ".ndjson": "json",
    ".xlsx": "excel", ".xlsm": "excel", ".xls": "excel",
    ".sqlite": "sqlite", ".sqlite3": "sqlite", ".db": "sqlite",
    ".wav": "audio",
    ".png": "image", ".jpg": "image", ".jpeg": "image", ".tif": "image", ".tiff": "image", ".bmp": "image",
    ".pdf": "pdf",
    ".pcd": "point_cloud", ".ply": "point_cloud", ".xyz": "point_cloud", ".npy": "point_cloud",
    ".npz": "arrays",
}  # fmt: skip
FILE_SETS: tuple[Kind, ...] = ("audio", "image", "pdf", "point_cloud", "arrays")
"""Kinds of which a folder is one data set, a row for each file."""
BESIDE = frozenset((".txt", ".md", ".xml", ".json", ".csv", ".yaml", ".yml", "", ".zip", ".html"))
"""What may lie beside such files without making the folder another: labels, descriptions, licences."""
OUR_OWN = (".leitstand", ".git", ".dvc", "__pycache__", ".venv", "node_modules")
SQLITE_HEAD = b"SQLite format 3\x00"


@dataclass
class Folder:
    """What one folder holds itself, and its folders."""

    path: Path
    files: dict[Kind, list[Path]] = field(default_factory=lambda: defaultdict(list))
    others: Counter[str] = field(default_factory=Counter)
    folders: list["Folder"] = field(default_factory=list)
    problems: list[tuple[Path, LeitstandError]] = field(default_factory=list)

    def below(self) -> Iterator["Folder"]:
        """Yield this folder and all below."""
        yield self
        for folder in self.folders:
            yield from folder.below()


@dataclass(frozen=True)
class FileSet:
    """Files of one kind that make a data set together."""

    kind: Kind
    folder: Path
    files: tuple[Path, ...]


def walk(path: Path, *, leave_out: frozenset[Path] = frozenset()) -> Folder:
    """Return what is in a folder and below it, or a folder that holds just the one file.

    A link is followed once: a folder that was seen already, as in a loop of links, is not looked into again.

    Parameters
    ----------
    leave_out : folders that are not looked into, such as the one the inventory itself is written to
    """
    if path.is_file():
        alone = Folder(path.parent)
        _sort_in(alone, path)
        return alone
    return _folder(path, set(leave_out))


def _folder(path: Path, seen: set[Path]) -> Folder:
    found = Folder(path)
    try:
        real = path.resolve(strict=True)
        if real in seen:
            return found
        seen.add(real)
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    except (OSError, RuntimeError) as error:
        found.problems.append((path, SourceError("inventory.folder_unreadable", path=path, detail=_why(error))))
        return found
    for entry in entries:
        child = Path(entry.path)
        try:
            if entry.is_dir():
                if entry.name not in OUR_OWN:
                    found.folders.append(_folder(child, seen))
            elif entry.is_file():
                _sort_in(found, child)
            elif entry.is_symlink():
                found.problems.append((child, SourceError("inventory.link_broken", path=child)))
            else:  # a pipe or a device would block whoever opens it
                found.others[child.suffix.lower()] += 1
        except OSError as error:
            found.problems.append((child, SourceError("inventory.folder_unreadable", path=child, detail=_why(error))))
    return found


def file_sets(folder: Folder) -> list[FileSet]:
    """Return the data sets that consist of files: for each kind the largest folders that hold nothing else."""
    made = []
    for kind in FILE_SETS:
        made += list(_sets_of(folder, kind))
    return sorted(made, key=lambda one: (one.folder, one.kind))


def _sets_of(folder: Folder, kind: Kind) -> Iterator[FileSet]:
    files = [file for one in folder.below() for file in one.files.get(kind, ())]
    if not files:
        return
    if _only(folder, kind):
        common = Path(os.path.commonpath([str(file.parent) for file in files]))
        yield FileSet(kind, common, tuple(sorted(files)))
        return
    own = folder.files.get(kind, ())
    if own:
        yield FileSet(kind, folder.path, tuple(own))
    for child in folder.folders:
        yield from _sets_of(child, kind)


def _only(folder: Folder, kind: Kind) -> bool:
    for one in folder.below():
        strange = [
            file for found, files in one.files.items() if found != kind for file in files if file.suffix.lower() not in BESIDE
        ]
        if strange or any(suffix not in BESIDE for suffix in one.others):
            return False
    return True


def _sort_in(folder: Folder, path: Path) -> None:
    kind = KINDS.get(path.suffix.lower())
    if kind == "sqlite":
        with path.open("rb") as file:
            head = file.read(len(SQLITE_HEAD))
        if head and head != SQLITE_HEAD:
            kind = None  # .db is also what Windows calls its thumbnails
    if kind is None or path.name.startswith((".", "~$")):
        folder.others[path.suffix.lower()] += 1
    else:
        folder.files[kind].append(path)


def _why(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)

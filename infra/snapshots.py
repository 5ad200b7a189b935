"""Accepted data as versions under DVC, each named by its content.

A version is a folder ``data.parquet`` (and ``files/…`` where the table has columns of files) that DVC tracks; its name is DVC's own hash of the
folder. Identical content has one version, however often and from wherever it comes. The repository works without git, below the state folder;
``dvc`` on the command line works in it as in any other.

Order of a save: write, hash, hand to DVC, push, then note it in the database. Only what is noted counts, so a process killed on the way leaves
nothing but files that the next save of the same data takes over.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd

from infra.disk import disk_error
from infra.dvc_repository import DvcRepository, pointer_of
from infra.locks import hold
from infra.parquet import read_parquet, write_parquet
from infra.settings import Settings
from infra.snapshot_notes import SnapshotNotes, Together
from leitstand.errors import SourceError, StateError, UnknownName

TABLE = "data.parquet"
LOCK_WAIT_SECONDS = 600.0  # the push of another project's folder of recordings may take minutes


@dataclass(frozen=True)
class Snapshot:
    """One version of a project's data.

    Parameters
    ----------
    version : content hash, 32 hex digits
    created : whether this save made it; False when the content was there already
    path : folder of the working copy
    """

    version: str
    rows: int
    created: bool
    path: Path


@dataclass(frozen=True)
class Provenance:
    """One delivery of a version: when (aware, UTC), and what the caller noted (source, contract version, rows accepted …)."""

    version: str
    rows: int
    time: datetime
    notes: Mapping[str, Any]


class SnapshotStore:
    """The data versions of all projects."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._notes = SnapshotNotes(settings.database("history"))
        self._dvc = DvcRepository(settings)

    def close(self) -> None:
        """Close the connections to the database."""
        self._notes.close()

    def save(
        self,
        project: str,
        frame: pd.DataFrame,
        *,
        file_columns: Sequence[str] = (),
        provenance: Mapping[str, Any] | None = None,
        together: Together | None = None,
    ) -> Snapshot:
        """Keep the frame as a version and push it to the remote.

        Parameters
        ----------
        file_columns : columns of absolute paths; the files are copied into the version, and named relative to their common folder; beside
            files of an earlier version, which keep their names, they are named by their content
        provenance : where the data come from; kept with every save, also when the content is known
        together : notes what has to be noted in the same transaction as the version, which it is given by name

        Raises
        ------
        SourceError
            If a file is missing, or a column mixes types that no table column can hold.
        Busy
            If other runs kept the data folder locked.
        StateError
            If disk, database or remote cannot be written. Nothing counts as saved then.
        """
        with self._locked(project) as home:
            incoming = home / f".incoming-{uuid4().hex}"
            try:
                self._write(incoming, frame, file_columns)
                version = folder_hash(incoming)
                known = self._notes.knows(project, version)
                kept = home / version
                if not (known and _is_whole(kept, version)):
                    shutil.rmtree(kept, ignore_errors=True)
                    incoming.rename(kept)
                    self._dvc.add_and_push(kept, version)
            finally:
                shutil.rmtree(incoming, ignore_errors=True)
            self._notes.append(project, version, len(frame), provenance or {}, together)
        return Snapshot(version, len(frame), not known, kept)

    def load(self, project: str, version: str) -> pd.DataFrame:
        """Return the frame of a version, its content checked against its name; columns of files hold absolute paths again.

        Parameters
        ----------
        version : the whole hash, or its first digits where they are unambiguous

        Raises
        ------
        UnknownName
            If the project has no such version.
        StateError
            If the content is neither here nor in the remote, or is not what was saved.
        """
        whole = self._resolve(project, version)
        with self._locked(project) as home:
            kept = home / whole
            if not _is_whole(kept, whole):
                shutil.rmtree(kept, ignore_errors=True)
                self._dvc.fetch(kept, whole)
            if not _is_whole(kept, whole):
                raise StateError("infra.snapshot_changed", project=project, version=whole, path=kept)
        frame, file_columns = read_parquet(kept / TABLE)
        for column in file_columns:
            frame[column] = [None if name is None else str(kept / name) for name in frame[column]]
        return frame

    def latest(self, project: str) -> Snapshot | None:
        """Return the version that was delivered last, or None before the first."""
        last = self._notes.last(project)
        return None if last is None else Snapshot(*last, False, self._home(project) / last[0])

    def find(self, project: str, version: str) -> Snapshot:
        """Return a version by its whole hash; its files may have to be fetched when it is loaded.

        Raises
        ------
        UnknownName
            If the project has no such version.
        """
        found = self._notes.read(project, version)
        if not found:
            raise UnknownName("data_version", version, self._notes.versions(project))
        return Snapshot(version, found[-1][1], False, self._home(project) / version)

    def provenance(self, project: str, version: str | None = None) -> list[Provenance]:
        """Return all deliveries of the project (or of one version), oldest first."""
        whole = None if version is None else self._resolve(project, version)
        return [Provenance(*row) for row in self._notes.read(project, whole)]

    def here(self, project: str) -> list[str]:
        """Return the versions of a project that were not forgotten on this machine, the one delivered first first."""
        home = self._home(project)
        return [version for version in self._notes.versions(project) if pointer_of(home / version).exists()]

    def forget(self, project: str, keep: Collection[str]) -> list[str]:
        """Delete the content of all versions but these, here and in the remote, and return which; where they came from stays noted.

        What other versions need stays, also those that other projects ever had. A version that is saved again is whole again.

        Raises
        ------
        Busy
            If other runs kept the data folder locked.
        StateError
            If disk or remote cannot be written; a second call goes on where this one ended.
        """
        with self._locked(project) as home:
            gone = [version for version in self.here(project) if version not in keep]
            if gone:
                needed = self._notes.of_others(project) | (set(self._notes.versions(project)) - set(gone))
                self._dvc.remove([home / version for version in gone], needed)
        return gone

    def _resolve(self, project: str, version: str) -> str:
        known = self._notes.versions(project)
        matching = [name for name in known if len(version) >= 6 and name.startswith(version)]
        if len(matching) != 1:
            raise UnknownName("data_version", version, known)
        return matching[0]

    def _home(self, project: str) -> Path:
        return self._dvc.root / project

    @contextmanager
    def _locked(self, project: str) -> Iterator[Path]:
        with hold(self._settings, "data", wait_seconds=LOCK_WAIT_SECONDS):
            home = self._home(project)
            try:
                home.mkdir(parents=True, exist_ok=True)
                for left in home.glob(".incoming-*"):  # of a killed run: we hold the lock, so nobody else is writing
                    shutil.rmtree(left, ignore_errors=True)
                yield home
            except OSError as error:
                raise disk_error(home, error) from error

    def _write(self, folder: Path, frame: pd.DataFrame, file_columns: Sequence[str]) -> None:
        folder.mkdir()
        stored = frame.copy(deep=False)
        for column in file_columns:
            stored[column] = _copy_files(frame[column], folder, f"files/{column.replace('/', '_')}", folder.parent)
        write_parquet(stored, folder / TABLE, file_columns=file_columns)


def _copy_files(paths: pd.Series, folder: Path, below: str, home: Path) -> list[str | None]:
    """Copy the files into the version. Never linked: DVC makes linked files read-only, and a later edit of the original would reach the copy."""
    present = sorted({str(path) for path in paths.dropna()})
    missing = [path for path in present if not Path(path).is_file()]
    if missing:
        raise SourceError("infra.snapshot_file_missing", count=len(missing), examples=", ".join(missing[:5]))
    kept = {path: Path(path).relative_to(home) for path in present if Path(path).is_relative_to(home)}
    names = {path: Path(*place.parts[1:]).as_posix() for path, place in kept.items()}  # without the version it stands in
    others = [path for path in present if path not in kept]
    common = os.path.commonpath([str(Path(path).parent) for path in others]) if others else ""
    for path in others:
        name = _by_content(Path(path)) if kept else Path(os.path.relpath(path, common)).as_posix()
        names[path] = f"{below}/{name}"
    for path, name in names.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / name)
    return [None if pd.isna(path) else names[str(path)] for path in paths]


def _by_content(path: Path) -> str:
    return f"{_md5(path)[:16]}/{path.name}"


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def folder_hash(folder: Path) -> str:
    """Return the name that DVC gives the folder's content: the MD5 of the list of its files with their MD5s.

    Same as DVC's ``Tree.as_bytes`` (dvc_data.hashfile.tree); here without loading DVC, and without trusting modification times as its state
    database does.
    """
    entries = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        entries.append({"md5": _md5(path), "relpath": path.relative_to(folder).as_posix()})
    entries.sort(key=lambda entry: entry["relpath"])
    return hashlib.md5(json.dumps(entries, sort_keys=True).encode("utf-8"), usedforsecurity=False).hexdigest()


def _is_whole(folder: Path, version: str) -> bool:
    return (folder / TABLE).is_file() and folder_hash(folder) == version

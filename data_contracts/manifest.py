"""A folder of files (sound, images …) with a manifest: a table that has one row per file."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from leitstand.contract import Contract
from leitstand.errors import SourceError
from leitstand.spec import Source

Reader = Callable[[Path, Source, Contract | None], pd.DataFrame]


def read_folder(folder: Path, source: Source, contract: Contract | None, read_file: Reader) -> pd.DataFrame:
    """Return the manifest's rows with the names of files made absolute paths.

    A file that is named and missing stays in: ``checking.check`` reports its row. A name that leads out of the folder is refused.

    Raises
    ------
    SourceError
        If folder or manifest is missing, the manifest names no files, or a name leads out of the folder.
    """
    if not folder.is_dir():
        raise SourceError("contracts.folder_missing", path=folder)
    path = folder / source.manifest
    if not _inside(path, folder):
        raise SourceError("contracts.manifest_outside", path=folder, count=1, examples=source.manifest)
    if not path.is_file():
        raise SourceError("contracts.manifest_missing", path=folder, manifest=source.manifest)
    frame = read_file(path, source, contract)
    columns = _file_columns(frame, folder, contract)
    if not columns:
        raise SourceError("contracts.manifest_names_no_files", path=path, columns=", ".join(map(str, frame.columns)))
    for column in columns:
        frame[column] = _absolute(frame[column], folder, path)
    return frame


def _file_columns(frame: pd.DataFrame, folder: Path, contract: Contract | None) -> list[str]:
    if contract is not None:
        return [column.name for column in contract.columns if column.type == "file" and column.name in frame.columns]
    texts = [name for name in frame.columns if frame[name].dtype == object]
    return [name for name in texts if any(_place(value, folder).is_file() for value in frame[name].dropna().head(20))]


def _absolute(names: pd.Series, folder: Path, manifest: Path) -> pd.Series:
    paths = [None if pd.isna(name) else _place(name, folder) for name in names]
    outside = [str(name) for name, path in zip(names, paths, strict=True) if path is not None and not _inside(path, folder)]
    if outside:
        raise SourceError("contracts.manifest_outside", path=manifest, count=len(outside), examples=", ".join(outside[:5]))
    return pd.Series([None if path is None else str(path.resolve()) for path in paths], index=names.index, dtype=object)


def _place(name: object, folder: Path) -> Path:
    return folder / str(name).replace("\\", "/")  # manifests are often made on Windows


def _inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())

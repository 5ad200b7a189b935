"""Any source of a project, except a database, into one frame."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from data_contracts import csv_reading
from data_contracts.columns import would_be_rounded
from data_contracts.manifest import read_folder
from data_contracts.spreadsheets import read_excel
from leitstand.contract import Contract
from leitstand.errors import SourceError
from leitstand.spec import Source

PARQUET, EXCEL = (".parquet", ".pq"), (".xlsx", ".xlsm")


def read_source(source: Source, *, base: Path, samples: Path | None = None, contract: Contract | None = None) -> pd.DataFrame:
    """Return the rows of a source, each column in the type that all its values have.

    Numbers are int64 or float64 (NaN where missing), times datetime64[ns] without zone, truth values bool, texts object (None where
    missing). A column in which some values are no number stays text, so that ``checking.check`` can name these rows.

    Parameters
    ----------
    base : folder that relative paths start from
    samples : folder of the built-in sample files; a sample that is itself a folder is read by its manifest
    contract : columns that it says are text are not read as numbers; columns of type file become absolute paths

    Raises
    ------
    SourceError
        If the source is missing, empty, or cannot be read as a table.
    """
    if source.folder is not None:
        return read_folder(base / source.folder, source, contract, read_file)
    if source.sample is not None and samples is not None:
        if (samples / source.sample).is_dir():
            return read_folder(samples / source.sample, source, contract, read_file)
        return read_file(samples / source.sample, source, contract)
    if source.file is not None:
        return read_file(base / source.file.expanduser(), source, contract)
    raise SourceError("contracts.no_file_source")


def read_file(path: Path, source: Source, contract: Contract | None = None) -> pd.DataFrame:
    """Return the rows of a CSV, Parquet or Excel file.

    Raises
    ------
    SourceError
        As ``read_source`` does.
    """
    suffix = path.suffix.lower()
    if not path.exists():
        near = [item.name for item in path.parent.iterdir() if item.suffix == path.suffix][:5] if path.parent.is_dir() else []
        raise SourceError("contracts.file_missing", path=path, near=", ".join(sorted(near)) or "–")
    if path.is_dir():
        raise SourceError("contracts.file_is_folder", path=path)
    if suffix not in (*csv_reading.EXTENSIONS, *PARQUET, *EXCEL):
        raise SourceError("contracts.extension", path=path, known=", ".join((*csv_reading.EXTENSIONS, *PARQUET, *EXCEL)))
    try:
        if path.stat().st_size == 0:
            raise SourceError("contracts.file_empty", path=path)
        if suffix in PARQUET:
            return _read_parquet(path)
        as_text = (
            frozenset(column.name for column in contract.columns if column.type in ("string", "file"))
            if contract
            else frozenset()
        )
        return read_excel(path, source, as_text) if suffix in EXCEL else csv_reading.read_csv(path, source, as_text)
    except (PermissionError, OSError) as error:
        raise SourceError("contracts.file_unreadable", path=path, detail=error.strerror or str(error)) from error


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        table = pq.read_table(path, partitioning=None)
    except pa.ArrowInvalid as error:
        detail = re.sub(r"\s+", " ", str(error))[:200]
        raise SourceError("contracts.parquet_unreadable", path=path, detail=detail) from error
    twice = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
    if twice:
        raise SourceError("contracts.duplicate_columns", path=path, names=", ".join(twice[:5]))
    if table.num_rows == 0:
        raise SourceError("contracts.no_rows", path=path)
    return to_frame(plain_table(table))


def plain_table(table: Any) -> Any:
    """Return the table in types that a frame has: decimals as floats, categories as their values, times of day as texts."""
    return table.cast(pa.schema([_plain_field(field) for field in table.schema]))


def to_frame(table: Any) -> pd.DataFrame:
    """Return a plain table as a frame; whole numbers that it would round, because some are missing, stay Python's."""
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True, date_as_object=False)
    for name in table.column_names:
        if would_be_rounded(table.column(name)):
            frame[name] = pd.Series(table.column(name).to_pylist(), dtype=object)
    return frame


def _plain_field(field: pa.Field) -> pa.Field:
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if pa.types.is_decimal(kind):
        kind = pa.float64()
    if pa.types.is_time(kind):
        kind = pa.string()
    return pa.field(field.name, kind)

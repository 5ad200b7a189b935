"""Where the answers of a batch go: a CSV or Parquet file that appears whole, or a database table that gets all rows or none."""

import csv
import io
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from infra.tables import table_columns, write_frames
from leitstand.errors import UsageError
from serving.batch_answers import id_column
from serving.batch_job import BatchJob, texts_of
from serving.read_ahead import in_parallel

FORMATS = (".csv", ".parquet")
SEPARATOR = "; "  # between the flags of a row
_DAY_NS = 86_400 * 10**9


@dataclass(frozen=True)
class Target:
    """A file, or a table of a database.

    Parameters
    ----------
    path : of the file; None for a database
    database : SQLAlchemy URL, or ``env:NAME``
    """

    path: Path | None = None
    database: str | None = None
    table: str | None = None

    @classmethod
    def of(cls, output: str, table: str | None = None) -> "Target":
        """Return the target that a person named.

        Raises
        ------
        UsageError
            If it is neither a file of a known format nor a database with a table.
        """
        if is_database(output):
            if table is None:
                raise UsageError("batch.table_unnamed")
            return cls(database=output, table=table)
        path = Path(output).expanduser().resolve()
        if path.suffix.lower() not in FORMATS or path.is_dir():
            raise UsageError("serving.batch_format", path=path, formats=", ".join(FORMATS))
        if table is not None:
            raise UsageError("batch.table_in_file", path=path)
        return cls(path=path)

    @property
    def shown(self) -> str:
        """The target as a message may name it."""
        return str(self.path) if self.path is not None else str(self.table)

    def check(self, names: list[str] | None = None) -> None:
        """See whether the answers can be written there; with ``names``, whether a table that exists has just these columns.

        Raises
        ------
        UsageError
            If the table has other columns.
        SourceError
            If the database cannot be reached.
        OSError
            If the folder cannot be made.
        """
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        elif self.database is not None and self.table is not None:
            there = table_columns(self.database, self.table)
            if names is not None and there is not None and set(there) != set(names):
                shown = {
                    "table": self.table,
                    "missing": _names(set(names) - set(there)),
                    "extra": _names(set(there) - set(names)),
                }
                raise UsageError("batch.table_columns", **shown)

    def publish(self, job: BatchJob) -> None:
        """Let the answers appear, all at once; doing it again changes nothing.

        Raises
        ------
        SourceError
            If the database refuses.
        OSError
            If the file cannot be written.
        """
        if self.database is not None and self.table is not None:
            frames = in_parallel(partial(_frame, job), job.filled(), 1)
            write_frames(self.database, self.table, frames, once=id_column(job.part(job.filled()[0]).column_names))
        elif self.path is not None:
            unfinished = self.path.with_name(
                f".{self.path.name}.part"
            )  # the name does not change: what a killed run left is written over
            try:
                write = _write_csv if self.path.suffix.lower() == ".csv" else _write_parquet
                write(unfinished, job)
                unfinished.replace(self.path)
            finally:
                unfinished.unlink(missing_ok=True)


def is_database(place: str) -> bool:
    """Return whether a person named a database and no file."""
    return "://" in place or place.startswith("env:")


def _names(names: set[str]) -> str:
    return ", ".join(sorted(names)[:10]) or "–"


def _frame(job: BatchJob, place: int) -> pd.DataFrame:
    frame: pd.DataFrame = _part(job, place).to_pandas(integer_object_nulls=True, date_as_object=True)
    return frame


def _write_parquet(path: Path, job: BatchJob) -> None:
    """Write a row group for each part."""
    schema = _part(job, job.filled()[0]).schema
    with pq.ParquetWriter(path, schema, compression="snappy", use_dictionary=texts_of(schema)) as writer:
        for part in in_parallel(partial(_part, job), job.filled(), 1):
            writer.write_table(part)


def _write_csv(path: Path, job: BatchJob) -> None:
    """Write with the byte-order mark that spreadsheets need to read umlauts."""
    names = io.StringIO()
    csv.writer(names, lineterminator="\n").writerow(_part(job, job.filled()[0]).column_names)
    with path.open("wb") as file:
        file.write(b"\xef\xbb\xbf" + names.getvalue().encode())
        for lines in in_parallel(partial(_lines, job), job.filled(), os.cpu_count() or 1):
            file.write(lines)


def _lines(job: BatchJob, place: int) -> Any:
    sink = pa.BufferOutputStream()
    pacsv.write_csv(_printable(_part(job, place)), sink, pacsv.WriteOptions(include_header=False, quoting_style="needed"))
    return sink.getvalue()


def _part(job: BatchJob, place: int) -> Any:
    return _with_texts(job.part(place))


def _with_texts(part: Any) -> Any:
    """Return the part with the flags of a row as one text."""
    name = "leitstand_flags" if "leitstand_flags" in part.column_names else "flags"
    place = part.column_names.index(name)
    return part.set_column(place, name, pc.binary_join(part.column(name).combine_chunks(), SEPARATOR))


def _printable(table: Any) -> Any:
    """Return the table in types that a text file has: whole seconds without zeros behind them, bytes and lists as text."""
    for place, field in enumerate(table.schema):
        column = table.column(place)
        if pa.types.is_timestamp(field.type):
            whole = pc.all(pc.equal(pc.floor_temporal(column, unit="second"), column)).as_py()
            column = column.cast(pa.timestamp("s" if whole is not False else "us"), safe=False)
        elif pa.types.is_nested(field.type) or pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type):
            column = pa.array([None if value is None else str(value) for value in column.to_pylist()], type=pa.string())
        table = table.set_column(place, field.name, column)
    return table

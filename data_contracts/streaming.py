"""Any source in chunks of bounded memory: text files and Parquet straight from the disk, everything else out of frames."""

import hashlib
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from data_contracts.chunks import Chunk, Position, Stream
from data_contracts.csv_blocks import CsvStream
from data_contracts.csv_reading import EXTENSIONS
from data_contracts.reading import PARQUET, plain_table, read_source, to_frame
from leitstand.contract import Contract
from leitstand.errors import SourceError
from leitstand.spec import Source

CHUNK_ROWS = 50_000
_BUFFER_BYTES = 1 << 20  # of each column; without it the whole of a row group would be read at once


class Changed(Exception):
    """The source is no longer what it was when reading stopped there."""


def open_stream(source: Source, contract: Contract, *, chunk_rows: int = CHUNK_ROWS) -> Stream:
    """Return the rows of a file or folder, to be read in chunks.

    Parameters
    ----------
    source : with an absolute ``file`` or ``folder``; a folder's manifest and a workbook are read whole
    contract : columns that it says are text are not read as numbers

    Raises
    ------
    SourceError
        If the source is missing, empty, or cannot be read as a table.
    """
    path = source.file
    suffix = path.suffix.lower() if path is not None else ""
    if path is None or not path.is_file() or path.stat().st_size == 0 or suffix not in (*EXTENSIONS, *PARQUET):
        frame = read_source(source, base=Path(), contract=contract)  # or the error that says what is wrong
        return FrameStream.of(frame, chunk_rows)
    try:
        return ParquetStream(path, chunk_rows) if suffix in PARQUET else CsvStream(path, source, contract, chunk_rows)
    except OSError as error:
        raise SourceError("contracts.file_unreadable", path=path, detail=error.strerror or str(error)) from error


class ParquetStream:
    """The rows of a Parquet file, a part of a row group at a time.

    Raises
    ------
    SourceError
        If it is no Parquet file, has no rows, or two columns of one name.
    """

    def __init__(self, path: Path, chunk_rows: int) -> None:
        self._path, self._chunk_rows = path, chunk_rows
        with self._opened() as file:
            self.names = list(file.schema_arrow.names)
            self._rows: int = file.metadata.num_rows
            self._groups = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if twice:
            raise SourceError("contracts.duplicate_columns", path=path, names=", ".join(twice[:5]))
        if not self._rows:
            raise SourceError("contracts.no_rows", path=path)

    def chunks(self, position: Position | None = None, only: list[str] | None = None) -> Iterator[Chunk]:
        """Yield the rows from a position on; with ``only``, of these columns."""
        start = 0 if position is None else int(position["row"])
        ends = np.cumsum(self._groups)
        group = int(np.searchsorted(ends, start, side="right"))
        row = int(ends[group - 1]) if group else 0
        with self._opened() as file:
            wanted = None if only is None else [name for name in self.names if name in only]
            groups = list(range(group, len(self._groups)))
            for table in self._sized(file.iter_batches(self._chunk_rows, row_groups=groups, columns=wanted), start - row):
                first, start = start, start + table.num_rows
                yield Chunk(table, first, {"row": start}, start / self._rows, self._rows, _rows_of(table))

    def _sized(self, batches: Iterator[Any], skip: int) -> Iterator[Any]:
        """Yield tables of the chunk's size out of batches of any size, so that the same rows stand together wherever reading begins."""
        waiting: list[Any] = []
        rows = 0
        for batch in self._readable(batches):
            rest, skip = batch.slice(skip), max(0, skip - batch.num_rows)
            while rest.num_rows:
                part = rest.slice(0, self._chunk_rows - rows)
                rest, rows = rest.slice(part.num_rows), rows + part.num_rows
                waiting.append(part)
                if rows == self._chunk_rows:
                    yield self._table(waiting)
                    waiting, rows = [], 0
        if waiting:
            yield self._table(waiting)

    def _table(self, batches: list[Any]) -> Any:
        return plain_table(pa.Table.from_batches(batches)).combine_chunks()

    def _opened(self) -> Any:
        try:
            return pq.ParquetFile(self._path, buffer_size=_BUFFER_BYTES, pre_buffer=False)
        except pa.ArrowInvalid as error:
            raise self._unreadable(error) from error

    def _readable(self, batches: Iterator[Any]) -> Iterator[Any]:
        try:
            yield from batches
        except (pa.ArrowInvalid, OSError) as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> SourceError:
        return SourceError("contracts.parquet_unreadable", path=self._path, detail=re.sub(r"\s+", " ", str(error))[:200])


class FrameStream:
    """Rows that come as frames, always from the beginning: of a database, a workbook, a folder.

    To go on in the middle they are read again and compared by hash with what was read before.

    Parameters
    ----------
    frames : gives the frames, in the same order each time
    rows : how many rows there are; None where that is not known
    """

    def __init__(self, frames: Callable[[], Generator[pd.DataFrame]], rows: int | None = None) -> None:
        self._frames, self._rows = frames, rows
        with closing(frames()) as first:
            self.names = [str(name) for name in next(first, pd.DataFrame()).columns]

    @classmethod
    def of(cls, frame: pd.DataFrame, chunk_rows: int) -> "FrameStream":
        """Return the stream of a frame that is in memory."""
        decimal = frame.attrs.get("decimal")

        def frames() -> Generator[pd.DataFrame]:
            for start in range(0, max(len(frame), 1), chunk_rows):
                part = frame.iloc[start : start + chunk_rows].reset_index(drop=True)
                part.attrs["decimal"] = decimal
                yield part

        return cls(frames, len(frame))

    def chunks(self, position: Position | None = None, only: list[str] | None = None) -> Iterator[Chunk]:
        """Yield the rows from a position on; with ``only``, of these columns.

        Raises
        ------
        Changed
            If the rows before the position are not those of before.
        """
        row, seen = 0, hashlib.sha256()
        start = 0 if position is None else int(position["row"])
        for frame in self._frames():
            first, row = row, row + len(frame)
            seen.update(_hashed(frame))
            if row <= start:
                if row == start and position is not None and position["hash"] != seen.hexdigest():
                    raise Changed
                continue
            if first < start:
                raise Changed
            kept = frame if only is None else frame[[name for name in frame.columns if name in only]]
            share = row / self._rows if self._rows else None
            decimal = frame.attrs.get("decimal")
            marks = None if decimal is None else dict.fromkeys(self.names, decimal)
            after = {"row": row, "hash": seen.hexdigest()}
            yield Chunk(as_table(kept), first, after, share, self._rows, _rows_of_frame(frame), marks)
        if row < start:
            raise Changed


def as_table(frame: pd.DataFrame) -> Any:
    """Return a frame as a table; a column of mixed types as text."""
    arrays = {}
    for name in frame.columns:
        try:
            arrays[str(name)] = pa.array(frame[name], from_pandas=True)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
            arrays[str(name)] = pa.array([None if _is_missing(value) else str(value) for value in frame[name]], type=pa.string())
    return pa.table(arrays)


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and value != value)


def _rows_of(table: Any) -> Callable[[np.ndarray], pd.DataFrame]:
    def taken(rows: np.ndarray) -> pd.DataFrame:
        return to_frame(table.take(pa.array(rows)))

    return taken


def _rows_of_frame(frame: pd.DataFrame) -> Callable[[np.ndarray], pd.DataFrame]:
    return lambda rows: frame.iloc[rows].reset_index(drop=True)


def _hashed(frame: pd.DataFrame) -> bytes:
    try:
        hashes: bytes = pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes()
        return hashes
    except TypeError:  # values that have no hash, such as lists
        return frame.to_json(default_handler=str).encode()

"""A text file of any size in blocks of whole rows, each typed by itself as the contract says.

A block ends at a line end that is outside quotes. Where reading goes on later (after a kill) only the block's place in the file has to be
known, and how the file writes its decimals: that is decided once, from the first values that decide it, and never again.
"""

import codecs
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv

from data_contracts import numerals
from data_contracts.chunks import Chunk, Position
from data_contracts.csv_format import SAMPLE_BYTES, WHITESPACE, detect_format
from data_contracts.csv_reading import explain
from data_contracts.numerals import Decimal
from data_contracts.quick_check import TYPES
from leitstand.contract import Contract
from leitstand.errors import SourceError
from leitstand.spec import Source

MOST_BLOCKS_PER_ROW = 8  # a quote that is never closed must not draw the whole file into memory
Decimals = Mapping[str, Decimal | None]


class CsvStream:
    """The rows of a text file, block by block.

    Parameters
    ----------
    contract : which columns are numbers; all others stay text
    chunk_rows : about how many rows a block holds

    Raises
    ------
    SourceError
        If the file cannot be read as a table.
    """

    def __init__(self, path: Path, source: Source, contract: Contract, chunk_rows: int) -> None:
        self._path, self._contract = path, contract
        self._form = detect_format(path, encoding=source.encoding, delimiter=source.delimiter, header=source.header)
        self._given = source.decimal
        self._encoding, self._start = _byte_order(path, self._form.encoding)
        self._size = path.stat().st_size
        self.names = list(self._form.names)
        with path.open("rb") as file:
            file.seek(self._start)
            head = file.read(SAMPLE_BYTES)
        breaks = "\r" if b"\r" in head and b"\n" not in head else "\n"
        self._break, self._quote = breaks.encode(self._encoding), '"'.encode(self._encoding)
        self._bytes = max(1, len(head) * chunk_rows // max(head.count(self._break), 1))

    def chunks(self, position: Position | None = None, only: list[str] | None = None) -> Iterator[Chunk]:
        """Yield the rows from a position on; with ``only``, of these columns.

        Raises
        ------
        SourceError
            If a line has more or fewer values than the first, or nothing says what 1.234 means.
        """
        at, row, decimals = (self._start, 0, self._given_decimals()) if position is None else _parse(position)
        found = False
        for block, after in self._blocks(at):
            first = after - len(block) == self._start
            table, decimals = self._typed(block, first, decimals, only)
            if table.num_rows:
                found = True
                rows = row + table.num_rows
                yield Chunk(
                    table=table,
                    first_row=row,
                    after={"at": after, "row": rows, "decimals": decimals},
                    share=(after - self._start) / max(self._size - self._start, 1),
                    most_rows=rows + max(0, self._size - after) // len(self.names),  # no row is shorter than its delimiters
                    raw=self._raw(block, first),
                    decimals=decimals,
                )
            row += table.num_rows
        if not found and row == 0:
            raise SourceError("contracts.no_rows", path=self._path)

    def _blocks(self, at: int) -> Iterator[tuple[bytes, int]]:
        with self._path.open("rb") as file:
            file.seek(at)
            while block := self._block(file):
                at += len(block)
                yield block, at

    def _block(self, file: BinaryIO) -> bytes:
        block = b""
        for _ in range(MOST_BLOCKS_PER_ROW):
            more = file.read(self._bytes)
            block += more
            if len(more) < self._bytes:
                return block
            if end := self._last_break(block):
                file.seek(end - len(block), 1)
                return block[:end]
        if end := self._aligned(block, len(block)):  # a quote that is part of a value
            file.seek(end - len(block), 1)
            return block[:end]
        return block + file.readline()

    def _last_break(self, block: bytes) -> int:
        """Return the place after the last line end that an even number of quotes stands before; 0 if there is none."""
        end = self._aligned(block, len(block))
        quotes = block.count(self._quote, 0, end)
        while end and quotes % 2:
            before = self._aligned(block, end - len(self._break))
            quotes -= block.count(self._quote, before, end)
            end = before
        return end

    def _aligned(self, block: bytes, end: int) -> int:
        """Return the place after the last line end before ``end``; in UTF-16 its bytes may also stand across two signs."""
        while (place := block.rfind(self._break, 0, end)) >= 0:
            if place % len(self._break) == 0:
                return place + len(self._break)
            end = place + len(self._break) - 1
        return 0

    def _typed(self, block: bytes, first: bool, decimals: Decimals | None, only: list[str] | None) -> tuple[Any, Decimals | None]:
        """Return the block with numbers as such where all of them are plain, as text otherwise; and the decimal marks as known now."""
        point = _common(decimals)
        whole = pa.int64()
        kinds: dict[str, Any] = {}
        for column in self._contract.columns:
            if column.is_number and decimals is None:
                kinds[column.name] = whole  # without a mark nothing is open to doubt
            elif column.is_number and decimals is not None and decimals.get(column.name) == point:
                kinds[column.name] = TYPES[column.type]
        missing = [*numerals.MISSING, *numerals.MISSING_NUMBERS]
        try:
            return self._tidied(self._parse(block, first, kinds, only, point or ".", missing)), decimals
        except pa.ArrowInvalid:
            table = self._texts(block, first, only)
        if decimals is None:
            decimals = self._decide(table)
        if decimals is None and (open_to_both := self._undecided(table)):
            decimals = self._look_ahead(block, first)
            if decimals is None:
                raise SourceError("contracts.decimal_undecided", path=self._path, column=open_to_both[0], example=open_to_both[1])
        return table, decimals

    def _texts(self, block: bytes, first: bool, only: list[str] | None = None) -> Any:
        try:
            return self._tidied(self._parse(block, first, {}, only, ".", []))
        except pa.ArrowInvalid as error:
            raise explain(self._path, self._form, error) from error

    def _tidied(self, table: Any) -> Any:
        columns = {
            name: numerals.tidy(column) if pa.types.is_string(column.type) else column
            for name, column in zip(table.column_names, table.columns, strict=True)
        }
        last = self.names[-1]
        unnamed = self._form.header and len(self.names) > 1 and last == f"column_{len(self.names)}"
        if unnamed and last in columns and columns[last].null_count == table.num_rows:
            del columns[last]  # every line ended with the delimiter
        return pa.table(columns)

    def _parse(
        self, block: bytes, first: bool, kinds: Mapping[str, Any], only: list[str] | None, point: str, missing: list[str]
    ) -> Any:
        form, skip = self._form, self._form.skip_lines if first else 0
        delimiter, content = form.delimiter, block
        if delimiter == WHITESPACE or self._encoding not in ("utf-8", "ascii"):
            text = block.decode(self._encoding)
            if delimiter == WHITESPACE:
                text = "\n".join("\t".join(line.split()) for line in text.splitlines()[skip:])
                delimiter, skip = "\t", 0
            content = text.encode()
        kept = [name for name in self.names if only is None or name in only]
        return pacsv.read_csv(
            pa.BufferReader(content),
            read_options=pacsv.ReadOptions(
                column_names=self.names, skip_rows=skip, skip_rows_after_names=int(form.header and first), block_size=1 << 22
            ),
            parse_options=pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=self._quote in block),
            convert_options=pacsv.ConvertOptions(
                column_types={name: kinds.get(name, pa.string()) for name in kept},
                include_columns=kept,
                null_values=missing,
                strings_can_be_null=False,
                decimal_point=point,
            ),
        )

    def _raw(self, block: bytes, first: bool) -> Any:
        def taken(rows: np.ndarray) -> pd.DataFrame:
            frame: pd.DataFrame = self._texts(block, first).take(pa.array(rows)).to_pandas()
            return frame.astype(object).where(frame.notna(), None)

        return taken

    def _numbers(self, table: Any) -> dict[str, Any]:
        return {
            column.name: numerals.tidy(table.column(column.name), numerals.MISSING_NUMBERS)
            for column in self._contract.columns
            if column.is_number and column.name in table.column_names and pa.types.is_string(table.column(column.name).type)
        }

    def _given_decimals(self) -> Decimals | None:
        return None if self._given is None else {column.name: self._given for column in self._contract.columns}

    def _decide(self, table: Any) -> Decimals | None:
        """Return the decimal mark of each column, once a value says it: its own, or the one that the whole file uses."""
        own = {name: numerals.majority_mark(texts) for name, texts in self._numbers(table).items()}
        marks = {mark for mark in own.values() if mark is not None}
        if not marks:
            return None
        common = next(iter(marks)) if len(marks) == 1 else None
        return {column.name: own.get(column.name) or common for column in self._contract.columns if column.is_number}

    def _undecided(self, table: Any) -> tuple[str, str] | None:
        for name, texts in self._numbers(table).items():
            unsure = numerals.undecided(texts)
            if unsure.any():
                return name, texts[int(unsure.argmax())].as_py()
        return None

    def _look_ahead(self, block: bytes, first: bool) -> Decimals | None:
        for later, after in self._blocks(self._start):
            decided = self._decide(self._texts(later, after - len(later) == self._start))
            if decided is not None:
                return decided
        return None


def _common(decimals: Decimals | None) -> Decimal | None:
    return None if decimals is None else next((mark for mark in decimals.values() if mark is not None), None)


def _parse(position: Position) -> tuple[int, int, Decimals | None]:
    return position["at"], position["row"], position["decimals"]


def _byte_order(path: Path, encoding: str) -> tuple[str, int]:
    """Return the encoding without byte-order mark, and where the text begins."""
    with path.open("rb") as file:
        head = file.read(4)
    for mark, name in ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if head.startswith(mark) and encoding.startswith(name[:6].rstrip("-")):
            return name, len(mark)
    return codecs.lookup(encoding).name, 0

"""Excel workbooks into typed frames."""

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pyarrow as pa
from openpyxl.utils.exceptions import InvalidFileException

from data_contracts.columns import type_columns
from data_contracts.csv_format import column_names, is_header
from leitstand.errors import SourceError
from leitstand.spec import Source

OLE = b"\xd0\xcf\x11\xe0"  # the container of encrypted workbooks, and of the old .xls
ENCRYPTED = "EncryptedPackage".encode("utf-16-le")


def read_excel(path: Path, source: Source, as_text: frozenset[str] = frozenset()) -> pd.DataFrame:
    """Return the rows of one sheet: the named one, or else the first that holds something.

    Parameters
    ----------
    as_text : columns that stay text though they look like numbers

    Raises
    ------
    SourceError
        If the workbook has a password, is broken, or has no such sheet.
    """
    rows = _filled(_rows(path, source.sheet))
    if not rows:
        raise SourceError("contracts.file_empty", path=path)
    texts = [[_shown(cell) for cell in row] for row in rows[:200]]
    header = is_header(texts) if source.header is None else source.header
    names = column_names(texts[0], header, path)
    body = rows[1:] if header else rows
    if not body:
        raise SourceError("contracts.no_rows", path=path)
    cells = dict(zip(names, zip(*body, strict=True), strict=True))
    ready = {name: made for name, values in cells.items() if name not in as_text and (made := _typed(values)) is not None}
    written = {name: pa.array([_shown(cell) for cell in values]) for name, values in cells.items() if name not in ready}
    frame = type_columns(written, decimal=source.decimal, as_text=as_text, where=path) if written else pd.DataFrame()
    made_frame = pd.DataFrame({name: ready[name] if name in ready else frame[name] for name in names})
    made_frame.attrs.update(frame.attrs)
    return made_frame


def sheet_names(path: Path) -> list[str]:
    """Return the names of a workbook's sheets that can hold rows, in its order; errors as in ``read_excel``."""
    with _opened(path) as book:
        return [sheet.title for sheet in book.worksheets]


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    with path.open("rb") as file:
        if file.read(4) == OLE:
            key = "contracts.excel_password" if ENCRYPTED in path.read_bytes() else "contracts.excel_old"
            raise SourceError(key, path=path)
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        try:
            yield book
        finally:
            book.close()
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, SyntaxError, AttributeError, EOFError) as error:
        raise SourceError("contracts.excel_unreadable", path=path, detail=str(error)[:200]) from error


def _rows(path: Path, sheet: str | int | None) -> list[tuple[Any, ...]]:
    with _opened(path) as book:
        names = book.sheetnames
        chosen = _choose(path, names, sheet)
        if chosen is not None:
            return [tuple(row) for row in book[chosen].iter_rows(values_only=True)]
        sheets = ([tuple(row) for row in book[name].iter_rows(values_only=True)] for name in names)
        return next((rows for rows in sheets if _filled(rows)), [])


def _choose(path: Path, names: Sequence[str], sheet: str | int | None) -> str | None:
    if sheet is None:
        return None
    if isinstance(sheet, int) and 1 <= sheet <= len(names):
        return names[sheet - 1]
    if sheet in names:
        return str(sheet)
    raise SourceError("contracts.sheet_missing", path=path, sheet=sheet, known=", ".join(names))


def _filled(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return the rows without empty ones, and without columns that are empty from the first to the last row."""
    present = [row for row in rows if any(cell not in (None, "") for cell in row)]
    width = max((len(row) for row in present), default=0)
    even = [row + (None,) * (width - len(row)) for row in present]
    used = [i for i in range(width) if any(row[i] not in (None, "") for row in even)]
    return [tuple(row[i] for i in used) for row in even]


def _typed(cells: Sequence[Any]) -> pd.Series | None:
    """Return a column whose cells are all of one kind of Excel's own; None where texts are among them."""
    kinds = {type(cell) for cell in cells if cell is not None}
    if kinds == {bool}:
        return pd.Series(cells, dtype=bool) if None not in cells else pd.Series(cells, dtype="boolean")
    if kinds and kinds <= {int, float}:
        return pd.Series(cells, dtype="int64" if kinds == {int} and None not in cells else "float64")
    if kinds and kinds <= {datetime, date}:
        return pd.to_datetime(pd.Series(cells, dtype=object)).astype("datetime64[ns]")
    return None


def _shown(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return cell.isoformat() if isinstance(cell, date | datetime | time) else str(cell)

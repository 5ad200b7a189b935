"""Text files into typed frames, by way of Arrow: every field is read as text first, so that no code loses its zeros."""

import io
import mmap
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv

from data_contracts.columns import type_columns
from data_contracts.csv_format import WHITESPACE, Format, detect_format, open_rows
from data_contracts.numerals import MISSING
from leitstand.errors import SourceError
from leitstand.spec import Source

MOST_EXAMPLES = 5
EXTENSIONS = (".csv", ".txt", ".tsv", ".dat", ".asc")


def read_csv(path: Path, source: Source, as_text: frozenset[str] = frozenset()) -> pd.DataFrame:
    """Return the rows of a text file, each column in the type that all its values have.

    Parameters
    ----------
    source : what is known of how the file is written
    as_text : columns that stay text though they look like numbers

    Raises
    ------
    SourceError
        If the file cannot be read as a table: empty, no text, ragged, two columns of one name …
    """
    form = detect_format(path, encoding=source.encoding, delimiter=source.delimiter, header=source.header)
    try:
        table = _read(path, form)
    except pa.ArrowInvalid as error:
        raise explain(path, form, error) from error
    if table.num_rows == 0:
        raise SourceError("contracts.no_rows", path=path)
    columns = {name: table.column(name) for name in table.column_names}
    last = form.names[-1]
    if last == f"column_{len(form.names)}" and form.header and len(columns) > 1 and columns[last].null_count == table.num_rows:
        del columns[last]  # every line ended with the delimiter
    del table
    return type_columns(columns, decimal=source.decimal, as_text=as_text, where=path)


def _read(path: Path, form: Format) -> pa.Table:
    quoted = _has_quotes(path)
    data, delimiter, encoding = str(path), form.delimiter, form.encoding.removesuffix("-sig")
    if delimiter == WHITESPACE:
        text = path.read_text(encoding=form.encoding)
        lines = "\n".join("\t".join(line.split()) for line in text.splitlines()[form.skip_lines :])
        data, delimiter, encoding = io.BytesIO(lines.encode()), "\t", "utf-8"  # type: ignore[assignment]
    return pacsv.read_csv(
        data,
        read_options=pacsv.ReadOptions(
            column_names=list(form.names),
            skip_rows=form.skip_lines if form.delimiter != WHITESPACE else 0,
            skip_rows_after_names=int(form.header),
            encoding=encoding,
        ),
        parse_options=pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=quoted),
        convert_options=pacsv.ConvertOptions(
            column_types=dict.fromkeys(form.names, pa.string()), strings_can_be_null=True, null_values=list(MISSING)
        ),
    )


def _has_quotes(path: Path) -> bool:
    """Return whether a value may run over several lines; looking for the end of quotes makes reading slower, so only then."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(b'"') >= 0


def explain(path: Path, form: Format, error: pa.ArrowInvalid) -> SourceError:
    """Return what is wrong with a file that Arrow could not read: the lines of another width, or what Arrow says."""
    ragged = 0
    examples: list[str] = []
    for line, width in _widths(path, form):
        if width != len(form.names):
            ragged += 1
            if len(examples) < MOST_EXAMPLES:
                examples.append(f"{line} ({width})")
    if ragged:
        shown = ", ".join(examples)
        return SourceError(
            "contracts.ragged", path=path, count=ragged, expected=len(form.names), examples=shown, delimiter=repr(form.delimiter)
        )
    return SourceError("contracts.csv_unreadable", path=path, detail=re.sub(r"\s+", " ", str(error))[:200])


def _widths(path: Path, form: Format) -> Iterator[tuple[int, int]]:
    """Yield line number (1-based) and number of fields of every row."""
    with path.open(encoding=form.encoding, newline="") as file:
        for _ in range(form.skip_lines):
            next(file)
        if form.delimiter == WHITESPACE:
            for number, line in enumerate(file, form.skip_lines + 1):
                if line.strip():
                    yield number, len(line.split())
            return
        reader = open_rows(file, form.delimiter)
        for row in reader:
            if row:
                yield form.skip_lines + reader.line_num, len(row)

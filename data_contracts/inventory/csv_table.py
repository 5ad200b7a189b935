"""Text files on the workbench: how they are written is found out as everywhere else, the rows are read by DuckDB.

Every field is read as text and cast afterwards, so that one bad value in row five million is counted and not the end of the file.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pyarrow as pa

from data_contracts.columns import Undecided, file_marks, type_texts
from data_contracts.csv_format import SAMPLE_BYTES, WHITESPACE, Format
from data_contracts.dates import slash_order
from data_contracts.inventory.found import Said
from data_contracts.inventory.tables import first_line
from data_contracts.inventory.workbench import Table, Workbench, literal
from data_contracts.numerals import MISSING, MISSING_NUMBERS, Decimal, tidy
from leitstand.contract import ColumnType
from leitstand.errors import SourceError

SAMPLE_ROWS = 20_000
LONGEST_LINE = 4 << 20
"""Bytes; a text without line end for longer is no table. DuckDB holds two lines at a time."""
MOST_INVALID = 0.05  # with more values of another type a column is one of texts
MOST_LEFT_OUT = 0.01  # of the rows, because they have another number of values; with more the file is no table
LARGEST_WHOLE = 9e15  # beyond, a double no longer holds every whole number
_DATES = (
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%y",
    "%d.%m.%y %H:%M",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d %H:%M:%S",
)
STRAY = 1.1  # a tenth of all quotes may stand inside values of a file that encloses values in quotes
_CLOCKS = ("", " %H:%M", " %H:%M:%S")


@dataclass(frozen=True)
class Reading:
    """How the texts of a file become values.

    Parameters
    ----------
    comma : whether decimals are written with a comma
    month_first : columns whose dates are written as in the US
    """

    types: dict[str, ColumnType]
    comma: bool
    month_first: frozenset[str]

    def as_texts(self, names: set[str]) -> "Reading":
        """Return the reading that leaves some columns as they are."""
        return replace(self, types={name: "string" if name in names else kind for name, kind in self.types.items()})


def refuse_endless_lines(path: Path) -> None:
    """Refuse a file that has no line end near its beginning; reads no more than that.

    Raises
    ------
    SourceError
        If its first line is too long.
    """
    if path.stat().st_size <= LONGEST_LINE:
        return
    with path.open("rb") as file:
        head = file.read(LONGEST_LINE)
    if b"\n" not in head and b"\r" not in head:
        raise SourceError("inventory.endless_line", path=path, megabytes=LONGEST_LINE >> 20)


def load_csv(bench: Workbench, files: Sequence[Path], form: Format) -> Table:
    """Put text files that are written alike on the workbench.

    Raises
    ------
    SourceError
        If they cannot be read as one table.
    """
    plain = [_plain(file, form, bench.scratch) for file in files]
    paths = [path for path, _ in plain]
    mixed = sum(lines for _, lines in plain)
    notes = [Said("inventory.note_mixed_encodings", {"lines": mixed, "encoding": form.encoding})] if mixed else []
    try:
        padded = _is_short(bench, _source(paths, form))
        if padded:
            notes.append(Said("inventory.note_padded", {"expected": len(form.names)}))
        source = _source(paths, form, padded=padded)
        reading = _reading(bench, source, form)
        table = _read(bench, source, reading)
        again = {name for name in table.unsure if _invalid(bench, table, name) > MOST_INVALID}
        if again:
            bench.connection.execute("DROP TABLE t")
            notes += [
                Said("inventory.note_mixed_column", {"column": name, "type": reading.types[name]}) for name in sorted(again)
            ]
            table = _read(bench, source, reading.as_texts(again))
        left_out, example = _left_out(bench)
    except duckdb.Error as error:
        raise SourceError("inventory.unreadable", path=files[0], detail=first_line(error)) from error
    finally:
        for path, _ in plain:
            if path.parent == bench.scratch:
                path.unlink(missing_ok=True)
    if table.read == 0 and not left_out:
        raise SourceError("contracts.no_rows", path=files[0])
    if left_out > MOST_LEFT_OUT * (left_out + table.read):
        raise SourceError("inventory.ragged", path=files[0], lines=left_out, expected=len(reading.types), example=example)
    if left_out:
        notes.append(Said("inventory.note_left_out", {"lines": left_out, "expected": len(reading.types), "example": example}))
    return Table(table.types, table.unsure, table.read, table.read, tuple(notes))


def _source(files: Sequence[Path], form: Format, *, padded: bool = False) -> str:
    names = ", ".join(literal(str(file)) for file in files)
    columns = ", ".join(f"{literal(f'f{place}')}: 'VARCHAR'" for place in range(len(form.names)))
    missing = ", ".join(literal(one) for one in MISSING)
    quote = "'\"'" if all(_is_quoted(file, form.delimiter) for file in files) else "''"
    delimiter = "\t" if form.delimiter == WHITESPACE else form.delimiter
    return (
        f"read_csv([{names}], columns={{{columns}}}, auto_detect=false, delim={literal(delimiter)}, quote={quote}, escape={quote}, "
        f"header={str(form.header).lower()}, skip={form.skip_lines if form.delimiter != WHITESPACE else 0}, nullstr=[{missing}], "
        f"store_rejects=true, max_line_size={LONGEST_LINE}, "
        f"null_padding={str(padded).lower()}, parallel={str(len(files) == 1 and not padded).lower()})"
    )


def _is_quoted(path: Path, delimiter: str) -> bool:
    """Return whether quotes enclose values; in prose they stand inside, and taking them for bounds would join rows silently."""
    with path.open("rb") as file:
        head = file.read(SAMPLE_BYTES).replace(b'""', b"")
    mark = re.escape(delimiter.encode())
    enclosing = len(re.findall(rb"(?:^|(?<=" + mark + rb'))"|"(?=' + mark + rb"|\r?$)", head, re.MULTILINE))
    return head.count(b'"') <= STRAY * enclosing


def _is_short(bench: Workbench, source: str) -> bool:
    """Return whether lines of the beginning have fewer values than there are columns: an export that leaves empty ends off."""
    read = len(bench.rows(f"SELECT f0 FROM {source} LIMIT {SAMPLE_ROWS}"))
    short, _ = _left_out(bench, "WHERE error_type = 'MISSING COLUMNS'")
    return short > MOST_LEFT_OUT * (short + read)


def _reading(bench: Workbench, source: str, form: Format) -> Reading:
    some: pa.Table = bench.arrow(f"SELECT * FROM {source} LIMIT {SAMPLE_ROWS}")
    _left_out(bench)
    names = list(form.names)
    last = some.column(len(names) - 1)
    empty = form.header and len(names) > 1 and names[-1] == f"column_{len(names)}" and last.null_count == len(last)
    texts = {name: some.column(place).cast(pa.string()) for place, name in enumerate(names[:-1] if empty else names)}
    marks = file_marks(texts)
    types = {name: _type(column, marks) for name, column in texts.items()}
    times = {name for name, kind in types.items() if kind == "timestamp"}
    return Reading(types, marks == {","}, frozenset(name for name in times if slash_order(tidy(texts[name])) == "month"))


def _type(texts: pa.ChunkedArray, marks: set[Decimal]) -> ColumnType:
    try:
        values = type_texts(texts, marks)
    except Undecided:
        return "number"
    kind = values.dtype.kind
    if kind in "iuf" and values.notna().any() and float(values.abs().max()) > LARGEST_WHOLE and kind != "f":
        return "string"
    if kind == "O" and len(values) and values.notna().any() and _mostly_numbers(texts):
        return "number"
    known: dict[str, ColumnType] = {"b": "boolean", "i": "integer", "u": "integer", "f": "number", "M": "timestamp"}
    if str(values.dtype) == "boolean":
        return "boolean"
    return known.get(kind, "string")


def _mostly_numbers(texts: pa.ChunkedArray) -> bool:
    """Return whether nearly all texts are plain numbers, so that the others are faults in a column of numbers and not the other way round."""
    present = [text for text in texts.to_pylist() if text is not None][:2000]
    good = sum(
        text.strip().replace(".", "", 1).replace(",", "", 1).lstrip("+-").isdigit() and not _is_code(text) for text in present
    )
    return len(present) >= 20 and good >= (1 - MOST_INVALID) * len(present)


def _is_code(text: str) -> bool:
    plain = text.strip()
    return len(plain) > 1 and plain[0] == "0" and plain[1].isdigit()


def _read(bench: Workbench, source: str, reading: Reading) -> Table:
    chosen, unsure = [], set()
    gone = ", ".join(literal(one) for one in ("", *MISSING_NUMBERS))
    for place, (name, kind) in enumerate(reading.types.items()):
        raw = f"f{place}"
        if kind == "string":
            chosen.append(f"{raw} AS c{place}")
            continue
        cast = _cast(raw, kind, comma=reading.comma, month_first=name in reading.month_first)
        bad = f"CASE WHEN {cast} IS NULL AND {raw} IS NOT NULL THEN trim({raw}) NOT IN ({gone}) ELSE false END"  # CASE asks the few only
        chosen += [f"{cast} AS c{place}", f"{bad} AS b{place}"]
        unsure.add(name)
    bench.connection.execute(f"CREATE TABLE t AS SELECT {', '.join(chosen)} FROM {source}")
    [rows] = bench.one("SELECT count(*) FROM t")
    return Table(dict(reading.types), frozenset(unsure), rows, rows)


def _cast(raw: str, kind: ColumnType, *, comma: bool, month_first: bool) -> str:
    if kind in ("integer", "number"):
        if comma:
            raw = f"replace(replace({raw}, '.', ''), ',', '.')"
        return f"TRY_CAST({raw} AS DOUBLE)"
    if kind == "boolean":
        return f"(CASE lower({raw}) WHEN 'true' THEN true WHEN 'false' THEN false END)"
    formats = ", ".join(literal(one) for one in _DATES)
    order = "%m/%d/%Y" if month_first else "%d/%m/%Y"
    formats += "".join(f", {literal(order + clock)}" for clock in _CLOCKS)
    return f"coalesce(TRY_CAST({raw} AS TIMESTAMP), try_strptime({raw}, [{formats}]))"


def _invalid(bench: Workbench, table: Table, name: str) -> float:
    bad, good = bench.one(f"SELECT count(*) FILTER ({table.bad(name)}), count({table.column(name)}) FROM t")
    return bad / max(bad + good, 1)


def _left_out(bench: Workbench, where: str = "") -> tuple[int, int]:
    """Return how many lines DuckDB left out, and the first of them (1-based)."""
    if not bench.rows("SELECT 1 FROM duckdb_tables() WHERE table_name = 'reject_errors'"):
        return 0, 0
    lines, first = bench.one(f"SELECT count(DISTINCT (file_id, line)), coalesce(min(line), 0) FROM reject_errors {where}")
    bench.connection.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
    return lines, first


def _plain(path: Path, form: Format, scratch: Path) -> tuple[Path, int]:
    """Return the file as DuckDB reads it, UTF-8 and with single marks between values, and how many lines were written otherwise than the rest."""
    whitespace = form.delimiter == WHITESPACE
    if form.encoding in ("utf-8", "utf-8-sig", "ascii") and not whitespace:
        return path, 0
    target = scratch / f"plain-{os.getpid()}-{abs(hash(path))}.csv"
    odd = 0
    if form.encoding.startswith("utf"):
        with path.open(encoding=form.encoding, newline="") as source, target.open("w", encoding="utf-8", newline="") as out:
            for line in source:
                out.write(_spaced(line) if whitespace else line)
        return target, 0
    with path.open("rb") as source, target.open("w", encoding="utf-8", newline="") as out:
        for raw in source:
            line, is_utf8 = _decoded(raw, form.encoding)
            odd += is_utf8
            out.write(_spaced(line) if whitespace else line)
    return target, odd


def _spaced(line: str) -> str:
    """Return a line with single tabs between its values; nothing for a blank one."""
    return "\t".join(line.split()) + "\n" if line.strip() else ""


def _decoded(raw: bytes, encoding: str) -> tuple[str, bool]:
    """Return a line of a file that is not all UTF-8, and whether it is UTF-8 nevertheless: more than ASCII, and valid."""
    if raw.isascii():
        return raw.decode("ascii"), False
    try:
        return raw.decode("utf-8"), True
    except UnicodeDecodeError:
        return raw.decode(encoding, errors="replace"), False

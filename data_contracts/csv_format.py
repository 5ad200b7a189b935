"""How a text file is written: its encoding, its delimiter, and whether its first line names the columns."""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leitstand.errors import SourceError

WHITESPACE = " "
DELIMITERS = (";", "\t", "|", ",")  # the likelier a mark stands inside values, the later: in "1,5;2,5" both marks are regular
SPELLED = {"tab": "\t", "\\t": "\t", "space": WHITESPACE, "whitespace": WHITESPACE, "\\s+": WHITESPACE}
SAMPLE_BYTES = 1 << 18
CHUNK_BYTES = 1 << 22
FIELD_BYTES = (
    2**31 - 1
)  # the most that the csv module takes everywhere; its own limit is 131,072, less than a long text or a sound
# What Western European machines write when it is not UTF-8: Windows, DOS, old Macs, Windows for Central Europe.
LEGACY = ("cp1252", "cp850", "mac_roman", "cp1250")
LETTERS = "äöüßÄÖÜàáâãåæçèéêëìíîïñòóôõøùúûýÀÁÂÃÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕØÙÚÛÝąćęłńóśźżčďěňřšťůžĄĆĘŁŃŚŹŻČŘŠŽ"
SIGNS = "°µ²³€§–—„“”‚‘’…×±½¼·«»\u00a0"
MAGIC = {
    b"PK\x03\x04": "ZIP/Excel (.xlsx)",
    b"PAR1": "Parquet (.parquet)",
    b"\xd0\xcf\x11\xe0": "old Excel (.xls)",
    b"%PDF": "PDF",
    b"\x1f\x8b": "gzip",
}

_VALUE = re.compile(
    r"[+-]?[\d.,]*\d[\d.,]*(?:[eE][+-]?\d+)?|\d{1,4}[-./]\d{1,2}[-./]\d{1,4}(?:[ T]\d{1,2}:\d{2}.*)?|[+-]?(?:inf|nan)",
    re.IGNORECASE,
)
_SEPARATOR_LINE = re.compile(r"sep=(.)$", re.IGNORECASE)  # Excel writes this as the first line of some CSV files
_YEAR = re.compile(r"(?:19|20)\d\d")


@dataclass(frozen=True)
class Format:
    """How to read a text file.

    Parameters
    ----------
    delimiter : one character; a blank stands for any run of blanks and tabs
    skip_lines : lines before the first row: blank ones, and Excel's ``sep=;``
    names : of the columns
    header : whether the first row holds the names
    """

    encoding: str
    delimiter: str
    skip_lines: int
    names: tuple[str, ...]
    header: bool


def detect_format(path: Path, *, encoding: str | None, delimiter: str | None, header: bool | None) -> Format:
    """Return how the file is written; what is given is checked against the file.

    Raises
    ------
    SourceError
        If the file is no text, or what was given cannot be.
    """
    encoding = _check_encoding(path, encoding) if encoding else detect_encoding(path)
    with path.open("rb") as file:
        sample = codecs.getincrementaldecoder(encoding)().decode(file.read(SAMPLE_BYTES))
    lines = sample.splitlines()
    if len(lines) > 1 and path.stat().st_size > SAMPLE_BYTES:
        lines = lines[:-1]  # the last one may be cut
    skip, stated = _start(lines)
    body = "\n".join(lines[skip:])
    if not body.strip():
        raise SourceError("contracts.file_empty", path=path)
    try:
        chosen = _check_delimiter(path, body, delimiter) if delimiter else stated or detect_delimiter(body)
        rows = split(body, chosen)
    except csv.Error as error:
        raise SourceError("contracts.csv_unreadable", path=path, detail=error) from error
    named = is_header(rows) if header is None else header
    return Format(encoding, chosen, skip, column_names(rows[0], named, path), named)


def detect_encoding(path: Path) -> str:
    """Return the encoding of a text file.

    Raises
    ------
    SourceError
        If it is no text.
    """
    with path.open("rb") as file:
        head = file.read(SAMPLE_BYTES)
    for magic, kind in MAGIC.items():
        if head.startswith(magic):
            raise SourceError("contracts.not_text_but", path=path, kind=kind)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    zeros = (head[0::2].count(0), head[1::2].count(0))
    if any(zeros):  # the zero bytes of UTF-16 all stand on one side
        if min(zeros) == 0 and max(zeros) > len(head) / 4:
            return "utf-16-be" if zeros[0] else "utf-16-le"
        raise SourceError("contracts.not_text", path=path)
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    bad = _first_undecodable(path, "utf-8")
    if bad is None:
        return "utf-8"
    with path.open("rb") as file:
        file.seek(max(0, bad - SAMPLE_BYTES // 8))
        around = file.read(SAMPLE_BYTES // 4)
    if sum(byte < 32 and byte not in b"\t\n\r\f\x1a" for byte in around) > len(around) / 50:
        raise SourceError("contracts.not_text", path=path)
    return _legacy_encoding(around)


def detect_delimiter(body: str) -> str:
    """Return the delimiter that splits every line into equally many fields, or else most lines."""
    shares: dict[str, float] = {}
    for delimiter in (*DELIMITERS, WHITESPACE):
        widths = [len(row) for row in split(body, delimiter)]
        width, count = Counter(widths).most_common(1)[0]
        # A name without the mark over values that hold one: "weight" over "3,5" is a single column of decimals.
        if width == 1 or (widths[0] == 1 and width == 2):
            continue
        if count == len(widths):
            return delimiter
        if delimiter != WHITESPACE:
            shares[delimiter] = count / len(widths)
    absent = next((delimiter for delimiter in reversed(DELIMITERS) if delimiter not in body), ",")
    return max(shares, key=lambda delimiter: shares[delimiter]) if shares else absent


def split(body: str, delimiter: str) -> list[list[str]]:
    """Return the rows of fields, blank lines left out."""
    if delimiter == WHITESPACE:
        return [line.split() for line in body.splitlines() if line.strip()]
    return [row for row in open_rows(io.StringIO(body), delimiter) if row]


def open_rows(lines: Iterable[str], delimiter: str) -> Any:
    """Return a reader of the ``csv`` module that takes fields of any length."""
    csv.field_size_limit(FIELD_BYTES)
    return csv.reader(lines, delimiter=delimiter)


def is_header(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether the first row names the columns: where the rows below hold numbers or dates, it holds none."""
    first, below = rows[0], rows[1:200]
    if not below:
        return not any(_is_value(field) for field in first)
    columns = [[row[i].strip() for row in below if i < len(row) and row[i].strip()] for i in range(len(first))]
    measured = [
        field for field, values in zip(first, columns, strict=True) if values and all(_is_value(value) for value in values)
    ]
    if not measured or any(not _is_value(field) for field in measured):
        return True
    years = {field.strip() for field in measured if _YEAR.fullmatch(field.strip())}
    return len(years) == len(measured) < len(first)  # "product;2022;2023": years as names beside a text


def column_names(first: Sequence[str], header: bool, path: Path) -> tuple[str, ...]:
    """Return the names of the columns, ``column_1`` … where the file has none.

    Raises
    ------
    SourceError
        If a name stands twice.
    """
    names = tuple((name.strip() if header else "") or f"column_{i}" for i, name in enumerate(first, 1))
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise SourceError("contracts.duplicate_columns", path=path, names=", ".join(twice[:5]))
    return names


def _is_value(field: str) -> bool:
    return bool(_VALUE.fullmatch(field.strip()))


def _start(lines: Sequence[str]) -> tuple[int, str | None]:
    skip = next((i for i, line in enumerate(lines) if line.strip()), len(lines))
    stated = _SEPARATOR_LINE.match(lines[skip]) if skip < len(lines) else None
    return (skip + 1, stated[1]) if stated else (skip, None)


def _first_undecodable(path: Path, encoding: str) -> int | None:
    decoder = codecs.getincrementaldecoder(encoding)()
    position = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                return position + error.start
            position += len(chunk)
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return position
    return None


def _legacy_encoding(around: bytes) -> str:
    """Return the encoding in which most signs stand where they make sense: letters beside letters, other signs not inside a word.

    Libraries that tell encodings apart by statistics of language fail on tables, which hold few words and many numbers.
    """
    return max(LEGACY, key=lambda encoding: _sense(around, encoding))  # of equals the first


def _sense(around: bytes, encoding: str) -> int:
    try:
        text = around.decode(encoding)
    except UnicodeDecodeError:
        return -1
    score = 0
    for place, sign in enumerate(text):
        if sign > "\x7f":
            beside = (text[place - 1 : place].isalpha(), text[place + 1 : place + 2].isalpha())
            score += (sign in LETTERS and any(beside)) or (sign in SIGNS and not all(beside))
    return score


def _check_encoding(path: Path, encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
        bad = _first_undecodable(path, name)
    except LookupError as error:
        raise SourceError("contracts.encoding_unknown", path=path, encoding=encoding) from error
    found = detect_encoding(path)
    # Bytes above 127 that happen to be valid UTF-8 are UTF-8: read as anything else, every umlaut would become two wrong letters.
    garbled = found.startswith("utf") and not name.startswith("utf") and not _is_ascii(path)
    if bad is not None or garbled:
        raise SourceError("contracts.encoding_wrong", path=path, encoding=encoding, found=found)
    return "utf-8-sig" if name == "utf-8" and found == "utf-8-sig" else name


def _is_ascii(path: Path) -> bool:
    return _first_undecodable(path, "ascii") is None


def _check_delimiter(path: Path, body: str, delimiter: str) -> str:
    chosen = SPELLED.get(delimiter, delimiter)
    if len(chosen) != 1 or chosen in '"\r\n':
        raise SourceError("contracts.delimiter_impossible", path=path, delimiter=delimiter)
    found = detect_delimiter(body)
    here, there = ({len(row) for row in split(body, mark)} for mark in (chosen, found))
    if (here == {1} or len(here) > 1) and len(there) == 1 and there != {1}:
        raise SourceError(
            "contracts.delimiter_wrong",
            path=path,
            delimiter=delimiter,
            found="\\t" if found == "\t" else found,
            columns=max(there),
        )
    return chosen

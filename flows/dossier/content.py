"""What a dossier consists of, whatever it is written as: sections of paragraphs, tables, pictures and notes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Cell:
    """A piece of text.

    Parameters
    ----------
    sources : numbers of the evidence that it comes from; each becomes a link to the list of evidence
    missing : nobody has filled this in, and the text says so
    strong : set in bold
    section : of this document that it links to
    """

    text: str
    sources: tuple[int, ...] = ()
    missing: bool = False
    strong: bool = False
    section: str | None = None


@dataclass(frozen=True)
class Paragraph:
    """One or more pieces of text in a row."""

    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """A table.

    Parameters
    ----------
    columns : headings; empty for a list of names with values
    widths : shares of the page's width
    anchors : one name per row that links can point to; empty for none
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell | tuple[Cell, ...], ...], ...]
    widths: tuple[float, ...]
    anchors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Picture:
    """A PNG with the text that stands below it and that stands in for it."""

    png: bytes
    caption: Cell
    width: float = 0.85  # share of the page's width


@dataclass(frozen=True)
class Note:
    """A paragraph that is set apart."""

    kind: Literal["good", "bad", "neutral"]
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Signatures:
    """Lines to sign on: who, with the name where it is known."""

    people: tuple[tuple[str, str], ...]
    date: str
    signature: str


Block = Paragraph | Table | Picture | Note | Signatures


@dataclass(frozen=True)
class Section:
    """A part of the document.

    Parameters
    ----------
    id : name that links can point to
    level : 1 for a chapter, 2 for a part of one
    """

    id: str
    title: str
    blocks: Sequence[Block] = field(default=())
    level: int = 1


@dataclass(frozen=True)
class Document:
    """A whole dossier.

    Parameters
    ----------
    subtitle : lines below the title
    words : of the layout: ``contents``, ``page``, ``source`` (before the number of evidence)
    """

    language: str
    title: str
    subtitle: tuple[str, ...]
    sections: tuple[Section, ...]
    words: dict[str, str]
    footer: str

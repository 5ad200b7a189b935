"""A dossier as PDF: ReportLab, with embedded DejaVu fonts, table of contents, bookmarks, links and page numbers.

The fonts are those that Matplotlib brings along, so that a dossier looks the same on every machine. Nothing of the day or the machine goes into the
file (``invariant``): equal evidence gives an equal file.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import matplotlib
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import BaseDocTemplate, CondPageBreak, Frame, Image, KeepTogether, PageBreak, PageTemplate, Spacer
from reportlab.platypus import Paragraph as Text
from reportlab.platypus import Table as Grid
from reportlab.platypus.tableofcontents import TableOfContents

from flows.dossier.content import Block, Cell, Document, Note, Paragraph, Picture, Section, Signatures, Table

FONT, BOLD, ITALIC = "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique"
DARK, BLUE, GREY, LINE, RED = (colors.HexColor(one) for one in ("#1b2a30", "#1f6f8b", "#55666d", "#d5dcdf", "#a23b22"))
NOTES = {"good": ("#eef7f1", "#2d8a57"), "bad": ("#fbf1ee", "#c8553d"), "neutral": ("#f2f5f6", "#9aa5ab")}
MARGIN = 20 * mm
WIDTH = A4[0] - 2 * MARGIN
BODY = ParagraphStyle("body", fontName=FONT, fontSize=8.6, leading=12.2, textColor=DARK, spaceAfter=5)
SMALL = ParagraphStyle("small", BODY, fontSize=7.6, leading=10.2, spaceAfter=0, splitLongWords=1)
CAPTION = ParagraphStyle("caption", BODY, fontSize=7.4, leading=10, textColor=GREY, spaceAfter=8)
TITLE = ParagraphStyle("title", BODY, fontName=BOLD, fontSize=17, leading=22, spaceAfter=6)
SUBTITLE = ParagraphStyle("subtitle", BODY, textColor=GREY, spaceAfter=1)
HEADINGS = {
    1: ParagraphStyle("heading1", BODY, fontName=BOLD, fontSize=13.5, leading=18, textColor=BLUE, spaceBefore=12, spaceAfter=5),
    2: ParagraphStyle("heading2", BODY, fontName=BOLD, fontSize=10, leading=14, spaceBefore=8, spaceAfter=3),
}
CONTENTS = [
    ParagraphStyle("contents1", BODY, spaceAfter=0, spaceBefore=3),
    ParagraphStyle("contents2", SMALL, leftIndent=12, textColor=GREY),
]


def to_pdf(made: Document) -> bytes:
    """Return the document as PDF, A4."""
    _fonts()
    written = io.BytesIO()
    template = _Template(written, made)
    template.multiBuild(list(_story(made)))
    return written.getvalue()


class _Template(BaseDocTemplate):
    """Pages with a footer, and headings that find their way into the contents."""

    def __init__(self, written: io.BytesIO, made: Document) -> None:
        super().__init__(
            written,
            pagesize=A4,
            leftMargin=MARGIN,
            rightMargin=MARGIN,
            topMargin=18 * mm,
            bottomMargin=20 * mm,
            title=made.title,
            author=made.footer,
            lang=made.language,
            invariant=1,
        )
        self._made = made
        frame = Frame(self.leftMargin, self.bottomMargin, self.width, self.height, id="body", leftPadding=0, rightPadding=0)
        self.addPageTemplates(PageTemplate(id="page", frames=[frame], onPage=self._footer))

    def afterFlowable(self, flowable: Any) -> None:  # noqa: N802 - ReportLab's name
        """Note a heading for contents and bookmarks."""
        target = getattr(flowable, "target", None)
        if target is not None:
            id, title, level = target
            self.canv.bookmarkPage(id)
            self.canv.addOutlineEntry(title, id, level=level - 1, closed=level == 1)
            self.notify("TOCEntry", (level - 1, escape(title), self.page, id))

    def _footer(self, canvas: Any, _: Any) -> None:
        canvas.saveState()
        canvas.setFont(FONT, 7)
        canvas.setFillColor(GREY)
        canvas.drawString(MARGIN, 12 * mm, self._made.footer)
        canvas.drawRightString(A4[0] - MARGIN, 12 * mm, f"{self._made.words['page']} {canvas.getPageNumber()}")
        canvas.restoreState()


def _fonts() -> None:
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    for name in (FONT, BOLD, ITALIC, "DejaVuSans-BoldOblique"):
        pdfmetrics.registerFont(TTFont(name, folder / f"{name}.ttf"))
    pdfmetrics.registerFontFamily(FONT, normal=FONT, bold=BOLD, italic=ITALIC, boldItalic="DejaVuSans-BoldOblique")


def _story(made: Document) -> Iterator[Any]:
    yield Text(escape(made.title), TITLE)
    yield from (Text(escape(line), SUBTITLE) for line in made.subtitle)
    first, *others = made.sections
    yield from _section(first, made)
    yield PageBreak()
    heading = Text(escape(made.words["contents"]), HEADINGS[1])
    contents = TableOfContents(levelStyles=CONTENTS, dotsMinLevel=0)
    yield from (heading, contents, PageBreak())
    for section in others:
        yield from _section(section, made)


def _section(section: Section, made: Document) -> Iterator[Any]:
    signed = any(isinstance(block, Signatures) for block in section.blocks)
    yield CondPageBreak((110 if signed else 55 if section.level == 1 else 35) * mm)
    heading = Text(escape(section.title), HEADINGS[section.level])
    heading.target = (section.id, section.title, section.level)
    yield heading
    for block in section.blocks:
        yield from _block(block, made)


def _block(block: Block, made: Document) -> Iterator[Any]:
    match block:
        case Paragraph(cells):
            yield Text(_cells(cells, made), BODY)
        case Note(kind, cells):
            yield _note(kind, _cells(cells, made))
        case Picture(png, caption, width):
            yield _picture(png, _cells((caption,), made), width)
        case Signatures():
            yield _signatures(block)
        case Table():
            yield _table(block, made)
            yield Spacer(1, 6)


def _note(kind: str, told: str) -> Any:
    fill, edge = (colors.HexColor(one) for one in NOTES[kind])
    box = Grid([[Text(told, ParagraphStyle("note", BODY, spaceAfter=0))]], colWidths=[WIDTH], spaceBefore=4, spaceAfter=6)
    box.setStyle(
        [("BACKGROUND", (0, 0), (-1, -1), fill), ("LINEBEFORE", (0, 0), (0, -1), 3, edge), ("LEFTPADDING", (0, 0), (-1, -1), 8)]
    )
    return box


def _picture(png: bytes, caption: str, width: float) -> Any:
    across, up = ImageReader(io.BytesIO(png)).getSize()
    wide = WIDTH * width
    return KeepTogether([Spacer(1, 4), Image(io.BytesIO(png), width=wide, height=wide * up / across), Text(caption, CAPTION)])


def _table(table: Table, made: Document) -> Any:
    rows = [[Text(f"<b>{escape(name)}</b>", SMALL) for name in table.columns]] if table.columns else []
    for number, row in enumerate(table.rows):
        told = [_cells(cell if isinstance(cell, tuple) else (cell,), made) for cell in row]
        anchor = f'<a name="{table.anchors[number]}"/>' if table.anchors else ""
        rows.append([Text(one, SMALL) for one in (anchor + told[0], *told[1:])])
    grid = Grid(rows, colWidths=[WIDTH * width for width in table.widths], repeatRows=1 if table.columns else 0, spaceBefore=2)
    style: list[tuple[Any, ...]] = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), 6),
        ("TOPPADDING", (0, 0), (-1, -1), 2.5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
    ]
    grid.setStyle([*style, ("LINEBELOW", (0, 0), (-1, 0), 1, GREY)] if table.columns else style)
    return grid


def _signatures(block: Signatures) -> Any:
    head = ["", *(Text(escape(name), SMALL) for name in (block.date, block.signature))]
    rows = [[Text(f"{escape(role)}<br/>{escape(name)}", SMALL), "", ""] for role, name in block.people]
    grid = Grid(
        [head, *rows], colWidths=[WIDTH * share for share in (0.36, 0.26, 0.38)], rowHeights=[None, *[15 * mm] * len(rows)]
    )
    grid.setStyle(
        [("VALIGN", (0, 0), (-1, -1), "BOTTOM"), ("LINEBELOW", (0, 1), (-1, -1), 0.6, DARK), ("LEFTPADDING", (0, 0), (-1, -1), 0)]
    )
    return KeepTogether([grid, Spacer(1, 14)])


def _cells(cells: tuple[Cell, ...], made: Document) -> str:
    return " ".join(_cell(cell, made) for cell in cells)


def _cell(cell: Cell, made: Document) -> str:
    shown = escape(cell.text)
    shown = f"<b>{shown}</b>" if cell.strong else shown
    shown = f'<i><font color="{RED.hexval().replace("0x", "#")}">{shown}</font></i>' if cell.missing else shown
    shown = f'<a href="#{cell.section}" color="#1f6f8b">{shown}</a>' if cell.section else shown
    sign = made.words["source"]
    links = "".join(
        f' <a href="#evidence-{one}" color="#1f6f8b"><super size="5.5">[{sign}{one}]</super></a>' for one in cell.sources
    )
    return shown + links

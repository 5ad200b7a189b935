"""The matrix of the portfolio: value over feasibility, a circle per use case, as a picture or as a page with the table."""

import base64
import io
import textwrap
from collections.abc import Sequence
from html import escape
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from flows.business_page import STYLE, shown
from leitstand.errors import UsageError
from leitstand.portfolio import MONTHS_THAT_HALVE, Place
from leitstand.texts import Language, text

BLUE, GREY, RED = "#1f6f8b", "#9aa5ab", "#c8553d"
SMALLEST, LARGEST = 80, 900  # of a circle, in square points
LABEL = 38  # characters of a line beside the picture
MIDDLE = 0.5  # of feasibility: right of it stands what is likelier to work out than not


def write_matrix(places: Sequence[Place], path: Path, language: Language) -> None:
    """Write the picture, or the page with picture and table, as the file's name ends.

    Raises
    ------
    UsageError
        If the name ends otherwise, nothing can be drawn, or the file cannot be written.
    """
    ending = path.suffix.lower()
    if ending not in (".png", ".html"):
        raise UsageError("benefit.matrix_ending", path=path)
    drawn = [one for one in places if one.value_eur_per_year is not None and one.feasibility is not None]
    if not drawn:
        raise UsageError("benefit.matrix_none")
    png = matrix(drawn, language)
    content = png if ending == ".png" else _page(places, png, language).encode("utf-8")
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UsageError("benefit.page_unwritable", path=path, detail=error.strerror) from error


def matrix(places: Sequence[Place], language: Language) -> bytes:
    """Return the picture as PNG: value up, feasibility to the right, a larger circle for an earlier first result."""
    figure = Figure(figsize=(7.2, 6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    across = [one.feasibility or 0.0 for one in places]
    up = [one.value_eur_per_year or 0.0 for one in places]
    colours = [
        RED if value < 0 else BLUE if one.candidate.kind == "project" else GREY for one, value in zip(places, up, strict=True)
    ]
    axes.scatter(across, up, s=[_size(one) for one in places], c=colours, alpha=0.65, edgecolors="white")
    for one, right, height in zip(places, across, up, strict=True):
        axes.annotate(str(one.rank), (right, height), ha="center", va="center", fontsize=10, fontweight="bold")
    named = [f"{one.rank}  {_named(one, language)}: {_when(one, language)}" for one in places]
    figure.text(1.02, 0.5, "\n\n".join(named), ha="left", va="center", fontsize=9)
    axes.axvline(MIDDLE, color=GREY, linewidth=0.8, linestyle="--")
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_xlim(0, 1.05)
    axes.margins(y=0.2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %" if language == "de" else f"{100 * value:.0f}%")
    axes.yaxis.set_major_formatter(lambda value, _: shown(value, language))
    axes.set_xlabel(f"{text('benefit.matrix_feasibility', language)}\n{text('benefit.matrix_size', language)}")
    axes.set_ylabel(text("benefit.matrix_value", language))
    axes.set_title(text("benefit.matrix_title", language), loc="left", fontweight="bold")
    written = io.BytesIO()
    figure.savefig(written, format="png", dpi=130, bbox_inches="tight", metadata={"Software": None})
    return written.getvalue()


def _size(one: Place) -> float:
    """Return the area of a circle: full for a result that is there, half for one in a year."""
    months = one.months_to_first_result or 0.0
    return max(SMALLEST, LARGEST * MONTHS_THAT_HALVE / (MONTHS_THAT_HALVE + months))


def _named(one: Place, language: Language) -> str:
    """Return the title, in lines that fit beside the picture."""
    title = one.candidate.title.in_language(language) if one.candidate.title else one.candidate.name
    return "\n    ".join(textwrap.wrap(title, LABEL))


def _when(one: Place, language: Language) -> str:
    if not one.months_to_first_result:
        return text("benefit.matrix_now", language)
    return text("benefit.matrix_months", language, months=shown(one.months_to_first_result, language))


def _page(places: Sequence[Place], png: bytes, language: Language) -> str:
    title = escape(text("benefit.matrix_title", language))
    columns = ("rank", "name", "value", "feasibility", "months", "score")
    head = "".join(f"<th>{escape(text(f'benefit.{column}', language))}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in _row(one, language))}</tr>" for one in places)
    alt = escape(text("benefit.matrix_alt", language))
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{STYLE} img{{max-width:100%}} td:nth-child(2),th:nth-child(2){{text-align:left}}</style></head>"
        f'<body><h1>{title}</h1><img src="data:image/png;base64,{base64.b64encode(png).decode("ascii")}" alt="{alt}">'
        f"<table><tr>{head}</tr>{body}</table><p>{escape(text('benefit.portfolio_how', language))}</p></body></html>\n"
    )


def _row(one: Place, language: Language) -> tuple[str, ...]:
    name = one.candidate.title.in_language(language) if one.candidate.title else one.candidate.name
    if one.candidate.problem is not None:
        name = text("benefit.unreadable", language, name=one.candidate.name, problem=one.candidate.problem.render(language))
    feasibility = None if one.feasibility is None else 100 * one.feasibility
    figures = (
        shown(one.value_eur_per_year, language),
        f"{shown(feasibility, language)} %",
        shown(one.months_to_first_result, language, 1),
    )
    return (str(one.rank or "–"), name, *figures, shown(one.score_eur_per_year, language))

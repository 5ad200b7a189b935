"""The page of a business case: its main figures and the tornado as a picture, in one file that needs nothing beside it."""

import io
import re
from html import escape
from pathlib import Path

from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from flows.business import Analysis
from leitstand.errors import UsageError
from leitstand.texts import Language, text
from leitstand.uncertainty import Bar

BLUE, RED = "#1f6f8b", "#c8553d"
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b2a30}"
    "table{border-collapse:collapse}td,th{padding:.3rem 1rem .3rem 0;text-align:right;border-bottom:1px solid #d5dcdf}"
    "td:first-child,th:first-child{text-align:left}svg{max-width:100%;height:auto}"
)


def write_page(found: Analysis, path: Path, language: Language) -> None:
    """Write the page.

    Raises
    ------
    UsageError
        If the file cannot be written.
    """
    page = _page(found, language)
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError("benefit.page_unwritable", path=path, detail=error.strerror) from error


def tornado_svg(found: Analysis, language: Language) -> str:
    """Return the tornado as an SVG element: one bar per assumption, from the net present value at its low to that at its high bound."""
    bars = found.tornado[::-1]
    middle = found.promised.net_present_value_eur or 0.0
    figure = Figure(figsize=(9, 1.4 + 0.45 * len(bars)), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    names = [_label(bar, language) for bar in bars]
    for end, colour in (("low", RED), ("high", BLUE)):
        widths = [getattr(bar, f"npv_at_{end}_eur") - middle for bar in bars]
        axes.barh(names, widths, left=middle, color=colour, label=text(f"benefit.at_{end}", language))
    axes.axvline(middle, color="black", linewidth=0.8)
    axes.axvline(0, color="black", linewidth=0.8, linestyle="--")
    axes.xaxis.set_major_formatter(lambda value, _: shown(value, language))
    axes.set_title(text("benefit.tornado_picture", language))
    if bars:
        axes.legend(fontsize=8, loc="lower right")
    drawn = io.StringIO()
    with rc_context({"svg.hashsalt": "leitstand"}):  # the same case gives the same file
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    return re.sub(r"^.*?(?=<svg)", "", drawn.getvalue(), flags=re.DOTALL)


def shown(value: float | None, language: Language, digits: int = 0) -> str:
    """Return a figure as people of the language write it."""
    if value is None:
        return "–"
    written = f"{value:,.{digits}f}"
    return written.translate(str.maketrans(",.", ".,")) if language == "de" else written


def _page(found: Analysis, language: Language) -> str:
    def say(key: str, **values: object) -> str:
        return escape(text(f"benefit.{key}", language, **values))

    spec, figure, sure = found.spec, found.spec.key_figure, found.simulation
    limit = shown(found.benefit.max_payback_months, language)
    today = shown(figure.today, language, 1)
    source = figure.source or text("benefit.not_said", language)
    verdict = "within" if found.within_limit else "beyond" if not found.promised.within_limit else "measured_beyond"
    within, gain = shown(100 * sure.probability_within_limit, language, 1), shown(100 * sure.probability_of_gain, language, 1)
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(spec.title.in_language(language))}</title>'
        f"<style>{STYLE}</style></head><body><h1>{escape(spec.title.in_language(language))}</h1>"
        f"<p>{say('key_figure', name=figure.name.in_language(language), today=today, unit=figure.unit, source=source)}</p>"
        + (f"<p>{say('source', source=found.benefit.source)}</p>" if found.benefit.source else "")
        + f"{_table(found, language)}<p>{say(f'verdict_{verdict}', months=limit)} "
        f"{say('odds', within=within, draws=shown(sure.draws, language), months=limit, gain=gain)}</p>"
        f"{tornado_svg(found, language)}</body></html>\n"
    )


def _table(found: Analysis, language: Language) -> str:
    cases = [("promised", found.promised), *([("measured", found.measured)] if found.measured else [])]
    years, rate = found.benefit.horizon_years, shown(100 * found.benefit.discount_rate, language, 1)
    rows = [
        (text("benefit.savings", language), *(shown(one.savings_eur_per_year, language) for _, one in cases)),
        (text("benefit.net", language), *(shown(one.net_eur_per_year, language) for _, one in cases)),
        (text("benefit.investment", language), *(shown(found.benefit.investment_eur, language) for _ in cases)),
        (text("benefit.payback", language), *(_months(one.payback_months, language) for _, one in cases)),
        (
            text("benefit.npv", language, years=years, rate=rate),
            *(shown(one.net_present_value_eur, language) for _, one in cases),
        ),
    ]
    head = "".join(f"<th>{escape(text(f'benefit.{key}', language))}</th>" for key in ("figure", *(key for key, _ in cases)))
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _label(bar: Bar, language: Language) -> str:
    one = bar.assumption
    digits = 0 if one.high >= 100 else 2
    bounds = f"{shown(one.low, language, digits)} … {shown(one.high, language, digits)}"
    key = one.key.replace(".", "_")
    return f"{text(f'benefit.{key}', language)}\n{bounds}"


def _months(months: float | None, language: Language) -> str:
    return text("benefit.never", language) if months is None else shown(months, language, 1)

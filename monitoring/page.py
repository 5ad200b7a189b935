"""The page for people: what was found in both languages, and Evidently's pictures below. One file that loads nothing from anywhere."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from leitstand.figures import figure
from leitstand.texts import LANGUAGES, Language, text
from monitoring.files import write_atomically
from monitoring.result import MonitoringResult

# Evidently's page holds its own scripts and fonts; the policy makes the browser refuse whatever a library may try to fetch nevertheless.
POLICY = (
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; worker-src blob:; form-action 'none'; base-uri 'none'\">"
)
STYLE = """<style>
.leitstand { font: 16px/1.5 system-ui, sans-serif; color: #1b1f24; max-width: 76rem; margin: 0 auto; padding: 1rem; }
.leitstand-languages { display: grid; grid-template-columns: repeat(auto-fit, minmax(22rem, 1fr)); gap: 2rem; }
.leitstand table { border-collapse: collapse; width: 100%; margin-top: 1rem; }
.leitstand th, .leitstand td { border-bottom: 1px solid #d0d7de; padding: .25rem .5rem; text-align: left; }
.leitstand .drifted { font-weight: 700; color: #a40e26; }
</style>"""
EMPTY = '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="UTF-8">\n</head>\n<body>\n</body>\n</html>\n'
MOST_COLUMNS = 15


def write_page(path: Path, result: MonitoringResult, pictures: str | None) -> None:
    """Write the page.

    Parameters
    ----------
    pictures : Evidently's whole HTML document; None where there is nothing to draw

    Raises
    ------
    StateError
        If it cannot be written.
    """
    document = pictures if pictures is not None else EMPTY
    title = f"<title>{escape(text('monitoring.page_title', 'en', project=result.project))}</title>"
    document = document.replace("<head>", f"<head>{POLICY}{title}{STYLE}", 1)
    write_atomically(path, document.replace("<body>", f"<body>{_head(result)}", 1))


def _head(result: MonitoringResult) -> str:
    sections = "".join(_section(result, language) for language in LANGUAGES)
    return f'<main class="leitstand"><div class="leitstand-languages">{sections}</div></main>'


def _section(result: MonitoringResult, language: Language) -> str:
    title = text("monitoring.page_title", language, project=result.project)
    version = result.model_version if result.model_version is not None else "–"
    stamp = text("monitoring.page_version", language, version=version, time=f"{result.time:%Y-%m-%d %H:%M}")
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in result.sentences(language))
    tables = _drift_table(result, language) + _metric_table(result, language)
    return f'<section lang="{language}"><h1>{escape(title)}</h1><p>{escape(stamp)}</p><ul>{items}</ul>{tables}</section>'


def _drift_table(result: MonitoringResult, language: Language) -> str:
    rows = []
    for column in (*result.answers, *result.columns[:MOST_COLUMNS]):
        verdict = "drifted" if column.drifted else "steady"
        effect = figure(column.effect, language) if column.effect is not None else "–"
        method = text(f"monitoring.method_{column.method}", language)
        rows.append((column.name, effect, method, text(f"monitoring.page_{verdict}", language)))
    marked = [column.drifted for column in (*result.answers, *result.columns[:MOST_COLUMNS])]
    return _table([text(f"monitoring.page_{key}", language) for key in ("column", "effect", "method", "verdict")], rows, marked)


def _metric_table(result: MonitoringResult, language: Language) -> str:
    before = result.reference_metrics
    rows = [
        (name, figure(value, language), figure(before[name], language) if name in before else "–")
        for name, value in result.metrics.items()
    ]
    return _table([text(f"monitoring.page_{key}", language) for key in ("metric", "now", "holdout")], rows, [False] * len(rows))


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], marked: Sequence[bool]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join(
        f"<tr{' class=drifted' if mark else ''}>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row, mark in zip(rows, marked, strict=True)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

"""The page of a project: a form made from its contract to try the service by hand, and an index of what is served.

Everything is in the one file: styles and script stand inline, allowed by their hashes in the Content-Security-Policy, and nothing else may
run or load. Titles, names and descriptions come from files that others wrote, so Jinja escapes them all, and the script sets texts only.
"""

import base64
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from leitstand.contract import Column, Scalar
from leitstand.model import ModelCard
from leitstand.project import Project
from leitstand.texts import LANGUAGES, Language, messages, text
from serving.answers import ServedModel
from serving.examples import example_row

MANY_DIGITS = 10  # significant ones of a number that the page shows
INPUTS = {
    "number": "number",
    "integer": "number",
    "date": "date",
    "timestamp": "datetime-local",
    "file": "file",
    "string": "text",
}


@dataclass(frozen=True)
class Listed:
    """One project on the index.

    Parameters
    ----------
    version : of the model that answers; None where none does
    detail : why none does, in the reader's language
    """

    name: str
    title: str
    task: str
    version: int | None = None
    synthetic: bool = False
    detail: str = ""


def page(
    project: Project,
    served: ServedModel,
    card: ModelCard,
    language: Language,
    *,
    protected: bool,
    usual: Mapping[str, Scalar] | None = None,
) -> bytes:
    """Return the project's page as UTF-8 HTML; to be sent with ``page_headers(language)``.

    Parameters
    ----------
    protected : whether the service asks for an API key
    usual : values to fill the form with, see ``serving.examples.typical``
    """
    row = example_row(project, usual)
    fields = [_field(f"f{i}", column, row.get(column.name), language) for i, column in enumerate(project.input_contract.columns)]
    return _render(
        "project.html",
        language,
        title=project.spec.title.in_language(language),
        task=project.spec.task,
        served=served,
        protected=protected,
        fields=fields,
        history=project.spec.data.history_rows,
        target=_label(_target(project), language),
        settings=_settings(project, card, served, fields, language) | {"ranges": {} if protected else _ranges(project, card)},
    )


def index(projects: Sequence[Listed], language: Language) -> bytes:
    """Return the page that lists what is served, as UTF-8 HTML; to be sent with ``page_headers(language)``."""
    return _render("index.html", language, title=text("page.index_title", language), projects=projects)


def page_headers(language: Language) -> dict[str, str]:
    """Return the headers of both pages, besides those of every answer: nothing may run or load but what is in them."""
    return {
        "content-type": "text/html; charset=utf-8",
        "content-language": language,
        "vary": "Accept-Language",
        "content-security-policy": _policy(),
        "cross-origin-opener-policy": "same-origin",
    }


def _settings(
    project: Project, card: ModelCard, served: ServedModel, fields: list[dict[str, Any]], language: Language
) -> dict[str, Any]:
    """Return what the script needs to know."""
    target = _target(project)
    classes = target.allowed or card.classes
    return {
        "language": language,
        "task": project.spec.task,
        "version": served.version,
        "fields": [{name: field[name] for name in ("id", "name", "label", "type", "maxBytes")} for field in fields],
        "target": {"type": target.type, "unit": target.unit or "", "label": _label(target, language), "allowed": list(classes)},
        "threshold": card.threshold,
        "confidence": card.confidence,
        "texts": {key: forms[language] for key, forms in messages("page_script").items()},
    }


def _ranges(project: Project, card: ModelCard) -> dict[str, tuple[float, float]]:
    """Return what training has seen of the columns that say nothing of a person."""
    open_to_all = {column.name for column in project.input_contract.columns if not column.is_guarded}
    return {name: seen for name, seen in card.ranges.items() if name in open_to_all and all(map(math.isfinite, seen))}


def _target(project: Project) -> Column:
    return project.contract.column(project.spec.data.target)


def _field(identifier: str, column: Column, value: Any, language: Language) -> dict[str, Any]:
    """Return one field of the form, as the template takes it."""
    label = _label(column, language)
    return {
        "id": identifier,
        "name": column.name,
        "label": label,
        "type": column.type,
        "kind": _kind(column),
        "unit": column.unit or "",
        "required": column.required,
        "hints": ([] if label == column.name else [column.name]) + _hints(column, language),
        "minimum": column.minimum,
        "maximum": column.maximum,
        "options": [(_plain(option), _shown(option, language)) for option in column.allowed],
        "value": _prefilled(column, value, language),
        "accept": column.media_type or "",
        "maxBytes": column.max_bytes,
    }


def _kind(column: Column) -> str:
    if column.allowed or column.type == "boolean":
        return "boolean" if column.type == "boolean" else "select"
    return INPUTS[column.type]


def _label(column: Column, language: Language) -> str:
    return (column.description.in_language(language) if column.description else "") or column.name


def _hints(column: Column, language: Language) -> list[str]:
    """Return in words what the field takes, as far as its control does not show it."""
    if column.allowed:
        return []
    low, high = (None if bound is None else _shown(bound, language) for bound in (column.minimum, column.maximum))
    bounds = {"minimum": low, "maximum": high}
    key = ("between" if high else "at_least") if low else ("at_most" if high else None)
    found: list[tuple[str, dict[str, Any]]] = [("integer", {})] if column.type == "integer" else []
    found += [(key, bounds)] if key else []
    found += [("length", {"count": column.max_length})] if column.max_length else []
    found += [("pattern", {"pattern": column.pattern})] if column.pattern else []
    found += [("utc", {})] if column.type == "timestamp" else []
    found += [("bytes", {"size": _size(column.max_bytes, language)})] if column.max_bytes else []
    media = [column.media_type] if column.media_type else []
    return media + [text(f"page.hint_{name}", language, **values) for name, values in found]


def _size(count: int, language: Language) -> str:
    for unit, size in (("MB", 1_000_000), ("kB", 1_000)):
        if count >= size:
            return f"{_shown(round(count / size, 1), language)} {unit}"
    return f"{count} Byte" if language == "de" else f"{count} bytes"


def _prefilled(column: Column, value: Any, language: Language) -> str:
    if value is None or column.type == "file":
        return ""
    if column.allowed or column.type == "boolean":
        return _plain(value)
    return str(value).removesuffix("Z") if column.type == "timestamp" else _shown(value, language)


def _plain(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _shown(value: Any, language: Language) -> str:
    """Return a value as people write it: numbers with the language's decimal sign and without exponents where they are of usual size."""
    if isinstance(value, bool):
        return text(f"page.{_plain(value)}", language)
    if not isinstance(value, int | float):
        return str(value)
    shown = str(value) if isinstance(value, int) else f"{value:.{MANY_DIGITS}g}"
    return shown.replace(".", ",") if language == "de" else shown


def _render(template: str, language: Language, **values: Any) -> bytes:
    def say(key: str, **parts: object) -> str:
        return text(f"page.{key}", language, **parts)

    other: Language = next(name for name in LANGUAGES if name != language)
    made = _environment().get_template(template)
    style, script = _asset("page.css"), _asset("page.js")
    return made.render(say=say, language=language, other=other, style=style, script=script, **values).encode()


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("serving", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _asset(name: str) -> str:
    return (files("serving") / "assets" / name).read_text(encoding="utf-8")


@cache
def _policy() -> str:
    script, style = (_hash(_asset(name)) for name in ("page.js", "page.css"))
    return (
        f"default-src 'none'; script-src {script}; style-src {style}; img-src data:; connect-src 'self'; form-action 'none'; "
        "frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"

"""The one form of every error answer: RFC 9457 problem+json, in the language the client asks for."""

import json
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, ValidationError

from leitstand.contract import Column
from leitstand.errors import LeitstandError, StateError, UnknownName
from leitstand.texts import Language, text

MEDIA_TYPE = "application/problem+json"
MOST_ERRORS = 20  # listed in one answer; all are counted
LONGEST_SHOWN = 60  # characters of a value that a message repeats


class ProblemError(BaseModel):
    """One thing that is wrong with the request."""

    model_config = ConfigDict(extra="forbid")

    pointer: str
    row: int | None = None
    column: str | None = None
    detail: str


class ProblemDocument(BaseModel):
    """What every error answer holds (RFC 9457, section 3.1); a row counts from 1, a pointer (RFC 6901) from 0."""

    model_config = ConfigDict(extra="forbid")

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None
    errors: list[ProblemError] = []


class Problem(Exception):
    """A request that gets an error answer.

    Parameters
    ----------
    status : HTTP status, 400 to 599
    name : of the kind of problem: the catalogue has its title as ``serving.title_<name>``, and its type is ``urn:leitstand:problem:<name>``
    detail : the message, as a function of the language
    errors : what is wrong in detail, as a function of the language
    headers : to send with it
    instance : URI of this one occurrence
    """

    def __init__(
        self,
        status: int,
        name: str,
        detail: Callable[[Language], str],
        *,
        errors: Callable[[Language], list[ProblemError]] = lambda _: [],
        headers: Mapping[str, str] | None = None,
        instance: str | None = None,
    ) -> None:
        super().__init__(detail("en"))
        self.status, self.name, self.detail, self.errors = status, name, detail, errors
        self.headers = dict(headers or {})
        self.instance = instance

    def document(self, language: Language) -> ProblemDocument:
        """Return the answer's content in ``language``."""
        return ProblemDocument(
            type=f"urn:leitstand:problem:{self.name.replace('_', '-')}",
            title=text(f"serving.title_{self.name}", language),
            status=self.status,
            detail=self.detail(language),
            instance=self.instance,
            errors=self.errors(language),
        )


def saying(key: str, **values: object) -> Callable[[Language], str]:
    """Return the catalogue's message as a function of the language."""
    return lambda language: text(key, language, **values)


def of_error(status: int, name: str, error: LeitstandError) -> Problem:
    """Return the problem that one of our errors is to the client."""
    return Problem(status, name, lambda language: without_folders(error, language))


def problem_of(error: Exception, seconds: float) -> Problem:
    """Return the problem that an error is to the client; one that nobody expected tells its number and nothing of our insides.

    Parameters
    ----------
    seconds : the limit that a time-out was over
    """
    if isinstance(error, Problem):
        return error
    if isinstance(error, TimeoutError):
        return Problem(503, "too_slow", saying("serving.too_slow", seconds=f"{seconds:g}"))
    if isinstance(error, StateError):
        return Problem(503, "log_unavailable", saying("serving.log_unavailable"), headers={"Retry-After": "5"})
    incident = uuid4().urn
    return Problem(500, "internal", saying("serving.internal", incident=incident), instance=incident)


def without_folders(error: LeitstandError, language: Language) -> str:
    """Return the message of an error without where on this machine its files lie."""
    values = {name: _last_part(value) if name in ("path", "folder", "file") else value for name, value in error.values.items()}
    return text(error.key, language, **values)


def _last_part(value: object) -> str:
    return PurePath(str(value)).name


def of_validation(error: ValidationError, key: str, columns: Mapping[str, Column], most: int, project: str) -> Problem:
    """Return what pydantic found as a problem.

    Parameters
    ----------
    key : the body's only key: ``rows`` or ``labels``
    columns : the rule of every key that an entry may have
    most : entries allowed in one request
    """
    found = error.errors(include_url=False, include_context=False)
    if found[0]["type"] == "json_invalid":
        reason = found[0]["msg"].removeprefix("Invalid JSON: ")
        return Problem(400, "json_invalid", saying("serving.json_invalid", detail=reason))

    def listed(language: Language) -> list[ProblemError]:
        return [_entry(item, key, columns, most, project, language) for item in found[:MOST_ERRORS]]

    def detail(language: Language) -> str:
        first = _entry(found[0], key, columns, most, project, language).detail
        if len(found) == 1:
            return first
        return text("serving.and_more", language, first=first, count=len(found) - 1, most=MOST_ERRORS)

    return Problem(422, "request_invalid", detail, errors=listed)


def expectation(column: Column, language: Language) -> str:
    """Return in words which values a column takes, such as "a number from 0 to 50 in mm/s"."""
    if column.allowed:
        values = ", ".join(json.dumps(value, ensure_ascii=False) for value in column.allowed[:10])
        return text("serving.expect_allowed", language, values=values + (" …" if len(column.allowed) > 10 else ""))
    parts = [text(f"serving.expect_{column.type}", language)]
    low, high = column.minimum, column.maximum
    if low is not None and high is not None:
        parts.append(text("serving.expect_between", language, minimum=_figure(low), maximum=_figure(high)))
    elif low is not None:
        parts.append(text("serving.expect_at_least", language, minimum=_figure(low)))
    elif high is not None:
        parts.append(text("serving.expect_at_most", language, maximum=_figure(high)))
    if column.unit:
        parts.append(text("serving.expect_unit", language, unit=column.unit))
    if column.max_length is not None:
        parts.append(text("serving.expect_length", language, count=column.max_length))
    if column.max_bytes is not None:
        parts.append(text("serving.expect_bytes", language, count=column.max_bytes))
    if column.pattern is not None:
        parts.append(text("serving.expect_pattern", language, pattern=column.pattern))
    return " ".join(parts)


def _figure(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else str(value)


def _entry(item: Any, key: str, columns: Mapping[str, Column], most: int, project: str, language: Language) -> ProblemError:
    """Return one finding of pydantic; its ``loc`` is (key, index of the entry, name in the entry)."""
    place, found = item["loc"], shown(item["input"])
    pointer = "#" + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in place)
    if item["type"] in ("too_short", "too_long") and place == (key,):
        detail = text("serving.entries_count", language, key=key, most=most, found=len(item["input"]))
        return ProblemError(pointer=pointer, detail=detail)
    if len(place) < 2:
        return ProblemError(pointer=pointer, detail=text("serving.entries_list", language, key=key, project=project, found=found))
    row = place[1] + 1
    if len(place) < 3:
        return ProblemError(pointer=pointer, row=row, detail=text("serving.entry_object", language, row=row, found=found))
    name = str(place[2])
    if name not in columns:
        close = UnknownName("column", name, columns)
        which = "serving.entry_unknown_close" if close.close else "serving.entry_unknown"
        detail = text(which, language, row=row, column=clipped(name), known=close.values["known"])
        return ProblemError(pointer=clipped(pointer), row=row, column=clipped(name), detail=detail)
    expected = expectation(columns[name], language)
    if item["type"] == "missing":
        detail = text("serving.entry_missing", language, row=row, column=name, expected=expected)
    else:
        detail = text("serving.entry_value", language, row=row, column=name, expected=expected, found=found)
    return ProblemError(pointer=pointer, row=row, column=name, detail=detail)


def shown(value: Any) -> str:
    """Return a value of the request as JSON, short enough for a message."""
    if isinstance(value, Mapping):
        return "{…}" if value else "{}"
    if isinstance(value, list):
        return "[…]" if value else "[]"
    if isinstance(value, bytes):
        return clipped(value[:LONGEST_SHOWN].decode("utf-8", "replace"))
    return clipped(json.dumps(value[: 2 * LONGEST_SHOWN] if isinstance(value, str) else value, ensure_ascii=False, default=str))


def clipped(value: str) -> str:
    """Return a text short enough for a message."""
    return value if len(value) <= LONGEST_SHOWN else value[:LONGEST_SHOWN] + "…"

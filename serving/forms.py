"""Requests as a browser or ``curl -F`` sends files: ``multipart/form-data`` (RFC 7578), one row per request, one part per column.

The parts become the JSON body of the same request, so that the contract is checked in one place. The name a file had is never used.
"""

import base64
import math
from collections.abc import AsyncGenerator
from typing import Any

import orjson
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from leitstand.contract import Column, Contract
from leitstand.spec import Serving
from serving.problems import Problem, clipped, saying
from serving.request import Scope, header, next_message, too_large
from serving.schema import GERMAN_NUMBER

FORM = b"multipart/form-data"
ANYTHING = "application/octet-stream"  # what a client says that does not know better
TRUTH = {"true": True, "1": True, "ja": True, "yes": True, "false": False, "0": False, "nein": False, "no": False}


def is_form(scope: Scope) -> bool:
    """Return whether the body is a form with files."""
    return header(scope, b"content-type").partition(b";")[0].strip().lower() == FORM


async def form_as_json(scope: Scope, receive: Any, contract: Contract, limits: Serving) -> bytes:
    """Return a form as the JSON body of the same request.

    Raises
    ------
    Problem
        If it is no such form, too large, or a file is of another media type than its column.
    Gone
        If the client is.
    """
    columns = {column.name: column for column in contract.columns}
    parser = MultiPartParser(
        Headers(raw=list(scope["headers"])), _bounded(receive, limits), max_files=len(columns), max_fields=len(columns)
    )
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise Problem(400, "form_invalid", saying("serving.form_invalid", detail=clipped(str(error)))) from error
    row: dict[str, Any] = {}
    try:
        for name, value in form.multi_items():
            if name in row:
                raise Problem(422, "request_invalid", saying("serving.form_twice", column=clipped(name)))
            column = columns.get(name)
            if isinstance(value, UploadFile):
                _require_media_type(column, value.content_type)
                row[name] = base64.b64encode(await value.read()).decode()
            elif value != "" or column is None:
                row[name] = value if column is None else _typed(value, column)
    finally:
        await form.close()
    return orjson.dumps({"rows": [row]})


def refuse_foreign_page(scope: Scope) -> None:
    """Refuse a form that a page of another site made a browser send: for forms no browser asks first, and it adds a key that it remembers.

    Browsers say where a request comes from (W3C, Fetch Metadata Request Headers); programs do not.

    Raises
    ------
    Problem
        403.
    """
    if header(scope, b"sec-fetch-site") not in (b"", b"none", b"same-origin"):
        raise Problem(403, "foreign_page", saying("serving.foreign_page"))


async def _bounded(receive: Any, limits: Serving) -> AsyncGenerator[bytes, None]:
    most, size, more = int(limits.max_body_mb * 1_000_000), 0, True
    while more:
        message = await next_message(receive)
        size += len(message.get("body", b""))
        if size > most:
            raise too_large(limits)
        yield message.get("body", b"")
        more = message.get("more_body", False)


def _require_media_type(column: Column | None, found: str | None) -> None:
    wanted = column.media_type if column is not None else None
    if wanted and found and found.partition(";")[0].strip().lower() not in (wanted.lower(), ANYTHING):
        said = saying("serving.part_media_type", column=column.name if column else "", expected=wanted, found=clipped(found))
        raise Problem(415, "media_type", said)


def _typed(value: str, column: Column) -> Any:
    """Return the text of a part as JSON has its column; what does not fit stays a text, which the contract then refuses by name."""
    if column.type == "boolean":
        return TRUTH.get(value.strip().lower(), value)
    if not column.is_number or (column.decimal == "," and GERMAN_NUMBER.fullmatch(value)):
        return value
    try:
        number = int(value) if column.type == "integer" else float(value)
    except ValueError:
        return value
    return number if math.isfinite(number) else value

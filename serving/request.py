"""Reading a request off the wire within limits, and what its headers say. Plain ASGI: a framework's request object costs more than the answer."""

import asyncio
from collections.abc import Awaitable, Iterable, MutableMapping
from typing import Any

from leitstand.spec import Serving
from leitstand.texts import LANGUAGES, Language
from serving.problems import Problem, saying

Scope = MutableMapping[str, Any]
JSON = b"application/json"


class Gone(Exception):
    """The client has closed the connection; nobody is left to read an answer."""


def header(scope: Scope, name: bytes) -> bytes:
    """Return the value of a header, empty where it is not there; ``name`` in lower case."""
    headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
    return next((value for key, value in headers if key == name), b"")


def client_host(scope: Scope) -> str:
    """Return the address a request came from."""
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


def preferred(wanted: str, default: Language) -> Language:
    """Return the language that an ``Accept-Language`` header (RFC 9110, section 12.5.4) likes best among ours."""
    best, weight = default, 0.0
    for item in wanted[:500].split(","):
        tag, *parameters = (part.strip().lower() for part in item.split(";"))
        quality = next((value for name, _, value in (one.partition("=") for one in parameters) if name.strip() == "q"), "1")
        try:
            q = float(quality)
        except ValueError:
            continue
        for language in LANGUAGES:
            if tag.split("-")[0] == language and q > weight:
                best, weight = language, q
    return best


async def read_body(scope: Scope, receive: Any, limits: Serving) -> bytes:
    """Return the request's JSON body.

    Raises
    ------
    Problem
        If it is no JSON by its header, too large, or too slow.
    Gone
        If the client is.
    """
    media = header(scope, b"content-type")
    if media != JSON and media.partition(b";")[0].strip().lower() != JSON:
        raise Problem(415, "media_type", saying("serving.media_type", found=media[:60].decode("latin-1")))
    encoding = header(scope, b"content-encoding").strip().lower()
    if encoding not in (b"", b"identity"):  # RFC 9110, section 15.5.16; a small body that unpacks to gigabytes is not even tried
        said = saying("serving.content_encoding", found=encoding[:60].decode("latin-1"))
        raise Problem(415, "media_type", said, headers={"Accept-Encoding": "identity"})
    return await within(limits, _whole_body(receive, int(limits.max_body_mb * 1_000_000), limits))


async def within(limits: Serving, body: Awaitable[bytes]) -> bytes:
    """Return the body if it comes in time.

    Raises
    ------
    Problem
        408 if it does not.
    """
    try:
        async with asyncio.timeout(limits.timeout_seconds):
            return await body
    except TimeoutError as error:
        said = saying("serving.body_too_slow", seconds=f"{limits.timeout_seconds:g}")
        raise Problem(408, "body_too_slow", said, headers={"Connection": "close"}) from error


async def _whole_body(receive: Any, most: int, limits: Serving) -> bytes:
    message = await next_message(receive)
    first: bytes = message.get("body", b"")
    if not message.get("more_body") and len(first) <= most:
        return first
    parts, size = [first], len(first)
    while (
        message.get("more_body") and size <= 4 * most
    ):  # up to here it is read and dropped, so that the sender gets to read the answer
        message = await next_message(receive)
        size += len(message.get("body", b""))
        if size <= most:
            parts.append(message.get("body", b""))
    if size > most:
        raise too_large(limits)
    return b"".join(parts)


def too_large(limits: Serving) -> Problem:
    """Return the refusal of a body that is larger than project.yaml allows."""
    said = saying("serving.body_too_large", megabytes=f"{limits.max_body_mb:g}")
    return Problem(413, "body_too_large", said, headers={"Connection": "close"})


async def next_message(receive: Any) -> dict[str, Any]:
    """Return the next part of the body.

    Raises
    ------
    Gone
        If the client is.
    """
    message: dict[str, Any] = await receive()
    if message["type"] == "http.disconnect":
        raise Gone
    return message

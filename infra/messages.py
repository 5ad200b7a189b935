"""Sending a message to an address such as ``mailto://…`` or ``json://…``; the one place that knows Apprise.

Apprise 1.13 calls nobody but the address: it has no telemetry. What it does by itself is switched off here: pictures from its own site,
its name in what it sends, a store of its own on disk. It and its HTTP library log addresses with all that is secret in them when they
debug, so none of their log is passed on.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import apprise

from leitstand.incident import Statement

Weight = Literal["info", "warning", "failure"]
WEBHOOKS = ("form", "json", "xml")
HIDDEN = "***"


@dataclass(frozen=True)
class Delivery:
    """What became of a message.

    Parameters
    ----------
    problem : why it failed, without anything secret of the address; None where it did not
    """

    problem: Statement | None = None

    @property
    def worked(self) -> bool:
        """Whether the other side took it."""
        return self.problem is None


def is_address(address: str) -> bool:
    """Return whether a message can be sent there; nothing is sent."""
    with _silence():
        return _opened(address) is not None


def shown_address(address: str) -> str:
    """Return the address as it may be shown: the service, the recipients of mail, the host of a webhook; nothing that lets anybody in."""
    with _silence():
        service = _opened(address)
    if service is None:
        return _parts(address).scheme or "?"
    recipients = getattr(service, "targets", None)
    if isinstance(service, apprise.NotifyBase) and hasattr(service, "smtp_host"):
        return f"{', '.join(mail for _, mail in recipients or [])} (mailto, {service.smtp_host})"
    if (scheme := _parts(address).scheme).rstrip("s") in WEBHOOKS:
        return f"{scheme}://{service.host}" + (f":{service.port}" if service.port else "")
    return str(service.service_name)


def send(address: str, title: str, body: str, weight: Weight = "info") -> Delivery:
    """Send a plain text message; whatever goes wrong is in the result, and it takes no longer than some seconds.

    Parameters
    ----------
    weight : for services that show colours
    """
    with _silence() as heard:
        service = _opened(address)
        if service is None:
            return Delivery(Statement.of("incidents.channel_unknown"))
        service.notify_format = apprise.NotifyFormat.TEXT
        sender = apprise.Apprise(asset=service.asset)
        sender.add(service)
        try:
            worked = bool(sender.notify(body=body, title=title, notify_type=weight, body_format=apprise.NotifyFormat.TEXT))
        except Exception as error:  # a service's own code: a message that fails must not stop what it tells about
            heard.lines.append(f"{type(error).__name__}: {error}")
            worked = False
    if worked:
        return Delivery()
    detail = without_secrets(" ".join(heard.lines), address)[:300]
    return Delivery(Statement.of("incidents.channel_failed", detail=detail or "–"))


def without_secrets(line: str, address: str) -> str:
    """Return the line with every part of the address but host and scheme blotted out."""
    parts = _parts(address)
    user, _, password = (parts.netloc.rpartition("@")[0]).partition(":")
    pieces = {address, user, password, *parts.path.split("/"), parts.path.strip("/"), parts.query, parts.fragment}
    pieces |= {value for _, value in parse_qsl(parts.query)}
    pieces |= {unquote(piece) for piece in pieces}
    for piece in sorted((piece for piece in pieces if len(piece) > 2), key=len, reverse=True):
        line = line.replace(piece, HIDDEN)
    return line


def _parts(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError:  # such as a bracket that is never closed
        return urlsplit("")


class _Heard(logging.Handler):
    """Keeps the warnings of Apprise."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        self.lines.append(" ".join(record.getMessage().split()))


@contextmanager
def _silence() -> Iterator[_Heard]:
    """Keep the logs of Apprise and of its HTTP library from everybody else for as long as a block runs, and yield what Apprise warned of."""
    heard = _Heard()
    loggers = [logging.getLogger(name) for name in ("apprise", "urllib3")]
    before = [(one.propagate, one.level) for one in loggers]
    for one in loggers:
        one.propagate = False
        one.setLevel(logging.WARNING)
    loggers[0].addHandler(heard)
    loggers[1].addHandler(nowhere := logging.NullHandler())
    try:
        yield heard
    finally:
        loggers[0].removeHandler(heard)
        loggers[1].removeHandler(nowhere)
        for one, (propagate, level) in zip(loggers, before, strict=True):
            one.propagate = propagate
            one.setLevel(level)


def _opened(address: str) -> "apprise.NotifyBase | None":
    asset = apprise.AppriseAsset(
        app_id="Leitstand",
        app_desc="Leitstand",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        storage_mode="memory",
        async_mode=False,
        secure_logging=True,
    )
    found = apprise.Apprise.instantiate(address, asset=asset)
    return found if isinstance(found, apprise.NotifyBase) else None

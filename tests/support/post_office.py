"""A real SMTP server and a real HTTP server on loopback that keep what they are sent."""

import email
import email.policy
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller


@dataclass(frozen=True)
class Mail:
    """One mail as it arrived."""

    to: list[str]
    subject: str
    content_type: str
    body: str
    raw: str


@dataclass
class MailServer:
    """A running SMTP server; ``refuse`` lets it turn every recipient away."""

    port: int
    mails: list[Mail] = field(default_factory=list)
    refuse: bool = False

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if self.refuse:
            return "550 no such person"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
        raw = envelope.content.decode("utf-8", "replace")
        text = parsed.get_content().replace("\r\n", "\n").strip()
        self.mails.append(Mail(list(envelope.rcpt_tos), str(parsed["subject"]), parsed.get_content_type(), text, raw))
        return "250 OK"


@contextmanager
def running_mail_server(port: int) -> Iterator[MailServer]:
    """Run an SMTP server."""
    kept = MailServer(port)
    controller = Controller(kept, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield kept
    finally:
        controller.stop()


@dataclass(frozen=True)
class Call:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    document: Any


@dataclass
class WebhookServer:
    """A running HTTP server; ``answer`` is the status it gives."""

    port: int = 0
    calls: list[Call] = field(default_factory=list)
    answer: int = 200


@contextmanager
def running_webhook() -> Iterator[WebhookServer]:
    """Run an HTTP server on a free port."""
    kept = WebhookServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            kept.calls.append(Call(self.path, headers, json.loads(body)))
            self.send_response(kept.answer)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

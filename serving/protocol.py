"""HTTP/1.1 with a limit on how long, in time and bytes, the head of a request may be.

uvicorn waits for ever for the end of a head, so that one client with a thousand half-sent requests keeps a thousand connections (the attack is
known as Slowloris; RFC 9112, section 9.5, lets a server close such a connection). Bodies have their limits in ``serving.request``.

libuv, and so uvloop, lets one client in per turn of the event loop. A turn of a busy service takes 50 ms, so that twenty new clients a second got in
and the others, health checks among them, waited in the kernel until they gave up. Each socket is therefore listened to many times over.

A service that is asked for twice what it can answer spends its time on saying so. Whoever may refuse a request by its path alone
(``BoundedProtocol.refuse``) therefore does so here, before anything is made for it: a third of the cost of an answer of the application.
"""

import asyncio
import resource
import socket
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

import uvicorn
import uvicorn.config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from leitstand.texts import text
from serving.problems import MEDIA_TYPE, ProblemDocument

HEAD_SECONDS = 10.0
HEAD_BYTES = 65_536
TRAILER_BYTES = 600_000  # that brought neither a head nor a part of a body; one read of the socket may hold 256 kB
SMALL_BODY = 16_000  # bytes; a longer one is better stopped by the application than read to its end for nothing
ACCEPTED_TOGETHER = 32  # new connections per turn of the event loop
IDLE_SECONDS = 75
"""Longer than proxies keep an idle connection (60 s as a rule), which would else send into one that closes at that moment."""
MOST_FILES = 8192
_uvicorn_startup = uvicorn.Server.startup
Refuse = Callable[[bytes, Sequence[tuple[bytes, bytes]]], bytes | None]
"""From the target and the headers of a POST to the rest of a whole answer after the status line and the server's headers; None to let it pass."""


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which closes a connection whose request does not get to the end of its head, and refuses at once what is too much."""

    refuse: ClassVar[Refuse | None] = None
    """Says what is refused with 503 before the application sees it; the same for all connections of the process."""
    _timer: asyncio.TimerHandle | None = None
    _read = 0
    _fruitless = 0
    _refusal: bytes | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, unless the head is too long already."""
        if self._timer is not None:
            self._read += len(data)
            if self._read > HEAD_BYTES and b"\r\n\r\n" not in data:
                self._give_up(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
                return
        self._fruitless += len(data)
        super().data_received(data)
        if self._fruitless > TRAILER_BYTES and not self.transport.is_closing():
            self.transport.close()  # trailers without end behind a chunked body, all of which would be kept

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, or could be taken for two different requests."""
        self._give_up(HTTPStatus.BAD_REQUEST)

    def _should_upgrade(self) -> bool:
        """Take no WebSocket: a request for one is answered as the plain request that it is, too (RFC 9110, section 7.8)."""
        return False

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: whoever sends such requests would fill the log."""

    def on_message_begin(self) -> None:
        """Begin to wait for the end of the head."""
        self._fruitless = 0
        if self._timer is None:
            self._begin()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Wait no more, unless the request is refused: its body then has what is left of the time."""
        self._refusal = self._refused()
        if self._refusal is None:
            self._end()
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body; that of a refused request is dropped."""
        self._fruitless = 0
        if self._refusal is None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Answer a refused request, and keep the connection for the next."""
        if self._refusal is None:
            super().on_message_complete()
            return
        self._end()
        own = b"".join(b"%s: %s\r\n" % header for header in self.server_state.default_headers)
        self.transport.write(b"HTTP/1.1 503 Service Unavailable\r\n" + own + self._refusal)
        self._refusal = None
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _refused(self) -> bytes | None:
        """Return the answer if the request is refused here; whatever is unusual about one is the application's."""
        refuse = type(self).refuse
        if refuse is None or self.parser.get_method() != b"POST" or self.parser.get_http_version() != "1.1":
            return None
        waits = self.cycle is not None and not self.cycle.response_complete  # one before it on this connection
        if waits or self.expect_100_continue or self.flow.write_paused or not self.parser.should_keep_alive():
            return None
        answer = refuse(self.url, self.headers)
        return answer if answer is not None and _is_small(self.headers) else None

    def _begin(self) -> None:
        self._read = 0
        self._timer = self.loop.call_later(HEAD_SECONDS, self._give_up, HTTPStatus.REQUEST_TIMEOUT)

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self, status: HTTPStatus) -> None:
        self._end()
        if not self.transport.is_closing():
            self.transport.write(_refusal(status))
            self.transport.close()


def _is_small(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    length = next((value for name, value in headers if name == b"content-length"), b"")
    return length.isdigit() and int(length[:10]) <= SMALL_BODY


def _refusal(status: HTTPStatus) -> bytes:
    """Return a whole answer; in English, for the language asked for may not have come yet."""
    said = text(f"serving.http_{status:d}", "en")
    problem = ProblemDocument(type="about:blank", title=status.phrase, status=status, detail=said)
    body = problem.model_dump_json(exclude_none=True).encode()
    head = f"HTTP/1.1 {status:d} {status.phrase}\r\nConnection: close\r\nContent-Type: {MEDIA_TYPE}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def install() -> None:
    """Let uvicorn use all this in this process. BentoML makes the server itself, with uvicorn's ``auto`` and few of its options.

    The process may then keep as many connections open as ``MOST_FILES``, where the system lets it; the usual 1,024 are soon held by clients who
    forget to close theirs.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    uvicorn.config.HTTP_PROTOCOLS["auto"] = f"{__name__}:{BoundedProtocol.__name__}"
    uvicorn.Server.startup = _startup  # type: ignore[assignment, method-assign]


async def _startup(server: uvicorn.Server, sockets: list[socket.socket] | None = None) -> None:
    """Start as uvicorn does, listening to every socket many times over."""
    server.config.timeout_keep_alive = IDLE_SECONDS
    await _uvicorn_startup(server, sockets and [*sockets, *(one.dup() for one in sockets for _ in range(ACCEPTED_TOGETHER - 1))])

"""HTTP/1.1 with a limit on how long, in time and bytes, the head of a request may be.

uvicorn waits for ever for the end of a head, so that one client with a thousand half-sent requests keeps a thousand connections (the attack is
known as Slowloris; RFC 9112, section 9.5, lets a server close such a connection). Bodies have their limits in ``serving.request``.
"""

import asyncio
from typing import Any

import uvicorn.config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 10.0
HEAD_BYTES = 65_536


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which closes a connection whose request does not get to the end of its head."""

    _timer: asyncio.TimerHandle | None = None
    _read = 0

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
                self._give_up(b"431 Request Header Fields Too Large")
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Begin to wait for the end of the head."""
        if self._timer is None:
            self._begin()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Wait no more."""
        self._end()
        super().on_headers_complete()

    def _begin(self) -> None:
        self._read = 0
        self._timer = self.loop.call_later(HEAD_SECONDS, self._give_up, b"408 Request Timeout")

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self, status: bytes) -> None:
        self._end()
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            self.transport.close()


def install() -> None:
    """Let uvicorn use it in this process. BentoML makes the server itself and has no option for it, but asks for uvicorn's ``auto``."""
    uvicorn.config.HTTP_PROTOCOLS["auto"] = f"{__name__}:{BoundedProtocol.__name__}"

"""Load for a running service: clients that keep connections and wait for answers (closed), or requests at a fixed rate whatever comes back (open).

An open loop shows what users of a slow service see: latency counts from when a request was due, not from when a waiting client got round to
sending it (Schroeder, Wierman and Harchol-Balter, "Open versus closed: a cautionary tale", 2006).
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

PATIENCE_SECONDS = 20.0
MOST_CONNECTIONS = 900  # below the usual limit of 1024 open files


@dataclass
class Seen:
    """What came back.

    Parameters
    ----------
    answers : number by status; 0 stands for a connection that broke or could not be made
    times : per accepted request when it was due and how long it took, s
    refusals : how long a refusal took, s
    ids : prediction ids of accepted requests
    versions : per accepted request when it was answered, and the model version that did
    """

    answers: Counter[int] = field(default_factory=Counter)
    times: list[tuple[float, float]] = field(default_factory=list)
    refusals: list[float] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    versions: list[tuple[float, int]] = field(default_factory=list)
    without_retry_after: int = 0

    def note(self, due: float, status: int, head: bytes, body: bytes) -> None:
        """Count one answer."""
        now = time.perf_counter()
        self.answers[status] += 1
        if status == 200:
            self.times.append((due, now - due))
            content = json.loads(body)
            self.ids += [made["id"] for made in content["predictions"]]
            self.versions.append((now, content["model"]["version"]))
        elif status:
            self.refusals.append(now - due)
            self.without_retry_after += b"\r\nretry-after:" not in head.lower()

    @property
    def failed(self) -> int:
        """How many requests were not accepted."""
        return self.answers.total() - self.answers[200]

    def ms(self, share: float, since: float = 0.0, until: float = float("inf")) -> float:
        """Return the latency in ms below which this share of the accepted requests lies that were due in the window; NaN without any."""
        return 1000 * quantile([took for due, took in self.times if since <= due < until], share)


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` of the values lies; NaN where there is none."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


class Connection:
    """One keep-alive HTTP/1.1 connection that sends the same request again and again."""

    def __init__(self, url: str, body: bytes, key: str | None = None) -> None:
        parts = urlsplit(url)
        self._where = parts.hostname, parts.port
        head = (
            f"POST {parts.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        )
        head += f"Authorization: Bearer {key}\r\n" if key else ""
        self._request = head.encode() + b"\r\n" + body
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self) -> tuple[int, bytes, bytes]:
        """Return status, head and body of one answer; status 0 when the connection broke."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                if self._writer is None:
                    self._reader, self._writer = await asyncio.open_connection(*self._where)
                assert self._reader is not None
                self._writer.write(self._request)
                head = await self._reader.readuntil(b"\r\n\r\n")
                low = head.lower()
                start = low.index(b"content-length:") + 15
                body = await self._reader.readexactly(int(low[start : low.index(b"\r\n", start)]))
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            self.close()
            return 0, b"", b""
        if b"\r\nconnection: close" in low:
            self.close()
        return int(head[9:12]), head, body

    def close(self) -> None:
        """Close it; the next request opens a new one."""
        if self._writer is not None:
            with suppress(OSError, RuntimeError):
                self._writer.close()
        self._reader = self._writer = None


async def closed(url: str, body: bytes, clients: int, stop: asyncio.Event, seen: Seen, *, pause: float = 0.0) -> None:
    """Let clients send one request after the other until ``stop`` is set."""

    async def client() -> None:
        connection = Connection(url, body)
        while not stop.is_set():
            due = time.perf_counter()
            status, head, answer = await connection.ask()
            seen.note(due, status, head, answer)
            if not status:
                await asyncio.sleep(0.05)
            elif pause:
                await asyncio.sleep(pause)
        connection.close()

    await asyncio.gather(*(client() for _ in range(clients)))


async def open_loop(url: str, body: bytes, per_second: float, seconds: float, seen: Seen) -> None:
    """Send requests at a fixed rate, each on a free connection or a new one."""
    free: list[Connection] = []
    under_way: set[asyncio.Task[None]] = set()

    async def one(due: float) -> None:
        connection = free.pop() if free else Connection(url, body)
        seen.note(due, *await connection.ask())
        free.append(connection)

    started, sent = time.perf_counter(), 0
    while (now := time.perf_counter() - started) < seconds:
        while sent < now * per_second:
            if len(under_way) < MOST_CONNECTIONS:
                task = asyncio.create_task(one(started + sent / per_second))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            else:
                seen.answers[0] += 1  # the generator's own limit: counts as a failure, never as left out
            sent += 1
        await asyncio.sleep(0.001)
    await asyncio.gather(*under_way)
    for connection in free:
        connection.close()

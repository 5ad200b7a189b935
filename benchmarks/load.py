"""Load for a running service: clients that keep connections and wait for answers (closed), or requests at a fixed rate whatever comes back (open).

An open loop shows what users of a slow service see: latency counts from when a request was due, not from when a waiting client got round to
sending it (Schroeder, Wierman and Harchol-Balter, "Open versus closed: a cautionary tale", 2006).
"""

import asyncio
import json
import resource
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

PATIENCE_SECONDS = 20.0
MOST_CONNECTIONS = min(4000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 124)  # 900 where 1024 files may be open


def nothing(reason: str) -> tuple[int, bytes, bytes]:
    """Return what stands for an answer that never came."""
    return 0, b"", reason.encode()


@dataclass
class Seen:
    """What came back.

    Parameters
    ----------
    answers : number by status; 0 stands for a request that got none
    broken : number by reason of those: ``generator`` was never sent, because the generator had all connections in use that it may have,
        ``connect`` could not connect, ``silent`` waited in vain, ``closed`` lost its connection
    times : per accepted request when it was due and how long it took, s
    refusals : how long a refusal took, s
    bodies : per accepted request when it was answered, and the answer; empty unless ``keep``
    """

    answers: Counter[int] = field(default_factory=Counter)
    times: list[tuple[float, float]] = field(default_factory=list)
    refusals: list[float] = field(default_factory=list)
    bodies: deque[tuple[float, bytes]] = field(default_factory=deque)
    without_retry_after: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    keep: bool = True

    @property
    def ids(self) -> list[str]:
        """The prediction ids of all accepted requests."""
        return [made["id"] for _, body in list(self.bodies) for made in json.loads(body)["predictions"]]

    @property
    def versions(self) -> list[int]:
        """The model versions that answered, in the order of the answers."""
        return [json.loads(body)["model"]["version"] for _, body in list(self.bodies)]

    def note(self, due: float, status: int, head: bytes, body: bytes) -> None:
        """Count one answer."""
        now = time.perf_counter()
        self.answers[status] += 1
        if status == 200:
            self.times.append((due, now - due))
            if self.keep:
                self.bodies.append((now, body))
        elif status:
            self.refusals.append(now - due)
            self.without_retry_after += b"\r\nretry-after:" not in head
        else:
            self.broken[body.decode()] += 1

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


class Connection(asyncio.Protocol):
    """One keep-alive HTTP/1.1 connection that sends the same request again and again; a few dozen µs per answer."""

    def __init__(self, url: str, body: bytes) -> None:
        parts = urlsplit(url)
        self._where = parts.hostname, parts.port
        head = f"POST {parts.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._request = head.encode() + body
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, bytes, bytes]] | None = None
        self._read = b""

    async def ask(self) -> tuple[int, bytes, bytes]:
        """Return status, head and body of one answer; status 0 when the connection broke or nothing came."""
        loop = asyncio.get_running_loop()
        try:
            if self._transport is None:
                self._read = b""
                await asyncio.wait_for(loop.create_connection(lambda: self, *self._where), PATIENCE_SECONDS)
            assert self._transport is not None
            self._answer = loop.create_future()
            self._transport.write(self._request)
            giving_up = loop.call_later(PATIENCE_SECONDS, self.close, "silent")
            try:
                return await self._answer
            finally:
                giving_up.cancel()
        except (OSError, TimeoutError):
            self.close("connect")
            return nothing("connect")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits that nothing comes."""
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(nothing("closed"))

    def data_received(self, data: bytes) -> None:
        """Hand the answer over when it is complete."""
        self._read += data
        head, end, rest = self._read.partition(b"\r\n\r\n")
        low = head.lower()
        start = low.find(b"content-length:")
        if not end or start < 0 or len(rest) < int(low[start + 15 :].partition(b"\r\n")[0]):
            return
        self._read = b""
        if b"connection: close" in low:
            self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((int(head[9:12]), low, rest))

    def close(self, reason: str = "closed") -> None:
        """Close it; the next request opens a new one."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(nothing(reason))


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

    started, sent, total = time.perf_counter(), 0, round(per_second * seconds)
    while sent < total:
        due = min(total, int((time.perf_counter() - started) * per_second) + 1)
        for number in range(sent, due):
            if len(under_way) < MOST_CONNECTIONS:
                task = asyncio.create_task(one(started + number / per_second))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            else:
                seen.note(started + number / per_second, *nothing("generator"))  # counts as a failure, never as left out
        sent = due
        await asyncio.sleep(0.001)
    await asyncio.gather(*under_way)
    for connection in free:
        connection.close()

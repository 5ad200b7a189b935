"""A request that never gets to the end of its head does not keep its connection."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from http.client import HTTPResponse

import pytest
import uvicorn
import uvloop

from serving import protocol
from serving.protocol import BoundedProtocol


async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.5)
    config = uvicorn.Config(app, http=BoundedProtocol, lifespan="off", log_level="critical", timeout_keep_alive=30)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield listening.getsockname()
        server.should_exit = True
        thread.join(20)


def test_a_head_that_drips_in_is_given_up(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\r\n")
        for _ in range(2):
            time.sleep(0.2)
            client.sendall(b"X-A: b\r\n")
        with HTTPResponse(client) as answer:
            answer.begin()
            content = json.loads(answer.read())
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert (answer.status, content["status"], content["title"]) == (408, 408, "Request Timeout")
        assert client.recv(100) == b""


def test_a_connection_that_says_nothing_is_closed(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=10) as client:
        assert client.recv(100).startswith(b"HTTP/1.1 408 ")


def test_a_head_without_end_is_cut_off(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\r\n" + b"X-A: " + b"b" * 80_000)
        assert client.recv(100).startswith(b"HTTP/1.1 431 ")


def test_trailers_without_end_close_the_connection(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=10) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
        trailers = b"".join(b"X-%d: " % number + b"b" * 1_000 + b"\r\n" for number in range(20_000))  # 20 MB
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            client.sendall(trailers)


def test_long_chunked_bodies_are_no_trailers(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=10) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(40):
            client.sendall(b"%x\r\n" % 50_000 + b"b" * 50_000 + b"\r\n")
        client.sendall(b"0\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 204 ")


def test_requests_follow_each_other_on_one_connection(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=10) as client:
        for _ in range(3):
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 204 ")
            time.sleep(0.6)  # longer than a head may take: idle connections are the keep-alive limit's


REFUSAL = b"content-type: application/problem+json\r\ncontent-length: 2\r\n\r\n{}"


@pytest.fixture
def full(address: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> tuple[str, int]:
    """A server that refuses every POST to /full."""
    monkeypatch.setattr(BoundedProtocol, "refuse", staticmethod(lambda target, headers: REFUSAL if target == b"/full" else None))
    return address


def post(path: str, body: bytes = b"[1]", version: str = "1.1", **headers: object) -> bytes:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in ({"Content-Length": len(body)} | headers).items())
    return f"POST {path} HTTP/{version}\r\nHost: localhost\r\n{lines}\r\n".encode() + body


def answers(client: socket.socket, count: int) -> list[int]:
    """Return the statuses of the next answers."""
    read = b""
    while read.count(b"HTTP/1.1 ") < count:
        part = client.recv(4000)
        assert part, read
        read += part
    return [int(part[:3]) for part in read.split(b"HTTP/1.1 ")[1:]]


def test_what_is_refused_at_once_keeps_its_connection_and_stands_in_nobodys_way(full: tuple[str, int]) -> None:
    with socket.create_connection(full, timeout=10) as client:
        client.sendall(post("/full"))
        assert answers(client, 1) == [503]
        client.sendall(post("/full") + post("/other") + post("/full"))
        assert answers(client, 3) == [503, 204, 204]  # the last one came while another was being answered
        client.sendall(post("/full"))
        assert answers(client, 1) == [503]
        client.sendall(post("/full")[:-2])  # the body comes in parts
        time.sleep(0.1)
        client.sendall(b"1]")
        assert answers(client, 1) == [503]
        time.sleep(0.6)
        client.sendall(post("/other"))
        assert answers(client, 1) == [204]


CHUNKED = b"POST /full HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1]\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    "request_", [post("/full", version="1.0"), post("/full", Connection="close"), post("/full", b"x" * 20_000), CHUNKED]
)
def test_an_unusual_request_is_left_to_the_application(full: tuple[str, int], request_: bytes) -> None:
    with socket.create_connection(full, timeout=10) as client:
        client.sendall(request_)
        assert answers(client, 1) == [204]


def test_a_refused_request_whose_body_never_comes_is_given_up(full: tuple[str, int]) -> None:
    with socket.create_connection(full, timeout=10) as client:
        client.sendall(post("/full")[:-1])
        assert answers(client, 1) == [408]
        assert client.recv(100) == b""


def test_many_clients_that_come_at_once_are_let_in_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(uvicorn.config.HTTP_PROTOCOLS, "auto", uvicorn.config.HTTP_PROTOCOLS["auto"])
    monkeypatch.setattr(uvicorn.Server, "startup", uvicorn.Server.startup)
    protocol.install()
    protocol.install()  # twice is once

    async def let_in(clients: int, turns: int) -> tuple[int, float]:
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="critical"))
        server.config.load()
        server.lifespan = server.config.lifespan_class(server.config)
        with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
            await server.startup(sockets=[listening])
            waiting = [socket.create_connection(listening.getsockname(), timeout=10) for _ in range(clients)]
            for _ in range(turns):
                await asyncio.sleep(0)
            connections = list(server.server_state.connections)
            for one in waiting:
                one.close()
            await server.shutdown(sockets=[listening])
        return len(connections), connections[0].timeout_keep_alive

    seen, idle_seconds = uvloop.run(let_in(clients=30, turns=4))
    assert seen == 30
    assert idle_seconds == protocol.IDLE_SECONDS

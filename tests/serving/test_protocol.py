"""A request that never gets to the end of its head does not keep its connection."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.client import HTTPResponse

import pytest
import uvicorn

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


def test_requests_follow_each_other_on_one_connection(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=10) as client:
        for _ in range(3):
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 204 ")
            time.sleep(0.6)  # longer than a head may take: idle connections are the keep-alive limit's

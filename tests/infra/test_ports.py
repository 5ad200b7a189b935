"""A port that is meant for a server that starts in seconds is given to nobody else until then."""

import socket
import struct
from contextlib import closing

import pytest

from infra.ports import reserve_port

LOCAL_PORT_RANGE = 51  # IP_LOCAL_PORT_RANGE of Linux 6.3 and newer; Python has no name for it yet


def asking_for(port: int) -> socket.socket:
    """Return a socket that the system gives this port to, or none, when it has to choose one."""
    asking = socket.socket()
    try:
        asking.setsockopt(socket.IPPROTO_IP, LOCAL_PORT_RANGE, struct.pack("I", port | port << 16))
    except OSError:
        asking.close()
        pytest.skip("this system does not let a socket say which ports it would take")
    return asking


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_nobody_is_given_a_reserved_port_unless_he_names_it(host: str) -> None:
    port = reserve_port(host)

    with socket.create_server(("127.0.0.1", 0)) as server, closing(asking_for(port)) as client:
        assert client.connect_ex(server.getsockname()) != 0
    with closing(asking_for(port)) as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", 0))
    with socket.create_server((host, port)) as service:
        assert service.getsockname()[1] == port


def test_a_port_that_was_only_looked_at_may_be_gone_at_once() -> None:
    """What the reservation is for."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    with socket.create_server(("127.0.0.1", 0)) as server, closing(asking_for(port)) as client:
        client.connect(server.getsockname())
        with pytest.raises(OSError, match="in use"):
            socket.create_server(("127.0.0.1", port))


def test_a_port_that_somebody_listens_at_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(OSError, match="in use"):
        reserve_port("127.0.0.1", server.getsockname()[1])


def test_a_named_port_can_be_asked_for_again_and_again() -> None:
    port = reserve_port()

    assert {reserve_port("127.0.0.1", port) for _ in range(3)} == {port}

"""A port for a server that is about to start, which nobody else is given meanwhile."""

import contextlib
import socket


def reserve_port(host: str = "127.0.0.1", port: int = 0) -> int:
    """Return ``port``, after having held it for a moment, or a free one for 0.

    A port that was merely free would be the next one's for the asking, and a service takes seconds until it binds. So a connection to a free one is
    made and ended from its side: for a minute (TIME_WAIT, RFC 9293 section 3.6.1) the system gives it to nobody who does not ask for it by number,
    and a server that does, with ``SO_REUSEADDR`` as all servers here, gets it.

    Parameters
    ----------
    host : address of this machine, IPv4 or IPv6; 0.0.0.0 and :: stand for all

    Raises
    ------
    OSError
        If the port cannot be bound: ``errno.EADDRINUSE`` where it is taken.
    OverflowError
        If it is no number of a port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do: a port that was just closed is free
        probe.bind((host, port))
        found = probe.getsockname()
        if not port:
            probe.listen(1)
            with contextlib.closing(socket.create_connection(found[:2], timeout=5)):
                probe.accept()[0].close()
        return int(found[1])

"""What the address of a request, and the name it was sent to, say about where it comes from."""

import ipaddress
from functools import lru_cache


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Return whether an address is of this machine; what is no address is not."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=256)
def names_loopback(authority: bytes) -> bool:
    """Return whether a ``Host`` header means this machine by a name that no foreign name server can give away."""
    host = authority[:80].decode("latin-1").lower()
    host = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return host == "localhost" or is_loopback(host)


def network(host: str) -> str:
    """Return what counts as one address: an IPv6 host has a network of 64 bits to itself."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host[:60]
    return str(ipaddress.IPv6Network((int(address), 64), strict=False)) if address.version == 6 else host

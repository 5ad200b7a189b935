"""Where the service may be reached from: its address, and TLS. Nothing here runs in the service itself."""

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

from leitstand.errors import UsageError

RENEW_DAYS = 21


@dataclass(frozen=True)
class Address:
    """An address that the service may listen on.

    Parameters
    ----------
    host : IP address
    loopback : whether only this machine reaches it
    warning : key of the catalogue for what a person should know (with ``host``), or None
    """

    host: str
    loopback: bool
    warning: str | None = None


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key that a server can use.

    Parameters
    ----------
    expires : aware, UTC
    expires_soon : whether within three weeks
    """

    file: Path
    key: Path
    expires: datetime
    expires_soon: bool

    @property
    def arguments(self) -> list[str]:
        """What ``bentoml serve`` takes, and uvicorn too."""
        return ["--ssl-certfile", str(self.file), "--ssl-keyfile", str(self.key)]


def check_address(host: str, *, has_keys: bool, has_tls: bool) -> Address:
    """Return the address to listen on: loopback without an API key, any with one.

    Raises
    ------
    UsageError
        If it is no IP address, or not loopback and there is no key.
    """
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host.strip("[]"))
    except ValueError as error:
        raise UsageError("keys.address_illegal", host=host) from error
    if address.is_loopback:
        return Address(str(address), loopback=True)
    if not has_keys:
        raise UsageError("keys.address_needs_key", host=host)
    return Address(str(address), loopback=False, warning=None if has_tls else "keys.address_without_tls")


def check_tls(cert: Path | None, key: Path | None) -> Certificate | None:
    """Return the certificate to serve with, or None where neither file is given.

    Parameters
    ----------
    cert : PEM file, the server's own certificate first
    key : PEM file, not encrypted

    Raises
    ------
    UsageError
        If only one is given, a file cannot be read, the two do not belong together, or the certificate is not valid today.
    """
    if cert is None and key is None:
        return None
    if cert is None or key is None:
        raise UsageError("keys.tls_one_only")
    cert, key = cert.expanduser().resolve(), key.expanduser().resolve()
    start, end = _validity(cert)
    _load(cert, key)
    now = datetime.now(UTC)
    if now >= end:
        raise UsageError("keys.tls_expired", path=cert, day=end.date())
    if now < start:
        raise UsageError("keys.tls_not_yet", path=cert, day=start.date())
    return Certificate(cert, key, end, expires_soon=end - now < timedelta(days=RENEW_DAYS))


def _validity(cert: Path) -> tuple[datetime, datetime]:
    from cryptography import x509

    try:
        content = cert.read_bytes()
        first = x509.load_pem_x509_certificate(content)
    except OSError as error:
        raise UsageError("keys.tls_unreadable", path=cert, detail=error.strerror) from error
    except ValueError as error:
        raise UsageError("keys.tls_not_certificate", path=cert) from error
    return first.not_valid_before_utc, first.not_valid_after_utc


def _load(cert: Path, key: Path) -> None:
    """Load both as the server will."""

    def refuse_password() -> NoReturn:
        raise UsageError("keys.tls_encrypted", path=key)

    try:
        key.read_bytes()
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password=refuse_password)
    except ssl.SSLError as error:
        raise UsageError("keys.tls_mismatch", cert=cert, key=key, detail=error.reason or error) from error
    except OSError as error:
        raise UsageError("keys.tls_unreadable", path=key, detail=error.strerror) from error

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from leitstand.errors import UsageError
from serving.exposure import check_address, check_tls
from serving.protection import security_headers

Pair = tuple[Path, Path]


@pytest.fixture
def new_pair(tmp_path: Path) -> Callable[..., Pair]:
    """Make a self-signed certificate for 127.0.0.1 and its key."""

    def make(name: str = "server", *, start_days: float = -1, days: float = 365, password: bytes | None = None) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=start_days))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        cert, private = tmp_path / f"{name}.crt", tmp_path / f"{name}.key"
        cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        private.write_bytes(key.private_bytes(*form))
        return cert, private

    return make


# ---- addresses


@pytest.mark.parametrize(
    ("host", "address"),
    [("localhost", "127.0.0.1"), ("127.0.0.1", "127.0.0.1"), ("127.9.9.9", "127.9.9.9"), ("::1", "::1"), ("[::1]", "::1")],
)
@pytest.mark.parametrize("has_keys", [True, False])
def test_loopback_is_always_allowed_and_warns_of_nothing(host: str, address: str, has_keys: bool) -> None:
    found = check_address(host, has_keys=has_keys, has_tls=False)
    assert (found.host, found.loopback, found.warning) == (address, True, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "2001:db8::1"])
def test_without_a_key_no_other_address_is_allowed_also_not_with_tls(host: str) -> None:
    for has_tls in (True, False):
        with pytest.raises(UsageError, match=r"Without an API key .* cannot be its address. Make a key first"):
            check_address(host, has_keys=False, has_tls=has_tls)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7"])
def test_with_a_key_any_address_is_allowed_and_missing_tls_is_said(host: str) -> None:
    open_one = check_address(host, has_keys=True, has_tls=False)
    assert (open_one.host, open_one.loopback, open_one.warning) == (host, False, "keys.address_without_tls")
    assert check_address(host, has_keys=True, has_tls=True).warning is None


@pytest.mark.parametrize(
    "host", ["", "models.example", "localhost.evil.example", "127.0.0.1:3000", "1.2.3", "999.1.1.1", "127.0.0.1\n"]
)
def test_what_is_no_address_is_refused(host: str) -> None:
    with pytest.raises(UsageError, match="cannot be the service's address"):
        check_address(host, has_keys=True, has_tls=True)


# ---- TLS


def test_without_files_there_is_no_tls() -> None:
    assert check_tls(None, None) is None


def test_a_certificate_with_its_key_is_taken(new_pair: Callable[..., Pair]) -> None:
    cert, key = new_pair()
    found = check_tls(cert, key)
    assert found is not None
    assert (found.file, found.key, found.expires_soon) == (cert, key, False)
    assert found.arguments == ["--ssl-certfile", str(cert), "--ssl-keyfile", str(key)]
    assert abs(found.expires - datetime.now(UTC) - timedelta(days=365)) < timedelta(minutes=1)


def test_a_certificate_about_to_end_is_marked(new_pair: Callable[..., Pair]) -> None:
    found = check_tls(*new_pair(days=5))
    assert found is not None
    assert found.expires_soon


def test_one_file_alone_is_refused(new_pair: Callable[..., Pair]) -> None:
    cert, key = new_pair()
    for given in ((cert, None), (None, key)):
        with pytest.raises(UsageError, match="needs both"):
            check_tls(*given)


def test_a_key_of_another_certificate_is_refused(new_pair: Callable[..., Pair]) -> None:
    (cert, key), (_, other) = new_pair("server"), new_pair("other")
    with pytest.raises(UsageError, match=r"do not belong together, or TLS refuses them: KEY_VALUES_MISMATCH"):
        check_tls(cert, other)
    with pytest.raises(UsageError, match="holds no certificate"):
        check_tls(key, cert)
    with pytest.raises(UsageError, match="do not belong together"):
        check_tls(cert, cert)


def test_a_certificate_out_of_its_time_is_refused(new_pair: Callable[..., Pair]) -> None:
    with pytest.raises(UsageError, match=r"expired on \d{4}-\d\d-\d\d. Renew it"):
        check_tls(*new_pair(start_days=-9, days=-1))
    with pytest.raises(UsageError, match="valid only from"):
        check_tls(*new_pair(start_days=2))


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_a_password(new_pair: Callable[..., Pair]) -> None:
    with pytest.raises(UsageError, match=r"is encrypted, and the service cannot ask"):
        check_tls(*new_pair(password=b"secret"))


def test_files_that_cannot_be_read_are_named(new_pair: Callable[..., Pair], tmp_path: Path) -> None:
    cert, key = new_pair()
    with pytest.raises(UsageError, match=r"gone\.crt for TLS cannot be read: No such file"):
        check_tls(tmp_path / "gone.crt", key)
    with pytest.raises(UsageError, match=r"gone\.key for TLS cannot be read: No such file"):
        check_tls(cert, tmp_path / "gone.key")
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        check_tls(tmp_path, key)
    (tmp_path / "noise").write_bytes(bytes(range(256)))
    with pytest.raises(UsageError, match="holds no certificate"):
        check_tls(tmp_path / "noise", key)
    with pytest.raises(UsageError, match="do not belong together"):
        check_tls(cert, tmp_path / "noise")


async def hello(scope: Any, receive: Any, send: Any) -> None:
    assert scope["scheme"] == "https"
    await send({"type": "http.response.start", "status": 200, "headers": security_headers(tls=True)})
    await send({"type": "http.response.body", "body": b"hello"})


@contextmanager
def running(**options: Any) -> Iterator[int]:
    server = uvicorn.Server(uvicorn.Config(hello, log_level="error", lifespan="off", **options))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def test_a_server_with_these_files_speaks_tls_and_nothing_else(new_pair: Callable[..., Pair]) -> None:
    found = check_tls(*new_pair())
    assert found is not None
    with running(ssl_certfile=found.file, ssl_keyfile=found.key) as port:
        trusting = ssl.create_default_context(cafile=str(found.file))
        with httpx.Client(verify=trusting, trust_env=False) as client:
            answer = client.get(f"https://127.0.0.1:{port}/")
            assert (answer.text, answer.headers["strict-transport-security"]) == ("hello", "max-age=31536000")
        with httpx.Client(trust_env=False) as client:
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                client.get(f"https://127.0.0.1:{port}/")
            with pytest.raises(httpx.RemoteProtocolError, match="disconnected"):
                client.get(f"http://127.0.0.1:{port}/")

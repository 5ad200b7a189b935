"""A PostgreSQL server for the tests, as an unprivileged user also where the tests run as root (it refuses to run as root)."""

import os
import pwd
import resource
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import settings as hypothesis
from post_office import MailServer, WebhookServer, running_mail_server, running_webhook
from pytest_postgresql.janitor import DatabaseJanitor

from infra.ports import reserve_port
from infra.settings import calm_tools

calm_tools()  # here, because OpenMP reads its wait policy once, when the first test module imports scikit-learn

hypothesis.register_profile("leitstand", deadline=None)  # a busy machine must fail no test
hypothesis.load_profile("leitstand")

# MLflow keeps the databases of every state folder open, a thousand files in the end; shells let a process open 1,024, those of macOS 256
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 8192 if hard == resource.RLIM_INFINITY else min(8192, hard)), hard))

# A shell lets what it starts in the background ignore Ctrl-C, and so would every process that a test starts and interrupts
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

USER, PASSWORD = "leitstand", "secret-of-the-plant"


@dataclass(frozen=True)
class PostgresqlServer:
    """A running server on loopback."""

    port: int

    def url(self, database: str) -> str:
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"


def _binaries() -> Path | None:
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).resolve().parent
    places = (
        "/usr/lib/postgresql/*/bin",
        "/usr/pgsql-*/bin",
        "/opt/homebrew/opt/postgresql*/bin",
        "/usr/local/opt/postgresql*/bin",
    )
    found = [path for place in places for path in sorted(Path("/").glob(place.lstrip("/"))) if (path / "initdb").exists()]
    return found[-1] if found else None


def _unprivileged() -> dict[str, Any]:
    if os.getuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    pytest.skip("PostgreSQL does not run as root, and there is no user 'postgres' or 'nobody' to run it as")


def _run(*command: object, **options: Any) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd="/", timeout=120, **options)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """A server of its own for the session; tests that need it are skipped where PostgreSQL is not installed."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server found: neither initdb on PATH nor under /usr/lib/postgresql")
    account = _unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="leitstand-postgresql-", dir="/tmp"))  # short: socket paths end at 107 characters
    try:
        (folder / "password").write_text(PASSWORD)
        if account:
            for path in (folder, folder / "password"):
                os.chown(path, account["user"], account["group"])
        data, port = folder / "data", reserve_port()
        locale = ("--encoding=UTF8", "--locale=C")
        _run(
            binaries / "initdb",
            "-D",
            data,
            "-U",
            USER,
            f"--pwfile={folder / 'password'}",
            "-A",
            "scram-sha-256",
            *locale,
            **account,
        )
        fast = "-c fsync=off -c full_page_writes=off -c synchronous_commit=off -c max_connections=60"
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} {fast}"
        _run(binaries / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start", **account)
        try:
            yield PostgresqlServer(port)
        finally:
            _run(binaries / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop", **account)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgresql_url(postgresql_server: PostgresqlServer) -> Iterator[str]:
    """The URL, with password, of an empty database that is dropped after the test."""
    name = f"test_{uuid4().hex[:12]}"
    place = {"host": "127.0.0.1", "port": postgresql_server.port, "user": USER, "password": PASSWORD}
    with DatabaseJanitor(dbname=name, **place):
        yield postgresql_server.url(name)


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens at."""
    return reserve_port()


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reach servers on loopback also where the machine goes through a proxy."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def mail_server(free_port: int) -> Iterator[MailServer]:
    """A real SMTP server that keeps what it is sent."""
    with running_mail_server(free_port) as server:
        yield server


@pytest.fixture
def webhook(no_proxy: None) -> Iterator[WebhookServer]:
    """A real HTTP server that keeps what it is sent."""
    with running_webhook() as server:
        yield server

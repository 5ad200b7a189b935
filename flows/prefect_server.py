"""The Prefect server that a command's flows report to: the one that is running, or one for the time of the command.

The temporary one is started before anything heavy is imported, so that it boots on the other core meanwhile; Prefect's own would be started
when the first flow runs, and would be left behind by a process that is killed. Run as ``python -m flows.prefect_server PORT PARENT``, this module
is that server.
"""

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from flows.standing.plan import read_plan
from infra.ports import reserve_port
from infra.settings import Settings, child_environment, set_variables
from leitstand.errors import ServiceError

START_SECONDS = 120.0  # two busy cores need up to 30 s, the first time with its database to make
STOP_SECONDS = 10.0
DRAIN_SECONDS = 5


@dataclass(frozen=True)
class PrefectServer:
    """A server, running or about to.

    Parameters
    ----------
    url : of its API
    process : our own child; None for one that was running
    log : where our own one writes
    """

    url: str
    process: subprocess.Popen[bytes] | None = None
    log: Path | None = None

    def wait(self) -> None:
        """Return when the server answers.

        Raises
        ------
        ServiceError
            If it dies or does not answer in time.
        """
        deadline = time.monotonic() + START_SECONDS
        while not answers(self.url):
            if self.process is not None and self.process.poll() is not None:
                raise ServiceError("flows.prefect_died", code=self.process.returncode, log=self.log)
            if time.monotonic() > deadline:
                raise ServiceError("flows.prefect_slow", url=self.url, seconds=f"{START_SECONDS:g}", log=self.log)
            time.sleep(0.05)


@contextmanager
def prefect_server(settings: Settings) -> Iterator[PrefectServer]:
    """Yield the running server, or a temporary one that boots while the block goes on and is stopped at its end."""
    running = running_server(settings)
    if running is not None:
        yield PrefectServer(running)
        return
    port, log = reserve_port(), settings.folder("logs") / "prefect-temporary.log"
    own = _own_files(settings) | {
        "PREFECT_UI_ENABLED": "0",
        "PREFECT__SERVER_EPHEMERAL": "1",  # as Prefect's own temporary server: none of the services that outlive a run
        "PREFECT__SERVER_FINAL": "1",
    }
    command = [sys.executable, "-m", "flows.prefect_server", str(port), str(os.getpid())]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=child_environment(own)
        )
    try:
        yield PrefectServer(f"http://127.0.0.1:{port}/api", process, log)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def running_server(settings: Settings) -> str | None:
    """Return the address of the server that answers: that of ``leitstand up``, or else the one that the settings name."""
    plan = read_plan(settings)
    urls = [settings.prefect_url] if plan is None else [plan.prefect_url, settings.prefect_url]
    return next((url for url in urls if answers(url)), None)


def serve_prefect(settings: Settings, port: int) -> None:
    """Be the standing server, with its page and its scheduler, until SIGTERM; on loopback, for Prefect asks nobody who he is.

    A page of another host gets nothing from it either: neither by asking across origins, nor under a name that resolves to 127.0.0.1.
    """
    own = _own_files(settings) | {
        "PREFECT__SERVER_FINAL": "1",
        "PREFECT_UI_STATIC_DIRECTORY": str(settings.folder("prefect", "ui")),  # not among the installed packages
        "PREFECT_UI_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"http://127.0.0.1:{port},http://localhost:{port}",
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",  # what fails in its services is told nowhere but in its log
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",  # of what ended 90 days ago
    }
    set_variables(own)
    import uvicorn
    from prefect.server.api.server import create_app
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    _let_schedules_plan()
    app = TrustedHostMiddleware(create_app(), allowed_hosts=["127.0.0.1", "localhost"])
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", lifespan="on", timeout_graceful_shutdown=DRAIN_SECONDS)


def _let_schedules_plan() -> None:
    """Let Prefect 3.8's scheduler insert its runs with SQLAlchemy 2.1, which refuses a row with a value for a hybrid property without a setter.

    The row carries the state for a later statement; the insert is to leave it alone, as it did with 2.0.
    """
    from prefect.server.database.orm_models import FlowRun

    vars(FlowRun)["state"].bulk_dml_setter = lambda model, row, value: None


def answers(url: str) -> bool:
    """Return whether a Prefect server answers at this address, within a second and past any proxy."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=1.0)
    try:
        connection.request("GET", f"{parts.path}/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def asynchronous(url: str) -> str:
    """Return the database URL with the asynchronous driver that Prefect needs."""
    scheme, _, rest = url.partition("://")
    return f"{'sqlite+aiosqlite' if scheme == 'sqlite' else 'postgresql+asyncpg'}://{rest}"


def _own_files(settings: Settings) -> dict[str, str]:
    return {
        "PREFECT_HOME": str(settings.folder("prefect")),
        "PREFECT_API_DATABASE_CONNECTION_URL": asynchronous(settings.database("prefect")),
    }


def _serve(port: int, parent: int) -> None:
    from infra.garbage import collect_rarely
    from infra.lifeline import end_with

    collect_rarely()
    end_with(parent)  # told, not looked up: a parent killed before this line would not be found any more
    import uvicorn

    uvicorn.run(
        "prefect.server.api.server:create_app", factory=True, host="127.0.0.1", port=port, log_level="error", lifespan="on"
    )


if __name__ == "__main__":
    _serve(int(sys.argv[1]), int(sys.argv[2]))

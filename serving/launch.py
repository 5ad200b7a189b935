"""Starting the service as a child process on this machine, and ending it without a trace."""

import contextlib
import errno
import getpass
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

import httpx
import psutil

import serving
from infra.api_keys import KeyStore
from infra.audit import open_audit
from infra.ports import reserve_port
from infra.settings import Settings, calm_tools, child_environment
from leitstand.errors import ServiceError, UsageError
from leitstand.folders import locate
from serving.exposure import Certificate, check_address
from serving.protection import LAUNCHER_HEADER, LAUNCHER_VARIABLE

START_SECONDS = 90.0  # two busy cores need up to 20 s
STOP_SECONDS = 15.0
DRAIN_SECONDS = 5  # for requests under way when the service is stopped
LOG_TAIL_LINES = 15


class Service:
    """A running service; leaving the ``with`` block stops it.

    Parameters
    ----------
    url : such as ``http://127.0.0.1:41235``
    process : the supervising process, whose child answers
    log : its log file
    """

    def __init__(self, url: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.url, self.process, self.log = url, process, log
        self.unavailable: dict[str, str] = {}
        """Projects that are not answered, with the reason."""
        self.warning: str | None = None
        """Key of the catalogue for what is doubtful about the address, with its value ``host``."""
        self._family: set[psutil.Process] = set()

    @property
    def pid(self) -> int:
        """Process id of the supervising process."""
        return self.process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def family(self) -> set[psutil.Process]:
        """Return the processes of the service that run now, or ran when this was last asked."""
        with contextlib.suppress(psutil.NoSuchProcess):
            supervisor = psutil.Process(self.pid)
            self._family |= {supervisor, *supervisor.children(recursive=True)}
        return self._family

    def stop(self) -> None:
        """End every process of the service: SIGTERM first, then SIGKILL. Returns when none is left; may be called again."""
        family = self.family()
        if self.process.poll() is None:
            self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_SECONDS)
        _, alive = psutil.wait_procs(family, timeout=1)
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait(STOP_SECONDS)
        psutil.wait_procs(alive, timeout=STOP_SECONDS)

    def tail(self) -> str:
        """Return the last lines of the log."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_TAIL_LINES:])


def start_service(
    projects: Sequence[str],
    settings: Settings,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: Certificate | None = None,
    compiling: bool = False,
    seconds: float = START_SECONDS,
) -> Service:
    """Start the service and wait until it answers for the projects, in the end for at least one of them.

    Parameters
    ----------
    projects : names; those whose model cannot be served are named in ``Service.unavailable``
    host : loopback address; any other needs an API key to exist
    port : 0 takes a free one
    tls : certificate to serve with
    compiling : whether models are compiled first, once per version: worth its seconds for a service that stays
    seconds : to wait for it

    Raises
    ------
    UsageError
        If a project is unknown, none is named, or the host is not loopback and there is no API key.
    ServiceError
        If the port is taken, the service dies or does not get ready, or no model can be loaded. Nothing is left running then.
    """
    if not projects:
        raise UsageError("serving.nothing_to_serve")
    for name in projects:
        locate(name, settings.roots)
    found = check_address(host, has_keys=KeyStore(settings.database("keys")).has_any(), has_tls=tls is not None)
    address = found.host
    port = _free_port(address, port)
    if not found.loopback:
        open_audit(settings).note(
            "service_exposed", f"{address}:{port}", who=getpass.getuser(), tls=tls is not None, projects=list(projects)
        )
    log, word = settings.folder("logs") / f"service-{port}.log", secrets.token_urlsafe()
    with log.open("wb") as output:
        process = subprocess.Popen(
            service_command(projects, address, port, os.getpid(), tls=tls, compiling=compiling),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=Path(serving.__file__).parent.parent,
            env={**service_environment(settings), LAUNCHER_VARIABLE: word},
            start_new_session=True,  # Ctrl-C in the terminal is ours to handle
        )
    shown = f"[{address}]" if ":" in address else address
    service = Service(f"{'https' if tls else 'http'}://{shown}:{port}", process, log)
    service.warning = found.warning
    try:
        _wait_until_ready(service, _near(address), word, seconds)
    except BaseException:
        service.stop()
        raise
    return service


def serve_forever(
    projects: Sequence[str],
    settings: Settings,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: Certificate | None = None,
    announce: Callable[[Service], None],
) -> None:
    """Serve in the foreground until Ctrl-C or SIGTERM, then stop the service. To be called in the main thread.

    Parameters
    ----------
    announce : called once when the service is ready

    Raises
    ------
    UsageError, ServiceError
        As ``start_service`` does, or if the service ends by itself.
    """
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        with (
            start_service(projects, settings, host=host, port=port, tls=tls, compiling=True) as service,
            _noted(service, projects, settings),
        ):
            announce(service)
            code = service.process.wait()
            raise ServiceError("serving.service_ended", code=code, log=service.log, tail=service.tail())
    except KeyboardInterrupt:
        return
    finally:
        signal.signal(signal.SIGTERM, previous)


@contextlib.contextmanager
def _noted(service: Service, projects: Sequence[str], settings: Settings) -> Iterator[None]:
    """Note in the audit log when a service that stays begins and ends."""
    audit, who = open_audit(settings), getpass.getuser()
    audit.note("service_started", service.url, who=who, projects=list(projects))
    try:
        yield
    finally:
        audit.note("service_stopped", service.url, who=who)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def service_command(
    projects: Sequence[str], host: str, port: int, launcher: int, *, tls: Certificate | None = None, compiling: bool = True
) -> list[str]:
    """Return the command of a service that ends with its ``launcher``; no projects are all that have a champion, also later ones."""
    given = {"projects": ",".join(projects), "launcher": launcher, "compiling": compiling, "tls": tls is not None}
    arguments = [part for name, value in given.items() for part in ("--arg", f"{name}={value}")]
    arguments += tls.arguments if tls else []
    limits = ["--timeout-graceful-shutdown", str(DRAIN_SECONDS)]
    where = ["--host", host, "--port", str(port)]
    return [sys.executable, "-m", "bentoml", "serve", "serving.service:LeitstandService", *where, *limits, *arguments]


def service_environment(settings: Settings) -> Mapping[str, str]:
    """Return our environment with exactly these settings in it; BentoML keeps its files in our state folder."""
    calm_tools()
    return child_environment(settings.environment() | {"BENTOML_HOME": str(settings.folder("bentoml")), "BENTOML_DEBUG": "False"})


def _near(address: str) -> str:
    """Return where this machine itself reaches an address that stands for all of its own."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 - compared with, not bound to


def _free_port(host: str, port: int) -> int:
    try:
        return reserve_port(host, port)
    except OverflowError as error:
        raise UsageError("serving.port_refused", host=host, port=port, detail=error) from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ServiceError("serving.port_in_use", host=host, port=port) from error
        raise ServiceError("serving.port_refused", host=host, port=port, detail=error.strerror) from error


def _wait_until_ready(service: Service, host: str, word: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    url = httpx.URL(service.url).copy_with(host=host)
    told = {LAUNCHER_HEADER.decode(): word}
    answer: httpx.Response | None = None
    # a certificate names the host that others know; here nothing is sent but the question whether the service is ready
    with httpx.Client(base_url=url, headers=told, trust_env=False, timeout=5, verify=False) as client:  # noqa: S501
        while time.monotonic() < deadline:
            code = service.process.poll()
            if code is not None:
                raise ServiceError("serving.service_died", code=code, log=service.log, tail=service.tail())
            with contextlib.suppress(httpx.TransportError):
                answer = client.get("/readyz")
                if not is_preparing(answer):
                    break
            time.sleep(0.05)
    if answer is not None and (answer.status_code == 200 or not is_preparing(answer)):
        _note_state(service, answer)
        service.family()
        return
    raise ServiceError("serving.service_slow", seconds=f"{seconds:g}", log=service.log, tail=service.tail())


def is_preparing(answer: httpx.Response) -> bool:
    """Return whether ``/readyz`` says that models are still being prepared."""
    said = answer.json()
    return said.get("status") == "preparing" or said.get("type") == "urn:leitstand:problem:being-prepared"


def _note_state(service: Service, answer: httpx.Response) -> None:
    state = answer.json()
    if answer.status_code != 200:
        raise ServiceError("serving.service_without_model", reasons=" ".join(error["detail"] for error in state["errors"]))
    service.unavailable = {name: project["detail"] for name, project in state["projects"].items() if not project["ready"]}

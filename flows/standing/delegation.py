"""Commands that the warm worker carries out: what the command line hands over, and how it waits.

While the services of ``leitstand up`` run, a process is forked for a command from one that has everything imported. It gets the arguments,
environment, folder and streams of the process that was called; that one waits for it, hands signals on, and ends with its exit code. This is only
done where the outcome is the same, see ``conditions``.
"""

import contextlib
import hashlib
import json
import os
import resource
import signal
import socket
import struct
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from infra.settings import NO_TELEMETRY, QUIET, Settings, child_environment
from infra.supervision import FOLDER
from leitstand.errors import ServiceError

SOCKET = "worker.socket"
STREAMS = 3
ANSWER_SECONDS = 5.0
PACKAGES = ("data_contracts", "flows", "infra", "leitstand", "monitoring", "serving")
READ_ON_IMPORT = (
    "ARROW_",
    "BENTOML_",
    "DVC_",
    "DYLD_",
    "GOMP_",
    "GX_",
    "JE_",
    "LD_",
    "MALLOC_",
    "MKL_",
    "MLFLOW_",
    "MPL",
    "NUMEXPR_",
    "OMP_",
    "OPENBLAS_",
    "PREFECT_",
    "PYTHON",
)
"""How the variables begin that Python and the tools read once."""
LIMITS = (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_DATA, resource.RLIMIT_FSIZE)
_SET_BY_US = {*NO_TELEMETRY, *QUIET, "PYTHONUNBUFFERED"}
_LENGTH = struct.Struct("!I")


def conditions() -> str:
    """Return what has to be the same in a process that has everything imported and in one that would import it now.

    That is Python, our files, the packages beside them, the variables that are read at an import, and the limits of the process.
    """
    root, variables = Path(__file__).parents[2], child_environment({})
    files = [path for name in PACKAGES for path in sorted((root / name).rglob("*")) if path.suffix != ".pyc" and path.is_file()]
    stamps = [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files]
    packages = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    found = {
        "python": sys.executable,
        "files": hashlib.sha256(repr(stamps).encode()).hexdigest(),
        "packages": [(path, Path(path).stat().st_mtime_ns) for path in sorted(packages)],
        "variables": {
            name: variables[name] for name in sorted(variables) if name.startswith(READ_ON_IMPORT) and name not in _SET_BY_US
        },
        "limits": [resource.getrlimit(kind)[0] for kind in LIMITS],
        "niceness": os.nice(0),
        "cores": sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else [],
    }
    return json.dumps(found)


def delegate(arguments: Sequence[str], settings: Settings) -> int | None:
    """Have a command carried out and return its exit code; None where the caller has to do it.

    Raises
    ------
    ServiceError
        If the process that carried it out was killed, or ended with the services.
    """
    if not settings.warm_commands or not _has_usual_streams():
        return None
    try:
        connection = _connected(settings.root / FOLDER)
    except OSError:  # as a rule: there are no services
        return None
    with connection:
        try:
            process = _asked(connection, arguments)
        except (OSError, ValueError):
            return None
        return None if process is None else _outcome(connection, process)


def bound(folder: Path) -> socket.socket:
    """Return the socket on which the worker is asked; only its own user may."""
    listener = socket.socket(socket.AF_UNIX)
    with contextlib.chdir(folder):  # the address of such a socket has room for a hundred letters
        Path(SOCKET).unlink(missing_ok=True)
        listener.bind(SOCKET)
        Path(SOCKET).chmod(0o600)
    listener.listen()
    return listener


def send(connection: socket.socket, document: Any, streams: Sequence[int] = ()) -> None:
    """Send a document, and streams with it."""
    content = json.dumps(document).encode()
    socket.send_fds(connection, [_LENGTH.pack(len(content))], streams)
    connection.sendall(content)


def receive(connection: socket.socket, streams: int = 0) -> tuple[Any, list[int]]:
    """Return the next document, and as many streams as came with it.

    Raises
    ------
    OSError
        If the other end is gone, or takes longer than the socket's time-out.
    ValueError
        If that is no document.
    """
    head, found, _, _ = socket.recv_fds(connection, _LENGTH.size, streams)
    try:
        if len(head) < _LENGTH.size:
            raise ConnectionResetError
        (left,) = _LENGTH.unpack(head)
        parts = []
        while left:
            parts.append(connection.recv(min(left, 65_536)))
            if not parts[-1]:
                raise ConnectionResetError
            left -= len(parts[-1])
        return json.loads(b"".join(parts)), found
    except BaseException:
        for stream in found:
            os.close(stream)
        raise


def _has_usual_streams() -> bool:
    """Return whether all streams are those that the process was started with."""
    try:
        numbers = [stream.fileno() for stream in (sys.stdin, sys.stdout, sys.stderr)]
    except (AttributeError, OSError, ValueError):
        return False
    return numbers == list(range(STREAMS))


def _connected(folder: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        with contextlib.chdir(folder):
            if Path(SOCKET).stat().st_uid != os.geteuid():
                raise PermissionError
            connection.settimeout(ANSWER_SECONDS)
            connection.connect(SOCKET)
    except BaseException:
        connection.close()
        raise
    return connection


def _asked(connection: socket.socket, arguments: Sequence[str]) -> int | None:
    """Return the process that carries a command out from now on, or None where the worker does not take it."""
    mask = os.umask(0o077)  # the only way to read it is to set it
    os.umask(mask)
    request = {
        "conditions": conditions(),
        "arguments": list(arguments),
        "environment": child_environment({}),
        "folder": str(Path.cwd()),
        "mask": mask,
        "encodings": [(stream.encoding, stream.errors) for stream in (sys.stdin, sys.stdout, sys.stderr)],
    }
    send(connection, request, range(STREAMS))
    process: int | None = receive(connection)[0]["process"]
    return process


def _outcome(connection: socket.socket, process: int) -> int:
    connection.settimeout(None)
    with _handing_on(process) as told:
        try:
            code: int = receive(connection)[0]["code"]
        except (OSError, ValueError) as error:
            raise ServiceError("standing.command_lost") from error
    if code >= 0:
        return code
    if -code in told:
        return 128 - code
    raise ServiceError("standing.command_killed", signal=signal.Signals(-code).name)


@contextlib.contextmanager
def _handing_on(process: int) -> Iterator[list[int]]:
    """Hand signals on to a process in this block, and yield which there were."""
    told: list[int] = []

    def hand_on(number: int, _: object) -> None:
        told.append(number)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)

    heard = [number for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, hand_on) for number in heard}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

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
import stat
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
LONGEST_ADDRESS = 100  # bytes; Linux takes 107, macOS 103
ANSWER_SECONDS = 5.0
PACKAGES = ("data_contracts", "flows", "infra", "leitstand", "monitoring", "serving")
READ_ON_IMPORT = (
    "ARROW_",
    "BENTOML_",
    "DVC_",
    "DYLD_",
    "GOMP_",
    "GX_",
    "HOME",
    "JE_",
    "JOBLIB_",
    "KMP_",
    "LD_",
    "LOKY_",
    "MALLOC_",
    "MATPLOTLIB",
    "MKL_",
    "MLFLOW_",
    "MPL",
    "NPY_",
    "NUMEXPR_",
    "NUMPY_",
    "OMP_",
    "OPENBLAS_",
    "PANDAS_",
    "PREFECT_",
    "PYDANTIC_",
    "PYTHON",
    "SCIPY_",
    "SKLEARN_",
    "XDG_CONFIG_",
)
"""How the variables begin that Python and the tools read once."""
LIMITS = (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_DATA, resource.RLIMIT_FSIZE)
NAMESPACES = ("ipc", "mnt", "net", "pid", "user", "uts")
_LENGTH = struct.Struct("!I")


def conditions() -> str:
    """Return what has to be the same in a process that has everything imported and in one that would import it now.

    That is Python and how it was called, our files, the packages beside them, the variables that are read at an import, what the process may do,
    and what it sees of the machine: with a file system of its own, as systemd and containers give services, the same path is another file.
    """
    root, variables = Path(__file__).parents[2], {**QUIET, **child_environment(NO_TELEMETRY)}
    files = [path for name in PACKAGES for path in sorted((root / name).rglob("*")) if path.suffix != ".pyc" and path.is_file()]
    stamps = [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files]
    packages = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    found = {
        "python": [sys.executable, list(sys.flags), sys.warnoptions, sorted(sys._xoptions), sys.getfilesystemencoding()],
        "files": hashlib.sha256(repr(stamps).encode()).hexdigest(),
        "packages": [(path, Path(path).stat().st_mtime_ns) for path in sorted(packages)],
        "variables": {
            name: variables[name] for name in sorted(variables) if name.startswith(READ_ON_IMPORT) and name != "PYTHONUNBUFFERED"
        },
        "limits": [resource.getrlimit(kind)[0] for kind in LIMITS],
        "niceness": os.nice(0),
        "groups": [os.getegid(), sorted(os.getgroups())],
        "root": [Path("/").stat().st_dev, Path("/").stat().st_ino],
        "machine": _machine(),
    }
    return json.dumps(found)


def _machine() -> list[object]:
    """Return what Linux tells of the cores that this process may use, its view of the machine, and whether it may gain rights."""
    if sys.platform != "linux":
        return []
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    views = [os.readlink(f"/proc/self/ns/{name}") for name in NAMESPACES]  # noqa: PTH115 - a name, no path
    return [sorted(os.sched_getaffinity(0)), views, [line for line in status.splitlines() if line.startswith("NoNewPrivs")]]


def delegate(command: str, arguments: Sequence[str], settings: Settings) -> int | None:
    """Have a command carried out and return its exit code; None where the caller has to do it.

    Parameters
    ----------
    command : the first of the ``arguments`` that is no option

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
            process = _asked(connection, command, arguments)
        except (OSError, ValueError):
            return None
        return None if process is None else _outcome(connection, process)


def bound(folder: Path) -> socket.socket:
    """Return the socket on which the worker is asked; only its own user may."""
    listener = socket.socket(socket.AF_UNIX)
    try:
        with _address(folder) as address:
            Path(address).unlink(missing_ok=True)
            listener.bind(address)
            Path(address).chmod(0o600)
        listener.listen()
    except BaseException:
        listener.close()
        raise
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


@contextlib.contextmanager
def _address(folder: Path) -> Iterator[str]:
    """Yield the address of the socket in a folder: its path, or where that is too long its name, inside the folder."""
    path = str(folder / SOCKET)
    if len(os.fsencode(path)) <= LONGEST_ADDRESS:
        yield path
        return
    os.chdir(".")  # fails where there would be no way back
    with contextlib.chdir(folder):
        yield SOCKET


def _connected(folder: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        with _address(folder) as address:
            found = Path(address).lstat()
            if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
                raise PermissionError
            connection.settimeout(ANSWER_SECONDS)
            connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection


def _asked(connection: socket.socket, command: str, arguments: Sequence[str]) -> int | None:
    """Return the process that carries a command out from now on, or None where the worker does not take it."""
    mask = os.umask(0o077)  # the only way to read it is to set it
    os.umask(mask)
    request = {
        "conditions": conditions(),
        "command": command,
        "arguments": list(arguments),
        "environment": child_environment({}),
        "folder": str(Path.cwd()),
        "mask": mask,
        "streams": [_described(stream) for stream in (sys.stdin, sys.stdout, sys.stderr)],
    }
    send(connection, request, range(STREAMS))
    process: int | None = receive(connection)[0]["process"]
    return process


def _described(stream: Any) -> dict[str, Any]:
    return {"encoding": stream.encoding, "errors": stream.errors, "write_through": getattr(stream, "write_through", False)}


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
    """Hand signals on to a process in this block, and yield which there were that end one; Ctrl-Z halts both."""
    told: list[int] = []

    def halt(_: int, __: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)  # and here it goes on when it is told to
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGCONT)

    def hand_on(number: int, _: object) -> None:
        told.append(number)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)

    heard = [number for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, hand_on) for number in heard}
    if signal.getsignal(signal.SIGTSTP) == signal.SIG_DFL:
        before[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, halt)
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

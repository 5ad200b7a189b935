"""The supervisor of the standing services: supervisord, which starts them, restarts what crashes with back-off, and rotates what they print.

It was chosen over circus, which comes with BentoML in a form of its own: that one ends altogether as soon as one service is without a process, and
lets whoever reaches its socket start commands. Supervisord is told everything by a file and opens no socket.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

import infra
from infra.settings import Settings, calm_tools, child_environment

FOLDER = "standing"
LOG_BYTES, LOG_FILES = 10_000_000, 5
STEADY_SECONDS = 3  # a process that ends sooner is started again after 1, 2, 3 … s; a later one at once
FOR_EVER = 1_000_000_000
STOP_SECONDS = 25

SUPERVISOR = """\
[supervisord]
nodaemon=true
silent=true
directory={folder}
logfile={log}
logfile_maxbytes=5MB
logfile_backups=3
pidfile={pid}
"""

PROGRAM = """
[program:{name}]
command={command}
priority={priority}
startsecs={steady}
startretries={retries}
autorestart=true
stopwaitsecs={stop}
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile={log}
stdout_logfile_maxbytes={bytes}
stdout_logfile_backups={files}
"""


def log_file(settings: Settings, service: str) -> Path:
    """Return where what a service prints is kept; older parts lie beside it as ``.1``, ``.2`` …"""
    return settings.folder("logs") / f"{service}.log"


def pid_file(settings: Settings) -> Path:
    """Return the file with the supervisor's process id."""
    return settings.root / FOLDER / "supervisor.pid"


def write_configuration(settings: Settings, commands: Mapping[str, Sequence[str]]) -> Path:
    """Write the supervisor's configuration and return its path.

    Parameters
    ----------
    commands : by service, in the order in which they are started; programs and arguments without spaces or quotes
    """
    text = SUPERVISOR.format(
        folder=_escaped(Path(infra.__file__).parent.parent),
        log=_escaped(log_file(settings, "supervisor")),
        pid=_escaped(pid_file(settings)),
    )
    for number, (name, command) in enumerate(commands.items()):
        text += PROGRAM.format(
            name=name,
            command=_escaped(" ".join(f'"{part}"' for part in command)),
            priority=number + 1,
            steady=STEADY_SECONDS,
            retries=FOR_EVER,
            stop=STOP_SECONDS,
            log=_escaped(log_file(settings, name)),
            bytes=LOG_BYTES,
            files=LOG_FILES,
        )
    path = settings.folder(FOLDER) / "supervisord.conf"
    fresh = path.with_suffix(".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
    return path


def start_supervisor(settings: Settings, configuration: Path) -> "subprocess.Popen[bytes]":
    """Start the supervisor with all its services, detached from the terminal."""
    calm_tools()
    own = settings.environment() | {"PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "supervisor.supervisord", "-c", str(configuration)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=Path(infra.__file__).parent.parent,
        env=child_environment(own),
        start_new_session=True,
    )


def supervisor(settings: Settings) -> psutil.Process | None:
    """Return the running supervisor of this state folder, if there is one."""
    try:
        process = psutil.Process(int(pid_file(settings).read_text(encoding="ascii")))
        ours = str(settings.root / FOLDER) in " ".join(process.cmdline())
    except (OSError, ValueError, psutil.Error):
        return None
    return process if ours and process.status() != psutil.STATUS_ZOMBIE else None


def parent_supervises(settings: Settings) -> bool:
    """Return whether this process was started by the supervisor and is not orphaned already."""
    found = supervisor(settings)
    return found is not None and found.pid == os.getppid()


def _escaped(value: object) -> str:
    return str(value).replace("%", "%%")

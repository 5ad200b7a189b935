"""Nothing phones home: the lifecycle passes where there is no way out of the machine."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from workshop import Workshop

pytestmark = pytest.mark.slow

LOOPBACK_UP = """
import fcntl, socket, struct, sys
with socket.socket() as door:
    flags = struct.pack("16sh", b"lo", 0x1 | 0x40)
    fcntl.ioctl(door, 0x8914, flags)  # SIOCSIFFLAGS: up and running
"""
NO_WAY_OUT = """
import socket
try:
    socket.create_connection(("192.0.2.1", 80), timeout=2)
except OSError as error:
    print(error.errno)
"""


def _alone() -> list[str]:
    """Return the command that runs another one in a network namespace that has only loopback."""
    if shutil.which("unshare") is None:
        pytest.skip("no unshare on this machine: network namespaces are Linux's")
    command = ["unshare", "-n"] if os.getuid() == 0 else ["unshare", "-rn"]
    tried = subprocess.run([*command, sys.executable, "-c", LOOPBACK_UP], capture_output=True, text=True, timeout=60)
    if tried.returncode != 0:
        pytest.skip(f"the kernel forbids a network namespace: {tried.stderr.strip().splitlines()[-1:]}")
    return command


def _run(command: list[str], code: str, workshop: Workshop, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*command, sys.executable, "-c", LOOPBACK_UP + code, *arguments],
        capture_output=True,
        text=True,
        cwd=workshop.work,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), **workshop.variables},
        timeout=500,
    )


def test_the_lifecycle_passes_where_only_loopback_is(tmp_path: Path) -> None:
    alone = _alone()
    workshop = Workshop(tmp_path, {"LEITSTAND_PREFECT_URL": "http://127.0.0.1:9/api", "LEITSTAND_LANGUAGE": "en"})
    assert _run(alone, NO_WAY_OUT, workshop).stdout.strip() == "101", "the namespace has a way out: this test would prove nothing"
    run = _run(alone, "from flows.cli import main; main()", workshop, "run", "cell_diagnostics", "--approve", "--json")
    assert run.returncode == 0, run.stdout + run.stderr
    told = json.loads(run.stdout)
    assert told["model"]["alias"] == "champion"
    assert told["service"]["rows"] == told["service"]["labels"] > 100
    assert all(one["verdict"] == "passed" for one in told["milestones"])
    assert run.stderr == ""
    assert workshop.processes() == []

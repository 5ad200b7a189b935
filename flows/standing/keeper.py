"""Who supervises the supervisor: a process that it restarts, and that starts it anew when it was killed.

The services end by themselves when their supervisor is gone, so that none is left behind; the keeper waits for that and brings all back.
"""

import os
import time
from contextlib import suppress

import psutil

from flows.standing.plan import SERVICES, processes, read_plan
from infra.locks import hold
from infra.settings import Settings
from infra.supervision import FOLDER, start_supervisor, supervisor
from leitstand.errors import Busy

LOOK_SECONDS = 0.5
END_SECONDS = 12.0


def keep(settings: Settings, parent: int) -> None:
    """Return when the supervisor has ended in order; when it was killed, start another, which starts a keeper of its own."""
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    with suppress(Busy), hold(settings, "standing", wait_seconds=0):  # somebody who starts or ends all does not need the keeper
        if read_plan(settings) is None or supervisor(settings) is not None:
            return
        end_all(processes(settings, SERVICES), END_SECONDS)
        started = start_supervisor(settings, settings.root / FOLDER / "supervisord.conf")
        while supervisor(settings) is None and started.poll() is None:
            time.sleep(LOOK_SECONDS)


def end_all(left: set[psutil.Process], seconds: float) -> None:
    """Wait until processes have ended by themselves; kill what is left then."""
    _, alive = psutil.wait_procs(left, timeout=seconds)
    for process in alive:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(alive, timeout=5)

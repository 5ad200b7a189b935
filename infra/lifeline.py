"""Ending together: a child process that notices within a second that its parent is gone, even when that was killed with SIGKILL.

Linux could do this with ``prctl(PR_SET_PDEATHSIG)``; macOS has nothing of the kind, so a thread looks at the parent's id.
"""

import os
import signal
import threading
import time

import psutil

LOOK_SECONDS = 0.5
GRACE_SECONDS = 10.0


def end_with(parent: int, grandparent: int | None = None) -> None:
    """End this process soon after its parent has ended: SIGTERM first, SIGKILL after ten seconds.

    Parameters
    ----------
    parent : process id of this process's parent
    grandparent : the parent's parent; if it is not, the true parent has ended already and an orphan's foster parent was taken for it
    """
    adopted = grandparent is not None and _parent_of(parent) != grandparent
    threading.Thread(target=_follow, args=(parent, adopted), name="lifeline", daemon=True).start()


def _parent_of(process: int) -> int | None:
    try:
        return psutil.Process(process).ppid()
    except psutil.Error:
        return None


def _follow(parent: int, adopted: bool) -> None:
    while os.getppid() == parent and not adopted:
        time.sleep(LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)

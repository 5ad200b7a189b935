"""Which code made a model: the workspace's git commit, whether it was changed since, and the hash of the lock of all packages."""

import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

from infra.settings import Settings

NONE = "none"
LOCK_FILE = "requirements.lock"
_TIMEOUT_SECONDS = 20


@dataclass(frozen=True)
class CodeVersion:
    """Where the code stood.

    Parameters
    ----------
    commit : 40 hex digits, or ``none`` without git
    dirty : whether files differ from the commit; files that git does not know count too
    lock_hash : SHA-256 of requirements.lock, or ``none`` where there is no such file
    """

    commit: str
    dirty: bool
    lock_hash: str

    def __str__(self) -> str:
        return f"{self.commit}+changes" if self.dirty else self.commit


def code_version(settings: Settings) -> CodeVersion:
    """Return the code version of the workspace; never fails, for a model made without git is a model too."""
    commit = _git(settings.workspace, "rev-parse", "HEAD")
    changes = _git(settings.workspace, "status", "--porcelain") if commit else None
    return CodeVersion(commit or NONE, bool(changes), _lock_hash(settings))


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(folder), "--no-optional-locks", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _lock_hash(settings: Settings) -> str:
    for root in settings.roots:
        lock = root / LOCK_FILE
        if lock.is_file():
            return hashlib.sha256(lock.read_bytes()).hexdigest()
    return NONE

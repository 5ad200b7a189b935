"""Writing a file whole or not at all."""

import os
from pathlib import Path
from tempfile import NamedTemporaryFile

from leitstand.errors import StateError


def write_atomically(path: Path, content: str) -> None:
    """Write ``content`` to ``path``, its folder made if missing; whoever reads meanwhile sees the old file or the new one.

    Raises
    ------
    StateError
        If it cannot be written: full or read-only disk. Nothing is left behind then.
    """
    unfinished: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=".", delete=False) as file:
            unfinished = Path(file.name)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.chmod(0o644)
        unfinished.replace(path)
    except OSError as error:
        if unfinished is not None:
            unfinished.unlink(missing_ok=True)
        raise StateError("monitoring.result_unwritable", path=path, detail=error.strerror or str(error)) from error

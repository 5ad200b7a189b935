"""What the operating system says of a disk, in our words."""

import os

from leitstand.errors import StateError


def disk_error(path: object, error: OSError) -> StateError:
    """Return our error for a place that cannot be written: full, read-only, gone."""
    detail = os.strerror(error.errno) if error.errno else str(error)
    return StateError("infra.disk", path=path, detail=detail)

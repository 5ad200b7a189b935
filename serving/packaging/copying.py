"""Copying folders so that a full disk is one error."""

import shutil
from pathlib import Path


def copy_folder(source: Path, target: Path) -> None:
    """Copy all files of a folder, modes included; ``shutil.copytree`` would go on after an error, and tell one per file.

    Raises
    ------
    OSError
        At the first file that cannot be copied.
    """
    target.mkdir(parents=True)
    for file in sorted(source.rglob("*")):
        if file.is_dir():
            (target / file.relative_to(source)).mkdir()
        else:
            shutil.copy(file, target / file.relative_to(source))

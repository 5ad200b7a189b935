"""BentoML's own tools for building and exporting, each in a process of its own: they import the packaged code, not ours."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from infra.settings import Settings, calm_tools, child_environment
from leitstand.errors import ServiceError, StateError, UsageError
from serving.packaging.copying import copy_folder

ARCHIVE = ".bento"
BUILD_SECONDS = 600.0
DOCKERFILE, CONTAINERFILE = Path("env/docker/Dockerfile"), "Containerfile"


def build(staged: Path, name: str, version: str, settings: Settings) -> Path:
    """Return the folder of the Bento that ``staged`` (with its ``bentofile.yaml``) makes, in the store of the state folder.

    Raises
    ------
    ServiceError
        If BentoML cannot build it, such as when a packaged module does not import.
    StateError
        If the disk is full.
    """
    path = settings.folder("bentoml") / "bentos" / name / version
    shutil.rmtree(path, ignore_errors=True)  # of the same content, or half written
    _bentoml(["build", "--version", version, "."], staged, settings)
    return path


def export(bento: Path, tag: str, output: Path, settings: Settings, *, overwrite: bool) -> Path:
    """Return where a Bento was put, whole or not at all: a folder, or one file where the name ends in ``.bento``.

    Raises
    ------
    UsageError
        If there is something and it is not to be overwritten, or is no package.
    """
    check_output(output, overwrite=overwrite)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".new-") as scratch:
        fresh = Path(scratch) / output.name
        if output.suffix == ARCHIVE:
            _bentoml(["export", tag, str(fresh)], Path(scratch), settings)
        else:
            copy_folder(bento, fresh)
        if output.is_dir():
            output.rename(Path(scratch) / "old")
        fresh.rename(output)
    return output


def check_output(output: Path, *, overwrite: bool) -> None:
    """Refuse a place that is taken.

    Raises
    ------
    UsageError
        If there is something and it is not to be overwritten, or is no package.
    """
    empty = output.is_dir() and not any(output.iterdir())
    if empty or not (output.exists() or output.is_symlink()):
        return
    ours = (output / "bento.yaml").is_file() if output.is_dir() else output.suffix == ARCHIVE
    if not overwrite:
        raise UsageError("package.output_exists", path=output)
    if not ours:
        raise UsageError("package.output_foreign", path=output)


def add_containerfile(bento: Path) -> None:
    """Put the Dockerfile where podman and buildah look for one."""
    shutil.copyfile(bento / DOCKERFILE, bento / CONTAINERFILE)


def _bentoml(arguments: list[str], folder: Path, settings: Settings) -> None:
    calm_tools()
    own = {"BENTOML_HOME": str(settings.folder("bentoml")), "PYTHONDONTWRITEBYTECODE": "1", "LEITSTAND_HOME": str(settings.root)}
    ended = subprocess.run(
        [sys.executable, "-m", "bentoml", *arguments],
        cwd=folder,
        env=child_environment(own),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    if ended.returncode != 0:
        said = f"{ended.stdout}\n{ended.stderr}".strip()
        if os.strerror(errno.ENOSPC) in said:
            raise StateError("infra.disk", path=settings.root, detail=os.strerror(errno.ENOSPC))
        raise ServiceError("package.build_failed", tail="\n".join(said.splitlines()[-15:]))

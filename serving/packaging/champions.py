"""The champions that a package holds: found, checked as the service would, and copied."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data_contracts.odcs import find_contract
from infra.packaged import CHAMPIONS_FILE, RELEASES_FOLDER
from infra.releases import COMPILED_FOLDER, HOLDOUT_FILE, MODEL_FOLDER, REFERENCE_FILE, RELEASE_FILE, Release, Releases
from infra.settings import Settings
from leitstand.errors import ModelError
from leitstand.project import Project
from serving.compilation import Compilation
from serving.compiled import read_compilation
from serving.loading import served_project
from serving.packaging.copying import copy_folder
from serving.packaging.travelling import travelling_text
from serving.preparing import compile_releases, fetch_release
from serving.released import ReleasedModel

ROWS = (HOLDOUT_FILE, REFERENCE_FILE)


@dataclass(frozen=True)
class Champion:
    """A promoted model that can be packaged.

    Parameters
    ----------
    folder : of the release
    contract : file
    compilation : how compiling ended; None where it failed
    """

    project: Project
    release: Release
    folder: Path
    contract: Path
    compilation: Compilation | None

    @property
    def model_py(self) -> Path | None:
        """The project's functions, if it has any."""
        file = self.project.folder / "model.py"
        return file if file.is_file() else None

    @property
    def personal(self) -> tuple[str, ...]:
        """Columns whose values are personal data, or are kept as pseudonyms only: rows with them stay at home."""
        columns = self.project.contract.columns
        return tuple(column.name for column in columns if column.is_guarded)

    @property
    def has_rows(self) -> bool:
        """Whether the release holds rows to compare with."""
        return any((self.folder / file).is_file() for file in ROWS)


def champion(name: str, settings: Settings, releases: Releases) -> Champion:
    """Return the champion of a project, compiled and loaded once, so that what is packaged can be served.

    Raises
    ------
    UsageError
        If there is no such project (did you mean).
    ProjectError
        If the project's files are wrong.
    ModelError
        If the project has no champion, or its release is missing or not the one that was registered.
    """
    project = served_project(name, settings)
    version = releases.champions().get(name)
    if version is None:
        raise ModelError("serving.no_champion", project=name)
    if not releases.has(name, version):
        fetch_release(name, version)
    if not releases.has(name, version):
        raise ModelError("package.release_missing", project=name, version=version, path=releases.folder(name, version))
    release, folder = releases.read(name, version), releases.folder(name, version)
    compile_releases(releases, [release])
    ReleasedModel(release, folder)
    contract = find_contract(project.spec.contract_file, settings.roots)
    return Champion(project, release, folder, contract, read_compilation(folder / COMPILED_FOLDER))


def copy_champion(one: Champion, package: Path, *, rows: bool) -> None:
    """Copy contract and release into a package, and of the project what the service needs.

    Parameters
    ----------
    package : folder that gets ``projects/``, ``data_contracts/`` and ``releases/``
    rows : whether the held-out rows and the reference window go along
    """
    name = one.project.name
    _copy([one.project.folder / "model.py"], package / "projects" / name)
    (package / "projects" / name / "project.yaml").write_text(travelling_text(one.project.spec), encoding="utf-8")
    _copy([one.contract], package / "data_contracts")
    target = package / RELEASES_FOLDER / name / str(one.release.version)
    _copy([one.folder / RELEASE_FILE, *(one.folder / file for file in ROWS if rows)], target)
    for folder in (MODEL_FOLDER, COMPILED_FOLDER):
        if (one.folder / folder).is_dir():
            copy_folder(one.folder / folder, target / folder)


def write_champions(champions: Sequence[Champion], package: Path) -> None:
    """Write which versions answer."""
    versions = {one.project.name: one.release.version for one in champions}
    (package / RELEASES_FOLDER / CHAMPIONS_FILE).write_text(json.dumps(versions, indent=2), encoding="utf-8")


def _copy(files: Sequence[Path], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        if file.is_file():
            shutil.copyfile(file, folder / file.name)

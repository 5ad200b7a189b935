"""Packages: a Bento of promoted champions that is served where nothing but its own requirements is installed.

Only the modules that the service imports go in, and only the libraries that these import, pinned to what is installed here. BentoML builds the
archive. See docs/decisions/0020.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import yaml

from infra.disk import disk_error
from infra.locks import hold
from infra.releases import Releases
from infra.settings import Settings
from leitstand.errors import UsageError
from leitstand.texts import LANGUAGES, text
from serving.packaging.bento import add_containerfile, build, check_output, export
from serving.packaging.champions import Champion, champion, copy_champion, write_champions
from serving.packaging.requirements import Pin, is_hashed, pins, python_version, requirements_text
from serving.packaging.sources import CODE, sources

README, REQUIREMENTS, TEMPLATE = "README.md", "requirements.txt", "Dockerfile.template"
WAIT_SECONDS = 120.0  # for another package that is being made
SEVERAL = "leitstand"  # name of a package with more than one project


@dataclass(frozen=True)
class Package:
    """A package that was made.

    Parameters
    ----------
    tag : of the Bento, ``name:version``; the same content has the same version
    path : folder or ``.bento`` file
    size : bytes
    requirements : everything that has to be installed
    hashed : whether each of them is checked against a hash
    with_rows : projects whose held-out rows and reference window are in it
    """

    tag: str
    path: Path
    size: int
    champions: tuple[Champion, ...]
    requirements: tuple[Pin, ...]
    hashed: bool
    with_rows: tuple[str, ...]


def package(
    names: Sequence[str],
    settings: Settings,
    *,
    output: Path | None = None,
    containerfile: bool = False,
    explain: bool = False,
    overwrite: bool = False,
) -> Package:
    """Make a package of the champions of projects.

    Parameters
    ----------
    output : folder or ``.bento`` file; where left out the Bento stays in the store of the state folder
    containerfile : whether the Dockerfile also lies at the top under the name that podman looks for
    explain : whether what explanations need goes along: shap, and the rows they compare with where the contract knows no personal data
    overwrite : whether a package at ``output`` is replaced

    Raises
    ------
    UsageError
        If a project is unknown or ``output`` is taken.
    ProjectError
        If a project's files are wrong, or its model.py imports what is not installed or a training tool.
    ModelError
        If a project has no champion, or its release is missing or damaged.
    ServiceError
        If BentoML cannot build it.
    StateError
        If the disk cannot be written, or another package is being made for long.
    """
    if not names:
        raise UsageError("serving.nothing_to_serve")
    if output is not None:
        output = output.expanduser().resolve()
        check_output(output, overwrite=overwrite)
    releases = Releases(settings)
    try:
        champions = tuple(champion(name, settings, releases) for name in dict.fromkeys(names))
    finally:
        releases.close()
    with_rows = tuple(one.project.name for one in champions if explain and one.has_rows and not one.personal)
    own = sources([one.model_py for one in champions if one.model_py is not None])
    required = pins(own.imports, explaining=bool(with_rows))
    try:
        with tempfile.TemporaryDirectory(prefix="leitstand-package-") as scratch:
            staged = Path(scratch)  # not in the state folder: BentoML reads no file on whose path a name begins with a dot
            _stage(staged, champions, own.files, required, with_rows)
            name, version = _name(champions), _version(staged)
            tag = f"{name}:{version}"
            with hold(settings, "package", wait_seconds=WAIT_SECONDS):
                bento = build(staged, name, version, settings)
                if containerfile:
                    add_containerfile(bento)
                path = bento if output is None else export(bento, tag, output, settings, overwrite=overwrite)
        size = path.stat().st_size if path.is_file() else sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    except OSError as error:
        raise disk_error(error.filename or output or settings.root, error) from error
    return Package(tag, path, size, champions, required, is_hashed(required), with_rows)


def _name(champions: Sequence[Champion]) -> str:
    return champions[0].project.name if len(champions) == 1 else SEVERAL


def _version(staged: Path) -> str:
    """Return a name for the content of a folder."""
    whole = hashlib.sha256()
    for file in sorted(path for path in staged.rglob("*") if path.is_file()):
        whole.update(f"{file.relative_to(staged).as_posix()}\n".encode() + hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()[:12]


def _stage(
    staged: Path, champions: Sequence[Champion], own: set[Path], required: Sequence[Pin], with_rows: Sequence[str]
) -> None:
    """Write everything that BentoML is to pack."""
    for file in own:
        (staged / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(CODE / file, staged / file)
    for one in champions:
        copy_champion(one, staged, rows=one.project.name in with_rows)
    write_champions(champions, staged)
    (staged / REQUIREMENTS).write_text(requirements_text(required), encoding="utf-8")
    hashes = "--require-hashes " if is_hashed(required) else ""
    template = files(__name__).joinpath(TEMPLATE).read_text(encoding="utf-8")
    docker = template.replace("@PYTHON@", python_version()).replace("@HASHES@", hashes)
    (staged / TEMPLATE).write_text(docker, encoding="utf-8")
    (staged / README).write_text(_readme(champions, with_rows, hashes), encoding="utf-8")
    (staged / "bentofile.yaml").write_text(yaml.safe_dump(_bentofile(champions, required)), encoding="utf-8")


def _bentofile(champions: Sequence[Champion], required: Sequence[Pin]) -> dict[str, object]:
    return {
        "service": "serving.service:LeitstandService",
        "name": _name(champions),
        "labels": {one.project.name: str(one.release.version) for one in champions},
        "description": f"file:{README}",
        "exclude": [f"/{TEMPLATE}"],
        "python": {"packages": [pin.line for pin in required if pin.name != "bentoml"], "lock_packages": False},
        "docker": {"base_image": f"python:{python_version()}-slim", "dockerfile_template": TEMPLATE},
    }


def _readme(champions: Sequence[Champion], with_rows: Sequence[str], hashes: str) -> str:
    """Return how the package is used, in both languages."""
    return "\n".join(
        text(
            "package.readme",
            language,
            name=_name(champions),
            projects="\n".join(
                text(
                    "package.readme_project",
                    language,
                    project=one.project.name,
                    title=one.project.spec.title.in_language(language),
                    version=one.release.version,
                    sha256=one.release.sha256,
                    data=one.release.data_version,
                    rows=text("package.readme_rows" if one.project.name in with_rows else "package.readme_no_rows", language),
                )
                for one in champions
            ),
            first=champions[0].project.name,
            python=python_version(),
            hashes=hashes,
        )
        for language in LANGUAGES
    )

"""What the service finds when it was started from a package (``serving.packaging`` makes one): its releases, and where its state goes.

A package is one folder with the code, the projects, the contracts and ``releases/``; ``releases/champions.json`` in place of the history says
which of them answer. Nothing in it is written to: the state is a folder of its own.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

from infra.history import Standing
from infra.releases import Releases
from infra.settings import Settings, load_settings
from leitstand.errors import ModelError

RELEASES_FOLDER, CHAMPIONS_FILE, STATE_FOLDER = "releases", "champions.json", "state"


def packaged() -> Path | None:
    """Return the folder with the code and all it needs if this code is part of a package, None otherwise."""
    folder = Path(__file__).parent.parent
    return folder if (folder / RELEASES_FOLDER / CHAMPIONS_FILE).is_file() else None


def key_command() -> str:
    """Return the command that makes a key where this code runs; a package has no ``leitstand``."""
    return "leitstand keys create" if packaged() is None else "python -m serving.grant create"


class PackagedReleases(Releases):
    """The releases in a package; there is no history, and so no earlier champion, no challenger and no pause.

    Parameters
    ----------
    package : folder that holds ``releases/``
    """

    def __init__(self, package: Path) -> None:
        self._root = package / RELEASES_FOLDER

    def close(self) -> None:
        """Do nothing: there is no connection."""

    def standings(self) -> dict[str, Standing]:
        """Return the champion of every packaged project.

        Raises
        ------
        ModelError
            If ``champions.json`` cannot be read.
        """
        file = self._root / CHAMPIONS_FILE
        try:
            since = datetime.fromtimestamp(file.stat().st_mtime, UTC)
            versions = {str(name): int(version) for name, version in json.loads(file.read_bytes()).items()}
        except (OSError, ValueError, AttributeError) as error:
            raise ModelError("infra.release_unreadable", path=file) from error
        return {name: Standing(name, version, None, None, 0.0, False, "", since) for name, version in versions.items()}

    def earlier_champions(self, project: str) -> list[int]:
        """Return none."""
        return []


def open_releases(settings: Settings) -> Releases:
    """Return the releases that the service answers with: those of its package, or those of the state folder."""
    package = packaged()
    return Releases(settings) if package is None else PackagedReleases(package)


def service_settings() -> Settings:
    """Return the settings of the environment as they hold for the service.

    In a package the projects are those in it, whatever lies in the folder where it was started; and where ``LEITSTAND_HOME`` names none, the
    state folder is ``state`` beside the code, not a folder in it.

    Raises
    ------
    UsageError
        If a variable has a value that cannot be.
    """
    package, settings = packaged(), load_settings()
    if package is None:
        return settings
    home = settings.home if "home" in settings.model_fields_set else package.parent / STATE_FOLDER
    return load_settings(workspace=package, home=home)

"""What is served: the champion's files in one local folder, complete and hashed, so that a service needs no model registry to run.

A promotion publishes the release before the history names it, so the history never names a version that is not there. On a machine where it
is missing (the promotion happened elsewhere) ``infra.publishing`` fetches it. Layout::

    releases/<project>/<version>/
        release.json       what it is, and the rule that answers when no model may
        model/             the model and its card, as ``leitstand.model_file`` wrote them
        reference.parquet  what monitoring compares with; nearest examples come from it
        holdout.parquet    model inputs of held-out rows: a compiled form has to answer them as the model does
        compiled/          the compiled form, once it was made
"""

from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from infra.history import History, Standing
from infra.settings import Settings
from leitstand.errors import ModelError
from leitstand.rule import Rule

RELEASE_FILE, MODEL_FOLDER, COMPILED_FOLDER = "release.json", "model", "compiled"
REFERENCE_FILE, HOLDOUT_FILE = "reference.parquet", "holdout.parquet"


class Release(BaseModel):
    """One published model version.

    Parameters
    ----------
    sha256 : of the stored model, checked when it is loaded
    data_version : content hash of the snapshot it was trained on
    metrics : its figures on the hold-out, and those of its baseline
    synthetic : whether it learned from built-in synthetic data
    rule : the baseline of its training, here so that it can be read when the model's own files cannot; None in older releases
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    project: str
    version: int
    run_id: str
    sha256: str
    data_version: str
    created: datetime
    metrics: dict[str, float] = {}
    synthetic: bool = False
    rule: Rule | None = None


class Releases:
    """The releases in one state folder, and which of them the history puts in charge."""

    def __init__(self, settings: Settings) -> None:
        self._root = settings.root / "releases"
        self._history = History(settings.database("history"))

    def close(self) -> None:
        """Close all connections; the next call opens new ones."""
        self._history.close()

    def folder(self, project: str, version: int) -> Path:
        """Return where a release lies or will lie."""
        return self._root / project / str(version)

    def champions(self) -> dict[str, int]:
        """Return the version in charge of every project that has one."""
        return {name: one.champion for name, one in self.standings().items() if one.champion is not None}

    def standings(self) -> dict[str, Standing]:
        """Return who answers for every project that has a history."""
        return self._history.standing()

    def earlier_champions(self, project: str) -> list[int]:
        """Return the champions before the current one, the latest first."""
        return self._history.champions(project)[-2::-1]

    def has(self, project: str, version: int) -> bool:
        """Return whether the release is on this machine, whole."""
        return (self.folder(project, version) / RELEASE_FILE).is_file()

    def read(self, project: str, version: int) -> Release:
        """Return what a release is.

        Raises
        ------
        ModelError
            If it is not on this machine, or its description cannot be read.
        """
        file = self.folder(project, version) / RELEASE_FILE
        try:
            return Release.model_validate_json(file.read_text(encoding="utf-8"))
        except (OSError, ValidationError) as error:
            raise ModelError("infra.release_unreadable", path=file) from error

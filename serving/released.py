"""The model of a release: its compiled form where that answers alike, the original otherwise."""

import logging
from pathlib import Path
from threading import Lock

import pandas as pd

from infra.releases import COMPILED_FOLDER, HOLDOUT_FILE, MODEL_FOLDER, REFERENCE_FILE, Release
from leitstand.model import TrainedModel
from leitstand.model_file import load_card, load_model
from serving.compiled import load_compiled, read_compilation

logger = logging.getLogger("bentoml.leitstand")  # below BentoML's own logger, so that its handlers write it


class ReleaseFolder:
    """What a release keeps beside its model.

    Parameters
    ----------
    folder : of the release
    """

    def __init__(self, release: Release, folder: Path) -> None:
        self.release, self.folder = release, folder

    def background(self) -> pd.DataFrame:
        """Return rows to compare with when an answer is explained: held-out model inputs, or the reference window where there are none."""
        file = self.folder / HOLDOUT_FILE
        return pd.read_parquet(file) if file.is_file() else self.reference()

    def reference(self) -> pd.DataFrame:
        """Return the reference window; empty where the release has none."""
        file = self.folder / REFERENCE_FILE
        return pd.read_parquet(file) if file.is_file() else pd.DataFrame()


class ReleasedModel(ReleaseFolder):
    """One release, loaded.

    Parameters
    ----------
    folder : of the release

    Raises
    ------
    TamperedModel
        If a file is missing or changed.
    """

    def __init__(self, release: Release, folder: Path) -> None:
        super().__init__(release, folder)
        self._loading = Lock()
        self._original: TrainedModel | None = None
        self.card = load_card(folder / MODEL_FOLDER, release.sha256)
        self.prepared = read_compilation(folder / COMPILED_FOLDER) is not None
        """Whether compiling had been tried when it was loaded."""
        compiled = load_compiled(folder / COMPILED_FOLDER, release.sha256)
        self.compiled = compiled is not None
        self.model = self.original if compiled is None else TrainedModel(compiled, self.card)
        form = "compiled" if self.compiled else "original"
        logger.info("%s version %s is loaded (%s)", release.project, release.version, form)

    @property
    def original(self) -> TrainedModel:
        """The scikit-learn model, loaded when it is first needed: a compiled one answers without it."""
        with self._loading:
            if self._original is None:
                self._original = load_model(self.folder / MODEL_FOLDER, self.release.sha256)
            return self._original

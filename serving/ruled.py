"""The baseline in place of a model: it takes the same requests, and its answers say that they are a fallback's."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from infra.prediction_entries import BASELINE_VERSION
from infra.releases import Release
from leitstand.errors import DataError, ModelError
from leitstand.model import ModelCard, TrainedModel
from leitstand.prediction import Predictions
from leitstand.project import Project
from leitstand.rule import Rule
from serving.released import ReleaseFolder

logger = logging.getLogger("bentoml.leitstand")
CANDIDATE = "baseline"


class RuledModel:
    """A rule that answers as a model does."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    def predict(self, project: Project, frame: pd.DataFrame) -> Predictions:
        """Return the answers for conformed rows of the project's input contract.

        The project's own rule gets the target as a column without values, because in training it sees earlier ones.
        """
        said = None
        if self.rule.own:
            said = project.baseline(frame.assign(**{project.spec.data.target: np.nan}))
        return self.rule.answer(len(frame), said)


class RuledRelease(ReleaseFolder):
    """The rule of a release, in the form in which a served model comes.

    Parameters
    ----------
    folder : of the release

    Raises
    ------
    ModelError
        If the release has none, because it is older than rules are kept.
    """

    compiled = False
    prepared = True

    def __init__(self, project: Project, release: Release, folder: Path) -> None:
        if release.rule is None:
            raise ModelError("serving.no_rule", project=release.project, version=release.version)
        rule, data = release.rule, project.spec.data
        super().__init__(release.model_copy(update={"version": BASELINE_VERSION, "metrics": _own(release)}), folder)
        self.model = RuledModel(rule)
        self.card = ModelCard(
            project=release.project,
            task=rule.task,
            candidate=CANDIDATE,
            target=data.target,
            feature_names=(),
            classes=rule.classes,
            positive=rule.positive,
            threshold=rule.threshold,
            data_version=release.data_version,
            synthetic=release.synthetic,
            rule=rule,
        )
        logger.info("%s is answered by the baseline of version %s", release.project, release.version)

    @property
    def original(self) -> TrainedModel:
        """There is none."""
        raise DataError("explain.baseline", project=self.release.project)


def _own(release: Release) -> dict[str, float]:
    """Return the figures of the baseline, without those of the model it stands in for."""
    start = "baseline_"
    return {name.removeprefix(start): value for name, value in release.metrics.items() if name.startswith(start)}

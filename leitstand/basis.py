"""What monitoring has to know of a training beside its reference window; kept with the run."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from pydantic import AwareDatetime, BaseModel, ConfigDict

from leitstand.dataset import Dataset
from leitstand.dependence import design_effect, longest_run
from leitstand.estimate import calibration_error
from leitstand.judging import Judgement
from leitstand.project import Project
from leitstand.season import phases
from leitstand.training import LearningCurve

BASIS_FILE = "monitoring.json"


class Basis(BaseModel):
    """What a training knew; all of it unknown for runs from before it was kept.

    Parameters
    ----------
    rows : of the training part, of which the reference may hold only some
    weights : share of the model's importance that each input column carries, 0 to 1; columns of which that is unknown are left out
    longest_runs : how many neighbouring rows at most held the same value, by column; empty where the rows have no order in time
    dependence : how many neighbouring rows count as one, by column; empty where the rows have no order in time
    calibration_error : of the probabilities on the hold-out, 0 to 1; None where there are none
    more_data_helps : what the learning curve said; None without one
    since : when the world changed that this training learned anew; None where nothing was known to have changed
    rows_since : of the training part, how many come from after that
    """

    model_config = ConfigDict(frozen=True)

    rows: int | None = None
    weights: dict[str, float] = {}
    longest_runs: dict[str, int] = {}
    dependence: dict[str, float] = {}
    calibration_error: float | None = None
    more_data_helps: bool | None = None
    since: AwareDatetime | None = None
    rows_since: int | None = None


def make_basis(training: Dataset, judgement: Judgement, curve: LearningCurve | None) -> Basis:
    """Return what monitoring has to know of a training.

    Parameters
    ----------
    training : the training part, in time order where the project has one
    """
    project = training.project
    ordered = project.spec.data.time is not None or project.spec.data.ordered
    names = [column.name for column in project.input_contract.columns if column.type not in ("file", "date", "timestamp")]
    frame = training.frame[names] if ordered else training.frame[[]]
    usual = _without_season(frame, training)
    return Basis(
        rows=len(training),
        weights=weights(project, judgement.importance),
        longest_runs={str(name): longest_run(frame[name]) for name in frame},
        dependence={str(name): design_effect(usual[name]) for name in frame},
        calibration_error=calibration_error(judgement.truth, judgement.predictions),
        more_data_helps=None if curve is None else curve.more_data_helps,
    )


def weights(project: Project, importance: Mapping[str, float]) -> dict[str, float]:
    """Return the share of importance of each input column that is itself a model input.

    A column that a project turns into features of other names is left out: what it carries is unknown, not nothing.
    """
    positive = {name: max(0.0, value) for name, value in importance.items()}
    total = sum(positive.values())
    if total <= 0:
        return {}
    return {name: positive[name] / total for name in project.input_contract.names if name in positive}


def _without_season(frame: pd.DataFrame, training: Dataset) -> pd.DataFrame:
    """Take the seasonal mean out of the numbers: what comes back every year is no dependence, where windows are compared by season."""
    season, time = training.project.spec.monitoring.season, training.project.spec.data.time
    if season == "none" or time is None:
        return frame
    part = np.floor(phases(training.frame[time], season) * 24)
    numbers = frame.select_dtypes("number")
    return frame.assign(**(numbers - numbers.groupby(part).transform("mean")))

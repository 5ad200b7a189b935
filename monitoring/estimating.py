"""How well a model in use probably answers where the truth has not come back: see ``leitstand.estimate``."""

from collections.abc import Mapping

import pandas as pd

from leitstand.bootstrap import Estimate
from leitstand.estimate import estimated
from leitstand.metrics import metrics_for
from leitstand.project import Project
from monitoring.performance import answers, judged_by, tolerated, worse
from monitoring.result import Estimated, NoEstimate


def estimate(
    project: Project, window: pd.DataFrame, reference_metrics: Mapping[str, float], calibration_error: float | None
) -> tuple[Estimated | None, NoEstimate | None]:
    """Return the estimate, or why there is none.

    The probabilities may be off by at most ``monitoring.performance_tolerance`` on the hold-out: an estimate that is further off than what
    is tolerated could not tell the one from the other. What they are off is added to the tolerance before a drop is called one.

    Parameters
    ----------
    window : as ``monitoring.performance.performance`` takes it; labels are not looked at
    calibration_error : of the hold-out, 0 to 1; None where it is unknown
    """
    if project.spec.task != "classification":
        return None, "task"
    if window.empty or calibration_error is None:
        return None, "probabilities"
    if calibration_error > project.spec.monitoring.performance_tolerance:
        return None, "calibration"
    predictions = answers(project, window[window["prediction"].notna()])
    known = metrics_for(project.spec.task, len(predictions.classes))
    found = estimated(known, predictions)
    name = judged_by(project, len(predictions.classes), {key: one.value for key, one in found.items()}, reference_metrics)
    if name is None:
        return None, "probabilities"
    value: Estimate = found[name]
    tolerance = tolerated(project, known[name], reference_metrics[name]) + calibration_error
    drop = worse(known[name], value, reference_metrics, tolerance) == "surely"
    return Estimated(metric=name, value=value.value, low=value.low, high=value.high, drop=drop), None

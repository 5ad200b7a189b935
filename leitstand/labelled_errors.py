"""The error of logged answers whose truth came back, in the form that the value formula takes."""

import numpy as np
import pandas as pd

from leitstand.assumptions import Errors, ErrorsPerKind
from leitstand.conforming import conform
from leitstand.contract import Scalar
from leitstand.dataset import class_values
from leitstand.project import Project


def labelled_errors(project: Project, answers: pd.DataFrame, positive: Scalar | None = None) -> tuple[Errors | None, int]:
    """Return the error that labels show, as ``leitstand.benefit.measured_error`` does for a hold-out, and how many labels it rests on.

    Parameters
    ----------
    answers : columns ``prediction`` and ``label``, each as it was given; labels that are not of the target's form are passed over
    positive : the class that matters where project.yaml names none: that of the model in charge
    """
    spec = project.spec
    given = answers.dropna(subset=["prediction", "label"])
    if spec.task == "regression":
        gap = (
            (pd.to_numeric(given["label"], errors="coerce") - pd.to_numeric(given["prediction"], errors="coerce")).abs().dropna()
        )
        return (float(gap.mean()) if len(gap) else None), len(gap)
    if spec.task == "anomaly":
        true, said = _anomalous(project, given["label"]), given["prediction"].astype(bool).to_numpy()
    else:
        given = given[_readable(project, given["label"])]
        true, said = _classes(project, given["label"]), _classes(project, given["prediction"])
        matters = positive if spec.data.positive is None else spec.data.positive
        if matters is None:
            return (float((true != said).mean()) if len(given) else None), len(given)
        true, said = true == matters, said == matters
    if not len(given):
        return None, 0
    return ErrorsPerKind(missed=float((true & ~said).mean()), false_alarm=float((~true & said).mean())), len(given)


def _readable(project: Project, labels: pd.Series) -> "pd.Series[bool]":
    if project.contract.column(project.spec.data.target).type not in ("integer", "number", "boolean"):
        return pd.Series(True, index=labels.index)
    return pd.to_numeric(labels, errors="coerce").notna()


def _classes(project: Project, values: pd.Series) -> np.ndarray:
    column = project.contract.column(project.spec.data.target)
    settled = conform(values.rename(column.name).to_frame(), project.contract.only([column.name]))[column.name]
    return class_values(settled, column)


def _anomalous(project: Project, labels: pd.Series) -> np.ndarray:
    """Return which rows were anomalous; a label says so itself, or gives the target's value. Of a target of true and false it is the value."""
    normal, own = project.spec.data.normal, project.contract.column(project.spec.data.target).type == "boolean"
    return np.array(
        [value if isinstance(value, bool | np.bool_) and not own else value != normal for value in labels], dtype=bool
    )

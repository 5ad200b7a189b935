"""How well a model in use answers, where the truth came back.

The figures are the core's, not Evidently's: a drop is a comparison with the hold-out, so both must be computed by the same code.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from leitstand.bootstrap import estimates
from leitstand.conforming import conform
from leitstand.contract import Column
from leitstand.dataset import class_values
from leitstand.metrics import Metric, evaluate, metrics_for, primary_metric
from leitstand.prediction import Predictions
from leitstand.project import Project
from monitoring.result import QualityFault


@dataclass(frozen=True)
class Performance:
    """What the labels say.

    Parameters
    ----------
    rows : predictions with a usable label
    metric : by which the drop was judged
    drop : None without enough labels or without a metric known on both sides
    fault : labels that could not be read
    """

    rows: int
    metric: str | None
    metrics: dict[str, float]
    drop: bool | None
    fault: QualityFault | None


def performance(project: Project, window: pd.DataFrame, reference_metrics: Mapping[str, float]) -> Performance:
    """Return how well the window's predictions met the truth.

    Parameters
    ----------
    window : columns ``prediction``, ``label`` (missing where unknown); optional ``score``, ``lower``, ``upper``, ``probability_<class>``
    reference_metrics : what the same metrics were on the hold-out
    """
    if "label" not in window.columns or not window["label"].notna().any():
        return Performance(0, None, {}, None, None)
    column = project.contract.column(project.spec.data.target)
    given = window[window["label"].notna() & window["prediction"].notna()]
    usable = _usable(given["label"], column)
    fault = None if usable.all() else _unusable(given["label"][~usable], column, len(given))
    labelled = given[usable]
    if labelled.empty:
        return Performance(0, None, {}, None, fault)
    truth = _truth(project, labelled["label"], column)
    predictions = _predictions(project, labelled, truth)
    known = metrics_for(project.spec.task, len(predictions.classes))
    metrics = evaluate(known, truth, predictions)
    judged = _judged_by(project, len(predictions.classes), metrics, reference_metrics)
    drop = None
    if judged is not None and len(labelled) >= project.spec.monitoring.minimum_labels:
        drop = _dropped(known[judged], truth, predictions, reference_metrics[judged], project)
    return Performance(len(labelled), judged, metrics, drop, fault)


def _dropped(metric: Metric, truth: np.ndarray, predictions: Predictions, before: float, project: Project) -> bool:
    """Whether the metric is worse by more than the tolerance, and its 95 % interval leaves out what it was before.

    The tolerance is a share of the former value for metrics in the target's unit, whose size says nothing by itself.
    """
    tolerated = project.spec.monitoring.performance_tolerance * (abs(before) if metric.in_target_unit else 1.0)
    if metric.gain(metric(truth, predictions), before) >= -tolerated:
        return False
    interval = estimates({metric.name: metric}, truth, predictions, project.spec.split.strategy == "time")[metric.name]
    return metric.gain(interval.high if metric.greater_is_better else interval.low, before) < 0


def _judged_by(project: Project, classes: int, metrics: Mapping[str, float], before: Mapping[str, float]) -> str | None:
    task = project.spec.task
    wanted = (project.spec.training.metric, primary_metric(task, classes), *metrics_for(task, classes))
    return next((name for name in wanted if name is not None and name in metrics and name in before), None)


def _usable(labels: pd.Series, column: Column) -> pd.Series:
    if column.type not in ("integer", "number", "boolean"):
        return pd.Series(True, index=labels.index)
    return pd.to_numeric(labels, errors="coerce").notna()


def _unusable(labels: pd.Series, column: Column, total: int) -> QualityFault:
    examples = tuple(str(value)[:60] for value in labels.unique()[:5])
    return QualityFault(column=column.name, fault="unusable_label", rows=len(labels), total=total, examples=examples)


def _truth(project: Project, labels: pd.Series, column: Column) -> np.ndarray:
    task, normal = project.spec.task, project.spec.data.normal
    if task == "anomaly" and column.type != "boolean" and labels.map(lambda value: isinstance(value, bool | np.bool_)).all():
        return labels.to_numpy(dtype=bool)  # fed back in the form of the answer: anomalous or not
    values = _settled(labels, project)
    if task == "regression":
        return values.to_numpy(dtype=float)
    if task == "anomaly":
        usual = normal if column.type == "string" else float(normal or 0)
        return np.asarray(values.to_numpy() != usual)
    return class_values(values, column)


def _settled(values: pd.Series, project: Project) -> pd.Series:
    target = project.contract.column(project.spec.data.target)
    if target.type in ("integer", "number", "boolean"):
        values = pd.to_numeric(values)
    settled: pd.Series = conform(values.rename(target.name).to_frame(), project.contract.only([target.name]))[target.name]
    return settled


def _predictions(project: Project, window: pd.DataFrame, truth: np.ndarray) -> Predictions:
    task = project.spec.task
    score, lower, upper = (_numbers(window, name) for name in ("score", "lower", "upper"))
    if task == "anomaly":
        return Predictions(window["prediction"].to_numpy(dtype=bool), score)
    if task == "regression":
        return Predictions(window["prediction"].to_numpy(dtype=float), lower=lower, upper=upper)
    value = class_values(_settled(window["prediction"], project), project.contract.column(project.spec.data.target))
    classes = _classes(window, truth, value)
    columns = [f"probability_{name}" for name in classes]
    complete = all(name in window.columns for name in columns)
    probabilities = window[columns].to_numpy(dtype=float) if complete else None
    return Predictions(value, score, probabilities, classes, _positive(project, classes, score, probabilities))


def _numbers(window: pd.DataFrame, name: str) -> np.ndarray | None:
    if name not in window.columns or window[name].isna().any():
        return None
    return window[name].to_numpy(dtype=float)


def _classes(window: pd.DataFrame, truth: np.ndarray, value: np.ndarray) -> tuple[str | int | float | bool, ...]:
    """Return all classes the model knows: those of its probabilities, also where this window has no such row."""
    seen = {str(name): name for name in np.unique(np.concatenate([truth, value])).tolist()}
    kind = type(next(iter(seen.values())))
    names = [str(name).removeprefix("probability_") for name in window.columns if str(name).startswith("probability_")]
    unseen = [name for name in names if name not in seen]
    typed = [name == "True" if kind is bool else kind(name) for name in unseen]
    return tuple(sorted([*seen.values(), *typed]))


def _positive(
    project: Project, classes: tuple[str | int | float | bool, ...], score: np.ndarray | None, probabilities: np.ndarray | None
) -> str | int | float | bool | None:
    """Return the class that the score speaks of: the named one, otherwise the one whose probability the score is."""
    if len(classes) != 2:
        return None
    named = project.spec.data.positive
    if named is not None or score is None or probabilities is None:
        return next((name for name in classes if name == named), classes[1])
    return classes[int(np.abs(probabilities - score[:, None]).sum(axis=0).argmin())]

"""How well a model in use answers, where the truth came back.

The figures are the core's, not Evidently's: a drop is a comparison with the hold-out, so both must be computed by the same code.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from leitstand.bootstrap import Estimate, estimates
from leitstand.conforming import conform
from leitstand.contract import Column
from leitstand.dataset import class_values
from leitstand.metrics import Metric, evaluate, metrics_for, primary_metric
from leitstand.prediction import Predictions
from leitstand.project import Project
from leitstand.spec import TaskName
from monitoring.result import QualityFault

OF_ANSWERS: Mapping[TaskName, tuple[str, ...]] = {"classification": ("accuracy",), "anomaly": ("false_alarm_rate",)}
"""Metrics of the answers as they are given. Means over many rows: one over the few rows of a rare class would cry wolf."""
BEHIND = ("surely", "maybe", "no")


@dataclass(frozen=True)
class Performance:
    """What the labels say.

    Parameters
    ----------
    rows : predictions with a usable label
    metric : by which the drop was judged: of those that are, the first that dropped
    interval : of that metric, 95 %; None without enough labels
    drop : None without enough labels or without a metric known on both sides
    within_noise : worse by more than the tolerance, but chance explains it
    fault : labels that could not be read
    """

    rows: int = 0
    metric: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    interval: Estimate | None = None
    drop: bool | None = None
    within_noise: bool = False
    fault: QualityFault | None = None


def performance(project: Project, window: pd.DataFrame, reference_metrics: Mapping[str, float]) -> Performance:
    """Return how well the window's predictions met the truth.

    Parameters
    ----------
    window : columns ``prediction``, ``label`` (missing where unknown); optional ``score``, ``lower``, ``upper``, ``probability_<class>``
    reference_metrics : what the same metrics were on the hold-out
    """
    if "label" not in window.columns or not window["label"].notna().any():
        return Performance()
    column = project.contract.column(project.spec.data.target)
    given = window[window["label"].notna() & window["prediction"].notna()]
    usable = _usable(given["label"], column)
    fault = None if usable.all() else _unusable(given["label"][~usable], column, len(given))
    labelled = given[usable]
    if labelled.empty:
        return Performance(fault=fault)
    truth = _truth(project, labelled["label"], column)
    predictions = answers(project, labelled, truth)
    known = metrics_for(project.spec.task, len(predictions.classes))
    metrics = evaluate(known, truth, predictions)
    names = _judged_by(project, len(predictions.classes), metrics, reference_metrics)
    if not names or len(labelled) < project.spec.monitoring.minimum_labels:
        return Performance(len(labelled), names[0] if names else None, metrics, fault=fault)
    found = estimates({name: known[name] for name in names}, truth, predictions, project.spec.split.strategy == "time")
    behind = {
        name: worse(known[name], found[name], reference_metrics, tolerated(project, known[name], reference_metrics[name]))
        for name in names
    }
    name = min(names, key=lambda one: BEHIND.index(behind[one]))
    return Performance(len(labelled), name, metrics, found[name], behind[name] == "surely", behind[name] == "maybe", fault)


def labelled(project: Project, window: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the truths that are known and can be read, and the positions of their rows in the window."""
    column = project.contract.column(project.spec.data.target)
    known = np.flatnonzero((window["label"].notna() & window["prediction"].notna()).to_numpy())
    known = known[_usable(window["label"].iloc[known], column).to_numpy()]
    return (_truth(project, window["label"].iloc[known], column), known) if len(known) else (np.empty(0), known)


def tolerated(project: Project, metric: Metric, before: float) -> float:
    """Return how far the metric may fall behind: for metrics in the target's unit, whose size says nothing by itself, a share of it."""
    return project.spec.monitoring.performance_tolerance * (abs(before) if metric.in_target_unit else 1.0)


def worse(metric: Metric, now: Estimate, before: Mapping[str, float], tolerance: float) -> Literal["no", "maybe", "surely"]:
    """Return whether a metric is worse than on the hold-out by more than the tolerance, and beyond chance on either side.

    Parameters
    ----------
    before : the hold-out's figures; with the bounds ``<metric>_low`` and ``<metric>_high`` where they are known
    """
    was = before[metric.name]
    gain = metric.gain(now.value, was)
    if gain >= -tolerance:
        return "no"
    best, worst = (now.high, f"{metric.name}_low") if metric.greater_is_better else (now.low, f"{metric.name}_high")
    chance = float(
        np.hypot(best - now.value, before.get(worst, was) - was)
    )  # two independent samples: their errors add as squares
    return "surely" if gain + chance < 0 else "maybe"


def judged_by(project: Project, classes: int, metrics: Mapping[str, float], before: Mapping[str, float]) -> str | None:
    """Return the metric that is known on both sides: the project's own, otherwise the task's primary one, otherwise any."""
    task = project.spec.task
    wanted = (project.spec.training.metric, primary_metric(task, classes), *metrics_for(task, classes))
    return next((name for name in wanted if name is not None and name in metrics and name in before), None)


def _judged_by(project: Project, classes: int, metrics: Mapping[str, float], before: Mapping[str, float]) -> list[str]:
    """Return all metrics that a drop may show in, the most important first: that of ``judged_by``, the project's goals, the answers' own.

    How well a model ranks says nothing about the answers it gives: an offset of a sensor can turn most of them round and leave the order as it was.
    """
    first = judged_by(project, classes, metrics, before)
    more = (*(goal.metric for goal in project.spec.success), *OF_ANSWERS.get(project.spec.task, ()))
    wanted = dict.fromkeys((first, *more))
    return [name for name in wanted if name is not None and name in metrics and name in before]


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


def answers(project: Project, window: pd.DataFrame, truth: np.ndarray | None = None) -> Predictions:
    """Return the logged answers in the form of the core.

    Parameters
    ----------
    truth : labels whose classes count as known, too
    """
    task = project.spec.task
    score, lower, upper = (_numbers(window, name) for name in ("score", "lower", "upper"))
    if task == "anomaly":
        return Predictions(window["prediction"].to_numpy(dtype=bool), score)
    if task == "regression":
        return Predictions(window["prediction"].to_numpy(dtype=float), lower=lower, upper=upper)
    value = class_values(_settled(window["prediction"], project), project.contract.column(project.spec.data.target))
    classes = _classes(window, value if truth is None else truth, value)
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

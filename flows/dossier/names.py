"""What things are called in the dossier: metrics, gates, methods, milestones, columns."""

from collections.abc import Mapping, Sequence
from typing import Any

from flows.dossier.facts import Facts
from flows.dossier.telling import Teller
from leitstand.contract import Column
from leitstand.roadmap import Standing

CRITERION, SLICE, CHAMPION_SLICE = "criterion:", "slice:", "champion_slice:"
SHARES = ("accuracy", "balanced_accuracy", "recall", "precision", "false_alarm_rate", "mape", "coverage")


def metric_name(name: str, tell: Teller) -> str:
    """Return what a metric is called, with what it measures."""
    return tell.either(f"metric_{name}", name)


def short_metric(name: str, tell: Teller) -> str:
    """Return what a metric is called, without the explanation in brackets."""
    return metric_name(name, tell).split(" (")[0]


def method_name(name: str, tell: Teller) -> str:
    """Return what a method is called; its own name where it is the project's."""
    return tell.either(f"method_{name}", name)


def rule_name(name: str, tell: Teller) -> str:
    """Return what the baseline is."""
    return tell.either(f"rule_{name}", name)


def gate_name(name: str, facts: Facts, tell: Teller) -> str:
    """Return what a gate asks for."""
    if name.startswith(CRITERION):
        return metric_name(name.removeprefix(CRITERION), tell)
    if name.startswith(SLICE):
        part = name.removeprefix(SLICE).replace("=", " = ")
        return tell("gate_slice", metric=short_metric(facts.model.get("metric", ""), tell), slice=part)
    if name.startswith(CHAMPION_SLICE):
        return tell("gate_champion_slice", slice=name.removeprefix(CHAMPION_SLICE).replace("=", " = "))
    if name == "baseline":
        return tell("gate_baseline", rule=rule_name(facts.model.get("baseline", ""), tell))
    return tell.either(f"gate_{name}", name)


def reasons(one: Standing, tell: Teller) -> str:
    """Return why a milestone is not closed."""
    told = [tell(f"roadmap.stale_{name}") for name in one.reasons]
    return "; ".join([*told, *(tell(f"roadmap.missing_{name}") for name in one.missing)])


def column_name(column: Column, tell: Teller) -> str:
    """Return a column with its unit."""
    return f"{column.name} ({column.unit})" if column.unit else column.name


def listed(names: Sequence[str], tell: Teller, most: int = 6) -> str:
    """Return names in a row, not too many of them."""
    rest = len(names) - most
    shown = ", ".join(names[:most])
    return shown if rest <= 0 else f"{shown} {tell('and_more', count=rest)}"


def unit_of(metric: str, facts: Facts) -> str:
    """Return the unit of a metric: that of the target where it is measured in it."""
    if metric not in ("mae", "rmse", "bias", "interval_width"):
        return ""
    column = next((one for one in facts.contract.columns if one.name == facts.spec.data.target), None)
    return (column.unit or "") if column else ""


def weakest(facts: Facts) -> Mapping[str, Any] | None:
    """Return the part of the data with the worst figure; None where no parts were judged."""
    from leitstand.metrics import metrics_for

    slices, metric = facts.model["slices"], metrics_for(facts.spec.task, 2).get(facts.model["metric"])
    if not slices or metric is None:
        return None
    worst: Mapping[str, Any] = (min if metric.greater_is_better else max)(slices, key=lambda one: one["metric"])
    return worst

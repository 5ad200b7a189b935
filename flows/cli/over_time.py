"""What the passes of the maintenance loop saw, one line each: performance with its interval, coverage, estimate, decision."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flows.cli.app import call, emit, settings

if TYPE_CHECKING:  # loads SQLAlchemy
    from infra.passes import Pass

COLUMNS = ("time", "version", "rows", "labels", "coverage", "metric", "value", "estimate", "moved", "action")
MOST_NAMED = 3


def show_over_time(project: str, json: bool) -> None:
    """Print all passes of a project, oldest first.

    Raises
    ------
    UsageError
        If there is no such project.
    """
    from flows.cli.console import console, table
    from infra.passes import Passes
    from leitstand.folders import locate
    from leitstand.texts import text

    now = settings()
    locate(project, now.roots)
    passes = Passes(now.database("history"))
    try:
        found = passes.latest(project)[::-1]
    finally:
        passes.close()
    if json:
        emit({"project": project, "passes": [_document(one) for one in found]})
    elif not found:
        console().print(text("monitoring.over_time_none", call.language, project=project), soft_wrap=True)
    else:
        table("", [f"monitoring.column_{name}" for name in COLUMNS], [_line(one) for one in found])


def _document(one: "Pass") -> dict[str, Any]:
    head = {"number": one.number, "time": one.time.isoformat(), "model_version": one.model_version}
    told = {"signals": dict(one.signals), "decision": dict(one.decision), "figures": dict(one.figures)}
    return head | {"acted": one.acted, "trained": one.trained} | told


def _line(one: "Pass") -> list[object]:
    from leitstand.texts import text

    seen, figures = one.signals, one.figures
    metric = figures.get("metric")
    value = figures.get("metrics", {}).get(metric)
    measured = {"value": value, "low": figures.get("metric_low"), "high": figures.get("metric_high")}
    moved = list(seen.get("drifted", {}))
    more = f" (+{len(moved) - MOST_NAMED})" if len(moved) > MOST_NAMED else ""
    return [
        f"{one.time:%Y-%m-%d %H:%M}",
        one.model_version,
        seen.get("rows"),
        figures.get("labelled_rows"),
        seen.get("label_coverage"),
        metric,
        _interval(measured),
        _interval(figures.get("estimate") or {}),
        ", ".join(moved[:MOST_NAMED]) + more or None,
        text(f"decision.action_{one.action}", call.language),
    ]


def _interval(figure: Mapping[str, Any]) -> str | None:
    from flows.cli.console import shown

    if figure.get("value") is None:
        return None
    if figure.get("low") is None:
        return shown(figure["value"])
    return f"{shown(figure['value'])} ({shown(figure['low'])}–{shown(figure['high'])})"

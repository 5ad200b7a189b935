"""What the passes of the maintenance loop saw, one line each: performance with its interval, coverage, estimate, decision."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flows.cli.app import call, emit, settings

if TYPE_CHECKING:  # loads SQLAlchemy
    from infra.passes import Pass

MOST_NAMED = 3


def show_over_time(project: str, json: bool) -> None:
    """Print all passes of a project, oldest first.

    Raises
    ------
    UsageError
        If there is no such project.
    """
    from flows.cli.console import console
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
        for one in found:
            console().print(_line(one), soft_wrap=True, markup=False, highlight=False)


def _document(one: "Pass") -> dict[str, Any]:
    head = {"number": one.number, "time": one.time.isoformat(), "model_version": one.model_version}
    told = {"signals": dict(one.signals), "decision": dict(one.decision), "figures": dict(one.figures)}
    return head | {"acted": one.acted, "trained": one.trained} | told


def _line(one: "Pass") -> str:
    from leitstand.figures import percent
    from leitstand.texts import text

    seen, figures, language = one.signals, one.figures, call.language
    parts = [text("monitoring.over_time_rows", language, version=one.model_version, rows=seen["rows"])]
    parts.append(text("monitoring.over_time_coverage", language, share=percent(seen["label_coverage"], language)))
    metric, value = figures.get("metric"), figures.get("metrics", {}).get(figures.get("metric"))
    if value is not None:
        parts.append(f"{metric} {_interval({'value': value, 'low': figures['metric_low'], 'high': figures['metric_high']})}")
    elif estimate := figures.get("estimate"):
        parts.append(text("monitoring.over_time_estimate", language, metric=estimate["metric"], figure=_interval(estimate)))
    if moved := list(seen["drifted"]):
        more = f" (+{len(moved) - MOST_NAMED})" if len(moved) > MOST_NAMED else ""
        parts.append(text("monitoring.over_time_moved", language, columns=", ".join(moved[:MOST_NAMED]) + more))
    parts.append(text(f"decision.action_{one.action}", language))
    return f"{one.time:%Y-%m-%d %H:%M} UTC: " + " · ".join(parts)


def _interval(figure: Mapping[str, Any]) -> str:
    from flows.cli.console import shown

    if figure["low"] is None:
        return shown(figure["value"])
    return f"{shown(figure['value'])} ({shown(figure['low'])}–{shown(figure['high'])})"

"""Commands of the person who decides: approvals, approve, reject."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.app import Json, Name, app, emit, settings
from flows.cli.models import Who, Why, entry_document, person

if TYPE_CHECKING:
    from infra.history import Promotion

Waiting = Annotated[int | None, typer.Argument(help="Model version, to be sure which; by default the one that waits.")]


@app.command(epilog="Example: leitstand approvals")
def approvals(
    project: Annotated[str | None, typer.Argument(help="Only this project.")] = None,
    json: Json = False,
) -> None:
    """Show the challengers that wait for a person's word, and what each was judged by."""
    from flows.cli.console import say, table
    from flows.workspace import open_project
    from infra.approvals import pending

    now = settings()
    if project is not None:
        open_project(project, now)
    found = pending(now, project)
    if json:
        emit([_document(one) for one in found])
        return
    if not found:
        say("maintenance.nobody_waits")
        return
    columns = tuple(f"maintenance.{name}" for name in ("project", "version", "against", "asked", "gain", "gates", "why"))
    rows = [
        (
            one.project,
            one.version,
            one.champion,
            f"{one.asked:%Y-%m-%d %H:%M}",
            _gain(one.evidence),
            _gates(one.evidence),
            one.why,
        )
        for one in found
    ]
    table("", columns, rows)
    say("maintenance.how_to_decide")


@app.command(epilog='Example: leitstand approve virtual_sensor 3 --why "figures checked with the laboratory"')
def approve(project: Name, why: Why, version: Waiting = None, who: Who = None, json: Json = False) -> None:
    """Approve the challenger that waits: it becomes the champion."""
    from flows.cli.console import say
    from infra.approvals import approve as approved

    entry = _answer(approved, project, why, version, who)
    if json:
        emit(entry_document(entry))
    else:
        say("promoted", project=project, version=entry.to_version, before=entry.from_version or "–")


@app.command(epilog='Example: leitstand reject virtual_sensor 3 --why "the labels of May are wrong"')
def reject(project: Name, why: Why, version: Waiting = None, who: Who = None, json: Json = False) -> None:
    """Refuse the challenger that waits: the champion stays."""
    from flows.cli.console import say
    from infra.approvals import reject as rejected

    entry = _answer(rejected, project, why, version, who)
    if json:
        emit(entry_document(entry))
    else:
        say("maintenance.rejected", project=project, version=entry.to_version)


def _answer(decide: "Callable[..., Promotion]", project: str, why: str, version: int | None, who: str | None) -> "Promotion":
    """Carry a person's word out, and close the incident that asked for it."""
    from flows.incidents import settle_incident
    from flows.workspace import Desk, open_project
    from infra.locks import project_lock
    from infra.registry import Registry
    from leitstand.incident import Statement

    now, name = settings(), person(who)
    desk = Desk(open_project(project, now), now)
    with project_lock(now, project):
        entry = decide(Registry(now), now, project, version, who=name, why=why)
        said = Statement.of(f"incidents.answered_{entry.kind}", version=entry.to_version, reason=why)
        settle_incident(desk, "approval", said, who=name)
    return entry


def _document(one: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(one) | {"asked": one.asked.isoformat(), "evidence": dict(one.evidence)}


def _gain(evidence: Any) -> str | None:
    """Return the gain over the champion with its interval: of the trial, otherwise of the hold-out."""
    from flows.cli.console import shown

    found = evidence.get("gain") or evidence.get("gain_over_champion")
    return None if not found else f"{shown(found['value'])} ({shown(found.get('low'))} … {shown(found.get('high'))})"


def _gates(evidence: Any) -> str | None:
    results = evidence.get("gate_results")
    return None if results is None else f"{sum(one['passed'] for one in results)}/{len(results)}"

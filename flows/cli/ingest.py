"""The command that takes new data in."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.app import Json, Name, app, call, emit, settings

if TYPE_CHECKING:  # loads pandas and SQLAlchemy
    from flows.ingest import Ingested
    from infra.deliveries import Delivery

FIGURES = ("added", "late", "corrected", "unchanged", "outdated", "quarantined")


@app.command(epilog="Example: leitstand ingest virtual_sensor --dry-run")
def ingest(
    project: Name,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be taken in.")] = False,
    accept: Annotated[
        str | None, typer.Option("--accept", help="Let a delivery in that is held back: its number or name.")
    ] = None,
    refuse: Annotated[str | None, typer.Option("--refuse", help="Refuse a delivery that is held back, for good.")] = None,
    json: Json = False,
) -> None:
    """Take in what has arrived: new rows make the next data version, bad ones go to quarantine, doubtful deliveries wait for you."""
    from flows.cli.console import say
    from flows.ingest import decide
    from flows.ingest import ingest as run
    from flows.workspace import Desk, current_user, open_project
    from leitstand.errors import UsageError

    if (accept or refuse) and (dry_run or (accept and refuse)):
        raise UsageError("ingest.one_decision")
    now = settings()
    desk = Desk(open_project(project, now), now)
    if refuse:
        refused = decide(desk, refuse, "refused", current_user())
        emit(_delivery(refused)) if json else say("ingest.refused", number=refused.number, name=refused.name)
        return
    if accept:
        decide(desk, accept, "allowed", current_user())
    found = run.fn(desk, dry_run)
    if json:
        emit(document(project, found))
        return
    show(project, found)
    if dry_run:
        say("ingest.would")


def document(project: str, found: "Ingested") -> dict[str, Any]:
    """Return what a pass took in as JSON has it."""
    figures = (
        "rows_added", "rows_corrected", "rows_unchanged", "rows_outdated", "rows_late", "rows_quarantined", "labelled_rows_added",
    )  # fmt: skip
    return {
        "project": project,
        "deliveries": [_delivery(one) for one in found.deliveries],
        "waiting": [_delivery(one) for one in found.waiting],
        "duplicates": list(found.duplicates),
        "missed": {place: error.render(call.language) for place, error in found.missed.items()},
        **{name: getattr(found, name) for name in figures},
        "data_version": found.snapshot.version if found.snapshot else None,
        "rows": found.snapshot.rows if found.snapshot else None,
    }


def _delivery(one: "Delivery") -> dict[str, Any]:
    from dataclasses import asdict

    left_out = ("project", "message", "modified")
    told = {name: value for name, value in asdict(one).items() if name not in left_out}
    moments = {name: value.isoformat() for name in ("moment", "time", "decided") if (value := told[name]) is not None}
    return told | moments | {"why": one.why(call.language) or None}


def show(project: str, found: "Ingested") -> None:
    """Print what a pass took in and what waits."""
    from flows.cli.console import console, say, shown
    from leitstand.texts import text

    for one in found.deliveries:
        figures = [text(f"ingest.{name}", call.language, rows=shown(rows)) for name in FIGURES if (rows := getattr(one, name))]
        state = text(f"ingest.state_{one.state}", call.language)
        values = {"name": one.name, "rows": shown(one.rows), "figures": ", ".join(figures) or "–"}
        say("ingest.line", number=one.number, state=state, **values)
    for name in found.duplicates:
        say("ingest.duplicate", name=name)
    for error in found.missed.values():
        console().print(error.render(call.language), soft_wrap=True, style="yellow")
    for one in found.waiting:
        say("ingest.waits", number=one.number, name=one.name, why=one.why(call.language), project=project)
    if found.snapshot is not None:
        say("ingest.version_made", version=found.snapshot.version, rows=shown(found.snapshot.rows))
    elif not found.deliveries:
        say("ingest.nothing")
    elif found.rows_unchanged and not (found.rows_added or found.rows_corrected):
        say("ingest.only_same")

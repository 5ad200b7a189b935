"""Commands about data versions: data versions, data prune."""

from typing import Annotated

import typer

from flows.cli.app import Json, Name, app, emit, settings

data = typer.Typer(no_args_is_help=True, help="The data versions of a project: where each came from, and which may go.")
app.add_typer(data, name="data")


@data.command(epilog="Example: leitstand data versions virtual_sensor")
def versions(project: Name, json: Json = False) -> None:
    """Show every data version with its rows, when it was made, what it grew from and which deliveries went into it."""
    from flows.cli.console import table
    from flows.workspace import Desk, open_project

    now = settings()
    desk = Desk(open_project(project, now), now)
    here, notes = set(desk.snapshots.here(project)), desk.snapshots.provenance(project)
    if json:
        kept = [
            {"version": one.version, "rows": one.rows, "time": one.time.isoformat(), "here": one.version in here, **one.notes}
            for one in notes
        ]
        emit({"project": project, "versions": kept})
        return
    rows = [
        (
            one.version[:12],
            one.rows,
            f"{one.time:%Y-%m-%d %H:%M}",
            str(one.notes.get("grown_from") or "")[:12] or None,
            one.version in here,
        )
        for one in notes
    ]
    table("", ("ingest.version", "ingest.rows", "ingest.made", "ingest.grown_from", "ingest.here"), rows)


@data.command(epilog="Example: leitstand data prune virtual_sensor --keep 10 --yes")
def prune(
    project: Name,
    keep: Annotated[int, typer.Option("--keep", min=1, help="How many of the newest versions stay in any case.")] = 10,
    yes: Annotated[bool, typer.Option("--yes", help="Delete; without it nothing is.")] = False,
    json: Json = False,
) -> None:
    """Delete data versions that no registered model was trained on, but for the newest; where they came from stays noted."""
    from flows.cli.console import say
    from flows.grown import forget_versions
    from flows.workspace import Desk, open_project
    from infra.locks import project_lock

    now = settings()
    desk = Desk(open_project(project, now), now)
    with project_lock(now, project):
        gone = forget_versions(desk, keep, dry_run=not yes)
    if json:
        emit({"project": project, "versions": gone, "deleted": yes})
        return
    say("ingest.pruned" if yes else "ingest.would_prune", count=len(gone))

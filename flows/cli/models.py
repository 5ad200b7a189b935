"""Commands about model versions: promote, rollback, history."""

from typing import Annotated

import typer

from flows.cli.app import Json, Name, app, emit, settings

Why = Annotated[str, typer.Option("--why", help="The reason; it stays in the history.")]


@app.command(epilog='Example: leitstand promote cell_diagnostics 3 --why "checked by the laboratory"')
def promote(project: Name, version: Annotated[int, typer.Argument(help="Model version.")], why: Why, json: Json = False) -> None:
    """Put a model version in charge: it becomes the champion."""
    from flows.cli.console import say
    from flows.workspace import current_user, open_project
    from infra.locks import project_lock
    from infra.registry import Registry

    now = settings()
    open_project(project, now)
    with project_lock(now, project):
        entry = Registry(now).promote(project, version, who=current_user(), why=why)
    if json:
        emit(_entry(entry))
    else:
        say("promoted", project=project, version=entry.to_version, before=entry.from_version or "–")


@app.command(epilog='Example: leitstand rollback cell_diagnostics --why "wrong answers since Monday"')
def rollback(
    project: Name,
    why: Why,
    version: Annotated[int | None, typer.Option("--to", help="Version to go back to; by default the champion before.")] = None,
    json: Json = False,
) -> None:
    """Put the champion before the current one back in charge."""
    from flows.cli.console import say
    from flows.workspace import current_user, open_project
    from infra.locks import project_lock
    from infra.registry import Registry

    now = settings()
    open_project(project, now)
    with project_lock(now, project):
        entry = Registry(now).rollback(project, who=current_user(), why=why, version=version)
    if json:
        emit(_entry(entry))
    else:
        say("rolled_back", project=project, version=entry.to_version, before=entry.from_version)


@app.command(epilog="Example: leitstand history cell_diagnostics")
def history(project: Name, json: Json = False) -> None:
    """Show all model versions, and who put which in charge, when and why."""
    from flows.cli.console import say, table
    from flows.workspace import open_project
    from infra.registry import Registry

    now = settings()
    open_project(project, now)
    registry = Registry(now)
    entries, versions = registry.history(project), registry.versions(project)
    if json:
        made = [
            {
                "version": v.version,
                "alias": v.alias,
                "run_id": v.run_id,
                "data_version": v.data_version,
                "created": v.created.isoformat(),
            }
            for v in versions
        ]
        emit({"project": project, "versions": made, "history": [_entry(entry) for entry in entries]})
        return
    if not versions:
        say("no_history", project=project)
        return
    rows = [(v.version, v.alias, f"{v.created:%Y-%m-%d %H:%M}", v.data_version[:12], v.run_id) for v in versions]
    table("", ("version", "alias", "created", "data_version", "run"), rows)
    told = [(e.number, e.kind, e.from_version, e.to_version, f"{e.time:%Y-%m-%d %H:%M}", e.who, e.why) for e in entries]
    table("", ("number", "kind", "from", "to", "created", "who", "why"), told)


def _entry(entry: object) -> dict[str, object]:
    from dataclasses import asdict

    content = asdict(entry)  # type: ignore[call-overload]
    return content | {"time": content["time"].isoformat()}

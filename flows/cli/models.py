"""Commands about model versions: promote, rollback, withdraw, pause, resume, history."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.app import Json, Name, app, call, emit, settings

if TYPE_CHECKING:  # loads MLflow
    from infra.registry import Registry
    from infra.settings import Settings


def _filled(given: str | None) -> str | None:
    """Refuse what says nothing: it would stand in the history for ever."""
    from leitstand.errors import UsageError

    if given is not None and not given.strip():
        raise UsageError("incidents.empty_text")
    return given


Why = Annotated[str, typer.Option("--why", help="The reason; it stays in the history.", callback=_filled)]
Who = Annotated[
    str | None, typer.Option("--who", help="Who decides, where it is not the user of this machine.", callback=_filled)
]


@app.command(epilog='Example: leitstand promote cell_diagnostics 3 --why "checked by the laboratory"')
def promote(
    project: Name,
    version: Annotated[int, typer.Argument(help="Model version.")],
    why: Why,
    who: Who = None,
    json: Json = False,
) -> None:
    """Put a model version in charge: it becomes the champion."""
    from flows.cli.console import say
    from flows.workspace import open_project
    from infra.locks import project_lock
    from infra.registry import Registry

    now = settings()
    open_project(project, now)
    with project_lock(now, project):
        entry = Registry(now).promote(project, version, who=person(who), why=why)
    if json:
        emit(entry_document(entry))
    else:
        say("promoted", project=project, version=entry.to_version, before=entry.from_version or "–")


@app.command(epilog='Example: leitstand rollback cell_diagnostics --why "wrong answers since Monday"')
def rollback(
    project: Name,
    why: Why,
    version: Annotated[int | None, typer.Option("--to", help="Version to go back to; by default the champion before.")] = None,
    who: Who = None,
    json: Json = False,
) -> None:
    """Put the champion before the current one back in charge."""
    from flows.cli.console import say
    from flows.workspace import open_project
    from infra.locks import project_lock
    from infra.registry import Registry

    now = settings()
    open_project(project, now)
    with project_lock(now, project):
        entry = Registry(now).rollback(project, who=person(who), why=why, version=version)
    if json:
        emit(entry_document(entry))
    else:
        say("rolled_back", project=project, version=entry.to_version, before=entry.from_version)


@app.command(epilog='Example: leitstand withdraw cell_diagnostics --why "not needed any more"')
def withdraw(project: Name, why: Why, who: Who = None, json: Json = False) -> None:
    """End the trial of a challenger without promoting it."""
    _act("withdraw", project, why, who, json, "maintenance.withdrawn_by_hand")


@app.command(epilog='Example: leitstand pause cell_diagnostics --why "sensor 3 is being exchanged"')
def pause(project: Name, why: Why, who: Who = None, json: Json = False) -> None:
    """Let the project's fallback answer instead of its model, until 'leitstand resume'."""
    _act("pause", project, why, who, json, "maintenance.paused_by_hand")


@app.command(epilog='Example: leitstand resume cell_diagnostics --why "sensor 3 is exchanged"')
def resume(project: Name, why: Why, who: Who = None, json: Json = False) -> None:
    """Let the model of a paused project answer again."""
    _act("resume", project, why, who, json, "maintenance.resumed_by_hand")


def _act(name: str, project: str, why: str, who: str | None, json: bool, said: str) -> None:
    """Do one act of the registry that needs nothing but a reason, under the project's lock, and tell of it."""
    from flows.cli.console import say
    from flows.workspace import open_project
    from infra.locks import project_lock
    from infra.registry import Registry

    now = settings()
    spec = open_project(project, now).spec
    with project_lock(now, project):
        entry = getattr(Registry(now), name)(project, who=person(who), why=why)
    if json:
        emit(entry_document(entry))
    else:
        say(said, project=project, version=entry.to_version, fallback=spec.when_it_errs.fallback)


@app.command(epilog="Example: leitstand history cell_diagnostics --verify")
def history(
    project: Name,
    verify: Annotated[bool, typer.Option("--verify", help="Only check that no entry or pass was changed from outside.")] = False,
    json: Json = False,
) -> None:
    """Show all model versions, and who put which in charge or on trial, and paused what, when and why."""
    from flows.workspace import open_project
    from infra.registry import Registry

    now = settings()
    open_project(project, now)
    registry = Registry(now)
    if verify:
        _verify(now, registry, project, json)
    else:
        _show(registry, project, json)


def _verify(now: "Settings", registry: "Registry", project: str, json: bool) -> None:
    from flows.cli.console import say
    from infra.passes import Passes

    entries, passes = registry.history(project), Passes(now.database("history")).verify(project)
    newest = entries[-1].sha256 if entries else None
    if json:
        emit({"project": project, "entries": len(entries), "newest": newest, "passes": passes, "unchanged": True})
    else:
        say("maintenance.verified", project=project, entries=len(entries), newest=newest or "–", passes=passes)


def _show(registry: "Registry", project: str, json: bool) -> None:
    from flows.cli.console import say, table

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
        emit({"project": project, "versions": made, "history": [entry_document(entry) for entry in entries]})
        return
    if not versions:
        say("no_history", project=project)
        return
    rows = [(v.version, v.alias, f"{v.created:%Y-%m-%d %H:%M}", v.data_version[:12], v.run_id) for v in versions]
    table("", ("version", "alias", "created", "data_version", "run"), rows)
    told = [(e.number, _kind(e.kind), e.from_version, e.to_version, f"{e.time:%Y-%m-%d %H:%M}", e.who, e.why) for e in entries]
    table("", ("number", "kind", "from", "to", "created", "who", "why"), told)


def _kind(kind: str) -> str:
    from leitstand.texts import text

    return text(f"keys.act_{kind}", call.language)


def person(who: str | None) -> str:
    """Return who decides: the name given, otherwise the user of this machine."""
    from flows.workspace import current_user

    return who or current_user()


def entry_document(entry: object) -> dict[str, Any]:
    """Return an entry of the history as JSON knows it."""
    from dataclasses import asdict

    content = asdict(entry)  # type: ignore[call-overload]
    return content | {"time": content["time"].isoformat()}

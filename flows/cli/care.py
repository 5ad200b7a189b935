"""Commands that keep a model good: monitor, maintain, doctor."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.app import Json, Name, app, call, emit, settings

if TYPE_CHECKING:  # loads Prefect
    from flows.maintenance import Maintained


@app.command(epilog="Example: leitstand monitor cell_diagnostics --html")
def monitor(
    project: Name,
    html: Annotated[bool, typer.Option("--html", help="Also make a page with pictures.")] = False,
    over_time: Annotated[bool, typer.Option("--over-time", help="List what the passes of maintenance saw instead.")] = False,
    json: Json = False,
) -> None:
    """Compare what the champion answered lately with what it was trained and judged on."""
    if over_time:
        from flows.cli.over_time import show_over_time

        show_over_time(project, json)
        return
    from flows.cli.console import console, say
    from flows.watch import watch
    from flows.workspace import Desk, open_project
    from monitoring.store import MonitoringStore

    now = settings()
    found = watch.fn(Desk(open_project(project, now), now), html)
    page = MonitoringStore(now).page(project) if html else None
    if json:
        emit(found.model_dump(mode="json") | {"page": str(page) if page else None})
        return
    console().print(found.summary(call.language), soft_wrap=True)
    if page:
        say("page", path=page)


@app.command(epilog="Example: leitstand maintain cell_diagnostics --dry-run")
def maintain(
    project: Name,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    html: Annotated[bool, typer.Option("--html", help="Also make a monitoring page with pictures.")] = False,
    json: Json = False,
) -> None:
    """One pass of the maintenance loop: monitor, decide, and do what project.yaml allows."""
    from flows.cli.console import console, say
    from flows.cli.desk import open_desk
    from flows.cli.ingest import show as show_taken

    with open_desk(project, "flows.maintenance", quiet=json) as desk:
        from flows.maintenance import maintenance
        from flows.workspace import current_user

        found = maintenance(desk, current_user(), dry_run, html)
    if json:
        emit(_maintained(project, found))
        return
    if found.taken is not None and (found.taken.deliveries or found.taken.waiting or found.taken.missed):
        show_taken(project, found.taken)
    console().print(found.monitoring.summary(call.language), soft_wrap=True)
    for sentence in found.sentences(call.language):
        console().print(sentence, soft_wrap=True)
    say(f"maintenance.acted_{found.acted}", champion=found.champion, project=project)
    if found.standing.paused:
        say("maintenance.still_paused", project=project, why=found.standing.why)


def _maintained(project: str, found: "Maintained") -> dict[str, Any]:
    """Return a pass of the loop as JSON knows it."""
    from flows.cli.ingest import document as taken_document

    standing = found.standing
    steps = [
        {"did": step.did, "version": step.version, "why": [said.render(call.language) for said in step.why]}
        for step in found.steps
    ]
    return {
        "project": project,
        "taken": None if found.taken is None else taken_document(project, found.taken),
        "decision": found.decision.model_dump(mode="json"),
        "overtaken": found.overtaken,
        "acted": found.acted,
        "steps": steps,
        "champion": found.champion,
        "challenger": found.pilot.version.version if found.pilot else standing.challenger,
        "gates": [gate.model_dump() for gate in found.pilot.judgement.gates] if found.pilot else [],
        "trial": found.trial.model_dump(mode="json") if found.trial else None,
        "standing": {
            "mode": standing.mode,
            "share": standing.share,
            "challenger": standing.challenger,
            "paused": standing.paused,
        },
        "monitoring": found.monitoring.model_dump(mode="json"),
    }


@app.command(epilog="Example: leitstand doctor")
def doctor(json: Json = False) -> int:
    """Check the installation: packages against the lock, ports, disk, clock, write access, databases; and how to mend each."""
    from dataclasses import asdict

    from infra.doctor import examine

    findings = examine(settings())
    if json:
        emit([asdict(finding) for finding in findings])
    else:
        from flows.cli.console import table

        rows = [(f"[green]✓[/] {one.title}" if one.ok else f"[red]✗[/] {one.title}", one.detail, one.mend) for one in findings]
        table("", ("checked", "found", "mend"), rows)
    return 0 if all(finding.ok for finding in findings) else 1

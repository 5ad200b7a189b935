"""Commands that keep a model good: monitor, maintain, doctor."""

from typing import Annotated

import typer

from flows.cli.app import Json, Name, app, call, emit, settings


@app.command(epilog="Example: leitstand monitor cell_diagnostics --html")
def monitor(
    project: Name,
    html: Annotated[bool, typer.Option("--html", help="Also make a page with pictures.")] = False,
    json: Json = False,
) -> None:
    """Compare what the champion answered lately with what it was trained and judged on."""
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

    with open_desk(project, "flows.maintenance", quiet=json) as desk:
        from flows.maintenance import maintenance
        from flows.workspace import current_user

        found = maintenance(desk, current_user(), dry_run, html)
    if json:
        document = {
            "project": project,
            "decision": found.decision.model_dump(mode="json"),
            "acted": found.acted,
            "champion": found.champion,
            "challenger": found.pilot.version.version if found.pilot else None,
            "gates": [gate.model_dump() for gate in found.pilot.judgement.gates] if found.pilot else [],
            "monitoring": found.monitoring.model_dump(mode="json"),
        }
        emit(document)
        return
    console().print(found.monitoring.summary(call.language), soft_wrap=True)
    console().print(found.decision.render(call.language), soft_wrap=True)
    say(f"acted_{found.acted}", champion=found.champion)


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

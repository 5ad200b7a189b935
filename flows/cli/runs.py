"""Commands that run a project: run, train, reproduce, demo."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.app import GATE_REFUSED, Json, Name, app, emit, settings

DataOption = Annotated[Path | None, typer.Option("--data", help="Use this file or folder instead of the project's sources.")]


@app.command(epilog="Example: leitstand run cell_diagnostics --json > run.json")
def run(
    project: Name,
    data: DataOption = None,
    service: Annotated[bool, typer.Option(help="Start the service for a trial with held-out rows.")] = True,
    approve: Annotated[
        bool, typer.Option("--approve", help="You approve the model if it passes every gate (promote: approval).")
    ] = False,
    json: Json = False,
) -> int:
    """Take a project along the whole roadmap: data, contract, version, training, gates, promotion, service, monitoring."""
    from flows.cli.console import milestones
    from flows.cli.summary import show_run
    from flows.prefect_server import prefect_server
    from flows.warming import checking_aside
    from leitstand.folders import locate

    now = settings()
    locate(project, now.roots)
    with prefect_server(now) as server, checking_aside() as check:
        from flows.lifecycle import lifecycle
        from flows.stage import orchestrated
        from flows.workspace import Desk, current_user, open_project, with_data

        opened = with_data(open_project(project, now), data)
        with milestones(quiet=json) as report, orchestrated(now, server):
            found = lifecycle(Desk(opened, now, report, check), current_user(), service, approve)
    if json:
        emit(found)
    else:
        show_run(found)
    return 0 if all(gate.passed for gate in found.gates) else GATE_REFUSED


@app.command(epilog="Example: leitstand train virtual_sensor")
def train(project: Name, data: DataOption = None, json: Json = False) -> int:
    """Train, judge and register a model without putting it in charge."""
    from flows.cli.console import milestones, say
    from flows.cli.summary import show_gates, show_model
    from flows.prefect_server import prefect_server
    from flows.warming import checking_aside
    from leitstand.folders import locate

    now = settings()
    locate(project, now.roots)
    with prefect_server(now) as server, checking_aside() as check:
        from flows.stage import orchestrated
        from flows.training import training_only
        from flows.workspace import Desk, open_project, with_data

        opened = with_data(open_project(project, now), data)
        with milestones(quiet=json) as report, orchestrated(now, server):
            found = training_only(Desk(opened, now, report, check))
    if json:
        emit(found)
    else:
        show_model(found)
        show_gates(found)
        say("next_train", project=project, version=found.model.version)
    return 0 if all(gate.passed for gate in found.gates) else GATE_REFUSED


@app.command(epilog="Example: leitstand reproduce 3f2a9c1b7d4e4f0c8a6b5d2e1f0a9b8c")
def reproduce(
    run_id: Annotated[str, typer.Argument(help="Id of a run, as 'leitstand history' and MLflow show it.")], json: Json = False
) -> int:
    """Fetch a run's exact data version, train again, and compare every figure."""
    from flows.cli.console import milestones, say, table
    from flows.prefect_server import prefect_server
    from infra.tracking import Tracker

    now = settings()
    project = Tracker(now).run(run_id).project
    with prefect_server(now) as server:
        from flows.reproduce import reproduce as again
        from flows.stage import orchestrated
        from flows.workspace import Desk, open_project

        opened = open_project(project, now)
        with milestones(quiet=json) as report, orchestrated(now, server):
            found = again(Desk(opened, now, report), run_id)
    if json:
        emit(
            {
                "run_id": found.run_id,
                "project": project,
                "data_version": found.data_version,
                "compared": found.compared,
                "same": found.same,
                "differences": {name: list(pair) for name, pair in found.differences.items()},
                "changed": list(found.changed),
            }
        )
    else:
        say("reproduced" if found.same else "not_reproduced", compared=found.compared, differing=len(found.differences))
        if found.changed:
            say("changed_since", what=", ".join(found.changed))
        if found.differences:
            table("", ("metric", "then", "now"), [(name, *pair) for name, pair in found.differences.items()])
    return 0 if found.same else GATE_REFUSED


@app.command(epilog="Example: leitstand demo")
def demo(project: Annotated[str, typer.Argument(help="Project to show.")] = "cell_diagnostics", json: Json = False) -> int:
    """Show the whole lifecycle on real data: train, promote, serve, send rows, feed labels back, monitor."""
    from flows.cli.care import monitor
    from flows.cli.console import say

    if not json:
        say("demo_intro", project=project)
    code = run(project, None, service=True, approve=True, json=json)
    if not json:
        monitor(project, html=True, json=False)
        say("demo_next", home=settings().root)
    return code

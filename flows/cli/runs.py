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
    from flows.cli.desk import open_desk
    from flows.cli.summary import show_run

    with open_desk(project, "flows.lifecycle", quiet=json, data=data, checks=True) as desk:
        from flows.lifecycle import lifecycle
        from flows.workspace import current_user

        found = lifecycle(desk, current_user(), service, approve)
    if json:
        emit(found)
    else:
        show_run(found)
    return 0 if all(gate.passed for gate in found.gates) else GATE_REFUSED


@app.command(epilog="Example: leitstand train virtual_sensor")
def train(project: Name, data: DataOption = None, json: Json = False) -> int:
    """Train, judge and register a model without putting it in charge."""
    from flows.cli.console import say
    from flows.cli.desk import open_desk
    from flows.cli.summary import show_gates, show_model

    with open_desk(project, "flows.training", quiet=json, data=data, checks=True) as desk:
        from flows.training import training_only

        found = training_only(desk)
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
    from flows.cli.console import say, table
    from flows.cli.desk import open_desk
    from infra.tracking import Tracker

    project = Tracker(settings()).run(run_id).project
    with open_desk(project, "flows.reproduce", quiet=json) as desk:
        from flows.reproduce import reproduce as again

        found = again(desk, run_id)
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

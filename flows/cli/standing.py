"""Commands of the standing services: up, status, down, logs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.app import Json, app, emit, settings

if TYPE_CHECKING:
    from flows.standing.plan import Plan, ServiceName

Port = Annotated[int, typer.Option("--port", help="Port of the prediction service; 0 takes a free one, as for the others.")]


@app.command(epilog="Example: leitstand up --detach")
def up(
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when all run; 'leitstand down' ends them.")] = False,
    host: Annotated[
        str, typer.Option(help="Address of the prediction service; other than loopback only once there is an API key.")
    ] = "127.0.0.1",
    port: Port = 3000,
    prefect_port: Annotated[
        int | None, typer.Option(help="Port of the Prefect server; that of LEITSTAND_PREFECT_URL by default.")
    ] = None,
    mlflow_port: Annotated[int, typer.Option(help="Port of the MLflow server.")] = 5000,
    systemd: Annotated[
        Path | None, typer.Option(help="Start nothing, but write the systemd unit for this into a folder.")
    ] = None,
    json: Json = False,
) -> None:
    """Start what stands: Prefect server, MLflow server, worker and prediction service; what crashes is started again."""
    from flows.cli.console import say
    from flows.standing.launching import down as end
    from flows.standing.launching import interruptible, remain
    from flows.standing.launching import prefect_port as usual
    from flows.standing.launching import up as start

    now = settings()
    ports: dict[ServiceName, int] = {
        "prefect": usual(now) if prefect_port is None else prefect_port,
        "mlflow": mlflow_port,
        "service": port,
    }
    if systemd is not None:
        _write_units(systemd, host, ports, json)
        return

    def started(name: "ServiceName", plan: "Plan") -> None:
        if not json:
            say("standing.started", service=name, url=plan.url(name) or "")

    with interruptible():
        plan = start(now, host=host, ports=ports, started=started)
        if json:
            emit(plan.model_dump() | {"urls": {name: plan.url(name) for name in ports}})
        else:
            say("standing.up" if detach else "standing.up_in_front")
        if detach:
            return
        try:
            remain(now)
        finally:
            end(now)


@app.command(epilog="Example: leitstand down")
def down(json: Json = False) -> None:
    """End all standing services; requests and runs under way get some seconds."""
    from flows.cli.console import say
    from flows.standing.launching import down as end

    ended = end(settings())
    if json:
        emit({"ended": ended})
    else:
        say("standing.ended" if ended else "standing.not_running")


@app.command(epilog="Example: leitstand status --json")
def status(json: Json = False) -> int:
    """Show the standing services and the next runs; exit code 1 unless all services are ready."""
    from flows.cli.standing_tables import show
    from flows.standing.status import status as look

    found = look(settings())
    if json:
        emit(found)
    else:
        show(found)
    return 0 if found.ready else 1


@app.command(epilog="Example: leitstand logs worker --follow")
def logs(
    service: Annotated[
        str | None, typer.Argument(help="prefect, mlflow, worker, service or supervisor; all where none is named.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is printed from now on, until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option(min=0, help="So many of the latest lines of each.")] = 20,
    json: Json = False,
) -> None:
    """Show what the standing services print."""
    from flows.cli.console import console
    from flows.standing.logs import following, latest, log_names

    now = settings()
    names = log_names(service)
    news, found = following(now, names) if follow else None, latest(now, names, lines)
    if json:
        emit({name: list(text) for name, text in found.items()})
        return
    out = console()

    def show(name: str, line: str) -> None:
        out.print(line if service else f"{name:<10} {line}", soft_wrap=True, markup=False, highlight=False)

    for name, text in found.items():
        for line in text:
            show(name, line)
    for name, line in news or ():
        show(name, line)


def _write_units(folder: Path, host: str, ports: "dict[ServiceName, int]", json: bool) -> None:
    from flows.cli.console import say
    from flows.standing.systemd import write_units

    written = write_units(settings(), folder, host=host, ports=ports)
    if json:
        emit({"units": [str(path) for path in written]})
    else:
        say("standing.units", files=", ".join(str(path) for path in written))

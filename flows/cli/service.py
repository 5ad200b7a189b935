"""Commands about answers: serve, predict, label."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.app import Json, Name, app, emit, settings


@app.command(epilog="Example: leitstand serve cell_diagnostics virtual_sensor --port 3000")
def serve(
    projects: Annotated[list[str] | None, typer.Argument(help="Projects; all that have a champion where none is named.")] = None,
    port: Annotated[int, typer.Option(help="Port on loopback; 0 takes a free one.")] = 3000,
    json: Json = False,
) -> None:
    """Answer for the champions of projects over HTTP until Ctrl-C; on loopback only. A promotion or rollback takes effect at once."""
    from flows.cli.console import say
    from infra.releases import Releases
    from serving.launch import Service, serve_forever

    now = settings()
    names = projects or sorted(Releases(now).champions())

    def announce(service: Service) -> None:
        if json:
            emit({"url": service.url, "pid": service.pid, "projects": names, "unavailable": service.unavailable})
            return
        for name in names:
            if name not in service.unavailable:
                say("serving", url=service.url, project=name)
        for name, reason in service.unavailable.items():
            say("not_serving", project=name, reason=reason)

    serve_forever(names, now, port=port, announce=announce)


@app.command(epilog="Example: leitstand predict cell_diagnostics --data new.csv --output answers.csv")
def predict(
    project: Name,
    data: Annotated[Path, typer.Option("--data", help="CSV, Parquet, Excel, or a folder with a manifest.")],
    output: Annotated[Path, typer.Option(help="Where the answers go: .csv or .parquet.")],
    log: Annotated[bool, typer.Option(help="Note every prediction in the log, so that labels can come later.")] = True,
    json: Json = False,
) -> None:
    """Predict every row of a file; rows that break the contract go to quarantine instead."""
    from data_contracts.checking import check
    from data_contracts.result import save_quarantine
    from flows.cli.console import say
    from flows.status_quo import read
    from flows.watch import require_champion
    from flows.workspace import Desk, open_project, with_data
    from serving.batch import predict_file

    now = settings()
    desk = Desk(with_data(open_project(project, now), data), now)
    champion = require_champion(desk)
    tables = {name: read(desk, source) for name, source in desk.project.spec.data.sources.items()}
    frame = desk.project.prepare(tables)
    result = check(frame, desk.project.input_contract, others=desk.project.contract.names)
    kept = save_quarantine(result, now.folder("quarantine", project))
    result.raise_if_stopped(now.language)
    made = predict_file(desk.project, desk.registry.fetch(champion), champion, result.accepted, output, desk.log if log else None)
    if json:
        document = {
            "project": project,
            "model_version": champion.version,
            "output": str(made.path),
            "rows": made.rows,
            "flagged": made.flagged,
            "quarantined": len(result.quarantined),
            "seconds": made.seconds,
        }
        emit(document)
        return
    say("predicted", rows=made.rows, path=made.path, flagged=made.flagged, quarantined=len(result.quarantined))
    if kept:
        say("quarantine_line", path=kept)


@app.command(epilog="Example: leitstand label cell_diagnostics --data truth.csv   (columns: prediction_id, label)")
def label(
    project: Name,
    data: Annotated[Path, typer.Option("--data", help="Table with the prediction ids and what turned out to be true.")],
    id_column: Annotated[str, typer.Option(help="Column with the prediction ids.")] = "prediction_id",
    value_column: Annotated[str, typer.Option(help="Column with the truth.")] = "label",
    json: Json = False,
) -> None:
    """Feed the truth back: labels by prediction id, so that performance can be watched."""
    from data_contracts.reading import read_source
    from flows.cli.console import say
    from flows.workspace import Desk, open_project
    from leitstand.errors import UnknownName
    from leitstand.spec import Source

    now = settings()
    desk = Desk(open_project(project, now), now)
    frame = read_source(Source(file=data.resolve()), base=now.workspace)
    for column in (id_column, value_column):
        if column not in frame.columns:
            raise UnknownName("column", column, list(frame.columns))
    known = frame.dropna(subset=[id_column, value_column])
    labels = dict(zip(known[id_column].astype(str), known[value_column].tolist(), strict=True))
    result = desk.log.label(project, labels, source=data.name)
    if json:
        emit({"project": project, "matched": result.matched, "unknown": list(result.unknown)})
        return
    say("labelled", matched=result.matched, unknown=len(result.unknown))
    if result.unknown:
        say("labels_unknown", ids=", ".join(result.unknown[:5]))

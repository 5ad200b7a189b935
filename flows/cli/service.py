"""Commands about answers: serve, predict, label."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.app import Json, Name, app, emit, settings


class LogOption(StrEnum):
    """What the prediction log keeps of a batch."""

    all = "all"
    ids = "ids"
    none = "none"


@app.command(epilog="Example: leitstand serve cell_diagnostics virtual_sensor --port 3000")
def serve(
    projects: Annotated[list[str] | None, typer.Argument(help="Projects; all that have a champion where none is named.")] = None,
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 3000,
    host: Annotated[
        str, typer.Option(help="Address to listen on; other than loopback only once there is an API key.")
    ] = "127.0.0.1",
    tls_cert: Annotated[Path | None, typer.Option(help="PEM file with the server's certificate.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM file with its key.")] = None,
    json: Json = False,
) -> None:
    """Answer for the champions of projects over HTTP until Ctrl-C. A promotion or rollback takes effect at once."""
    from flows.cli.console import say
    from infra.releases import Releases
    from serving.exposure import check_tls
    from serving.launch import Service, serve_forever

    now = settings()
    tls = check_tls(tls_cert, tls_key)
    names = projects or sorted(Releases(now).champions())

    def announce(service: Service) -> None:
        if json:
            emit({"url": service.url, "pid": service.pid, "projects": names, "unavailable": service.unavailable})
            return
        if tls is not None and tls.expires_soon:
            say("keys.tls_expires_soon", path=tls.file, day=tls.expires.date())
        if service.warning:
            say(service.warning, host=host)
        for name in names:
            if name not in service.unavailable:
                say("serving", url=service.url, project=name)
        for name, reason in service.unavailable.items():
            say("not_serving", project=name, reason=reason)

    serve_forever(names, now, host=host, port=port, tls=tls, announce=announce)


@app.command(epilog="Example: leitstand predict cell_diagnostics --data new.csv --output answers.csv")
def predict(
    project: Name,
    data: Annotated[str, typer.Option("--data", help="CSV, Parquet, Excel, a folder with a manifest, or a database URL.")],
    output: Annotated[
        str, typer.Option(help="Where the answers go: .csv, .parquet, or a database URL (env:NAME takes it from there).")
    ],
    table: Annotated[str | None, typer.Option(help="Table to read, of a database.")] = None,
    query: Annotated[str | None, typer.Option(help="SELECT to read, of a database.")] = None,
    output_table: Annotated[str | None, typer.Option(help="Table to append to, of a database.")] = None,
    log: Annotated[
        LogOption | None,
        typer.Option(
            help="Log each prediction, only the job with its range of ids, or nothing; all up to 100,000 rows, ids beyond."
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is not the answers of an earlier batch, too.")
    ] = False,
    json: Json = False,
) -> None:
    """Predict every row of a table; rows that break the contract go to quarantine. Interrupted, the same command goes on where it stopped."""
    from flows.cli.batch_progress import predicting
    from flows.cli.predicted import tell
    from flows.workspace import open_project
    from infra.prediction_log import PredictionLog
    from serving.batch import Batch, predict_batch
    from serving.batch_input import source_of
    from serving.batch_model import champion_for_batch
    from serving.batch_output import Target

    now = settings()
    opened, source, target = open_project(project, now), source_of(data, table, query), Target.of(output, output_table)
    release, model = champion_for_batch(project, now)
    batch = Batch(opened, model, release, source, target, log=None if log is None else log.value, overwrite=overwrite)
    with predicting(quiet=json) as report:
        made = predict_batch(batch, now, PredictionLog(now.database("predictions")), report=report)
    tell(project, release.version, made, asked=log is not None, json=json)

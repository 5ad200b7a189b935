"""Commands about projects: projects, new."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.app import Json, app, call, emit, settings


@app.command(epilog="Example: leitstand projects --json")
def projects(json: Json = False) -> None:
    """List the projects of this workspace and those that come with Leitstand."""
    from leitstand.folders import find_projects
    from leitstand.spec import load_spec

    found = {name: load_spec(folder / "project.yaml") for name, folder in find_projects(settings().roots).items()}
    if json:
        emit([{"project": name, "task": spec.task, "title": spec.title.model_dump()} for name, spec in found.items()])
        return
    from flows.cli.console import table

    table(
        "",
        ("project", "task", "title"),
        [(name, spec.task, spec.title.in_language(call.language)) for name, spec in found.items()],
    )


@app.command(
    epilog="Examples: leitstand new my_case --data parts.csv --target quality   |   "
    "leitstand new my_line --template virtual_sensor --data line.csv --target viscosity --time measured_at"
)
def new(
    name: Annotated[str, typer.Argument(help="Small letters, digits and underscores, such as my_line.")],
    data: Annotated[Path | None, typer.Option(help="CSV, Parquet, Excel, or a folder with a manifest.")] = None,
    target: Annotated[str | None, typer.Option(help="The column to predict.")] = None,
    template: Annotated[str | None, typer.Option(help="Start from this project instead of from the table alone.")] = None,
    task: Annotated[str | None, typer.Option(help="classification, regression or anomaly; guessed from the target.")] = None,
    time: Annotated[str | None, typer.Option(help="The column that orders the rows; the newest are held out then.")] = None,
    ordered: Annotated[
        bool, typer.Option("--ordered", help="The rows are in time order, though no column tells the time.")
    ] = False,
    series: Annotated[
        str | None, typer.Option(help="The column that tells series apart (line, machine), for looking back.")
    ] = None,
    group: Annotated[str | None, typer.Option(help="Rows of one group (batch, patient) are never split up.")] = None,
    drop: Annotated[str, typer.Option(help="Columns not to learn from, separated by commas.")] = "",
    lags: Annotated[int, typer.Option(min=0, help="For rows in time order: look back at this many earlier rows.")] = 0,
    positive: Annotated[str | None, typer.Option(help="Of two classes the one that matters.")] = None,
    normal: Annotated[str | None, typer.Option(help="For anomaly: the target's value that means normal.")] = None,
    sparse: Annotated[bool, typer.Option("--sparse-target", help="Rows without a target are meant to be there.")] = False,
    database: Annotated[
        str | None, typer.Option(help="Instead of --data: env:NAME of a variable that holds a SQLAlchemy URL.")
    ] = None,
    table: Annotated[str | None, typer.Option(help="Table in the database.")] = None,
    query: Annotated[str | None, typer.Option(help="Query on the database, instead of a table.")] = None,
    delimiter: Annotated[str | None, typer.Option(help="Of a CSV file; found out where left out.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Of a CSV file; found out where left out.")] = None,
    json: Json = False,
) -> None:
    """Make a project from any table, or from a template: plain files that you can read and edit."""
    from flows.making import Wish
    from flows.own_table import new_from_data
    from flows.templates import new_from_template
    from leitstand.errors import UnknownName, UsageError
    from leitstand.spec import Source

    now = settings()
    source = None
    if database is not None and data is None and (table is None) != (query is None):
        source = Source(database=database, table=table, query=query)
    elif database is not None or table is not None or query is not None:
        raise UsageError("flows.database_needs")
    elif data is not None:
        if not data.exists():
            raise UsageError("flows.data_missing", path=data)
        absolute = data.resolve()
        source = Source(folder=absolute) if data.is_dir() else Source(file=absolute, delimiter=delimiter, encoding=encoding)
    if task not in (None, "classification", "regression", "anomaly"):
        raise UnknownName("task", task, ["classification", "regression", "anomaly"])
    wish = Wish(
        name=name,
        source=source,
        target=target,
        task=task,  # type: ignore[arg-type]
        time=time,
        ordered=ordered,
        series=series,
        group=group,
        drop=tuple(part.strip() for part in drop.split(",") if part.strip()),
        positive=positive,
        normal=normal,
        sparse=sparse,
        lags=lags,
    )
    made = new_from_template(wish, template, now.workspace, now.roots) if template else new_from_data(wish, now.workspace)
    if json:
        emit(
            {
                "project": name,
                "task": made.spec.task,
                "folder": str(made.folder),
                "contract": str(made.contract),
                "guesses": made.guesses,
                "left_out": list(made.left_out),
            }
        )
        return
    from flows.cli.console import say

    say("made", project=name, task=made.spec.task, folder=made.folder, contract=made.contract, guesses=made.guesses)
    if made.left_out:
        say("made_left_out", left_out=", ".join(made.left_out))

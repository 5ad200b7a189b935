"""Commands about the prediction log: log stats, show, erase and prune."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.app import Json, Name, app, emit, settings

if TYPE_CHECKING:  # each loads SQLAlchemy or pandas
    from infra.prediction_care import Found, LogStats, VersionStats
    from infra.prediction_log import PredictionLog
    from leitstand.contract import Contract
    from leitstand.spec import ProjectSpec

log = typer.Typer(no_args_is_help=True, help="The prediction log: what it holds, for how long, and the rows of one person.")
app.add_typer(log, name="log")
Column = Annotated[str, typer.Option(help="Input column that names the person, such as customer_id.")]
Value = Annotated[str, typer.Option(help="The person's value in that column, exactly as it was sent.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only count.")]


@log.command(epilog="Example: leitstand log stats cell_diagnostics")
def stats(project: Name, json: Json = False) -> None:
    """Show how many predictions are kept, from when, and how much room they take."""
    from flows.cli.console import say
    from infra.prediction_care import stats as look

    predictions = _open(project)
    found = look(predictions.database, project)
    if json:
        emit(_shown(project, found))
        return
    rows = sum(version.rows for version in found.versions)
    say("log.size", rows=rows, labels=found.labels, megabytes=_megabytes(found.database_bytes))
    for one in found.versions:
        moments = {"first": f"{one.first:%Y-%m-%d %H:%M}", "last": f"{one.last:%Y-%m-%d %H:%M} UTC"}
        say(
            "log.version_line",
            version=one.model_version,
            role=one.role,
            rows=one.rows,
            megabytes=_megabytes(one.bytes),
            **moments,
        )


@log.command(epilog="Example: leitstand log show loans --column customer_id --value 4711 > about_4711.jsonl")
def show(project: Name, column: Column, value: Value, json: Json = False) -> None:
    """Print all that the log holds about one person (GDPR, Art. 15): one JSON document per line, or one in all with --json."""
    import json as format_json

    from flows.cli.console import say
    from infra.prediction_care import entries

    predictions = _open(project)
    found = _search(predictions, project, column, value)
    texts = (
        format_json.dumps(entry, default=lambda moment: moment.isoformat(), ensure_ascii=False)
        for entry in entries(predictions.database, found.ids)
    )
    if json:
        emit({"project": project, "column": column, "predictions": [format_json.loads(line) for line in texts]})
        return
    for line in texts:
        typer.echo(line)
    say("log.shown", rows=len(found.ids), column=column)


@log.command(epilog="Example: leitstand log erase loans --column customer_id --value 4711 --yes")
def erase(
    project: Name,
    column: Column,
    value: Value,
    yes: Annotated[bool, typer.Option("--yes", help="Delete; without it nothing is.")] = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Delete all predictions about one person with their labels, for good (GDPR, Art. 17); also those under the pseudonym."""
    from flows.cli.console import say
    from flows.workspace import current_user
    from infra.audit import open_audit
    from infra.prediction_care import erase as delete
    from leitstand.errors import StateError, UsageError

    predictions = _open(project)
    ids = _search(predictions, project, column, value).ids
    if not dry_run:
        if not yes:
            raise UsageError("log.needs_yes", rows=len(ids))
        gone = delete(predictions.database, ids)
        open_audit(settings()).note("log_erased", project, who=current_user(), column=column, rows=len(ids))
        if not gone:
            raise StateError("log.not_wiped", rows=len(ids))
    if json:
        emit({"project": project, "column": column, "rows": len(ids), "erased": not dry_run})
        return
    running = settings().root / "batches" / project / "running"
    say("log.would_erase" if dry_run else "log.erased", rows=len(ids), column=column, running=running)


@log.command(epilog="Example: leitstand log prune cell_diagnostics --days 365")
def prune(
    project: Name,
    days: Annotated[
        int | None, typer.Option(min=1, max=36_500, help="Keep so many days; by default serving.log_days of project.yaml.")
    ] = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Delete predictions that are older than the project keeps them, with their labels. A service may go on writing meanwhile."""
    from datetime import timedelta

    from flows.cli.console import say
    from flows.workspace import current_user
    from infra.audit import open_audit
    from leitstand.errors import UsageError
    from leitstand.now import now

    predictions = _open(project)
    spec = _spec(project)
    kept = days if days is not None or spec is None else spec.serving.log_days
    if kept is None:
        raise UsageError("log.no_days", project=project)
    before = now() - timedelta(days=kept)
    rows = predictions.count(project, before=before) if dry_run else predictions.prune(project, before)
    if rows and not dry_run:
        open_audit(settings()).note("log_erased", project, who=current_user(), before=before.isoformat(), rows=rows)
    if json:
        emit({"project": project, "before": before.isoformat(), "rows": rows, "deleted": not dry_run})
        return
    say("log.would_prune" if dry_run else "log.pruned", rows=rows, before=f"{before:%Y-%m-%d %H:%M} UTC")


def _open(project: str) -> "PredictionLog":
    """Return the log. A project whose folder is gone is known as long as the log holds predictions of it.

    Raises
    ------
    UsageError
        If there neither is such a project nor a prediction of it.
    """
    from infra.prediction_log import PredictionLog
    from leitstand.folders import check_name, locate

    now = settings()
    predictions = PredictionLog(now.database("predictions"))
    if _spec(project) is None and predictions.count(check_name(project)) == 0:
        locate(project, now.roots)  # says what is wrong with the name
    return predictions


def _spec(project: str) -> "ProjectSpec | None":
    from leitstand.folders import find_projects
    from leitstand.spec import load_spec

    folder = find_projects(settings().roots).get(project)
    return load_spec(folder / "project.yaml") if folder else None


def _contract(project: str) -> "Contract | None":
    from data_contracts.odcs import read_contract
    from flows.workspace import contract_path
    from leitstand.folders import find_projects

    spec, folder = _spec(project), find_projects(settings().roots).get(project)
    return read_contract(contract_path(folder, spec)) if spec and folder else None


def _search(predictions: "PredictionLog", project: str, column: str, value: str) -> "Found":
    """Return the predictions with that value, as it is or under its pseudonym.

    Raises
    ------
    UnknownName
        If neither the contract nor the log knows the column: nobody may believe that a person is not in the log because of a misspelling.
    """
    from serving.records import search_person

    return search_person(predictions, project, _contract(project), settings(), column, value)


def _shown(project: str, found: "LogStats") -> dict[str, Any]:
    def version(one: "VersionStats") -> dict[str, Any]:
        moments = {"first": one.first.isoformat(), "last": one.last.isoformat()}
        return {"model_version": one.model_version, "role": one.role, "rows": one.rows, **moments, "bytes": one.bytes}

    every = found.versions
    return {
        "project": project,
        "rows": sum(one.rows for one in every),
        "labels": found.labels,
        "first": min(one.first for one in every).isoformat() if every else None,
        "last": max(one.last for one in every).isoformat() if every else None,
        "bytes": sum(one.bytes for one in every),
        "database_bytes": found.database_bytes,
        "versions": [version(one) for one in every],
    }


def _megabytes(count: int) -> str:
    return f"{count / 1_000_000:.1f}"

"""What data are there: inventory."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.app import Json, app, call, emit, settings

if TYPE_CHECKING:  # these load DuckDB and pandas, which '--help' does not need
    from datetime import datetime

    from data_contracts.inventory.found import DataSet, Inventory
    from flows.inventory_output import Written

FOLDER = "inventory"


@app.command(
    epilog="Examples: leitstand inventory /data exports/2024.xlsx   |   leitstand inventory env:ERP_URL --output inventory --json   |   "
    "leitstand inventory --project my_line"
)
def inventory(
    places: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH_OR_URL...", help="Files, folders, database URLs, or env:NAME of a variable that holds a URL."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Folder for inventory.yaml, the report and the contracts; by default 'inventory' in the workspace."),
    ] = None,
    project: Annotated[
        str | None, typer.Option(help="Say whether this project has enough data; without PATH, its own sources are looked at.")
    ] = None,
    json: Json = False,
) -> int:
    """Take stock of data: what is there, how good, whose, what may be joined, what could be learned, which data are personal."""
    from flows.inventory import sources_of, take_inventory
    from flows.inventory_output import write_all
    from flows.use_cases import judge_use_case
    from flows.workspace import open_project
    from leitstand.errors import UsageError

    now = settings()
    chosen = open_project(project, now) if project is not None else None
    if not places and chosen is None:
        raise UsageError("inventory.no_place")
    folder = (output or now.workspace / FOLDER).expanduser()
    looked_at = places or sources_of(chosen, now) if chosen is not None else list(places or ())
    with _progress(quiet=json) as told:
        found = take_inventory(looked_at, now, leave_out=folder, told=told)
    cases = [judge_use_case(chosen, found)] if chosen is not None else []
    written = write_all(found, cases, folder, call.language)
    if json:
        emit(_document(found, cases, written))
    else:
        _show(found, cases, written)
    return 0 if any(one.problem is None for one in found.sets) or not found.sets else 1


def _progress(quiet: bool) -> Any:
    from flows.cli.inventory_progress import looking

    return looking(quiet)


def _document(found: "Inventory", cases: list[Any], written: "Written") -> dict[str, Any]:
    return {
        "made": found.made.isoformat(timespec="seconds"),
        "datasets": [_dataset(one, written, found.made) for one in found.sets],
        "joins": [
            {
                "left": join.left, "left_column": join.left_column, "right": join.right, "right_column": join.right_column,
                "overlap": join.overlap, "declared": join.declared, "unique": join.unique,
            }
            for join in found.joins
        ],
        "use_cases": [case.document(call.language) for case in cases],
        "other_files": found.other,
        "warnings": [one.render(call.language) for one in written.warnings],
        "inventory": str(written.inventory),
        "report": str(written.report),
    }  # fmt: skip


def _dataset(one: "DataSet", written: "Written", made: "datetime") -> dict[str, Any]:
    verdict, hours = one.verdict, one.freshness_hours(made)
    return {
        "name": one.name,
        "path": one.path,
        "format": one.format,
        "files": one.files,
        "rows": one.rows,
        "columns": len(one.columns),
        "duplicates": one.duplicates,
        "keys": [list(key) for key in one.keys],
        "targets": [target.column for target in one.targets],
        "first": one.time.first.isoformat() if one.time else None,
        "last": one.time.last.isoformat() if one.time else None,
        "freshness_hours": None if hours is None else round(hours, 1),
        "personal_data": [
            {
                "column": column.name,
                "kind": column.personal.kind,
                "gdpr": column.personal.gdpr,
                "by": column.personal.by,
                "share": column.personal.share,
            }
            for column in one.personal
            if column.personal is not None
        ],
        "verdict": {"level": verdict.level, "reasons": [reason.render(call.language) for reason in verdict.reasons]}
        if verdict
        else None,
        "contract": str(written.contracts[one.name]) if one.name in written.contracts else None,
        "error": one.problem.render(call.language) if one.problem else None,
    }


def _show(found: "Inventory", cases: list[Any], written: "Written") -> None:
    from flows.cli.console import console, say, table
    from leitstand.texts import text

    rows = []
    for one in found.sets:
        level = text(f"inventory.level_{one.verdict.level}", call.language) if one.verdict else None
        kinds = sorted(
            {text(f"inventory.kind_{column.personal.kind}", call.language) for column in one.personal if column.personal}
        )
        said = text("inventory.because", call.language, reason=one.problem.render(call.language)) if one.problem else level
        rows.append((one.name, one.format, one.rows, len(one.columns) or None, ", ".join(kinds) or None, said))
    table("", [f"inventory.head_{name}" for name in ("name", "format", "rows", "columns", "personal", "verdict")], rows)
    for case in cases:
        answer = text(f"inventory.case_{case.verdict}", call.language)
        console().print(f"[bold]{case.title.in_language(call.language)}[/]: {answer}", highlight=False, soft_wrap=True)
        for one in (*case.reasons, *case.missing, *case.record):
            console().print(f"  – {one.render(call.language)}", highlight=False, soft_wrap=True, markup=False)
    for warning in written.warnings:
        console().print(warning.render(call.language), style="yellow", highlight=False, soft_wrap=True, markup=False)
    say("inventory.written", inventory=written.inventory, report=written.report, contracts=len(written.contracts))

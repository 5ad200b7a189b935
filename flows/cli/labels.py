"""The command that feeds the truth back: by prediction id, or by key and time."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.app import Json, Name, app, call, emit, settings

if TYPE_CHECKING:  # loads pandas
    import pandas as pd

    from flows.labelling import Labelled
    from flows.workspace import Desk
    from leitstand.label_matching import Matched

MOST_SHOWN = 5
EXAMPLE = (
    "Example: leitstand label cell_diagnostics --data truth.csv   (columns: prediction_id, label)\n\n"
    "leitstand label virtual_sensor --data lab.csv --by batch --time sampled --tolerance 30 --value-column viscosity"
)


@app.command(epilog=EXAMPLE)
def label(
    project: Name,
    data: Annotated[Path, typer.Option("--data", help="Table with what turned out to be true.")],
    id_column: Annotated[str, typer.Option(help="Column with the prediction ids.")] = "prediction_id",
    value_column: Annotated[str | None, typer.Option(help="Column with the truth; 'label' or the target's own.")] = None,
    by: Annotated[str | None, typer.Option(help="Input columns, with commas, by which to find the predictions instead.")] = None,
    time: Annotated[str | None, typer.Option(help="With --by: column that says when; the nearest prediction counts.")] = None,
    tolerance: Annotated[float | None, typer.Option(min=0, help="With --time: how far away it may be, in minutes.")] = None,
    json: Json = False,
) -> None:
    """Feed the truth back, by prediction id or by key and time, so that performance can be watched. What is ambiguous is refused."""
    from data_contracts.reading import read_source
    from flows.workspace import Desk, open_project
    from leitstand.errors import UsageError
    from leitstand.spec import Source

    if (time is not None and by is None) or (tolerance is not None and time is None):
        raise UsageError("monitoring.label_options")
    now = settings()
    desk = Desk(open_project(project, now), now)
    frame = read_source(Source(file=data.resolve()), base=now.workspace)
    target = desk.project.spec.data.target
    value = value_column or ("label" if "label" in frame.columns or target not in frame.columns else target)
    if by is None:
        _by_id(desk, frame, id_column, value, data.name, json)
        return
    from datetime import timedelta

    from flows.labelling import label_by

    keys = [name.strip() for name in by.split(",") if name.strip()]
    limit = None if tolerance is None else timedelta(minutes=tolerance)
    _tell(project, label_by(desk, frame, keys, value, source=data.name, time=time, tolerance=limit), json)


def _by_id(desk: "Desk", frame: "pd.DataFrame", id_column: str, value: str, source: str, json: bool) -> None:
    from flows.cli.console import say
    from flows.labelling import checked_truths
    from leitstand.errors import UnknownName
    from leitstand.label_matching import match_ids

    for column in (id_column, value):
        if column not in frame.columns:
            raise UnknownName("column", column, list(frame.columns))
    found = match_ids(frame.assign(**{value: checked_truths(desk, frame[value])}), id_column, value)
    result = desk.log.label(desk.project.name, found.labels, source=source)
    if json:
        told = {"matched": result.matched, "unknown": list(result.unknown), "ambiguous": _refused(found)}
        emit({"project": desk.project.name, **told})
        return
    say("labelled", matched=result.matched, unknown=len(result.unknown))
    if result.unknown:
        say("labels_unknown", ids=", ".join(result.unknown[:MOST_SHOWN]))
    _tell_refused(found)


def _tell(project: str, done: "Labelled", json: bool) -> None:
    found, noted = done.found, done.noted
    if json:
        emit({"project": project, "matched": noted.matched, "unknown": found.unknown, "ambiguous": _refused(found)})
        return
    _print("labels_noted", matched=noted.matched, unknown=found.unknown, ambiguous=len(found.ambiguous))
    if found.unknown_examples:
        _print("labels_without_answer", keys="; ".join(found.unknown_examples))
    _tell_refused(found)


def _refused(found: "Matched") -> list[dict[str, Any]]:
    return [{"row": one.row, "key": one.key, "doubt": one.doubt} for one in found.ambiguous]


def _tell_refused(found: "Matched") -> None:
    from leitstand.texts import text

    for one in found.ambiguous[:MOST_SHOWN]:
        _print("label_ambiguous", row=one.row, key=one.key, doubt=text(f"monitoring.doubt_{one.doubt}", call.language))
    if len(found.ambiguous) > MOST_SHOWN:
        _print("labels_ambiguous_more", count=len(found.ambiguous) - MOST_SHOWN)


def _print(message: str, **values: Any) -> None:
    from flows.cli.console import console
    from leitstand.texts import text

    console().print(text(f"monitoring.{message}", call.language, **values), soft_wrap=True, markup=False, highlight=False)

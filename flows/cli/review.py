"""The command about doubtful answers: review."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.app import Json, Name, app, call, emit, settings

if TYPE_CHECKING:  # loads SQLAlchemy
    from infra.reviews import Doubtful

MOST_INPUTS = 6
EPILOG = """Examples: leitstand review virtual_sensor --flag outside_training_range
  |   leitstand review cell_diagnostics 0190…c2 --truth malignant   |   leitstand review cell_diagnostics 0190…c2 --ok"""


@app.command(epilog=EPILOG)
def review(
    project: Name,
    id: Annotated[str | None, typer.Argument(help="Id of the answer that --truth or --ok is about.")] = None,
    truth: Annotated[str | None, typer.Option(help="What the answer should have been; it becomes its label.")] = None,
    ok: Annotated[bool, typer.Option("--ok", help="The answer was right.")] = False,
    flag: Annotated[str | None, typer.Option(help="Only this reason: outside_training_range, below_confidence_floor …")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 20,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are settled.")] = False,
    json: Json = False,
) -> None:
    """List answers that were doubtful when they were given, newest first; with an id, say what was true."""
    from flows.cli.console import say
    from flows.review import doubtful, review_answer
    from flows.workspace import Desk, current_user, open_project
    from leitstand.errors import UsageError

    if (id is None) != (truth is None and not ok) or (truth is not None and ok):
        raise UsageError("review.verdict_options")
    now = settings()
    desk = Desk(open_project(project, now), now)
    if id is not None:
        settled = review_answer(desk, id, who=current_user(), truth=truth)
        if json:
            emit(document(settled))
        else:
            labelled = {"id": id, "label": settled.label}
            say("review.seen" if settled.label is None else "review.labelled", **labelled)
        return
    found = doubtful(desk, flag=flag, limit=limit, settled=everything)
    if json:
        emit({"project": project, "answers": [document(one) for one in found]})
    elif found:
        _show(found, desk.project.spec.data.target, limit)
    else:
        say("review.none")


def document(one: "Doubtful") -> dict[str, Any]:
    """Return an answer as JSON knows it."""
    from dataclasses import asdict

    made = asdict(one) | {"time": one.time.isoformat(), "flags": list(one.flags), "labelled": one.label is not None}
    return made | {"label_time": one.label_time.isoformat() if one.label_time else None}


def _show(found: "list[Doubtful]", target: str, limit: int) -> None:
    """Print each answer in lines of its own: an id that a table has broken cannot be copied."""
    from flows.cli.console import console, say, shown
    from leitstand.texts import text

    def line(given: str, style: str | None = None) -> None:
        console().print(given, style=style, markup=False, highlight=False, soft_wrap=True)

    for one in found:
        inputs = list(one.inputs.items())
        said = ", ".join(f"{name} {shown(value)}" for name, value in inputs[:MOST_INPUTS]) + (
            " …" if inputs[MOST_INPUTS:] else ""
        )
        line(f"{one.id}  {one.time:%Y-%m-%d %H:%M} UTC  {target}: {shown(one.prediction)}", style="bold")
        line(f"  {text('review.reason', call.language)}: {', '.join(_reason(flag) for flag in one.flags)}")
        line(f"  {text('review.inputs', call.language)}: {said}")
        if one.label is not None:
            line(f"  {text('review.state', call.language)}: {shown(one.label)}")
        if one.reviewed_by is not None:
            line(f"  {text('review.by', call.language, who=one.reviewed_by)}")
    if len(found) == limit:
        say("review.more", limit=limit)


def _reason(flag: str) -> str:
    from flows.review import FLAGS
    from leitstand.texts import text

    name, _, column = flag.partition(":")
    return text(f"review.flag_{name}", call.language, column=column) if name in FLAGS else flag

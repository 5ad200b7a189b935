"""Commands about the way to a model and beyond: roadmap (all projects), roadmap show."""

from typing import TYPE_CHECKING, Any

import typer

from flows.cli.app import Json, Name, app, call, emit, settings
from leitstand.milestones import NAMES

if TYPE_CHECKING:
    from flows.evidence import Place
    from leitstand.roadmap import Standing

SIGNS = {"passed": "✓", "refused": "✗", "open": "○", "stale": "↺", "none": "–"}
COLOURS = {"passed": "green", "refused": "red", "open": "yellow", "stale": "magenta", "none": "dim"}

roadmap = typer.Typer(
    invoke_without_command=True,
    help="The way from the first question to a model in use: milestones, readiness, sourcing, benefit, dossier.",
)
app.add_typer(roadmap, name="roadmap")


@roadmap.callback(epilog="Examples: leitstand roadmap   |   leitstand roadmap show cell_diagnostics")
def overview(context: typer.Context, json: Json = False) -> None:
    """Where all projects stand: five milestones each, and what is missing next."""
    if context.invoked_subcommand is not None:
        return
    from flows.cli.console import console, say, table
    from flows.evidence import everywhere
    from leitstand.roadmap import first_open
    from leitstand.texts import text

    places = everywhere(settings())
    if json:
        emit({"projects": [_document(place) for place in places]})
        return
    if not places:
        say("roadmap.all_empty")
        return
    rows = []
    for place in places:
        if place.problem is not None:
            problem = text("roadmap.unreadable", call.language, problem=place.problem.render(call.language))
            rows.append((place.name, *["–"] * 5, problem))
            continue
        signs = [f"[{COLOURS[one.status]}]{SIGNS[one.status]}[/]" for one in place.standings]
        waiting = first_open(place.standings)
        rows.append((place.name, *signs, f"{waiting.id}: {_why(waiting)}" if waiting else "–"))
    title = text("roadmap.all_title", call.language)
    table(title, ("roadmap.column_project", *(f"roadmap.column_{one}" for one in NAMES), "roadmap.column_missing"), rows)
    console().print(text("roadmap.all_legend", call.language), soft_wrap=True)


@roadmap.command(epilog="Example: leitstand roadmap show cell_diagnostics --json")
def show(project: Name, json: Json = False) -> None:
    """Where one project stands: each milestone with its evidence, why it is open, and what to do next."""
    from flows.cli.console import table
    from flows.evidence import where
    from leitstand.texts import text

    place = where(project, settings())
    if json:
        emit(_document(place))
        return
    assert place.spec is not None, "a project that cannot be read is an error here"
    rows = [
        (
            f"{one.id} {text(f'roadmap.{one.name}', call.language)}",
            f"[{COLOURS[one.status]}]{text(f'roadmap.status_{one.status}', call.language)}[/]",
            _why(one),
            _next(one, project),
            _evidence(one),
        )
        for one in place.standings
    ]
    title = text("roadmap.show_title", call.language, project=project, title=place.spec.title.in_language(call.language))
    table(title, [f"roadmap.column_{name}" for name in ("milestone", "status", "why", "next", "evidence")], rows)


def _why(one: "Standing") -> str:
    from leitstand.texts import text

    reasons = [text(f"roadmap.stale_{name}", call.language) for name in one.reasons]
    return "; ".join([*reasons, *(text(f"roadmap.missing_{name}", call.language) for name in one.missing)])


def _next(one: "Standing", project: str) -> str:
    from leitstand.roadmap import next_step
    from leitstand.texts import text

    return text(f"roadmap.next_{next_step(one)}", call.language, project=project, version=one.model_version or "")


def _evidence(one: "Standing") -> str:
    from leitstand.texts import text

    if one.record is None or one.time is None:
        return "–"
    run, data = (one.run_id or "–")[:8], (one.data_version or "–")[:8]
    return text(
        "roadmap.evidence_line", call.language, number=one.record, time=f"{one.time:%Y-%m-%d %H:%M} UTC", run=run, data=data
    )


def _document(place: "Place") -> dict[str, Any]:
    from leitstand.roadmap import first_open, next_step
    from leitstand.texts import text

    waiting = first_open(place.standings)
    milestones = []
    for one in place.standings:
        told = {"why": _why(one), "next": _next(one, place.name), "next_key": next_step(one)}
        milestones.append(one.model_dump(mode="json") | told)
    return {
        "project": place.name,
        "milestones": milestones,
        "closed": sum(one.closed for one in place.standings),
        "next": waiting.id if waiting else None,
        "error": text("roadmap.unreadable", call.language, problem=place.problem.render(call.language))
        if place.problem
        else None,
    }

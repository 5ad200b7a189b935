"""Commands about what a use case earns: roadmap benefit, roadmap portfolio."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.app import GATE_REFUSED, Json, Name, call, emit, settings
from flows.cli.roadmap import roadmap

if TYPE_CHECKING:  # these load NumPy, which '--help' does not need
    from leitstand.assumptions import Errors
    from leitstand.portfolio import Place


@roadmap.command(
    epilog="Examples: leitstand roadmap benefit cell_diagnostics   |   leitstand roadmap benefit my_line --html case.html"
)
def benefit(
    project: Name,
    error: Annotated[float | None, typer.Option(help="Take this error as the measured one, instead of the champion's.")] = None,
    missed: Annotated[float | None, typer.Option(help="The same by kind: missed ones, as a share of all decisions.")] = None,
    false_alarm: Annotated[
        float | None, typer.Option(help="The same by kind: false alarms, as a share of all decisions.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Also write a page with the tornado picture into this file.")] = None,
    json: Json = False,
) -> int:
    """What does the use case earn, when has it paid back, and how sure is that: promised, and with the measured error."""
    from flows.business import analyse

    given = _given_error(error, missed, false_alarm)
    found = analyse(project, settings(), given)
    if html is not None:
        from flows.business_page import write_page

        write_page(found, html, call.language)
    if json:
        emit(found.document() | {"page": str(html) if html else None})
    else:
        from flows.cli.business_tables import show_analysis
        from flows.cli.console import say

        show_analysis(found)
        if html is not None:
            say("benefit.page", path=html)
    return 0 if found.within_limit else GATE_REFUSED


@roadmap.command(epilog="Example: leitstand roadmap portfolio --picture portfolio.html")
def portfolio(
    picture: Annotated[
        Path | None, typer.Option(help="Also draw value × feasibility into this file: .png, or .html with the table.")
    ] = None,
    json: Json = False,
) -> None:
    """Which use case comes first: all projects and the ideas in ideas.yaml by value, feasibility and time to the first result."""
    from flows.portfolio import IDEAS
    from flows.portfolio import portfolio as read

    now = settings()
    places = read(now)
    if picture is not None:
        from flows.portfolio_page import write_matrix

        write_matrix(places, picture, call.language)
    if json:
        emit({"portfolio": [_document(place) for place in places], "picture": str(picture) if picture else None})
        return
    from flows.cli.business_tables import show_portfolio
    from flows.cli.console import say

    if places:
        show_portfolio(places)
    else:
        say("benefit.portfolio_empty", path=now.workspace / IDEAS)
    if picture is not None:
        say("benefit.matrix_written", path=picture)


def _given_error(error: float | None, missed: float | None, false_alarm: float | None) -> "Errors | None":
    """Return the error that the options give.

    Raises
    ------
    UsageError
        If they contradict each other or cannot be.
    """
    from leitstand.assumptions import MOST, ErrorsPerKind
    from leitstand.errors import UsageError

    kinds = [value for value in (missed, false_alarm) if value is not None]
    if len(kinds) == 1 or (kinds and error is not None) or (error is not None and not 0 <= error <= MOST):
        raise UsageError("benefit.error_options")
    if missed is None or false_alarm is None:
        return error
    try:
        return ErrorsPerKind(missed=missed, false_alarm=false_alarm)
    except ValueError as wrong:
        raise UsageError("benefit.error_kinds", missed=missed, false_alarm=false_alarm) from wrong


def _document(place: "Place") -> dict[str, Any]:
    from dataclasses import asdict

    one = place.candidate
    return {
        "rank": place.rank,
        "name": one.name,
        "kind": one.kind,
        "title": one.title.model_dump() if one.title else None,
        "value_eur_per_year": place.value_eur_per_year,
        "payback_months": place.case.payback_months if place.case else None,
        "within_limit": place.case.within_limit if place.case else None,
        "feasibility": place.feasibility,
        "basis": place.basis,
        "evidence": asdict(one.evidence) if one.evidence else None,
        "months_to_first_result": place.months_to_first_result,
        "score_eur_per_year": place.score_eur_per_year,
        "error": one.problem.render(call.language) if one.problem else None,
    }

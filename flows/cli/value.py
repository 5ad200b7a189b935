"""The command about what a model has earned in operation: roadmap value."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.app import Json, Name, call, emit, settings
from flows.cli.roadmap import roadmap

if TYPE_CHECKING:  # loads NumPy
    from leitstand.ledger import Balance

PICTURES = (".png", ".svg")


@roadmap.command(
    epilog="Examples: leitstand roadmap value cell_diagnostics --book   |   leitstand roadmap value my_line --picture value.png"
)
def value(
    project: Name,
    book: Annotated[
        bool, typer.Option("--book", help="First book the months that are over, and correct those with late labels.")
    ] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Make sure that nobody changed the ledger from outside.")] = False,
    picture: Annotated[Path | None, typer.Option(help="Draw the months and the balance into this PNG or SVG file.")] = None,
    json: Json = False,
) -> None:
    """What has the model earned in operation, month by month, and has it paid back: answers × measured errors, from the value ledger."""
    from flows.cli.console import say
    from flows.value import book_value, document, promised_balance, value_of, verify_ledger
    from flows.workspace import Desk, current_user, open_project
    from leitstand.errors import UsageError

    if picture is not None and picture.suffix.lower() not in PICTURES:
        raise UsageError("value.picture_kind", path=picture)
    now = settings()
    desk = Desk(open_project(project, now), now)
    if verify:
        say("value.verified", count=verify_ledger(desk))
    found, entries = value_of(desk)
    if book:
        fresh = book_value(desk, who=current_user(), daily=False)
        found, entries = value_of(desk)
        say("value.booked" if fresh else "value.nothing_new", count=len(fresh))
    told = document(desk, found, entries)
    if picture is not None:
        from flows.value_picture import draw_value

        draw_value(found, picture, call.language, promised_balance(desk, len(found.lines)))
    if json:
        emit(told | {"picture": str(picture) if picture else None})
        return
    if not found.lines:
        say("value.empty", project=project)
        return
    _show(found)
    if picture is not None:
        say("value.picture_written", path=picture)


def _show(found: "Balance") -> None:
    from flows.cli.console import say, shown, table
    from leitstand.texts import text

    rows = [
        (
            line.period,
            sum(line.account.answers.values()),
            shown(line.account.cases),
            f"{line.account.coverage:.0%}",
            text(f"value.by_{line.account.source}", call.language),
            _error(line.account.error),
            shown(line.account.earned_eur),
            shown(line.account.running_cost_eur),
            shown(line.balance_eur) + (" *" if line.corrections else ""),
        )
        for line in found.lines
    ]
    columns = ("period", "answers", "cases", "coverage", "source", "error", "earned", "running_cost", "balance")
    table(text("value.title", call.language), [f"value.{name}" for name in columns], rows)
    if any(line.corrections for line in found.lines):
        say("value.corrected")
    money = {name: shown(getattr(found, f"{name}_eur")) for name in ("investment", "earned", "running_cost", "balance")}
    say("value.total", **money)
    if found.paid_back is not None:
        say("value.paid_back", period=found.paid_back)
    else:
        say("value.not_paid_back", missing=shown(-found.balance_eur))


def _error(error: object) -> str:
    from flows.cli.console import shown
    from leitstand.assumptions import ErrorsPerKind
    from leitstand.texts import text

    if not isinstance(error, ErrorsPerKind):
        return shown(error)
    return text("value.kinds", call.language, missed=shown(error.missed), false_alarm=shown(error.false_alarm))

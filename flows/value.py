"""Booking what a model earns in operation, month by month, and telling what has come of the investment so far."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from flows.portfolio import errors_in
from flows.released_card import released_card
from flows.workspace import Desk
from infra.answered import answered, labelled_answers
from infra.history import CROWNING, History, Promotion
from infra.ledger import Ledger
from leitstand.assumptions import Benefit, Errors
from leitstand.benefit import business_case
from leitstand.cash_flow import months_of_full_savings
from leitstand.contract import Scalar
from leitstand.errors import ProjectError
from leitstand.labelled_errors import labelled_errors
from leitstand.ledger import Account, Balance, Entry, Period, account, balance, closed_periods
from leitstand.now import now

KEPT_OPEN = 24  # months: labels that come later still than that correct nothing


def book_value(desk: Desk, *, who: str = "leitstand", daily: bool = True) -> list[Entry]:
    """Book the months that are over, correct those whose labels came late, and return the new entries.

    The same call again books nothing. A month whose answers were deleted meanwhile stays as it was booked.

    Parameters
    ----------
    daily : leave it at once a day, as for the passes of the maintenance loop; False books whatever differs

    Raises
    ------
    StateError
        If a database cannot be read or written.
    """
    benefit = desk.project.spec.benefit
    history = _history(desk)
    first = next((entry for entry in history if entry.kind == "promote"), None)
    if benefit is None or first is None:
        return []
    ledger = open_ledger(desk)
    try:
        entries = ledger.read(desk.project.name)
        if daily and entries and entries[-1].time.date() == now().date():
            return []
        before = {entry.period: entry.account for entry in entries}
        periods = closed_periods(first.time, now())
        wanted = [one for place, one in enumerate(periods) if one.name not in before or place >= len(periods) - KEPT_OPEN]
        made, measured, positive = [], _measured(history), _positive(desk, history)
        for period in wanted:
            found = _account(desk, benefit, period, before.get(period.name), measured, positive)
            entry = ledger.book(desk.project.name, period.name, found, who=who) if found is not None else None
            made += [entry] if entry is not None else []
        return made
    finally:
        ledger.close()


def value_of(desk: Desk) -> tuple[Balance, list[Entry]]:
    """Return where the project stands, and all entries that say so.

    Raises
    ------
    ProjectError
        If project.yaml has no section ``benefit``.
    """
    benefit = _benefit(desk)
    ledger = open_ledger(desk)
    try:
        entries = ledger.read(desk.project.name)
    finally:
        ledger.close()
    return balance(entries, benefit), entries


def verify_ledger(desk: Desk) -> int:
    """Return the number of entries of the project, every one of them as it was written; errors as in ``Ledger.verify``."""
    ledger = open_ledger(desk)
    try:
        return ledger.verify(desk.project.name)
    finally:
        ledger.close()


def promised_balance(desk: Desk, months: int) -> list[float]:
    """Return where the project should stand after each month, as the business case promised it; with its ramp-up."""
    benefit = _benefit(desk)
    full = business_case(benefit, benefit.expected_error).savings_eur_per_year
    earned = [full / 12 * float(months_of_full_savings(month, benefit.ramp_up_months)) for month in range(1, months + 1)]
    cost = benefit.running_cost_eur_per_year / 12
    return [sum_ - cost * month - benefit.investment_eur for month, sum_ in enumerate(earned, start=1)]


def document(desk: Desk, found: Balance, entries: list[Entry]) -> dict[str, Any]:
    """Return the ledger as JSON knows it, beside what was promised."""
    promised = business_case(_benefit(desk), _benefit(desk).expected_error)
    periods = []
    for line in found.lines:
        kept = line.account.model_dump(mode="json", exclude={"figures", "last_label"})
        kept |= {"answers": sum(line.account.answers.values()), "by_version": line.account.answers}
        periods.append(
            {
                "period": line.period,
                **kept,
                "net_eur": line.net_eur,
                "balance_eur": line.balance_eur,
                "corrections": line.corrections,
            }
        )
    totals = {name: value for name, value in asdict(found).items() if name != "lines"}
    return {
        "project": desk.project.name,
        **totals,
        "promised": promised.model_dump(include={"savings_eur_per_year", "net_eur_per_year", "payback_months"}),
        "periods": periods,
        "entries": [entry.model_dump(mode="json", exclude={"account"}) for entry in entries],
    }


def open_ledger(desk: Desk) -> Ledger:
    """Return the value ledger of the desk's settings."""
    return Ledger(desk.settings.database("history"))


def _benefit(desk: Desk) -> Benefit:
    if desk.project.spec.benefit is None:
        raise ProjectError("benefit.no_figures", project=desk.project.name, path=desk.project.folder / "project.yaml")
    return desk.project.spec.benefit


def _account(
    desk: Desk, benefit: Benefit, period: Period, before: Account | None, measured: Mapping[int, Errors], positive: Scalar | None
) -> Account | None:
    """Return what the log says about a period today; None where it says nothing new, or less than when it was booked."""
    name, log = desk.project.name, desk.log
    found = answered(log, name, period.start, period.end)
    if before is not None:
        same = (dict(found.answers), found.labelled, found.last_label) == (before.answers, before.labelled, before.last_label)
        if same or sum(found.answers.values()) < sum(before.answers.values()):
            return None
    shown: Errors | None = None
    if found.labelled >= desk.project.spec.monitoring.minimum_labels:
        shown, rows = labelled_errors(desk.project, labelled_answers(log, name, period.start, period.end), positive)
        shown = shown if rows >= desk.project.spec.monitoring.minimum_labels else None
    figures: Mapping[str, float] = benefit.figures() if before is None else before.figures
    return account(period, found, figures, shown, measured, benefit.expected_error)


def _positive(desk: Desk, history: list[Promotion]) -> Scalar | None:
    """Return the class that matters to the model in charge, by which its promise was reckoned; None where nobody knows."""
    version = next((entry.to_version for entry in reversed(history) if entry.kind in CROWNING), None)
    card = None if version is None else released_card(desk.settings, desk.project.name, version)
    return None if card is None else card.positive


def _history(desk: Desk) -> list[Promotion]:
    history = History(desk.settings.database("history"))
    try:
        return history.read(desk.project.name)
    finally:
        history.close()


def _measured(entries: list[Promotion]) -> dict[int, Errors]:
    """Return the error on the hold-out of every version of which the history knows it."""
    known = ((entry.to_version, errors_in(entry.evidence)) for entry in entries)
    return {version: errors for version, errors in known if errors is not None}

"""What a model has earned, period by period: answers given × errors measured, by the value formula of milestone M2.

Cautious where it has to guess: more answers than the business case knows cases earn nothing, neither do answers of the fallback, and an error
whose kind nobody knows counts as the dearer one. Bookings are amounts in EUR, rounded to cents; ``leitstand.cash_flow`` holds the formulas.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from leitstand import cash_flow
from leitstand.assumptions import KINDS, Benefit, Errors, ErrorsPerKind

ErrorSource = Literal["labels", "promotion", "promise"]
CENT = 0.01


@dataclass(frozen=True)
class Period:
    """One calendar month in UTC.

    Parameters
    ----------
    name : such as ``2026-03``
    start, end : aware; ``end`` exclusive
    share : of the month in which a model was in charge, above 0 to 1
    """

    name: str
    start: datetime
    end: datetime
    share: float


class Account(BaseModel):
    """What is known of one period.

    Parameters
    ----------
    answers : that models gave, by version; not those of the fallback
    cases : of these, as many as the business case knows of at most
    labelled : answers whose truth came back
    coverage : labelled of all answers, 0 to 1
    last_label : sequence number of the newest label, 0 without any; tells whether later ones came
    source : where the error comes from: the labels, the promotions' hold-outs, or the promise where no promotion says
    figures : the assumptions that the period is booked with; later changes of them change no booked period
    """

    model_config = ConfigDict(frozen=True)

    answers: dict[int, int]
    cases: float
    labelled: int
    coverage: float
    last_label: int
    source: ErrorSource
    error: float | ErrorsPerKind
    earned_eur: float
    running_cost_eur: float
    figures: dict[str, float]


class Entry(BaseModel):
    """One entry of the ledger.

    Parameters
    ----------
    earned_eur, running_cost_eur : of a correction, the difference to what was booked before
    account : what the period stands at with this entry
    """

    model_config = ConfigDict(frozen=True)

    number: int
    period: str
    kind: Literal["booking", "correction"]
    time: datetime
    who: str
    earned_eur: float
    running_cost_eur: float
    account: Account


@dataclass(frozen=True)
class Line:
    """One period with all its corrections, and where the project stands after it.

    Parameters
    ----------
    balance_eur : earned less running cost of all periods so far, less the investment
    """

    period: str
    account: Account
    corrections: int
    net_eur: float
    balance_eur: float


@dataclass(frozen=True)
class Balance:
    """All periods, and when the investment had come back.

    Parameters
    ----------
    paid_back : the first period after which the balance is not below zero; None as long as there is none
    """

    investment_eur: float
    lines: tuple[Line, ...]
    earned_eur: float
    running_cost_eur: float
    balance_eur: float
    paid_back: str | None


@dataclass(frozen=True)
class Answered:
    """What the prediction log says about a period; fields as in ``Account``."""

    answers: Mapping[int, int]
    labelled: int
    last_label: int


def closed_periods(first: datetime, now: datetime) -> list[Period]:
    """Return the months that are over, from the one with the first promotion on."""
    found: list[Period] = []
    start = datetime(first.year, first.month, 1, tzinfo=UTC)
    while (end := _next_month(start)) <= now:
        begun = max(start, first.astimezone(UTC))
        found.append(Period(f"{start:%Y-%m}", start, end, (end - begun) / (end - start)))
        start = end
    return found


def account(
    period: Period,
    answered: Answered,
    figures: Mapping[str, float],
    labels: Errors | None,
    measured: Mapping[int, Errors],
    promised: Errors,
) -> Account:
    """Return what a period has earned.

    Parameters
    ----------
    figures : the assumptions, as ``Benefit.figures`` gives them
    labels : the error that the period's labels show; None where there are too few
    measured : the errors that the versions in charge showed on their hold-outs
    promised : stands in where a version has none
    """
    error, source = (labels, "labels") if labels is not None else _of_versions(answered.answers, measured, promised)
    total = sum(answered.answers.values())
    cases = min(total, figures["cases_per_year"] / 12 * period.share)
    earned = cases * eur_per_case(figures, error)
    return Account(
        answers=dict(answered.answers),
        cases=cases,
        labelled=answered.labelled,
        coverage=answered.labelled / total if total else 0.0,
        last_label=answered.last_label,
        source=source,
        error=error,
        earned_eur=round(earned, 2),
        running_cost_eur=round(figures["running_cost_eur_per_year"] / 12 * period.share, 2),
        figures=dict(figures),
    )


def eur_per_case(figures: Mapping[str, float], error: Errors) -> float:
    """Return what one case saves against today, with an error in the place of the promised one."""
    by_kind = f"cost_per_error_eur.{KINDS[0]}" in figures
    then = {key: value for key, value in figures.items() if not key.startswith("expected_error")}
    if isinstance(error, ErrorsPerKind):
        then |= {f"expected_error.{kind}": getattr(error, kind) for kind in KINDS}
    elif by_kind:
        dearer = max(KINDS, key=lambda kind: figures[f"cost_per_error_eur.{kind}"])
        then |= {f"expected_error.{kind}": error if kind == dearer else 0.0 for kind in KINDS}
    else:
        then["expected_error"] = error
    return float(cash_flow.savings_eur_per_year(then | {"cases_per_year": 1.0}))


def balance(entries: Iterable[Entry], benefit: Benefit) -> Balance:
    """Return where the project stands after all entries, period by period."""
    by_period: dict[str, list[Entry]] = {}
    for entry in entries:
        by_period.setdefault(entry.period, []).append(entry)
    lines: list[Line] = []
    stands = -benefit.investment_eur
    for name in sorted(by_period):
        booked = by_period[name]
        net = sum(one.earned_eur - one.running_cost_eur for one in booked)
        stands += net
        lines.append(Line(name, booked[-1].account, len(booked) - 1, round(net, 2), round(stands, 2)))
    return Balance(
        investment_eur=benefit.investment_eur,
        lines=tuple(lines),
        earned_eur=round(sum(one.account.earned_eur for one in lines), 2),
        running_cost_eur=round(sum(one.account.running_cost_eur for one in lines), 2),
        balance_eur=round(stands, 2),
        paid_back=next((one.period for one in lines if one.balance_eur >= 0), None),
    )


def differs(before: Account, after: Account) -> bool:
    """Return whether a period has to be corrected: by a cent or more, or because its error has another source."""
    amounts = ((before.earned_eur, after.earned_eur), (before.running_cost_eur, after.running_cost_eur))
    return before.source != after.source or any(abs(new - old) >= CENT / 2 for old, new in amounts)


def _of_versions(answers: Mapping[int, int], measured: Mapping[int, Errors], promised: Errors) -> tuple[Errors, ErrorSource]:
    """Return the mean error of the versions, weighted by their answers."""
    source: ErrorSource = "promotion" if answers and all(version in measured for version in answers) else "promise"
    parts = [(count, measured.get(version, promised)) for version, count in answers.items() if count] or [(1, promised)]
    total = sum(count for count, _ in parts)
    if all(isinstance(error, ErrorsPerKind) for _, error in parts):
        kinds = {kind: sum(count * getattr(error, kind) for count, error in parts) / total for kind in KINDS}
        return ErrorsPerKind(**kinds), source
    return sum(count * (error.total if isinstance(error, ErrorsPerKind) else error) for count, error in parts) / total, source


def _next_month(start: datetime) -> datetime:
    return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)

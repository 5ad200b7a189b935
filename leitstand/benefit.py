"""What a model earns: the value formula of milestone M2, promised before training and measured after it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from leitstand import cash_flow
from leitstand.assumptions import KINDS, Benefit, Errors, ErrorsPerKind
from leitstand.spec import TaskName

if TYPE_CHECKING:  # loads scikit-learn, which a promise does not need
    from leitstand.judging import Judgement


class BusinessCase(BaseModel):
    """Yearly figures of one project.

    Parameters
    ----------
    error : wrong decisions per case, 0 to 1 (regression: mean absolute error in the target's unit)
    missed, false_alarm : the same by kind, where both are known
    savings_eur_per_year : against today, before running cost and after the ramp-up
    net_eur_per_year : savings less running cost
    payback_months : until savings have paid for investment and running cost, ramp-up included; None if it never pays back
    net_present_value_eur : of investment, running cost and savings over the horizon
    return_on_investment : net savings over the horizon less investment, over the investment; None without an investment
    """

    model_config = ConfigDict(frozen=True)

    error: float
    missed: float | None = None
    false_alarm: float | None = None
    savings_eur_per_year: float
    net_eur_per_year: float
    payback_months: float | None
    within_limit: bool
    net_present_value_eur: float | None = None
    return_on_investment: float | None = None
    horizon_years: int | None = None


@dataclass(frozen=True)
class BreakEven:
    """Where the case pays back in exactly the limit, each figure changed alone; None where no value of it would do that.

    Parameters
    ----------
    limit_months : the limit, ``max_payback_months``
    savings_eur_per_year : the savings that are needed
    error : the largest error that still pays, in the mix of kinds that is promised (today's where none is promised);
        above 1 of a share it says that no error is too many
    cases_per_year : the fewest cases that pay
    minutes_per_case_then : the longest handling time that pays
    """

    limit_months: float
    savings_eur_per_year: float | None
    error: float | None
    cases_per_year: float | None
    minutes_per_case_then: float | None


def business_case(benefit: Benefit, error: Errors) -> BusinessCase:
    """Return the business case for a given error.

    Where the cost does not tell the kinds of error apart, they are added up; where the error does not, all of it counts as the dearer kind.

    savings = cases · (cost of errors today − cost of errors then + (minutes today − minutes then) / 60 · hourly rate), an error costing
    ``cost_per_error_eur``, or as much as its kind does. ``leitstand.cash_flow`` holds the formulas.
    """
    figures = benefit.figures(error)
    savings = float(cash_flow.savings_eur_per_year(figures))
    payback = float(cash_flow.payback_months(figures))
    kinds = {kind: getattr(error, kind) for kind in KINDS} if isinstance(error, ErrorsPerKind) else {}
    return BusinessCase(
        error=error.total if isinstance(error, ErrorsPerKind) else error,
        **kinds,
        savings_eur_per_year=savings,
        net_eur_per_year=savings - benefit.running_cost_eur_per_year,
        payback_months=payback if payback < float("inf") else None,
        within_limit=payback <= benefit.max_payback_months,
        net_present_value_eur=float(cash_flow.net_present_value_eur(figures, benefit.horizon_years)),
        return_on_investment=cash_flow.return_on_investment(figures, benefit.horizon_years),
        horizon_years=benefit.horizon_years,
    )


def break_even(benefit: Benefit) -> BreakEven:
    """Return how far the promised figures may slip until the case pays back no sooner than the limit."""
    figures = benefit.figures()
    limit = benefit.max_payback_months
    needed = cash_flow.savings_needed_eur_per_year(figures, limit)
    if needed is None:
        return BreakEven(limit, None, None, None, None)
    per_case = float(cash_flow.savings_eur_per_year(figures)) / benefit.cases_per_year
    slack_eur_per_case = per_case - needed / benefit.cases_per_year
    return BreakEven(
        limit_months=limit,
        savings_eur_per_year=needed,
        error=_largest_error(benefit, slack_eur_per_case),
        cases_per_year=needed / per_case if per_case > 0 else None,
        minutes_per_case_then=_longest_minutes(benefit, slack_eur_per_case),
    )


def measured_error(task: TaskName, judgement: "Judgement") -> Errors:
    """Return the error on the hold-out that the value formula takes: share of wrong decisions, or mean absolute error.

    Where one class matters (two classes, anomaly), missed ones and false alarms are told apart. They are shares of the hold-out's rows: where
    the hold-out holds more of the cases that matter than daily work does, they say too much.
    """
    if task == "regression":
        return judgement.metrics["mae"].value
    answers, truth = judgement.predictions, judgement.truth
    if task == "anomaly":
        true, said = truth.astype(bool), answers.value.astype(bool)
    elif answers.positive is not None:
        true, said = truth == answers.positive, answers.value == answers.positive
    else:
        return float((truth != answers.value).mean())
    return ErrorsPerKind(missed=float((true & ~said).mean()), false_alarm=float((~true & said).mean()))


def _largest_error(benefit: Benefit, slack_eur_per_case: float) -> float | None:
    figures = benefit.figures()
    promised = float(cash_flow.error_share(figures, "expected_error"))
    mix = "expected_error" if promised else "errors_today"
    share = float(cash_flow.error_share(figures, mix))
    whole = float(cash_flow.error_cost_eur_per_case(figures, mix))
    cost = whole / share if share > 0 else figures.get("cost_per_error_eur", 0.0)
    if cost <= 0:
        return None
    largest = promised + slack_eur_per_case / cost
    return largest if largest >= 0 else None


def _longest_minutes(benefit: Benefit, slack_eur_per_case: float) -> float | None:
    if benefit.hourly_rate_eur == 0:
        return None
    longest = benefit.minutes_per_case_then + slack_eur_per_case / benefit.hourly_rate_eur * 60
    return longest if longest >= 0 else None

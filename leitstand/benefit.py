"""What a model earns: the value formula of milestone M2, promised before training and measured after it."""

from pydantic import BaseModel, ConfigDict

from leitstand.judging import Judgement
from leitstand.spec import Benefit, TaskName


class BusinessCase(BaseModel):
    """Yearly figures of one project.

    Parameters
    ----------
    error : wrong decisions per case, 0 to 1 (regression: mean absolute error in the target's unit)
    savings_eur_per_year : against today, before running cost
    net_eur_per_year : savings less running cost
    payback_months : investment over net savings; None if it never pays back
    """

    model_config = ConfigDict(frozen=True)

    error: float
    savings_eur_per_year: float
    net_eur_per_year: float
    payback_months: float | None
    within_limit: bool


def business_case(benefit: Benefit, error: float) -> BusinessCase:
    """Return the business case for a given error.

    savings = cases · ((errors today − error) · cost per error + (minutes today − minutes then) / 60 · hourly rate)
    """
    per_error = (benefit.errors_today - error) * benefit.cost_per_error_eur
    per_time = (benefit.minutes_per_case_today - benefit.minutes_per_case_then) / 60 * benefit.hourly_rate_eur
    savings = benefit.cases_per_year * (per_error + per_time)
    net = savings - benefit.running_cost_eur_per_year
    payback = benefit.investment_eur / net * 12 if net > 0 else None
    return BusinessCase(
        error=error,
        savings_eur_per_year=savings,
        net_eur_per_year=net,
        payback_months=payback,
        within_limit=payback is not None and payback <= benefit.max_payback_months,
    )


def measured_error(task: TaskName, judgement: Judgement) -> float:
    """Return the error on the hold-out that the value formula takes: share of wrong decisions, or mean absolute error."""
    if task == "regression":
        return judgement.metrics["mae"].value
    return float((judgement.truth != judgement.predictions.value).mean())

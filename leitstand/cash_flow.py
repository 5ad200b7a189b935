"""The arithmetic of a business case: pure functions on figures, each a number or an array of draws.

Sources: payback and net present value after Brealey, Myers and Allen, *Principles of Corporate Finance*, chapters on net present value and
other investment criteria (cash flows at the end of each year, investment at the start); the savings are this project's own value formula.
The keys of ``figures`` are those of ``leitstand.assumptions.Benefit.figures``.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leitstand.assumptions import KINDS

Figures = Mapping[str, Any]
Numbers = NDArray[np.float64]


def error_cost_eur_per_case(figures: Figures, errors: str) -> Any:
    """Return what wrong decisions cost per case; ``errors`` is ``errors_today`` or ``expected_error``."""
    if "cost_per_error_eur" in figures:
        return figures["cost_per_error_eur"] * error_share(figures, errors)
    return sum(figures[f"cost_per_error_eur.{kind}"] * figures[f"{errors}.{kind}"] for kind in KINDS)


def error_share(figures: Figures, errors: str) -> Any:
    """Return all wrong decisions per case, whatever their kind (regression: the mean absolute error)."""
    return figures[errors] if errors in figures else sum(figures[f"{errors}.{kind}"] for kind in KINDS)


def time_saved_eur_per_case(figures: Figures) -> Any:
    """Return what the shorter handling of one case is worth."""
    minutes = figures["minutes_per_case_today"] - figures["minutes_per_case_then"]
    return minutes / 60 * figures["hourly_rate_eur"]


def savings_eur_per_year(figures: Figures) -> Any:
    """Return cases · (cost of errors today − cost of errors then + handling time saved), once the ramp-up is over."""
    errors_avoided = error_cost_eur_per_case(figures, "errors_today") - error_cost_eur_per_case(figures, "expected_error")
    return figures["cases_per_year"] * (errors_avoided + time_saved_eur_per_case(figures))


def months_of_full_savings(months: Any, ramp_up_months: Any) -> Numbers:
    """Return how many months of full savings have come in after so many months, when they grow evenly from nothing over the ramp-up."""
    growing = np.minimum(months, ramp_up_months)
    reached = growing / np.where(np.equal(ramp_up_months, 0), 1, ramp_up_months)
    return np.asarray(growing * reached / 2 + np.maximum(np.subtract(months, ramp_up_months), 0))


def payback_months(figures: Figures) -> Numbers:
    """Return after how many months the savings have paid for investment and running cost, undiscounted; infinite for never.

    After the ramp-up of R months the balance is S·(t − R/2) − C·t − I, before it S·t²/(2R) − C·t − I (savings S and running cost C a month,
    investment I): payback is where it comes back to zero.
    """
    savings = np.asarray(savings_eur_per_year(figures), dtype=float) / 12
    cost = np.asarray(figures["running_cost_eur_per_year"], dtype=float) / 12
    investment, ramp_up = np.asarray(figures["investment_eur"], dtype=float), np.asarray(figures["ramp_up_months"], dtype=float)
    pays = savings > cost
    net = np.where(pays, savings - cost, 1)
    after = (investment + savings * ramp_up / 2) / net
    within = (cost * ramp_up + np.sqrt(np.square(cost * ramp_up) + 2 * savings * ramp_up * investment * pays)) / np.where(
        pays, savings, 1
    )
    return np.asarray(np.where(pays, np.where(after < ramp_up, within, after), np.inf))


def net_present_value_eur(figures: Figures, horizon_years: int) -> Numbers:
    """Return −I + Σ (S·share − C) / (1 + r)^year over the horizon, share being the part of the full savings that the ramp-up lets in."""
    rate = 1 + np.asarray(figures["discount_rate"], dtype=float)
    flows = _yearly_flows_eur(figures, horizon_years)
    discounted = sum(flow / rate**year for year, flow in enumerate(flows, start=1))
    return np.asarray(discounted - np.asarray(figures["investment_eur"], dtype=float))


def return_on_investment(figures: Figures, horizon_years: int) -> float | None:
    """Return (net savings over the horizon − investment) / investment, undiscounted; None without an investment. Numbers only."""
    investment = float(figures["investment_eur"])
    if investment == 0:
        return None
    return float((sum(_yearly_flows_eur(figures, horizon_years)) - investment) / investment)


def savings_needed_eur_per_year(figures: Figures, months: float) -> float | None:
    """Return the full yearly savings with which the case has paid back after exactly ``months``. Numbers only.

    None where no savings could: nothing has come in yet.
    """
    earning = float(months_of_full_savings(months, figures["ramp_up_months"]))
    spent = figures["investment_eur"] + figures["running_cost_eur_per_year"] / 12 * months
    return None if earning <= 0 else float(spent / earning * 12)


def _yearly_flows_eur(figures: Figures, horizon_years: int) -> list[Any]:
    savings, ramp_up = savings_eur_per_year(figures), figures["ramp_up_months"]
    earned = [months_of_full_savings(12 * year, ramp_up) for year in range(horizon_years + 1)]
    shares = [(later - before) / 12 for before, later in pairwise(earned)]
    return [savings * share - figures["running_cost_eur_per_year"] for share in shares]

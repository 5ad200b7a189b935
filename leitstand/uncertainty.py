"""How sure a business case is: one assumption varied at a time (tornado), and all of them at once (Monte Carlo).

Sources: sensitivity and Monte-Carlo analysis of investments after Brealey, Myers and Allen, *Principles of Corporate Finance*, chapter on
project analysis; the triangular distribution after Kotz and van Dorp, *Beyond Beta* (2004), chapter 1: what to take where only the lowest,
the likeliest and the highest value are known.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from leitstand import cash_flow
from leitstand.assumptions import BY_KIND, Benefit
from leitstand.cash_flow import Numbers

USUAL_SPREAD = 0.2  # either way, where project.yaml declares no range
DRAWS = 10_000
SEED = 0  # any, but always the same: the same assumptions must give the same figures


@dataclass(frozen=True)
class Assumption:
    """One assumption and the bounds it varies between, in its own unit.

    Parameters
    ----------
    declared : whether project.yaml gives the bounds
    """

    key: str
    low: float
    value: float
    high: float
    shape: Literal["triangular", "uniform"]
    declared: bool


@dataclass(frozen=True)
class Bar:
    """What one assumption at its bounds makes of the case, the others as they are: one bar of the tornado.

    Parameters
    ----------
    npv_at_low_eur, npv_at_high_eur : net present value
    payback_at_low_months, payback_at_high_months : None if it never pays back
    """

    assumption: Assumption
    npv_at_low_eur: float
    npv_at_high_eur: float
    payback_at_low_months: float | None
    payback_at_high_months: float | None

    @property
    def swing_eur(self) -> float:
        """Length of the bar."""
        return abs(self.npv_at_high_eur - self.npv_at_low_eur)


@dataclass(frozen=True)
class Band:
    """The 5th, 50th and 95th percentile of a figure over all draws; None where it is infinite (a payback that never comes)."""

    low: float | None
    median: float | None
    high: float | None


@dataclass(frozen=True)
class Simulation:
    """What many draws of all assumptions say.

    Parameters
    ----------
    probability_within_limit : share of draws that pay back within ``max_payback_months``
    probability_of_gain : share of draws whose net present value is above zero
    """

    draws: int
    seed: int
    savings_eur_per_year: Band
    payback_months: Band
    net_present_value_eur: Band
    probability_within_limit: float
    probability_of_gain: float


def assumptions(benefit: Benefit) -> tuple[Assumption, ...]:
    """Return every assumption that varies: those with a declared range, and by 20 % either way all others but those that are zero."""
    found = []
    for key, value in benefit.figures().items():
        bounds = benefit.ranges.get(key)
        if bounds is not None:
            found.append(Assumption(key, bounds.low, value, bounds.high, bounds.shape, declared=True))
        elif value > 0:
            high = value * (1 + USUAL_SPREAD)
            if key.partition(".")[0] in BY_KIND[1:] and "." in key:
                high = min(high, 1.0)  # a share
            found.append(Assumption(key, value * (1 - USUAL_SPREAD), value, high, "triangular", declared=False))
    return tuple(found)


def tornado(benefit: Benefit) -> tuple[Bar, ...]:
    """Return one bar per assumption that changes the net present value or the payback, the longest first."""
    figures = benefit.figures()
    bars = []
    for one in assumptions(benefit):
        ends = {**figures, one.key: np.array([one.low, one.high])}
        values = np.broadcast_to(cash_flow.net_present_value_eur(ends, benefit.horizon_years), 2)
        paybacks = np.broadcast_to(cash_flow.payback_months(ends), 2)
        if values[0] != values[1] or paybacks[0] != paybacks[1]:
            bars.append(Bar(one, float(values[0]), float(values[1]), _finite(paybacks[0]), _finite(paybacks[1])))
    return tuple(sorted(bars, key=lambda bar: (-bar.swing_eur, bar.assumption.key)))


def simulate(benefit: Benefit, draws: int = DRAWS, seed: int = SEED) -> Simulation:
    """Return what ``draws`` draws of all assumptions say, each drawn independently of the others from its own range."""
    generator = np.random.default_rng(seed)
    figures = dict[str, object](benefit.figures())
    figures |= {one.key: draw(one, draws, generator) for one in assumptions(benefit)}
    everywhere = np.zeros(draws)
    savings = everywhere + cash_flow.savings_eur_per_year(figures)
    payback = everywhere + cash_flow.payback_months(figures)
    value = everywhere + cash_flow.net_present_value_eur(figures, benefit.horizon_years)
    return Simulation(
        draws=draws,
        seed=seed,
        savings_eur_per_year=_band(savings),
        payback_months=_band(payback),
        net_present_value_eur=_band(value),
        probability_within_limit=float((payback <= benefit.max_payback_months).mean()),
        probability_of_gain=float((value > 0).mean()),
    )


def draw(assumption: Assumption, draws: int, generator: np.random.Generator) -> Numbers:
    """Return draws of one assumption, shape (draws,), in its unit."""
    low, high = assumption.low, assumption.high
    if low == high:
        return np.full(draws, low)
    if assumption.shape == "uniform":
        return generator.uniform(low, high, draws)
    return generator.triangular(low, assumption.value, high, draws)


def _band(values: Numbers) -> Band:
    # Always a value that was drawn: between a number and "never" there is nothing to interpolate.
    low, median, high = np.quantile(values, [0.05, 0.5, 0.95], method="inverted_cdf")
    return Band(_finite(low), _finite(median), _finite(high))


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None

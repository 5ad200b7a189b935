import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from leitstand.assumptions import Benefit
from leitstand.cash_flow import months_of_full_savings, net_present_value_eur, payback_months

cases = st.builds(
    Benefit,
    cases_per_year=st.floats(1, 1_000),
    cost_per_error_eur=st.floats(1, 500),
    errors_today=st.just(1.0),
    expected_error=st.floats(0, 1),
    investment_eur=st.floats(0, 100_000),
    running_cost_eur_per_year=st.floats(0, 50_000),
    ramp_up_months=st.one_of(st.just(0.0), st.floats(0.5, 60)),
    discount_rate=st.floats(0, 0.3),
    horizon_years=st.integers(1, 10),
)


def balance_eur(benefit: Benefit, months: float) -> float:
    """Sum up small steps, as a bookkeeper would."""
    middle = (np.arange(20_000) + 0.5) * months / 20_000
    savings = benefit.cases_per_year * (benefit.errors_today - benefit.expected_error) * benefit.cost_per_error_eur / 12  # type: ignore[operator]
    share = np.minimum(1, middle / benefit.ramp_up_months) if benefit.ramp_up_months else np.ones_like(middle)
    rate = (savings * share - benefit.running_cost_eur_per_year / 12).mean()
    return float(rate * months - benefit.investment_eur)


@given(benefit=cases)
def test_the_balance_is_zero_when_it_has_paid_back(benefit: Benefit) -> None:
    months = float(payback_months(benefit.figures()))
    assume(months < 1_000)
    turned_over = benefit.investment_eur + benefit.running_cost_eur_per_year / 12 * months
    assert balance_eur(benefit, months) == pytest.approx(0, abs=1e-3 * turned_over + 1e-6)


@given(benefit=cases)
def test_what_never_pays_back_is_never_in_the_black(benefit: Benefit) -> None:
    assume(not np.isfinite(payback_months(benefit.figures())))
    assert balance_eur(benefit, 600) <= 1e-6


@given(benefit=cases)
def test_the_present_value_is_that_of_horners_rule(benefit: Benefit) -> None:
    """The same sum from the last year to the first, its flows from the bookkeeper's balance."""
    ends = [balance_eur(benefit, 12 * year) for year in range(benefit.horizon_years + 1)]
    value = 0.0
    for flow in np.diff(ends)[::-1]:
        value = (value + float(flow)) / (1 + benefit.discount_rate)
    expected = value - benefit.investment_eur
    scale = benefit.investment_eur + benefit.horizon_years * (benefit.running_cost_eur_per_year + 500_000)
    assert float(net_present_value_eur(benefit.figures(), benefit.horizon_years)) == pytest.approx(expected, abs=1e-6 * scale)


def test_a_sum_due_in_a_year_is_worth_less_today_by_the_rate() -> None:
    one = Benefit(cases_per_year=1, cost_per_error_eur=420, errors_today=1, investment_eur=370, discount_rate=0.05)
    assert float(net_present_value_eur(one.figures(), 1)) == pytest.approx(30)


def test_half_of_the_ramp_up_is_lost() -> None:
    assert months_of_full_savings(12, 6) == 9
    assert months_of_full_savings(3, 6) == 0.75
    assert months_of_full_savings(12, 0) == 12


def test_arrays_of_draws_answer_as_their_numbers_do() -> None:
    figures = dict(Benefit(cases_per_year=10, cost_per_error_eur=100, errors_today=0.5, investment_eur=600).figures())
    ramps, rates = np.array([0.0, 6.0, 40.0]), np.array([0.0, 0.1, 0.2])
    together = {**figures, "ramp_up_months": ramps, "discount_rate": rates}
    for position, (ramp, rate) in enumerate(zip(ramps, rates, strict=True)):
        alone = {**figures, "ramp_up_months": ramp, "discount_rate": rate}
        assert payback_months(together)[position] == payback_months(alone)
        assert net_present_value_eur(together, 5)[position] == pytest.approx(float(net_present_value_eur(alone, 5)))

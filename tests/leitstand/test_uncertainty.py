import numpy as np
import pytest

from leitstand.assumptions import Benefit, CostPerKind, ErrorsPerKind, Range
from leitstand.benefit import business_case
from leitstand.uncertainty import Assumption, assumptions, draw, simulate, tornado

CASE = Benefit(
    cases_per_year=1_000,
    cost_per_error_eur=100,
    errors_today=0.3,
    expected_error=0.1,
    investment_eur=25_000,
    running_cost_eur_per_year=2_000,
    ranges={"errors_today": Range(low=0.2, high=0.5), "investment_eur": Range(low=25_000, high=25_000)},
)


def test_what_no_range_is_declared_for_varies_by_a_fifth() -> None:
    found = {one.key: (one.low, one.high, one.declared) for one in assumptions(CASE)}
    assert found["errors_today"] == (0.2, 0.5, True)
    assert found["cases_per_year"] == (pytest.approx(800), pytest.approx(1_200), False)
    assert "minutes_per_case_then" not in found  # nothing to vary at zero


def test_a_share_never_varies_above_one() -> None:
    kinds = CASE.model_copy(
        update={
            "cost_per_error_eur": CostPerKind(missed=1, false_alarm=1),
            "errors_today": ErrorsPerKind(missed=0.9, false_alarm=0.0),
            "ranges": {},
        }
    )
    assert {one.key: one.high for one in assumptions(kinds)}["errors_today.missed"] == 1.0


def test_the_longest_bar_of_the_tornado_comes_first_and_holds_the_case() -> None:
    bars = tornado(CASE)
    assert bars[0].assumption.key == "errors_today"
    assert [bar.swing_eur for bar in bars] == sorted((bar.swing_eur for bar in bars), reverse=True)
    value = business_case(CASE, 0.1).net_present_value_eur
    assert value is not None
    assert all(
        min(bar.npv_at_low_eur, bar.npv_at_high_eur) <= value <= max(bar.npv_at_low_eur, bar.npv_at_high_eur) for bar in bars
    )
    assert "investment_eur" not in [bar.assumption.key for bar in bars]  # a range of no width changes nothing


def test_the_ends_of_a_bar_are_the_cases_at_those_figures() -> None:
    bar = tornado(CASE)[0]
    at_low = business_case(CASE.model_copy(update={"errors_today": 0.2}), 0.1)
    assert bar.npv_at_low_eur == pytest.approx(at_low.net_present_value_eur)
    assert bar.payback_at_low_months == pytest.approx(at_low.payback_months)


def test_the_same_assumptions_give_the_same_figures_again() -> None:
    assert simulate(CASE) == simulate(CASE)
    assert simulate(CASE, seed=1) != simulate(CASE)


def test_the_middle_of_the_draws_is_near_the_case_and_the_band_holds_it() -> None:
    symmetric = CASE.model_copy(update={"ranges": {}})
    found, case = simulate(symmetric), business_case(symmetric, 0.1)
    assert found.draws == 10_000
    band = found.savings_eur_per_year
    assert band.low is not None
    assert band.high is not None
    assert band.low < case.savings_eur_per_year < band.high
    assert band.median == pytest.approx(case.savings_eur_per_year, rel=0.05)
    assert 0 < found.probability_within_limit < 1


def test_without_any_doubt_the_probability_is_that_of_the_case() -> None:
    sure = {one.key: Range(low=one.value, high=one.value) for one in assumptions(CASE.model_copy(update={"ranges": {}}))}
    found = simulate(CASE.model_copy(update={"ranges": sure}))
    assert found.probability_within_limit == 1.0
    assert found.payback_months.low == found.payback_months.high == pytest.approx(business_case(CASE, 0.1).payback_months)


def test_a_payback_that_never_comes_has_no_months() -> None:
    hopeless = CASE.model_copy(update={"running_cost_eur_per_year": 90_000.0, "ranges": {}})
    found = simulate(hopeless)
    assert (found.payback_months.low, found.probability_within_limit, found.probability_of_gain) == (None, 0.0, 0.0)


@pytest.mark.parametrize(("shape", "mean"), [("triangular", (2 + 3 + 10) / 3), ("uniform", 6.0)])
def test_draws_have_the_mean_of_their_distribution(shape: str, mean: float) -> None:
    drawn = draw(Assumption("x", 2, 3, 10, shape, True), 100_000, np.random.default_rng(0))  # type: ignore[arg-type]
    assert drawn.min() >= 2
    assert drawn.max() <= 10
    assert drawn.mean() == pytest.approx(mean, abs=0.03)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.benefit import business_case
from leitstand.spec import Benefit

WAREHOUSE = Benefit(
    cases_per_year=1, cost_per_error_eur=22_000, errors_today=1, investment_eur=27_500, running_cost_eur_per_year=0
)


def test_the_warehouse_of_the_practice_report_pays_back_in_one_to_one_and_a_half_years() -> None:
    case = business_case(WAREHOUSE, 0.0)
    assert case.savings_eur_per_year == 22_000
    assert case.payback_months == pytest.approx(15.0)
    assert case.within_limit


def test_handling_time_counts_at_its_hourly_rate() -> None:
    figures = Benefit(cases_per_year=6000, minutes_per_case_today=10, minutes_per_case_then=4, hourly_rate_eur=50)
    assert business_case(figures, 0.0).savings_eur_per_year == 6000 * 6 / 60 * 50


def test_a_model_that_errs_more_than_today_never_pays_back() -> None:
    case = business_case(WAREHOUSE, 1.5)
    assert case.payback_months is None
    assert not case.within_limit


@given(error=st.floats(0, 1), worse=st.floats(0, 1))
def test_more_errors_never_earn_more(error: float, worse: float) -> None:
    low, high = sorted((error, worse))
    assert business_case(WAREHOUSE, high).net_eur_per_year <= business_case(WAREHOUSE, low).net_eur_per_year

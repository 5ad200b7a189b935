from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from builders import parts, project, spec
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from leitstand.assumptions import Benefit, CostPerKind, ErrorsPerKind
from leitstand.benefit import break_even, business_case, measured_error
from leitstand.dataset import make_dataset, training_and_holdout
from leitstand.errors import ProjectError
from leitstand.judging import judge
from leitstand.pipelines import encode
from leitstand.spec import load_spec
from leitstand.training import train

# The shelving firm of the practice report: about EUR 22,000 a year, paid back in one to one and a half years. Ten pickers walk to
# 100,000 positions a year; the motion study and the new layout save 0.4 minutes each at EUR 33 an hour.
WAREHOUSE = Benefit(
    source="practice report 2021, case of a shelving manufacturer",
    cases_per_year=100_000,
    minutes_per_case_today=1.6,
    minutes_per_case_then=1.2,
    hourly_rate_eur=33,
    investment_eur=27_500,
)
BY_KIND = Benefit(
    cases_per_year=1_000,
    cost_per_error_eur=CostPerKind(missed=500, false_alarm=20),
    errors_today=ErrorsPerKind(missed=0.05, false_alarm=0.10),
    expected_error=ErrorsPerKind(missed=0.01, false_alarm=0.15),
    investment_eur=10_000,
)
LUMPED = Benefit(cases_per_year=1, cost_per_error_eur=22_000, errors_today=1, investment_eur=27_500)


def quick(features: pd.DataFrame) -> Pipeline:
    return make_pipeline(encode(features, scale=True), LogisticRegression())


def test_the_warehouse_of_the_practice_report_pays_back_in_one_to_one_and_a_half_years() -> None:
    case = business_case(WAREHOUSE, 0.0)
    assert case.savings_eur_per_year == pytest.approx(22_000)
    assert case.payback_months == pytest.approx(15.0)
    assert case.within_limit
    assert case.return_on_investment == pytest.approx((5 * 22_000 - 27_500) / 27_500)


def test_a_ramp_up_of_half_a_year_keeps_the_warehouse_within_one_and_a_half_years() -> None:
    slow = WAREHOUSE.model_copy(update={"ramp_up_months": 6.0})
    assert business_case(slow, 0.0).payback_months == pytest.approx(18.0)


def test_handling_time_counts_at_its_hourly_rate() -> None:
    figures = Benefit(cases_per_year=6000, minutes_per_case_today=10, minutes_per_case_then=4, hourly_rate_eur=50)
    assert business_case(figures, 0.0).savings_eur_per_year == 6000 * 6 / 60 * 50


def test_missed_errors_and_false_alarms_cost_what_each_costs() -> None:
    case = business_case(BY_KIND, BY_KIND.expected_error)
    assert case.savings_eur_per_year == pytest.approx(1_000 * (0.04 * 500 - 0.05 * 20))
    assert (case.missed, case.false_alarm, case.error) == (0.01, 0.15, pytest.approx(0.16))


def test_an_error_of_unknown_kind_counts_as_the_dearer_one() -> None:
    assert business_case(BY_KIND, 0.02).savings_eur_per_year == pytest.approx(1_000 * (0.05 * 500 + 0.1 * 20 - 0.02 * 500))


def test_kinds_of_errors_are_added_up_where_one_cost_stands_for_both() -> None:
    by_kind = business_case(LUMPED, ErrorsPerKind(missed=0.1, false_alarm=0.2))
    assert by_kind.savings_eur_per_year == pytest.approx(business_case(LUMPED, 0.3).savings_eur_per_year)


def test_a_model_that_errs_more_than_today_never_pays_back() -> None:
    case = business_case(LUMPED, 1.5)
    assert case.payback_months is None
    assert not case.within_limit


@given(error=st.floats(0, 1), worse=st.floats(0, 1))
def test_more_errors_never_earn_more(error: float, worse: float) -> None:
    low, high = sorted((error, worse))
    assert business_case(LUMPED, high).net_eur_per_year <= business_case(LUMPED, low).net_eur_per_year


@given(ramp_up=st.floats(0, 36), running=st.floats(0, 4_000), promised=st.floats(0, 0.5))
def test_at_the_break_even_the_case_pays_back_in_exactly_the_limit(ramp_up: float, running: float, promised: float) -> None:
    figures = LUMPED.model_copy(
        update={"ramp_up_months": ramp_up, "running_cost_eur_per_year": running, "expected_error": promised}
    )
    even = break_even(figures)
    if even.error is not None:
        assert business_case(figures, even.error).payback_months == pytest.approx(24)
    assert even.cases_per_year is not None
    fewest = figures.model_copy(update={"cases_per_year": even.cases_per_year})
    assert business_case(fewest, promised).payback_months == pytest.approx(24)


def test_the_warehouse_pays_back_in_two_years_with_five_eighths_of_its_positions() -> None:
    even = break_even(WAREHOUSE)
    assert even.error is None  # nothing in this case errs
    assert even.cases_per_year == pytest.approx(62_500)
    assert even.minutes_per_case_then == pytest.approx(1.6 - 0.25)


def test_no_figure_helps_where_nothing_can_come_in() -> None:
    even = break_even(Benefit(cases_per_year=10, investment_eur=1_000))
    assert (even.error, even.cases_per_year, even.minutes_per_case_then) == (None, None, None)


def test_the_measured_errors_of_two_classes_are_told_apart() -> None:
    made = project(parts(), {"candidates": lambda features, parameters: {"only": quick(features)}}, data={"positive": "bad"})
    training_part, holdout = training_and_holdout(make_dataset(made, parts()))
    judgement = judge(train(training_part, "v1", synthetic=False).model, training_part, holdout)
    error = measured_error("classification", judgement)
    assert isinstance(error, ErrorsPerKind)
    assert error.total == pytest.approx(float(np.mean(judgement.truth != judgement.predictions.value)))
    recall, matter = judgement.metrics["recall"].value, float(np.mean(judgement.truth == "bad"))
    assert error.missed == pytest.approx((1 - recall) * matter)


@pytest.mark.parametrize(
    ("benefit", "told"),
    [
        ({"investment_eur": -5}, r"benefit\.investment_eur: .* greater than or equal to 0 \(found '-5'\)"),
        ({"currency": "USD"}, r"benefit\.currency: Input should be 'EUR' \(found 'USD'\)"),
        ({"investment_eur": float("inf")}, r"benefit\.investment_eur: .*finite number"),
        ({"cost_per_error_eur": {"missed": 5}}, r"cost_per_error_eur\.kinds\.false_alarm: Field required"),
        ({"errors_today": {"missed": 0.7, "false_alarm": 0.7}}, "together they are at most 1"),
        ({"cost_per_error_eur": {"missed": 5, "false_alarm": 1}, "errors_today": 0.2}, "so errors_today must do so too"),
        ({"ranges": {"case_per_year": {"low": 1, "high": 2}}}, "no such assumption; expected one of cases_per_year"),
        ({"ranges": {"cases_per_year": {"low": 11, "high": 20}}}, "11 to 20 must hold the figure itself, 10"),
        ({"investment_eur": 1e300}, r"investment_eur: 1e\+300 is more than any company has"),
        ({"ranges": {"investment_eur": {"low": 0, "high": 1e300}}}, r"ranges\.investment_eur: 1e\+300 is more"),
        ({"errors_today": 3.5}, r"benefit\.errors_today: 3\.5 is a share of all decisions and at most 1; 5 % is 0\.05"),
        (
            {"errors_today": {"missed": 0.5, "false_alarm": 0}, "ranges": {"errors_today.missed": {"low": 0.1, "high": 2}}},
            r"ranges\.errors_today\.missed: 2 is a share",
        ),
        ({"ranges": {"cases_per_year": {"low": 0, "high": 20}}}, "low must be above 0"),
    ],
)
def test_assumptions_that_cannot_be_are_refused_by_name(benefit: dict[str, object], told: str) -> None:
    with pytest.raises(ProjectError, match=told):
        spec(benefit={"cases_per_year": 10, **benefit})


def test_an_error_in_the_targets_unit_may_be_above_one() -> None:
    assert spec(task="regression", benefit={"cases_per_year": 10, "errors_today": 350}).benefit is not None


def test_a_number_has_no_false_alarms() -> None:
    with pytest.raises(ProjectError, match="neither missed nor a false alarm"):
        spec(task="regression", benefit={"cases_per_year": 10, "errors_today": {"missed": 0.1, "false_alarm": 0.1}})


@pytest.mark.parametrize("name", ["acoustic_maintenance", "cell_diagnostics", "virtual_sensor"])
def test_the_projects_that_come_along_promise_payback_within_two_years(name: str) -> None:
    figures = load_spec(Path(__file__).parents[2] / "projects" / name / "project.yaml").benefit
    assert figures is not None
    assert business_case(figures, figures.expected_error).within_limit

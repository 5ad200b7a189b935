from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
from builders import parts, project
from hypothesis import given
from hypothesis import strategies as st

from leitstand.assumptions import Benefit, Errors, ErrorsPerKind
from leitstand.benefit import business_case
from leitstand.labelled_errors import labelled_errors
from leitstand.ledger import Account, Answered, Entry, Period, account, balance, closed_periods, differs, eur_per_case

MARCH = Period("2026-03", datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC), 1.0)
PLAIN = Benefit(cases_per_year=1200, cost_per_error_eur=50, errors_today=0.2, expected_error=0.1, running_cost_eur_per_year=600)
KINDS = Benefit.model_validate(
    {
        "cases_per_year": 1200,
        "cost_per_error_eur": {"missed": 100, "false_alarm": 10},
        "errors_today": {"missed": 0.1, "false_alarm": 0.1},
        "expected_error": {"missed": 0.02, "false_alarm": 0.1},
    }
)


def booked(
    answers: dict[int, int], labels: Errors | None = None, benefit: Benefit = PLAIN, period: Period = MARCH, **known: Any
) -> Account:
    labelled = known.pop("labelled", 0)
    return account(period, Answered(answers, labelled, labelled), benefit.figures(), labels, known, benefit.expected_error)


def test_months_are_closed_from_the_first_promotion_on_and_the_first_counts_in_part() -> None:
    found = closed_periods(datetime(2025, 12, 16, 12, tzinfo=UTC), datetime(2026, 2, 28, 23, tzinfo=UTC))
    assert [(one.name, one.share) for one in found] == [("2025-12", 0.5), ("2026-01", 1.0)]
    assert closed_periods(datetime(2026, 2, 3, tzinfo=UTC), datetime(2026, 2, 28, tzinfo=UTC)) == []
    assert [one.name for one in closed_periods(datetime(2026, 2, 3, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC))] == ["2026-02"]


def test_labels_come_before_the_hold_out_and_the_hold_out_before_the_promise() -> None:
    by_labels = booked({1: 80}, 0.15, labelled=40)
    assert (by_labels.source, by_labels.error, by_labels.earned_eur, by_labels.coverage) == ("labels", 0.15, 80 * 50 * 0.05, 0.5)
    by_versions = account(MARCH, Answered({1: 60, 2: 20}, 0, 0), PLAIN.figures(), None, {1: 0.1, 2: 0.02}, 0.1)
    assert (by_versions.source, by_versions.error) == ("promotion", pytest.approx(0.08))
    assert by_versions.earned_eur == pytest.approx(80 * 50 * 0.12)
    unknown = account(MARCH, Answered({1: 60, 2: 20}, 0, 0), PLAIN.figures(), None, {1: 0.1}, 0.1)
    assert (unknown.source, unknown.error) == ("promise", pytest.approx(0.1))


def test_a_model_worse_than_today_costs_and_a_month_without_answers_costs_its_running_cost() -> None:
    assert booked({1: 80}, 0.3, labelled=80).earned_eur == -400
    idle = booked({})
    assert (idle.earned_eur, idle.running_cost_eur, idle.coverage) == (0, 50, 0)


def test_more_answers_than_cases_earn_nothing_more() -> None:
    full, twice = booked({1: 100}, 0.1, labelled=50), booked({1: 200}, 0.1, labelled=50)
    assert (full.cases, twice.cases, twice.earned_eur) == (100, 100, full.earned_eur)
    half = booked({1: 100}, 0.1, period=Period("2026-03", MARCH.start, MARCH.end, 0.5))
    assert (half.cases, half.running_cost_eur) == (50, 25)


def test_an_error_whose_kind_nobody_knows_counts_as_the_dearer_one() -> None:
    assert eur_per_case(KINDS.figures(), ErrorsPerKind(missed=0.02, false_alarm=0.1)) == pytest.approx(8)
    assert eur_per_case(KINDS.figures(), 0.05) == pytest.approx(100 * 0.1 + 10 * 0.1 - 100 * 0.05)


@given(error=st.floats(0, 1), errors_today=st.floats(0, 1), cost=st.floats(0, 1e4), minutes=st.floats(0, 100))
def test_a_year_of_all_cases_earns_what_the_business_case_says(
    error: float, errors_today: float, cost: float, minutes: float
) -> None:
    benefit = Benefit(
        cases_per_year=1200,
        cost_per_error_eur=cost,
        errors_today=errors_today,
        minutes_per_case_today=minutes,
        hourly_rate_eur=60,
    )
    promised = business_case(benefit, error).savings_eur_per_year
    booked_year = sum(booked({1: 100}, error, benefit, labelled=100).earned_eur for _ in range(12))
    assert booked_year == pytest.approx(promised, abs=0.06 + 1e-9 * abs(promised))


def entries(*amounts: tuple[str, float, float]) -> list[Entry]:
    made = []
    for number, (period, earned, cost) in enumerate(amounts, start=1):
        stands = booked({1: 10}).model_copy(update={"earned_eur": earned, "running_cost_eur": cost})
        time = datetime(2026, 5, number, tzinfo=UTC)
        amounts_eur = {"earned_eur": earned, "running_cost_eur": cost}
        made.append(Entry(number=number, period=period, kind="booking", time=time, who="a", account=stands, **amounts_eur))
    return made


def test_the_balance_starts_with_the_investment_and_says_when_it_came_back() -> None:
    benefit = PLAIN.model_copy(update={"investment_eur": 1000.0})
    found = balance(entries(("2026-01", 700, 50), ("2026-02", 400, 50), ("2026-03", 100, 50)), benefit)
    assert [line.balance_eur for line in found.lines] == [-350, 0, 50]
    assert (found.paid_back, found.balance_eur, found.earned_eur, found.running_cost_eur) == ("2026-02", 50, 1200, 150)
    assert balance([], benefit).paid_back is None


def test_a_correction_changes_its_own_month_and_all_balances_after_it() -> None:
    first, second, late = entries(("2026-01", 100, 0), ("2026-02", 100, 0), ("2026-01", -30, 0))
    late = late.model_copy(update={"kind": "correction", "account": first.account.model_copy(update={"earned_eur": 70.0})})
    found = balance([first, second, late], PLAIN)
    assert [(line.period, line.net_eur, line.balance_eur, line.corrections) for line in found.lines] == [
        ("2026-01", 70, 70, 1),
        ("2026-02", 100, 170, 0),
    ]
    assert found.earned_eur == 170


def test_only_a_cent_or_another_source_makes_a_difference() -> None:
    before = booked({1: 80})
    assert not differs(before, before.model_copy(update={"earned_eur": before.earned_eur + 0.004, "labelled": 7}))
    assert differs(before, before.model_copy(update={"earned_eur": before.earned_eur + 0.01}))
    assert differs(before, before.model_copy(update={"source": "labels"}))


def labelled(**columns: list[Any]) -> pd.DataFrame:
    return pd.DataFrame(columns, dtype=object)


def test_the_error_of_labels_tells_kinds_apart_where_a_class_matters() -> None:
    given = labelled(prediction=["bad", "good", "good", "bad"], label=["good", "bad", "good", "bad"])
    one_matters = project(parts(20), data={"positive": "bad"})
    assert labelled_errors(one_matters, given) == (ErrorsPerKind(missed=0.25, false_alarm=0.25), 4)
    assert labelled_errors(project(parts(20)), given) == (0.5, 4)
    assert labelled_errors(project(parts(20)), given, "bad") == (ErrorsPerKind(missed=0.25, false_alarm=0.25), 4)


def test_labels_of_another_form_are_passed_over() -> None:
    hardness = project(parts(20), task="regression", data={"target": "pressure"})
    assert labelled_errors(hardness, labelled(prediction=[10.0, 20.0, 30.0], label=["11", "hard", None])) == (1.0, 1)
    assert labelled_errors(hardness, labelled(prediction=[10.0], label=["hard"])) == (None, 0)
    anomaly = project(parts(20), task="anomaly", data={"normal": "good"})
    given = labelled(prediction=[True, False, True, False], label=["good", "bad", True, False])
    assert labelled_errors(anomaly, given) == (ErrorsPerKind(missed=0.25, false_alarm=0.25), 4)

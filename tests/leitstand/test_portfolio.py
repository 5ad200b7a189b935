import pytest

from leitstand.assumptions import Benefit
from leitstand.contract import Bilingual
from leitstand.errors import ProjectError
from leitstand.portfolio import Candidate, Evidence, feasibility, rank

TITLE = Bilingual(de="Fall", en="Case")


def benefit(savings: float, months: float = 6) -> Benefit:
    return Benefit(
        cases_per_year=1, cost_per_error_eur=savings, errors_today=1, investment_eur=10_000, months_to_first_result=months
    )


def test_of_two_alike_the_one_with_evidence_comes_first() -> None:
    tried = Candidate("tried", "project", TITLE, benefit(20_000), Evidence(data_rows=400))
    places = rank([Candidate("untried", "project", TITLE, benefit(20_000), Evidence()), tried])
    assert [(one.rank, one.candidate.name, one.basis) for one in places] == [(1, "tried", "evidence"), (2, "untried", "nothing")]
    assert places[0].feasibility == pytest.approx(0.2 + 0.3 * 0.4)


def test_a_result_that_comes_a_year_later_counts_half() -> None:
    now, later = rank([Candidate(name, "idea", TITLE, benefit(20_000, months)) for name, months in (("later", 12), ("now", 0))])
    assert (now.candidate.name, later.candidate.name) == ("now", "later")
    assert later.score_eur_per_year == pytest.approx(now.score_eur_per_year / 2)  # type: ignore[operator]


def test_whoever_has_a_model_in_charge_waits_no_more() -> None:
    (place,) = rank([Candidate("x", "project", TITLE, benefit(20_000, 12), Evidence(2_000, False, 3, 1))])
    assert (place.months_to_first_result, place.feasibility) == (0, pytest.approx(1.0))
    assert place.score_eur_per_year == pytest.approx(place.value_eur_per_year)


def test_synthetic_data_prove_nothing_about_the_use_case() -> None:
    synthetic = Evidence(2_000, True, 3, 1)
    assert feasibility(synthetic) == 0.2
    assert not synthetic.has_result


def test_doubts_make_no_loss_smaller() -> None:
    first, second = rank([Candidate(name, "idea", TITLE, benefit(savings)) for name, savings in (("worse", 0), ("bad", 1_000))])
    assert [first.candidate.name, second.candidate.name] == ["bad", "worse"]
    assert second.score_eur_per_year == second.value_eur_per_year == -2_000


def test_what_has_no_figures_comes_after_and_what_is_unreadable_last() -> None:
    broken = Candidate("a", "project", problem=ProjectError("errors.file_missing", path="a"))
    places = rank([broken, Candidate("b", "project", TITLE, None, Evidence()), Candidate("c", "idea", TITLE, benefit(0))])
    assert [(one.candidate.name, one.rank) for one in places] == [("c", 1), ("b", None), ("a", None)]

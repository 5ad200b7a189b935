from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from leitstand.errors import ProjectError
from leitstand.pilot import Checklist, Question, checklist, contradictions, is_asked, read_answers, require_consistent, statuses

SETTLED: dict[str, Any] = {"text": "yes, all of them", "done": "yes", "eur": 45000, "months": 18, "date": date(2026, 3, 1)}
FIRST_CHOICES = {
    "team": "partners",
    "ai_share": "large",
    "rule_enough": "no",
    "financing": "own_funds",
    "works_council": "informed",
}


def settled(**changes: Any) -> dict[str, Any]:
    """Answers that settle everything, with changes; None takes one out."""
    found = {name: FIRST_CHOICES.get(name) or SETTLED[question.kind] for name, question in checklist().questions.items()}
    return {name: value for name, value in (found | changes).items() if value is not None}


def written(folder: Path, answers: Any, **sections: Any) -> Path:
    path = folder / "pilot.yaml"
    path.write_text(yaml.safe_dump({"answers": answers, **sections}, allow_unicode=True), encoding="utf-8")
    return path


def status_of(section: str, answers: dict[str, Any]) -> tuple[Any, ...]:
    found = next(one for one in statuses(answers) if one.id == section)
    return found.status, found.unanswered, found.unsettled


def test_everything_settled_is_done_and_nothing_answered_is_open() -> None:
    assert {one.status for one in statuses(settled())} == {"done"}
    assert {one.status for one in statuses({})} == {"open"}
    assert list(contradictions(settled())) == []
    assert {one.phase for one in statuses({})} == {None, 1, 2, 3, 4}
    assert {one.milestone for one in statuses({}) if one.phase in (3, 4)} == {"M5"}


def test_an_answer_may_leave_its_point_open_and_a_missing_one_does() -> None:
    assert status_of("roles", settled(works_council="not_yet", works_council_date=None)) == ("begun", (), ("works_council",))
    assert status_of("roles", settled(accountable=None)) == ("begun", ("accountable",), ())
    assert status_of("aims_and_impact", settled(aims_told="partly")) == ("begun", (), ("aims_told",))


def test_what_does_not_apply_is_not_asked() -> None:
    assert status_of("roles", settled(works_council="none_exists", works_council_date=None))[0] == "done"
    assert status_of("roles", settled(works_council_date=None)) == ("begun", ("works_council_date",), ())
    partners = checklist().questions["partners"]
    assert (is_asked(partners, {"team": "own_team"}), is_asked(partners, {})) == (False, True)


@pytest.mark.parametrize("one", checklist().contradictions, ids=lambda one: "-".join(one.answers))
def test_contradicting_answers_are_named(one: Any, tmp_path: Path) -> None:
    answers = settled(**{name: values[0] for name, values in one.answers.items()})
    with pytest.raises(ProjectError, match="contradict each other") as caught:
        require_consistent(answers, tmp_path / "pilot.yaml", "de")
    for name in one.answers:
        assert name in str(caught.value)
    assert one.reason.de in caught.value.render("de")


def test_answers_come_back_in_their_form_and_empty_ones_are_left_out(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        {
            "users": " 3 shifts ",
            "cost_eur": 45000,
            "aims_told": True,
            "works_council_date": date(2026, 3, 1),
            "stop": None,
            "risks": "",
        },
    )
    assert read_answers(path) == {
        "users": "3 shifts",
        "cost_eur": 45000.0,
        "aims_told": "yes",
        "works_council_date": date(2026, 3, 1),
    }
    assert read_answers(tmp_path / "none.yaml") == {}


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (
            {"cost_eur": -5},
            "'-5' is no answer to the question 'cost_eur'. Expected: an amount in EUR as a plain number, 0 or more",
        ),
        ({"cost_eur": "45000 USD"}, "'45000 USD' is no answer"),
        ({"cost_eur": float("nan")}, "'nan' is no answer"),
        ({"payback_months": "soon"}, "Expected: a number of months"),
        ({"team": "alone"}, "'alone' is no answer to the question 'team'. Expected: own_team = Our own team"),
        ({"aims_told": "maybe"}, "Expected: yes = yes, partly = partly, no = no"),
        ({"works_council_date": "2999-01-01"}, "Expected: a day that is over"),
        ({"works_council_date": "first of March"}, "a day that is over"),
        ({"users": "x" * 2001}, "at most 2,000 characters"),
        ({"users": ["a"]}, "is no answer to the question 'users'"),
        ({"userss": "x"}, r"a question 'userss' that there is not. Did you mean: users"),
    ],
)
def test_an_answer_that_cannot_be_is_said(answer: dict[str, Any], match: str, tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=match):
        read_answers(written(tmp_path, answer))


def test_a_file_of_another_form_is_said(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"status: Extra inputs.*Expected the sections 'answers' and 'notes'"):
        read_answers(written(tmp_path, {}, status="done"))
    (tmp_path / "pilot.yaml").write_text("- a list")
    with pytest.raises(ProjectError, match=r"pilot\.yaml cannot be used"):
        read_answers(tmp_path / "pilot.yaml")


def test_a_checklist_that_names_questions_or_answers_that_there_are_not_is_refused() -> None:
    content = checklist().model_dump(mode="json")
    content["contradictions"][0]["answers"] = {"ai_share": ["half"], "team": ["own_team"]}
    with pytest.raises(ValueError, match="there is no question 'ai_share' with the answers"):
        Checklist.model_validate(content)
    with pytest.raises(ValueError, match="answers belong to a question of the kind choice"):
        Question.model_validate({"id": "x", "kind": "choice", "ask": {"en": "x", "de": "x"}})

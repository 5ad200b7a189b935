from typing import Any

import pytest
from builders import spec
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from leitstand.errors import ProjectError
from leitstand.sourcing import DecisionPath, decide, decision_path, next_question, outcomes

PATH = decision_path()
ALL_ANSWERS = st.fixed_dictionaries({name: st.sampled_from(list(one.answers)) for name, one in PATH.questions.items()})
SOME_ANSWERS = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(list(one.answers)) for name, one in PATH.questions.items()}
)


def answer(leads: str) -> dict[str, Any]:
    said = {"en": "x", "de": "x"}
    place = "result" if leads in ("make", "buy", "cooperate") else "to"
    return {"label": said, "consequence": said, "reason": said, place: leads}


def path(**questions: tuple[str, str]) -> DecisionPath:
    made = {
        name: {"ask": {"en": "x", "de": "x"}, "answers": {"yes": answer(yes), "no": answer(no)}}
        for name, (yes, no) in questions.items()
    }
    return DecisionPath.model_validate({"start": "first", "questions": made})


def test_no_text_of_the_path_is_empty_or_stands_in_one_language_for_both() -> None:
    texts = [one.ask for one in PATH.questions.values()]
    for question in PATH.questions.values():
        texts += [text for one in question.answers.values() for text in (one.label, one.consequence, one.reason)]
    assert all(text.de.strip() and text.en.strip() and text.de != text.en for text in texts)


def test_the_path_can_lead_to_all_three_results() -> None:
    assert outcomes(PATH, {}) == {"make", "buy", "cooperate"}


@given(ALL_ANSWERS)
def test_every_way_ends_without_asking_twice(answers: dict[str, str]) -> None:
    found = decide(PATH, answers)
    passed = [step.question for step in found.steps]
    assert passed[0] == PATH.start
    assert len(set(passed)) == len(passed)
    assert outcomes(PATH, answers) == {found.result}
    assert all(step.reason.de in found.reasons("de") for step in found.steps)


@given(ALL_ANSWERS)
def test_turns_are_exactly_the_single_answers_that_change_the_result(answers: dict[str, str]) -> None:
    found = decide(PATH, answers)
    turning = {
        (name, other): decide(PATH, {**answers, name: other}).result
        for name, question in PATH.questions.items()
        for other in question.answers
        if decide(PATH, {**answers, name: other}).result != found.result
    }
    assert {(turn.question, turn.answer): turn.results for turn in found.turns} == {key: (one,) for key, one in turning.items()}


@given(ALL_ANSWERS)
def test_answers_beside_the_way_change_nothing_and_need_not_be_given(answers: dict[str, str]) -> None:
    found = decide(PATH, answers)
    needed = {step.question: step.answer for step in found.steps}
    alone = decide(PATH, needed)
    assert (alone.result, alone.steps) == (found.result, found.steps)
    for turn in found.turns:  # what is not known any more may still lead there
        (same,) = [one for one in alone.turns if (one.question, one.answer) == (turn.question, turn.answer)]
        assert set(turn.results) <= set(same.results)


@given(SOME_ANSWERS)
def test_a_way_with_a_gap_names_the_question_that_comes_next(answers: dict[str, str]) -> None:
    missing = next_question(PATH, answers)
    if missing is None:
        decide(PATH, answers)
        return
    with pytest.raises(ProjectError, match=f"The question '{missing}' on make, buy or cooperate has no answer"):
        decide(PATH, answers)


@pytest.mark.parametrize(
    ("answers", "result"),
    [
        ({"core": "yes", "competence": "yes", "investment": "yes"}, "make"),
        ({"core": "no", "data_may_leave": "no", "product_in_house": "no", "competence": "yes", "investment": "yes"}, "make"),
        ({"core": "no", "data_may_leave": "yes", "product": "yes", "rivals": "no"}, "buy"),
        (
            {"core": "no", "data_may_leave": "yes", "product": "no", "competence": "no", "partner": "no", "common_need": "yes"},
            "buy",
        ),
        ({"core": "yes", "competence": "no", "partner": "yes"}, "cooperate"),
        ({"core": "yes", "competence": "yes", "investment": "no", "shared_cost": "yes"}, "cooperate"),
    ],
)
def test_the_path_leads_where_the_domain_says(answers: dict[str, str], result: str) -> None:
    assert decide(PATH, answers).result == result


def test_unknown_questions_and_answers_are_named_with_what_there_is() -> None:
    with pytest.raises(ProjectError, match=r"question 'cores', which there is not\. Known: core"):
        decide(PATH, {"cores": "yes"})
    with pytest.raises(ProjectError, match=r"'core' has the answer 'maybe'\. Expected one of: yes = Yes, customers"):
        decide(PATH, {"core": "maybe"})
    with pytest.raises(ProjectError) as caught:
        decide(PATH, {}, "de")
    assert "Ist das, was die KI entscheidet, eine Kernkompetenz" in caught.value.render("de")


@pytest.mark.parametrize(
    ("questions", "problem"),
    [
        ({"first": ("second", "buy"), "second": ("first", "make")}, "in a circle: first → second → first"),
        ({"first": ("make", "buy"), "second": ("make", "buy")}, r"no answer leads to \['second'\]"),
        ({"first": ("second", "buy")}, "there is no question 'second'"),
    ],
)
def test_a_path_that_does_not_end_everywhere_is_refused(questions: dict[str, tuple[str, str]], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        path(**questions)


def test_yes_and_no_mean_what_people_write_in_yaml() -> None:
    section = {"decision": "buy", "strategy": "pragmatic", "reason": {"en": "x", "de": "x"}}
    made = spec(sourcing={**section, "answers": {"core": False, "rivals": "no"}}).sourcing
    assert made is not None
    assert made.answers == {"core": "no", "rivals": "no"}
    assert spec(sourcing=section).sourcing.answers == {}
    with pytest.raises(ProjectError, match=r"sourcing\.answers\.core: Input should be a valid string \(found '3'\)"):
        spec(sourcing={**section, "answers": {"core": 3}})

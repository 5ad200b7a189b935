from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leitstand.errors import ProjectError
from leitstand.questionnaire import TOP, Questionnaire, describe_levels, questionnaire, read_answers, require_all
from leitstand.readiness import fitting, profile, scores

FORM = questionnaire()
ANSWERS = st.fixed_dictionaries({name: st.integers(0, TOP) for name in FORM.questions})


def all_at(level: int) -> dict[str, int]:
    return dict.fromkeys(FORM.questions, level)


def write(folder: Path, content: str) -> Path:
    path = folder / "readiness.yaml"
    path.write_text(content, encoding="utf-8")
    return path


def small_form() -> Questionnaire:
    """Two dimensions of two questions with uneven weights, small enough to try all answers."""
    said = {"en": "x", "de": "x"}

    def question(name: str, weight: float) -> dict[str, object]:
        return {"id": name, "ask": said, "weight": weight, "reason": said, "levels": [said] * 5}

    def dimension(name: str, weight: float, *questions: dict[str, object]) -> dict[str, object]:
        return {"id": name, "title": said, "weight": weight, "reason": said, "questions": questions}

    def strategy(name: str, total: float, weakest: float, answers: dict[str, int]) -> dict[str, object]:
        bars = {"total": total, "every_dimension": weakest, "answers": answers}
        return {"id": name, "title": said, "company": said, "reason": said, "steps": [said], **bars}

    return Questionnaire.model_validate(
        {
            "dimensions": [
                dimension("one", 30, question("a", 3), question("b", 1)),
                dimension("two", 70, question("c", 2), question("d", 1)),
            ],
            "strategies": [strategy("activating", 0, 0, {}), strategy("pragmatic", 55, 40, {"b": 1})],
        }
    )


def test_every_dimension_asks_four_to_six_questions_with_five_levels_each() -> None:
    assert [one.id for one in FORM.dimensions] == ["technical", "infrastructure", "strategy", "people"]
    assert all(4 <= len(one.questions) <= 6 for one in FORM.dimensions)
    assert [one.id for one in FORM.strategies] == ["activating", "pragmatic", "adaptive", "consolidating"]


def test_no_text_of_the_questionnaire_is_empty_or_stands_in_one_language_for_both() -> None:
    questions = FORM.questions.values()
    texts = [text for one in questions for text in (one.ask, one.reason, *one.levels)]
    texts += [text for one in FORM.dimensions for text in (one.title, one.reason)]
    texts += [one.reason for one in FORM.contradictions]
    texts += [text for one in FORM.strategies for text in (one.title, one.company, one.reason, *one.steps)]
    assert all(text.de.strip() and text.en.strip() and text.de != text.en for text in texts)


def test_bars_rise_from_strategy_to_strategy() -> None:
    for lower, higher in zip(FORM.strategies, FORM.strategies[1:], strict=False):
        assert lower.total <= higher.total
        assert lower.every_dimension <= higher.every_dimension
        assert all(higher.answers[name] >= level for name, level in lower.answers.items())


@pytest.mark.parametrize(("level", "strategy"), [(0, "activating"), (2, "pragmatic"), (3, "adaptive"), (4, "consolidating")])
def test_even_answers_score_their_level_and_lead_to_its_strategy(level: int, strategy: str) -> None:
    found = profile(all_at(level))
    assert found.total == 25 * level
    assert set(found.dimensions.values()) == {25.0 * level}
    assert found.strategy == strategy


def test_answers_that_hardly_go_together_are_told() -> None:
    assert all(profile(all_at(level)).contradictions == () for level in range(TOP + 1))
    (found,) = profile(all_at(3) | {"model_operation": 1}).contradictions
    assert found.at_least == {"ai_use": 3}
    assert profile(all_at(3) | {"model_operation": 2}).contradictions == ()
    assert len(profile(all_at(4) | {"data_access": 0}).contradictions) == 2


def test_scores_are_the_weighted_means_that_the_file_promises() -> None:
    total, dimensions = scores({"a": 4, "b": 0, "c": 1, "d": 4}, small_form())
    assert dimensions == {"one": 75.0, "two": 50.0}
    assert total == pytest.approx(0.3 * 75 + 0.7 * 50)


def test_a_high_score_without_ai_in_use_is_no_high_strategy() -> None:
    assert profile(all_at(4) | {"ai_use": 1}).strategy == "activating"
    assert profile(all_at(4) | {"ai_use": 3}).strategy == "adaptive"


def test_a_score_on_the_bar_clears_it() -> None:
    on_the_bar = all_at(2) | {"ai_use": 3, "goals": 1, "partners": 1}
    assert profile(on_the_bar).total == 50
    assert profile(on_the_bar).strategy == "adaptive"
    assert profile(on_the_bar | {"partners": 0}).strategy == "pragmatic"


def test_a_strategy_stands_on_all_before_it() -> None:
    form = small_form()
    easy = form.strategies[1].model_copy(update={"id": "adaptive", "total": 10, "every_dimension": 0, "answers": {}})
    form = form.model_copy(update={"strategies": (*form.strategies, easy)})
    assert fitting({"a": 2, "b": 0, "c": 2, "d": 2}, form) == "activating"
    assert fitting({"a": 4, "b": 1, "c": 4, "d": 4}, form) == "adaptive"


def test_one_weak_side_holds_the_strategy_back() -> None:
    people = next(one for one in FORM.dimensions if one.id == "people")
    weak = all_at(4) | {question.id: 0 for question in people.questions}
    assert profile(weak).total == 80
    assert profile(weak).strategy == "activating"


@settings(max_examples=40, deadline=None)
@given(ANSWERS)
def test_lifts_are_what_really_happens_when_the_answer_changes(answers: dict[str, int]) -> None:
    before = profile(answers)
    assert 0 <= before.total <= 100
    assert len(before.lifts) == sum(level < TOP for level in answers.values())
    for lift in before.lifts:
        after = {**answers, lift.question: lift.level}
        assert lift.level == answers[lift.question] + 1
        assert lift.gain == pytest.approx(scores(after, FORM)[0] - scores(answers, FORM)[0], abs=0.006)
        assert lift.gain > 0
        then = fitting(after, FORM)
        assert lift.strategy == (then if then != before.strategy else None)
    changing = [lift.strategy is not None for lift in before.lifts]
    assert changing == sorted(changing, reverse=True)


@settings(max_examples=40, deadline=None)
@given(ANSWERS)
def test_the_way_leads_at_least_to_the_next_strategy_and_no_step_of_it_can_be_spared(answers: dict[str, int]) -> None:
    found = profile(answers)
    if found.next is None:
        assert found.way == ()
        return
    names = [one.id for one in FORM.strategies]
    goal = names.index(found.next)
    reached = answers | {step.question: step.level for step in found.way}
    assert names.index(fitting(reached, FORM)) >= goal
    for step in found.way:
        assert names.index(fitting(reached | {step.question: step.level - 1}, FORM)) < goal


def test_no_way_is_shorter_than_the_one_named() -> None:
    form = small_form()
    every = [dict(zip("abcd", levels, strict=True)) for levels in product(range(TOP + 1), repeat=4)]
    good = [answers for answers in every if fitting(answers, form) == "pragmatic"]
    for answers in every:
        found = profile(answers, form)
        if found.next is not None:
            raised = [one for one in good if all(one[name] >= answers[name] for name in one)]
            fewest = min(sum(one.values()) - sum(answers.values()) for one in raised)
            assert sum(step.level - step.now for step in found.way) == fewest


def test_answers_are_read_and_open_questions_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, "answers:\n  goals: 3\n  budget:\nnotes:\n  goals: since spring\n")
    assert read_answers(path) == {"goals": 3}
    assert read_answers(write(tmp_path, "")) == {}
    assert read_answers(write(tmp_path, "answers:\nnotes:\n")) == {}


@pytest.mark.parametrize("level", ["5", "-1", "2.5", "yes", "'3'", "[1]"])
def test_an_illegal_level_names_the_question_and_its_levels(tmp_path: Path, level: str) -> None:
    path = write(tmp_path, f"answers:\n  goals: {level}\n")
    with pytest.raises(ProjectError, match=r"'goals' has the answer .* from 0 to 4: 0 = No\. 1 = There are aims in words\."):
        read_answers(path)


def test_an_unknown_question_names_those_that_are_near(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"question 'goal', which there is not\. Known: goals"):
        read_answers(write(tmp_path, "answers: {goal: 3}\n"))
    with pytest.raises(ProjectError, match="question 'bugdet'"):
        read_answers(write(tmp_path, "notes: {bugdet: why}\n"))


@pytest.mark.parametrize("content", ["- 1\n", "answer: {goals: 3}\n", "5\n", "answers: 3\n", "answers: [goals]\n"])
def test_a_file_of_another_form_is_refused_with_the_form_expected(tmp_path: Path, content: str) -> None:
    with pytest.raises(ProjectError, match=r"is not a list of answers: .* --form"):
        read_answers(write(tmp_path, content))


def test_missing_answers_are_all_named_and_the_first_with_its_levels(tmp_path: Path) -> None:
    answers = {name: 1 for name in FORM.questions if name not in ("goals", "budget")}
    with pytest.raises(ProjectError, match=r"2 of 18 questions have no answer yet: goals, budget\. The first, 'goals'") as caught:
        require_all(answers, tmp_path)
    assert describe_levels(FORM.questions["goals"], "en") in str(caught.value)
    require_all(all_at(0), tmp_path)

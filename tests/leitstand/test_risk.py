import itertools
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from leitstand.law import duties, law
from leitstand.risk import TRANSPARENCY, Answer, Area, Classification, NarrowTask, Risk, classify
from leitstand.texts import messages

HARMLESS: dict[str, Any] = {
    "prohibited_practice": "no",
    "annex_iii": "none",
    "safety_component": "no",
    **dict.fromkeys(TRANSPARENCY, "no"),
}
AREAS = [area for area in get_args(Area) if area != "none"]


def found(**answers: Any) -> Classification:
    return classify(Risk.model_validate(HARMLESS | answers))


def test_nobody_has_answered_means_not_classified_yet() -> None:
    nothing = classify(None)
    assert nothing.risk_class == "unclassified"
    assert set(nothing.unanswered) == set(HARMLESS)


def test_harmless_answers_lead_to_minimal_risk() -> None:
    assert found() == Classification(risk_class="minimal", reasons=("minimal",), unanswered=())


@pytest.mark.parametrize("name", list(HARMLESS))
def test_one_missing_answer_keeps_it_unclassified(name: str) -> None:
    assert found(**{name: None}).risk_class == "unclassified"


@pytest.mark.parametrize("area", AREAS)
def test_an_area_of_annex_iii_is_high_unless_a_narrow_task_without_profiling(area: str) -> None:
    assert found(annex_iii=area, narrow_task="none", profiling="no").risk_class == "high"
    assert found(annex_iii=area, narrow_task="preparatory", profiling="yes").reasons == ("profiling",)
    assert found(annex_iii=area, narrow_task="preparatory", profiling="no").reasons == ("narrow_task",)
    assert found(annex_iii=area, narrow_task="preparatory").unanswered == ("profiling",)
    assert found(annex_iii=area, profiling="no").risk_class == "unclassified"


def test_a_product_is_high_only_where_a_third_party_assesses_it() -> None:
    assert found(safety_component="yes", third_party_assessment="yes").reasons == ("annex_i",)
    assert found(safety_component="yes", third_party_assessment="no").reasons == ("no_third_party",)
    assert found(safety_component="yes").unanswered == ("third_party_assessment",)


def test_a_prohibited_practice_outweighs_everything() -> None:
    assert found(prohibited_practice="yes", annex_iii="employment", narrow_task="none").risk_class == "prohibited"


@pytest.mark.parametrize("name", TRANSPARENCY)
def test_dealing_with_people_brings_transparency_duties(name: str) -> None:
    one = found(**{name: "yes"})
    assert (one.risk_class, one.transparency) == ("transparency", True)
    risk = Risk.model_validate(HARMLESS | {name: "yes"})
    assert "transparency" in {duty.id for duty, _ in duties(one, risk)}


@pytest.mark.parametrize(
    "answers", [{"safety_component": "no", "third_party_assessment": "yes"}, {"annex_iii": "none", "narrow_task": "preparatory"}]
)
def test_contradictory_answers_are_refused(answers: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match=r"risk\."):
        Risk.model_validate(answers)


def test_unknown_questions_and_answers_are_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        Risk.model_validate({"harmless": "yes"})
    with pytest.raises(ValidationError, match="annex_iii"):
        Risk.model_validate({"annex_iii": "cooking"})


ORDER = {"minimal": 0, "transparency": 1, "unclassified": 2, "high": 3, "prohibited": 4}
YES_NO = st.sampled_from([None, "yes", "no"])


@given(
    st.fixed_dictionaries(
        dict.fromkeys(("prohibited_practice", "safety_component", "third_party_assessment", "profiling", *TRANSPARENCY), YES_NO)
        | {"annex_iii": st.sampled_from([None, *get_args(Area)]), "narrow_task": st.sampled_from([None, *get_args(NarrowTask)])}
    )
)
def test_an_answer_that_is_taken_back_never_lowers_the_class(answers: dict[str, Any]) -> None:
    try:
        whole = Risk.model_validate(answers)
    except ValidationError:
        return
    if classify(whole).risk_class in ("high", "prohibited"):
        return
    for name in (name for name, value in answers.items() if value is not None):
        less = classify(Risk.model_validate(answers | {name: None}))
        assert ORDER[less.risk_class] >= ORDER[classify(whole).risk_class]


def test_every_reason_question_and_answer_has_its_words() -> None:
    words = messages("risk")
    reasons = {
        "prohibited",
        "annex_i",
        "annex_iii",
        "profiling",
        "unanswered",
        "narrow_task",
        "no_third_party",
        "minimal",
        *TRANSPARENCY,
    }
    assert {f"reason_{name}" for name in reasons} <= words.keys()
    answers = {*get_args(get_args(Answer)[0]), *get_args(Area), *get_args(NarrowTask), "provider", "deployer", "both"}
    assert {f"answer_{name}" for name in answers} <= words.keys()
    asked = {name for name in Risk.model_fields if name not in ("reason", "answered_by", "answered_on")}
    assert {f"ask_{name}" for name in asked} <= words.keys()


def test_the_law_applies_in_the_stages_that_the_regulation_names() -> None:
    assert [day.date.isoformat() for day in law().calendar] == ["2025-02-02", "2025-08-02", "2026-08-02", "2027-08-02"]
    product, area = found(safety_component="yes", third_party_assessment="yes"), found(annex_iii="employment", narrow_task="none")
    for one, start in ((product, "2027-08-02"), (area, "2026-08-02")):
        days = {duty.id: day for duty, day in duties(one, None)}
        assert days["risk_management"] is not None
        assert days["risk_management"].isoformat() == start
        assert days["literacy"].isoformat() == "2025-02-02"  # type: ignore[union-attr]


def test_a_duty_falls_to_the_role_that_has_it() -> None:
    one = found(annex_iii="employment", narrow_task="none")
    provider = {duty.id for duty, _ in duties(one, Risk(role="provider"))}
    deployer = {duty.id for duty, _ in duties(one, Risk(role="deployer"))}
    assert {"conformity", "technical_documentation"} <= provider - deployer
    assert "use_as_instructed" in deployer - provider
    assert provider | deployer == {duty.id for duty, _ in duties(one, Risk(role="both"))}


def test_the_works_council_is_named_unless_no_worker_is_affected() -> None:
    one = found(annex_iii="employment", narrow_task="none")
    for workplace, named in (("yes", True), (None, True), ("no", False)):
        assert ("workers" in {duty.id for duty, _ in duties(one, Risk(role="both", workplace=workplace))}) == named


def test_every_point_of_annex_iv_is_listed_once() -> None:
    points = [point.point for point in law().annex_iv]
    letters = [f"{number} ({letter})" for number, letter in itertools.product("12", "abcdefgh")]
    assert points == [*letters, *"3456789"]
    assert [letter.point for letter in law().record_of_processing] == [f"({letter})" for letter in "abcdefg"]

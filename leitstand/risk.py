"""The risk class of a use case under the EU AI Act, from answers in project.yaml, as a pure function with its reasons.

Source: Regulation (EU) 2024/1689 as published on 12 July 2024, Articles 5, 6 and 50 and Annexes I and III. No legal advice: the answers are a
person's, and the class is only as right as they are.
"""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from leitstand.contract import Bilingual, Frozen

Answer = Annotated[Literal["yes", "no"], BeforeValidator(lambda value: {True: "yes", False: "no"}.get(value, value))]
Area = Literal[
    "none",
    "biometrics",
    "critical_infrastructure",
    "education",
    "employment",
    "essential_services",
    "law_enforcement",
    "migration",
    "justice",
]
NarrowTask = Literal["none", "procedural", "improves_human_work", "detects_patterns", "preparatory"]
RiskClass = Literal["prohibited", "high", "transparency", "minimal", "unclassified"]
TRANSPARENCY = ("interacts_with_people", "generates_content", "recognises_emotions")


class Risk(Frozen):
    """The answers that the risk class follows from: the section ``risk`` of project.yaml. What is left out is not answered.

    Parameters
    ----------
    role : ``provider`` develops the system or has it developed and puts it on the market or into service under its own name, ``deployer``
        uses it under its authority (Art. 3); a company that builds for itself is ``both``
    prohibited_practice : whether it does anything that Art. 5 forbids (such as social scoring, or reading emotions at the workplace)
    annex_iii : the area of Annex III that it is used in
    narrow_task : which condition of Art. 6(3) it meets, so that it poses no significant risk although its area is in Annex III
    profiling : whether it profiles natural persons (Art. 4(4) GDPR); Art. 6(3) does not help then
    safety_component : whether it is a safety component of a product, or itself a product, under the law listed in Annex I
    third_party_assessment : whether that product has to be assessed by a third party before it is put on the market
    interacts_with_people : whether it talks to people directly, such as a chat
    generates_content : whether it makes or changes pictures, sound, video or text
    recognises_emotions : whether it reads emotions or sorts people by biometric features
    workplace : whether workers are affected by its use
    """

    role: Literal["provider", "deployer", "both"] | None = None
    prohibited_practice: Answer | None = None
    annex_iii: Area | None = None
    narrow_task: NarrowTask | None = None
    profiling: Answer | None = None
    safety_component: Answer | None = None
    third_party_assessment: Answer | None = None
    interacts_with_people: Answer | None = None
    generates_content: Answer | None = None
    recognises_emotions: Answer | None = None
    workplace: Answer | None = None
    reason: Bilingual | None = None
    answered_by: str | None = None
    answered_on: date | None = None

    @model_validator(mode="after")
    def _without_contradiction(self) -> Self:
        if self.safety_component == "no" and self.third_party_assessment == "yes":
            raise ValueError(
                "risk.third_party_assessment is about the product of risk.safety_component, which is answered with no"
            )
        if self.annex_iii == "none" and self.narrow_task not in (None, "none"):
            raise ValueError("risk.narrow_task is an exception for the areas of Annex III, and risk.annex_iii is none")
        return self


class Classification(BaseModel):
    """The risk class and what it follows from.

    Parameters
    ----------
    risk_class : ``unclassified`` as long as a missing answer could still raise it
    reasons : keys of the catalogue's area ``risk`` after ``reason_``, the weightiest first
    unanswered : questions whose answer could raise the class or add duties
    transparency : whether duties of Art. 50 come on top
    """

    model_config = ConfigDict(frozen=True)

    risk_class: RiskClass
    reasons: tuple[str, ...]
    unanswered: tuple[str, ...]
    transparency: bool = False


def classify(risk: Risk | None) -> Classification:
    """Return the risk class that the answers lead to."""
    given = risk or Risk()
    unanswered = tuple(_unanswered(given))
    open_to_people = any(getattr(given, name) == "yes" for name in TRANSPARENCY)
    if given.prohibited_practice == "yes":
        return Classification(
            risk_class="prohibited", reasons=("prohibited",), unanswered=unanswered, transparency=open_to_people
        )
    reasons = tuple(_high(given))
    if reasons:
        return Classification(risk_class="high", reasons=reasons, unanswered=unanswered, transparency=open_to_people)
    if unanswered:
        return Classification(
            risk_class="unclassified", reasons=("unanswered",), unanswered=unanswered, transparency=open_to_people
        )
    lowered = tuple(_lowered(given))
    if open_to_people:
        told = tuple(name for name in TRANSPARENCY if getattr(given, name) == "yes")
        return Classification(risk_class="transparency", reasons=(*told, *lowered), unanswered=(), transparency=True)
    return Classification(risk_class="minimal", reasons=lowered or ("minimal",), unanswered=())


def _high(given: Risk) -> list[str]:
    reasons = []
    if given.safety_component == "yes" and given.third_party_assessment == "yes":
        reasons.append("annex_i")
    if given.annex_iii not in (None, "none"):
        if given.profiling == "yes":
            reasons.append("profiling")
        elif given.narrow_task == "none":
            reasons.append("annex_iii")
    return reasons


def _lowered(given: Risk) -> list[str]:
    """Return why it is no high-risk system although something pointed there."""
    reasons = []
    if given.annex_iii not in (None, "none"):
        reasons.append("narrow_task")
    if given.safety_component == "yes":
        reasons.append("no_third_party")
    return reasons


def _unanswered(given: Risk) -> list[str]:
    asked = ["prohibited_practice", "annex_iii", "safety_component"]
    if given.annex_iii not in (None, "none"):
        asked += ["profiling"] if given.profiling is None else []
        asked += ["narrow_task"] if given.profiling != "yes" else []
    if given.safety_component == "yes":
        asked.append("third_party_assessment")
    return [name for name in (*asked, *TRANSPARENCY) if getattr(given, name) is None]

"""Duties under the EU AI Act and the GDPR as structured facts (``law.yaml``), and which of them follow from a classification."""

from datetime import date
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from leitstand.contract import Bilingual, Frozen
from leitstand.risk import Classification, Risk, RiskClass
from leitstand.spec import read_yaml

Role = Literal["provider", "deployer"]


class Regulation(Frozen):
    """A legal text: where it stands, and as of which day it is told here."""

    title: Bilingual
    source: str
    as_of: date


class Day(Frozen):
    """What applies from a day on."""

    date: date
    what: Bilingual


class Duty(Frozen):
    """One duty.

    Parameters
    ----------
    applies : risk classes
    roles : who has it
    only : a further condition on the answers; None for none
    start : when it begins; None where that hangs on what made the system high-risk
    """

    id: str
    article: Bilingual
    what: Bilingual
    applies: tuple[RiskClass, ...]
    roles: tuple[Role, ...]
    only: Literal["narrow_task", "annex_iii", "workplace", "transparency"] | None = None
    start: date | None = Field(default=None, alias="from")


class Point(Frozen):
    """One point of Annex IV.

    Parameters
    ----------
    evidence : names of what proves it
    people : whether people have to add to the evidence
    condition : the point only matters where the system is part of a product
    """

    point: str
    what: Bilingual
    evidence: tuple[str, ...]
    people: bool = False
    condition: Literal["product"] | None = Field(default=None, alias="if")


class Letter(Frozen):
    """One letter of Art. 30(1) GDPR."""

    point: str
    what: Bilingual
    keys: tuple[str, ...]


class Law(Frozen):
    """The content of ``law.yaml``."""

    regulations: dict[Literal["ai_act", "gdpr"], Regulation]
    calendar: tuple[Day, ...]
    duties: tuple[Duty, ...]
    high_from: dict[str, date]
    annex_iv: tuple[Point, ...]
    record_of_processing: tuple[Letter, ...]


@cache
def law() -> Law:
    """Return the facts that come with Leitstand."""
    return Law.model_validate(read_yaml(Path(__file__).with_name("law.yaml")))


def duties(found: Classification, risk: Risk | None) -> tuple[tuple[Duty, date | None], ...]:
    """Return the duties that follow from a class, each with the day from which it applies.

    Parameters
    ----------
    risk : the answers; where nobody said which role the company has, the duties of both are named
    """
    given = risk or Risk()
    roles = {"provider", "deployer"} if given.role in (None, "both") else {given.role}
    high_from = min((law().high_from[reason] for reason in found.reasons if reason in law().high_from), default=None)
    return tuple(
        (duty, duty.start or high_from)
        for duty in law().duties
        if found.risk_class in duty.applies and roles & set(duty.roles) and _meets(duty, found, given)
    )


def _meets(duty: Duty, found: Classification, given: Risk) -> bool:
    match duty.only:
        case "narrow_task":
            return "narrow_task" in found.reasons
        case "annex_iii":
            return bool({"annex_iii", "profiling"} & set(found.reasons))
        case "workplace":
            return given.workplace != "no"
        case "transparency":
            return found.transparency
        case None:
            return True

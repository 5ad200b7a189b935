"""The pilot checklist of one project: its file beside project.yaml, where it stands, and what in it does not fit project.yaml."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from ruamel.yaml.comments import CommentedMap

from flows.readiness_file import replace_file
from leitstand.benefit import business_case
from leitstand.errors import LeitstandError, UsageError
from leitstand.incident import Statement
from leitstand.pilot import FILE, Answers, Checklist, SectionStatus, checklist, read_answers, require_consistent, statuses
from leitstand.spec import ProjectSpec
from leitstand.texts import Language, text

FAR_APART = 0.2  # two estimates of one figure may differ by this share


@dataclass(frozen=True)
class PilotCheck:
    """The checklist of a project as it stands today.

    Parameters
    ----------
    disagreements : where answers do not fit project.yaml
    roles : who does what, as far as somebody said
    """

    answers: Answers
    sections: tuple[SectionStatus, ...]
    disagreements: tuple[Statement, ...]
    roles: dict[str, str | None]

    def missing(self, milestone: Literal["M4", "M5"]) -> tuple[str, ...]:
        """Return the questions that keep a milestone open."""
        mine = [one for one in self.sections if one.milestone == milestone]
        return tuple(name for one in mine for name in (*one.unanswered, *one.unsettled))

    def document(self) -> dict[str, Any]:
        """Return all of it as JSON knows it."""
        return {
            "sections": [one.model_dump(mode="json") for one in self.sections],
            "missing": {"M4": list(self.missing("M4")), "M5": list(self.missing("M5"))},
            "answers": {name: str(value) if isinstance(value, date) else value for name, value in self.answers.items()},
            "roles": self.roles,
            "disagreements": [one.model_dump() for one in self.disagreements],
        }


def pilot_check(folder: Path, spec: ProjectSpec, language: Language = "en") -> PilotCheck:
    """Return where a project's checklist stands; without a ``pilot.yaml`` every question is open.

    Raises
    ------
    ProjectError
        If the file cannot be used, or its answers contradict each other.
    """
    path = folder / FILE
    answers = with_known(read_answers(path, language), spec)
    require_consistent(answers, path, language)
    return PilotCheck(answers, statuses(answers), tuple(disagreements(answers, spec)), roles(answers, spec))


def keeps_open(folder: Path, spec: ProjectSpec) -> tuple[str, ...]:
    """Return ``("pilot",)`` where open points of the checklist keep M4 open, or nobody can read it; nothing otherwise."""
    try:
        points = pilot_check(folder, spec).missing("M4")
    except LeitstandError:  # a slip of the pen must not stop a training; 'leitstand roadmap pilot' names it
        return ("pilot",)
    return ("pilot",) if points else ()


def with_known(answers: Answers, spec: ProjectSpec) -> dict[str, Any]:
    """Return the answers with what project.yaml says already."""
    known = {"deputy": spec.owner.deputy} if spec.owner.deputy else {}
    return {**known, **answers}


def roles(answers: Answers, spec: ProjectSpec) -> dict[str, str | None]:
    """Return who does what: owner, deputy, accountable, decision maker; and when the works council was informed."""
    named = {name: str(answers[name]) if name in answers else None for name in ("deputy", "accountable", "decision_maker")}
    council = answers.get("works_council_date") if answers.get("works_council") == "informed" else None
    return {"owner": spec.owner.name, **named, "works_council_informed_on": str(council) if council else None}


def disagreements(answers: Answers, spec: ProjectSpec) -> Iterator[Statement]:
    """Yield where the answers do not fit what project.yaml says."""
    benefit, cost, months = spec.benefit, answers.get("cost_eur"), answers.get("payback_months")
    if benefit is not None and isinstance(cost, float) and _far(cost, benefit.investment_eur):
        yield Statement.of("pilot.disagree_cost", cost=f"{cost:.0f}", investment=f"{benefit.investment_eur:.0f}")
    if benefit is not None and isinstance(months, float):
        promised = business_case(benefit, benefit.expected_error).payback_months
        if promised is None:
            yield Statement.of("pilot.disagree_never", months=f"{months:.0f}")
        elif promised > months * (1 + FAR_APART):
            yield Statement.of("pilot.disagree_payback", months=f"{months:.0f}", promised=f"{promised:.0f}")
    if spec.sourcing is not None and spec.sourcing.decision == "cooperate" and answers.get("team") == "own_team":
        yield Statement.of("pilot.disagree_team")
    if spec.owner.deputy is not None and answers["deputy"] != spec.owner.deputy:
        yield Statement.of("pilot.disagree_deputy", deputy=answers["deputy"], known=spec.owner.deputy)
    if answers.get("rule_enough") == "yes":
        yield Statement.of("pilot.disagree_rule")


def is_own(folder: Path, workspace: Path) -> bool:
    """Return whether the project belongs to the workspace; others came with Leitstand."""
    return folder.resolve().is_relative_to((workspace / "projects").resolve())


def require_own(folder: Path, workspace: Path) -> None:
    """Make sure that the project belongs to the workspace, so that its checklist may be written.

    Raises
    ------
    UsageError
        If it came with Leitstand.
    """
    if not is_own(folder, workspace):
        raise UsageError("pilot.not_own", project=folder.name)


def write_form(path: Path, language: Language, form: Checklist | None = None) -> None:
    """Write an empty form: every question with its possible answers as a comment above it."""
    answers = CommentedMap()
    for section in (form or checklist()).sections:
        for place, question in enumerate(section.questions):
            answers[question.id] = None
            title = [f"--- {section.title.in_language(language)} ---"] if place == 0 else []
            options = [f"  {name}: {meaning}" for name, meaning in question.options(language).items()]
            options = options or [f"  ({text(f'pilot.form_{question.kind}', language)})"]
            comment = "\n".join([*title, question.ask.in_language(language), *options])
            answers.yaml_set_comment_before_after_key(question.id, before=comment, indent=2)
    content = CommentedMap({"answers": answers, "notes": CommentedMap()})
    content.yaml_set_start_comment(text("pilot.form_head", language))
    replace_file(content, path)


def _far(one: float, other: float) -> bool:
    return abs(one - other) > FAR_APART * max(one, other)

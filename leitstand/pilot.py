"""The pilot checklist, the roles and the four change phases: questions as data (``pilot.yaml``), a status that is computed and never typed.

The questions are those of the pilot checklist and of the change phases in the roadmap of Plattform Lernende Systeme, *KI im Mittelstand*
(2021).
"""

import difflib
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from leitstand.assumptions import MOST
from leitstand.contract import Bilingual, Frozen
from leitstand.errors import ProjectError
from leitstand.now import now
from leitstand.spec import describe, read_yaml
from leitstand.texts import Language, text

Kind = Literal["text", "choice", "done", "eur", "months", "date"]
Status = Literal["open", "begun", "done"]
Given = str | float | date
FILE = "pilot.yaml"  # beside project.yaml
DONE: dict[str, bool] = {"yes": True, "partly": False, "no": False}
MOST_CHARACTERS = 2000


class Choice(Frozen):
    """One answer of a question, and whether it settles the point."""

    label: Bilingual
    settles: bool = True


class Question(Frozen):
    """One question.

    Parameters
    ----------
    kind : ``done`` is a choice of yes, partly and no, of which only yes settles it
    unless : not asked where another question has one of these answers
    """

    id: str
    kind: Kind
    ask: Bilingual
    answers: dict[str, Choice] = Field(default_factory=dict)
    unless: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_answers_to_choose(self) -> Self:
        if (self.kind == "choice") != bool(self.answers):
            raise ValueError(f"{self.id}: answers belong to a question of the kind choice, and only to it")
        return self

    def options(self, language: Language) -> dict[str, str]:
        """Return what may be answered, and what it means; empty where the answer is free."""
        if self.kind == "done":
            return {name: text(f"pilot.{name}", language) for name in DONE}
        return {name: one.label.in_language(language) for name, one in self.answers.items()}

    def is_settled(self, answer: Given) -> bool:
        """Return whether an answer settles the point."""
        if self.kind == "done":
            return DONE[str(answer)]
        return self.answers[str(answer)].settles if self.kind == "choice" else True

    def parse(self, given: Any, language: Language = "en") -> Given:
        """Return an answer in the form that the question asks for.

        Raises
        ------
        ProjectError
            If it has another form; says what was expected and found.
        """
        value = {True: "yes", False: "no"}.get(given, given) if isinstance(given, bool) else given
        parsed = _PARSERS[self.kind](self, value)
        if parsed is None:
            options = self.options(language)
            shown = ", ".join(f"{name} = {label}" for name, label in options.items()) or text(f"pilot.form_{self.kind}", language)
            raise ProjectError("pilot.illegal", question=self.id, found=str(given)[:80], expected=shown)
        return parsed


class Section(Frozen):
    """Questions that belong together.

    Parameters
    ----------
    milestone : that the section helps to close
    phase : 1 to 4 of the change phases; None for the rest of the checklist
    """

    id: str
    milestone: Literal["M4", "M5"]
    phase: int | None = None
    title: Bilingual
    reason: Bilingual
    questions: tuple[Question, ...] = Field(min_length=1)


class Contradiction(Frozen):
    """Answers that cannot all be true."""

    answers: dict[str, tuple[str, ...]] = Field(min_length=2)
    reason: Bilingual


class Checklist(Frozen):
    """All sections, and which answers contradict each other."""

    sections: tuple[Section, ...]
    contradictions: tuple[Contradiction, ...] = ()

    @property
    def questions(self) -> dict[str, Question]:
        """All questions by id, in their order."""
        return {question.id: question for section in self.sections for question in section.questions}

    @model_validator(mode="after")
    def _names_its_own_questions(self) -> Self:
        asked = [question.id for section in self.sections for question in section.questions]
        if len(set(asked)) != len(asked):
            raise ValueError("a question's id stands twice")
        named = [pair for one in (*self.questions.values(),) for pair in one.unless.items()]
        named += [pair for one in self.contradictions for pair in one.answers.items()]
        for question, answers in named:
            known = self.questions[question].options("en") if question in self.questions else {}
            if set(answers) - set(known):
                raise ValueError(f"there is no question '{question}' with the answers {answers}")
        return self


class SectionStatus(BaseModel):
    """Where one section stands.

    Parameters
    ----------
    unanswered : questions without an answer
    unsettled : questions whose answer leaves the point open
    """

    model_config = ConfigDict(frozen=True)

    id: str
    milestone: Literal["M4", "M5"]
    phase: int | None
    status: Status
    unanswered: tuple[str, ...]
    unsettled: tuple[str, ...]


Answers = Mapping[str, Given]


@cache
def checklist() -> Checklist:
    """Return the checklist that comes with Leitstand."""
    return Checklist.model_validate(read_yaml(Path(__file__).with_name(FILE)))


class _File(Frozen):
    answers: dict[str, Any] = Field(default_factory=dict)
    notes: dict[str, str | None] = Field(default_factory=dict)


def read_answers(path: Path, language: Language = "en", form: Checklist | None = None) -> dict[str, Given]:
    """Return the answers of a project's ``pilot.yaml``; empty where there is no such file, questions without an answer are left out.

    Raises
    ------
    ProjectError
        If the file is broken, names a question that there is not (did you mean), or an answer has the wrong form.
    """
    form = form or checklist()
    if not path.exists():
        return {}
    content = read_yaml(path) or {}
    try:
        read = _File.model_validate(content | {key: content[key] or {} for key in ("answers", "notes") if key in content})
    except (ValidationError, TypeError) as error:
        problems = describe(error) if isinstance(error, ValidationError) else text("readiness.no_mapping", language)
        raise ProjectError("pilot.file_broken", path=path, problems=problems) from error
    for name in (*read.answers, *read.notes):
        if name not in form.questions:
            close = difflib.get_close_matches(name, form.questions, n=3, cutoff=0.4) or list(form.questions)
            raise ProjectError("pilot.unknown_question", path=path, question=name, known=", ".join(close))
    given = {name: value for name, value in read.answers.items() if value is not None and value != ""}
    return {name: form.questions[name].parse(value, language) for name, value in given.items()}


def is_asked(question: Question, answers: Answers) -> bool:
    """Return whether a question applies, after the answers to others."""
    return not any(answers.get(name) in values for name, values in question.unless.items())


def statuses(answers: Answers, form: Checklist | None = None) -> tuple[SectionStatus, ...]:
    """Return where each section stands."""
    return tuple(_status(section, answers) for section in (form or checklist()).sections)


def contradictions(answers: Answers, form: Checklist | None = None) -> Iterator[Contradiction]:
    """Yield the contradictions among the answers."""
    for one in (form or checklist()).contradictions:
        if all(answers.get(name) in values for name, values in one.answers.items()):
            yield one


def require_consistent(answers: Answers, path: Path, language: Language = "en") -> None:
    """Make sure that the answers do not contradict each other.

    Raises
    ------
    ProjectError
        If some do; names them.
    """
    for one in contradictions(answers):
        named = ", ".join(f"{name}: {answers[name]}" for name in one.answers)
        raise ProjectError("pilot.contradiction", path=path, answers=named, reason=one.reason.in_language(language))


def _status(section: Section, answers: Answers) -> SectionStatus:
    asked = [question for question in section.questions if is_asked(question, answers)]
    unanswered = tuple(question.id for question in asked if question.id not in answers)
    unsettled = tuple(
        question.id for question in asked if question.id in answers and not question.is_settled(answers[question.id])
    )
    done = not unanswered and not unsettled
    status: Status = "done" if done else "open" if len(unanswered) == len(asked) else "begun"
    return SectionStatus(
        id=section.id, milestone=section.milestone, phase=section.phase, status=status, unanswered=unanswered, unsettled=unsettled
    )


def _text(_: Question, given: Any) -> str | None:
    said = str(given).strip() if isinstance(given, str | int | float | date) else ""
    return said if 0 < len(said) <= MOST_CHARACTERS else None


def _option(question: Question, given: Any) -> str | None:
    return given if isinstance(given, str) and given in question.options("en") else None


def _number(_: Question, given: Any) -> float | None:
    try:
        value = float(given)
    except (TypeError, ValueError):
        return None
    return value if 0 <= value <= MOST else None


def _day(_: Question, given: Any) -> date | None:
    try:
        day = date.fromisoformat(str(given).strip()[:10])  # of a date with a time, its day
    except ValueError:
        return None
    return day if day <= now().date() else None


_PARSERS = {"text": _text, "choice": _option, "done": _option, "eur": _number, "months": _number, "date": _day}

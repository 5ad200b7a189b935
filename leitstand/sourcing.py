"""Make, buy or cooperate: a decision path as data (``sourcing.yaml``), walked by a pure function."""

import difflib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from leitstand.contract import Bilingual, Frozen
from leitstand.errors import ProjectError
from leitstand.spec import read_yaml
from leitstand.texts import Language

Result = Literal["make", "buy", "cooperate"]


class Answer(Frozen):
    """One answer, what follows from it, and where it leads: to another question, or to a result.

    Parameters
    ----------
    consequence : what the answer means for the company
    reason : how it is told among the reasons of the decision
    """

    label: Bilingual
    consequence: Bilingual
    reason: Bilingual
    to: str | None = None
    result: Result | None = None

    @model_validator(mode="after")
    def _leads_to_one_place(self) -> Self:
        if (self.to is None) == (self.result is None):
            raise ValueError("an answer has exactly one of to and result")
        return self


class Question(Frozen):
    """One question of the path and its answers by name."""

    ask: Bilingual
    answers: dict[str, Answer] = Field(min_length=2)

    def describe(self, language: Language) -> str:
        """Return all answers in one line."""
        return " ".join(f"{name} = {one.label.in_language(language)}" for name, one in self.answers.items())


class DecisionPath(Frozen):
    """All questions by name, and the one to begin with. Every answer leads on, no question comes twice, none is out of reach."""

    start: str
    questions: dict[str, Question]

    @model_validator(mode="after")
    def _ends_everywhere(self) -> Self:
        reached: set[str] = set()
        self._follow(self.start, (), reached)
        unreached = set(self.questions) - reached
        if unreached:
            raise ValueError(f"no answer leads to {sorted(unreached)}")
        return self

    def _follow(self, name: str, before: tuple[str, ...], reached: set[str]) -> None:
        if name not in self.questions:
            raise ValueError(f"there is no question '{name}'")
        if name in before:
            raise ValueError(f"the path runs in a circle: {' → '.join((*before, name))}")
        reached.add(name)
        for answer in self.questions[name].answers.values():
            if answer.to is not None:
                self._follow(answer.to, (*before, name), reached)


class Step(BaseModel):
    """One question that was passed, its answer, and what follows from it."""

    model_config = ConfigDict(frozen=True)

    question: str
    answer: str
    reason: Bilingual
    consequence: Bilingual


class Turn(BaseModel):
    """One answer that, given differently, leads or may lead to another result.

    Parameters
    ----------
    results : all results it can lead to with what else is known; more than one where it raises questions that are not answered yet
    """

    model_config = ConfigDict(frozen=True)

    question: str
    answer: str
    results: tuple[Result, ...]


class SourcingDecision(BaseModel):
    """Where the path ends, by which answers, and what would turn it."""

    model_config = ConfigDict(frozen=True)

    result: Result
    steps: tuple[Step, ...]
    turns: tuple[Turn, ...]

    def reasons(self, language: Language) -> str:
        """Return the reasons in words, in the order of the path."""
        return " ".join(step.reason.in_language(language) for step in self.steps)


@cache
def decision_path() -> DecisionPath:
    """Return the path that comes with Leitstand."""
    return DecisionPath.model_validate(read_yaml(Path(__file__).with_name("sourcing.yaml")))


def decide(path: DecisionPath, answers: Mapping[str, str], language: Language = "en") -> SourcingDecision:
    """Return make, buy or cooperate with its reasons, and every single answer that would turn it.

    Raises
    ------
    ProjectError
        If an answer on the way is missing, or one names a question or an answer that there is not; names the question with its answers
        in ``language``.
    """
    check_answers(path, answers, language)
    unanswered = next_question(path, answers)
    if unanswered is not None:
        question = path.questions[unanswered]
        asked = {"ask": question.ask.in_language(language), "answers": question.describe(language)}
        raise ProjectError("readiness.sourcing_missing", question=unanswered, **asked)
    steps = list(walk(path, answers))
    last = path.questions[steps[-1].question].answers[steps[-1].answer]
    assert last.result is not None, "an answer has one of to and result"
    return SourcingDecision(result=last.result, steps=tuple(steps), turns=tuple(_turns(path, answers, steps, last.result)))


def check_answers(path: DecisionPath, answers: Mapping[str, str], language: Language = "en") -> None:
    """Make sure that every answer belongs to a question of the path and is one of its answers.

    Raises
    ------
    ProjectError
        If one does not.
    """
    for name, answer in answers.items():
        if name not in path.questions:
            close = difflib.get_close_matches(name, path.questions, n=3, cutoff=0.4) or list(path.questions)
            raise ProjectError("readiness.sourcing_unknown", question=name, known=", ".join(close))
        if answer not in path.questions[name].answers:
            known = path.questions[name].describe(language)
            raise ProjectError("readiness.sourcing_illegal", question=name, found=answer, answers=known)


def next_question(path: DecisionPath, answers: Mapping[str, str]) -> str | None:
    """Return the first question on the way that has no answer; None where the way ends in a result."""
    name: str | None = path.start
    while name is not None and name in answers:
        name = path.questions[name].answers[answers[name]].to
    return name


def walk(path: DecisionPath, answers: Mapping[str, str]) -> Iterator[Step]:
    """Yield the steps from the start for as long as there are answers."""
    name: str | None = path.start
    while name is not None and name in answers:
        answer = path.questions[name].answers[answers[name]]
        yield Step(question=name, answer=answers[name], reason=answer.reason, consequence=answer.consequence)
        name = answer.to


def outcomes(path: DecisionPath, answers: Mapping[str, str], start: str | None = None) -> set[Result]:
    """Return all results that can be reached from a question, where it is open for as long as answers are missing."""
    question = start or path.start
    possible = path.questions[question].answers
    found: set[Result] = set()
    for answer in [possible[answers[question]]] if question in answers else possible.values():
        found |= {answer.result} if answer.result is not None else outcomes(path, answers, answer.to)
    return found


def _turns(path: DecisionPath, answers: Mapping[str, str], steps: list[Step], result: Result) -> Iterator[Turn]:
    for step in steps:
        for other in path.questions[step.question].answers:
            results = outcomes(path, {**answers, step.question: other})
            if results - {result}:
                yield Turn(question=step.question, answer=other, results=tuple(sorted(results)))

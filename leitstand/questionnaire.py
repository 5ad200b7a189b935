"""The readiness questionnaire: questions, levels, weights and strategies, and the answers that people gave.

It stands in ``readiness.yaml`` beside this module; each weight with its reason.
"""

import difflib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from leitstand.contract import Bilingual, Frozen
from leitstand.errors import ProjectError
from leitstand.spec import describe, read_yaml
from leitstand.texts import Language, text

StrategyName = Literal["activating", "pragmatic", "adaptive", "consolidating"]
Answers = Mapping[str, int]
FILE = "readiness.yaml"  # in the workspace
TOP = 4  # the highest level


class Question(Frozen):
    """One question and its five levels, lowest first."""

    id: str
    ask: Bilingual
    weight: float = Field(gt=0)
    reason: Bilingual
    levels: tuple[Bilingual, ...] = Field(min_length=TOP + 1, max_length=TOP + 1)


class Dimension(Frozen):
    """One side of readiness and its questions."""

    id: str
    title: Bilingual
    weight: float = Field(gt=0)
    reason: Bilingual
    questions: tuple[Question, ...] = Field(min_length=1)


class Strategy(Frozen):
    """A strategy, the bars it stands behind, and what to do first.

    Parameters
    ----------
    total, every_dimension : least score, 0 to 100, over all and of the weakest dimension
    answers : least level of single questions
    """

    id: StrategyName
    title: Bilingual
    company: Bilingual
    total: float = Field(ge=0, le=100)
    every_dimension: float = Field(ge=0, le=100)
    answers: dict[str, int]
    reason: Bilingual
    steps: tuple[Bilingual, ...] = Field(min_length=1)


class Contradiction(Frozen):
    """Answers that hardly go together: all of ``at_least`` reached, and none of ``at_most`` passed."""

    at_least: dict[str, int]
    at_most: dict[str, int]
    reason: Bilingual


class Questionnaire(Frozen):
    """All dimensions, the strategies from the lowest to the highest, and which answers contradict each other."""

    dimensions: tuple[Dimension, ...] = Field(min_length=1)
    strategies: tuple[Strategy, ...] = Field(min_length=1)
    contradictions: tuple[Contradiction, ...] = ()

    @property
    def questions(self) -> dict[str, Question]:
        """All questions by id, in their order."""
        return {question.id: question for dimension in self.dimensions for question in dimension.questions}

    def strategy(self, name: StrategyName) -> Strategy:
        """Return the strategy of that name."""
        return next(one for one in self.strategies if one.id == name)

    @model_validator(mode="after")
    def _bars_name_questions(self) -> Self:
        asked = [question.id for dimension in self.dimensions for question in dimension.questions]
        if len(set(asked)) != len(asked):
            raise ValueError("a question's id stands twice")
        named = {name for strategy in self.strategies for name in strategy.answers}
        named |= {name for one in self.contradictions for name in (*one.at_least, *one.at_most)}
        if named - set(asked):
            raise ValueError(f"a strategy or contradiction names questions that there are not: {sorted(named - set(asked))}")
        lowest = self.strategies[0]
        if lowest.total or lowest.every_dimension or lowest.answers:
            raise ValueError("the lowest strategy has no bars: some strategy has to fit everyone")
        return self


@cache
def questionnaire() -> Questionnaire:
    """Return the questionnaire that comes with Leitstand."""
    return Questionnaire.model_validate(read_yaml(Path(__file__).with_name(FILE)))


class _File(Frozen):
    answers: dict[str, Any] = Field(default_factory=dict)
    notes: dict[str, str | None] = Field(default_factory=dict)


def read_answers(path: Path, form: Questionnaire | None = None, language: Language = "en") -> dict[str, int]:
    """Return the answers of a ``readiness.yaml``; questions without a level are left out.

    Raises
    ------
    ProjectError
        If the file is missing or broken, names a question that there is not, or has a level other than 0 to 4; names the question and
        its levels in ``language``.
    """
    form = form or questionnaire()
    content = read_yaml(path) or {}
    try:
        read = _File.model_validate(content | {key: content[key] or {} for key in ("answers", "notes") if key in content})
    except (ValidationError, TypeError) as error:
        problems = describe(error) if isinstance(error, ValidationError) else text("readiness.no_mapping", language)
        raise ProjectError("readiness.file_broken", path=path, problems=problems) from error
    given = {name: level for name, level in read.answers.items() if level is not None}
    for name in (*given, *read.notes):
        if name not in form.questions:
            close = difflib.get_close_matches(name, form.questions, n=3, cutoff=0.4) or list(form.questions)
            raise ProjectError("readiness.unknown_question", path=path, question=name, known=", ".join(close))
    for name, level in given.items():
        if not isinstance(level, int) or isinstance(level, bool) or not 0 <= level <= TOP:
            levels = describe_levels(form.questions[name], language)
            raise ProjectError("readiness.illegal_level", path=path, question=name, found=repr(level), levels=levels)
    return given


def require_all(answers: Answers, path: Path, form: Questionnaire | None = None, language: Language = "en") -> None:
    """Make sure that every question has its answer.

    Raises
    ------
    ProjectError
        If one has not; names all of them, and the levels of the first.
    """
    form = form or questionnaire()
    missing = [name for name in form.questions if name not in answers]
    if missing:
        first = form.questions[missing[0]]
        values = {"count": len(missing), "all": len(form.questions), "missing": ", ".join(missing), "question": first.id}
        asked = first.ask.in_language(language)
        raise ProjectError("readiness.missing", path=path, ask=asked, levels=describe_levels(first, language), **values)


def describe_levels(question: Question, language: Language) -> str:
    """Return all levels of a question in one line."""
    return " ".join(f"{level} = {one.in_language(language)}" for level, one in enumerate(question.levels))

"""How ready a company is for AI: scores with open weights, the strategy that fits, and what would lift it."""

from pydantic import BaseModel, ConfigDict

from leitstand.questionnaire import TOP, Answers, Contradiction, Dimension, Questionnaire, Strategy, StrategyName, questionnaire


class Lift(BaseModel):
    """What one more level of one question brings.

    Parameters
    ----------
    level : the one to reach
    gain, dimension_gain : points of the total and of the dimension
    strategy : the one that it leads to; None where it stays
    """

    model_config = ConfigDict(frozen=True)

    question: str
    dimension: str
    level: int
    gain: float
    dimension_gain: float
    strategy: StrategyName | None


class Step(BaseModel):
    """A question to be lifted from one level to another."""

    model_config = ConfigDict(frozen=True)

    question: str
    now: int
    level: int


class Profile(BaseModel):
    """The result of the questionnaire.

    Parameters
    ----------
    total, dimensions : 0 to 100
    next : the strategy above; None at the top
    lifts : every question's next level: first what changes the strategy, then what brings most points
    way : the fewest levels to gain that lead to ``next``; empty at the top
    contradictions : answers that hardly go together; they count all the same
    """

    model_config = ConfigDict(frozen=True)

    total: float
    dimensions: dict[str, float]
    strategy: StrategyName
    next: StrategyName | None
    answers: dict[str, int]
    lifts: tuple[Lift, ...]
    way: tuple[Step, ...]
    contradictions: tuple[Contradiction, ...]


def profile(answers: Answers, form: Questionnaire | None = None) -> Profile:
    """Return scores, strategy and what would lift them, for an answer to every question."""
    form = form or questionnaire()
    total, dimensions = scores(answers, form)
    strategy = fitting(answers, form)
    names = [one.id for one in form.strategies]
    above = names[names.index(strategy) + 1 :]
    return Profile(
        total=round(total, 1),
        dimensions={name: round(score, 1) for name, score in dimensions.items()},
        strategy=strategy,
        next=above[0] if above else None,
        answers={name: answers[name] for name in form.questions},
        lifts=_lifts(answers, form),
        way=_way(answers, form.strategy(above[0]), form) if above else (),
        contradictions=tuple(one for one in form.contradictions if _contradicts(one, answers)),
    )


def scores(answers: Answers, form: Questionnaire) -> tuple[float, dict[str, float]]:
    """Return the total and the score per dimension, 0 to 100, by the formula at the top of ``readiness.yaml``."""
    dimensions = {}
    for dimension in form.dimensions:
        reached = sum(question.weight * answers[question.id] for question in dimension.questions)
        dimensions[dimension.id] = 100 * reached / (TOP * sum(question.weight for question in dimension.questions))
    weights = {dimension.id: dimension.weight for dimension in form.dimensions}
    return sum(weights[name] * score for name, score in dimensions.items()) / sum(weights.values()), dimensions


def fitting(answers: Answers, form: Questionnaire) -> StrategyName:
    """Return the highest strategy whose bars, and those of all before it, are cleared."""
    found = form.strategies[0].id
    for strategy in form.strategies:
        if not _cleared(strategy, answers, form):
            break
        found = strategy.id
    return found


def _cleared(strategy: Strategy, answers: Answers, form: Questionnaire) -> bool:
    total, dimensions = scores(answers, form)
    return (
        all(answers[name] >= level for name, level in strategy.answers.items())
        and _reaches(min(dimensions.values()), strategy.every_dimension)
        and _reaches(total, strategy.total)
    )


def _reaches(score: float, bar: float) -> bool:
    return round(score, 1) >= bar  # as it is shown: "50.0" reaches 50


def _contradicts(one: Contradiction, answers: Answers) -> bool:
    high = all(answers[name] >= level for name, level in one.at_least.items())
    return high and all(answers[name] <= level for name, level in one.at_most.items())


def _lifts(answers: Answers, form: Questionnaire) -> tuple[Lift, ...]:
    total, dimensions = scores(answers, form)
    today = fitting(answers, form)
    lifts = []
    for dimension in form.dimensions:
        for question in dimension.questions:
            level = answers[question.id] + 1
            if level > TOP:
                continue
            lifted = {**answers, question.id: level}
            then, parts = scores(lifted, form)
            strategy = fitting(lifted, form)
            lift = Lift(
                question=question.id,
                dimension=dimension.id,
                level=level,
                gain=round(then - total, 2),
                dimension_gain=round(parts[dimension.id] - dimensions[dimension.id], 2),
                strategy=strategy if strategy != today else None,
            )
            lifts.append(lift)
    return tuple(sorted(lifts, key=lambda lift: (lift.strategy is None, -lift.gain)))


def _way(answers: Answers, goal: Strategy, form: Questionnaire) -> tuple[Step, ...]:
    """Return the fewest levels to gain that clear all bars of ``goal``.

    Required answers come first, then weak dimensions, then the total; each time the level that brings most. A level brings the same
    points wherever it is taken, so that the greedy choice needs the fewest.
    """
    reached = {**answers, **{name: max(level, answers[name]) for name, level in goal.answers.items()}}
    for dimension in form.dimensions:
        while not _reaches(scores(reached, form)[1][dimension.id], goal.every_dimension):
            _raise_best(reached, [dimension], form)
    while not _reaches(scores(reached, form)[0], goal.total):
        _raise_best(reached, list(form.dimensions), form)
    return tuple(
        Step(question=name, now=answers[name], level=reached[name]) for name in form.questions if reached[name] > answers[name]
    )


def _raise_best(reached: dict[str, int], dimensions: list[Dimension], form: Questionnaire) -> None:
    best = max(
        (question.weight / sum(one.weight for one in dimension.questions) * dimension.weight, question.id)
        for dimension in dimensions
        for question in dimension.questions
        if reached[question.id] < TOP
    )
    reached[best[1]] += 1

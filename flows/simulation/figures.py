"""What a time-lapse found, in figures: cost, trainings, how soon a change was noticed, and how often there was none."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from flows.simulation.lapse import PeriodResult
from flows.simulation.stream import Stream
from leitstand import cash_flow
from leitstand.assumptions import Benefit, Errors, ErrorsPerKind
from leitstand.project import Project

HOURS_PER_YEAR = 8766.0
ASSUMED = Benefit(cases_per_year=10_000, cost_per_error_eur=1.0)
EVENTS = ("promoted", "rolled_back", "paused", "resumed", "refused", "ask", "waiting")


class PolicyFigures(BaseModel):
    """The figures of one policy.

    Parameters
    ----------
    cost_eur : what wrong answers cost over all periods, by the project's value formula
    detection_delay_periods : from the first change to the first alarm; None where there was no change or no alarm
    false_alarms : alarms before anything had changed
    rollbacks : promotions taken back
    errors : error of each period: share of wrong answers, or mean absolute error
    events : (period, what was done, why)
    """

    model_config = ConfigDict(frozen=True)

    cost_eur: float
    trainings: int
    detection_delay_periods: int | None
    false_alarms: int | None
    rollbacks: int
    failed_requests: int
    promotions: int
    errors: tuple[float | None, ...]
    events: tuple[tuple[int, str, str], ...]
    seconds: float


class TimeLapse(BaseModel):
    """The document of a time-lapse.

    Parameters
    ----------
    stream : scenario, or name of the file
    moved : column that the scenario moved
    changes : periods in which the world changed; None where nobody knows
    cost_assumed : whether project.yaml gives wrong answers no price, so that each counts one euro
    regret : (leitstand − oracle) / (never − oracle); None without a gap or without an oracle
    """

    model_config = ConfigDict(frozen=True)

    project: str
    stream: str
    seed: int
    periods: int
    moved: str | None
    changes: tuple[int, ...] | None
    cost_assumed: bool
    synthetic: bool
    policies: dict[Literal["never", "always", "leitstand", "oracle"], PolicyFigures]
    regret: float | None
    picture: str | None
    seconds: float


def policy_figures(project: Project, stream: Stream, results: Sequence[PeriodResult], seconds: float) -> PolicyFigures:
    """Return the figures of one policy's course."""
    benefit, _ = priced(project)
    errors = [_error(project, result) for result in results]
    cost = sum(
        _cost(benefit, result, error, (period.end - period.start).total_seconds() / 3600)
        for period, result, error in zip(stream.periods, results, errors, strict=True)
    )
    alarms = [number for number, result in enumerate(results) if result.acted.alarm]
    begin = first_change(stream)
    done = [result.acted.what for result in results]
    return PolicyFigures(
        cost_eur=round(cost, 2),
        trainings=sum(result.acted.trained for result in results),
        detection_delay_periods=None if begin is None else next((one - begin for one in alarms if one >= begin), None),
        false_alarms=None if not _known(stream) else sum(begin is None or one < begin for one in alarms),
        rollbacks=done.count("rolled_back"),
        failed_requests=sum(result.failed_requests for result in results),
        promotions=done.count("promoted"),
        errors=tuple(None if error is None else _total(error) for error in errors),
        events=tuple((n, result.acted.what, result.acted.why) for n, result in enumerate(results) if result.acted.what in EVENTS),
        seconds=round(seconds, 1),
    )


def priced(project: Project) -> tuple[Benefit, bool]:
    """Return the value formula, and whether it had to be assumed because project.yaml gives wrong answers no price."""
    benefit = project.spec.benefit
    if benefit is None:
        return ASSUMED, True
    figures = benefit.figures(ErrorsPerKind(missed=0.5, false_alarm=0.5) if benefit.tells_kinds_apart else 1.0)
    return (benefit, False) if cash_flow.error_cost_eur_per_case(figures, "expected_error") > 0 else (ASSUMED, True)


def regret(policies: dict[str, PolicyFigures]) -> float | None:
    """Return the part of the gap between never training and knowing everything that the maintenance loop leaves."""
    if not {"never", "leitstand", "oracle"} <= set(policies):
        return None
    gap = policies["never"].cost_eur - policies["oracle"].cost_eur
    return None if gap <= 0 else (policies["leitstand"].cost_eur - policies["oracle"].cost_eur) / gap


def first_change(stream: Stream) -> int | None:
    """Return the first period in which the world was another; None where there is none, or nobody knows."""
    return next((n for n, period in enumerate(stream.periods) if period.world is not None and period.world.changed), None)


def _known(stream: Stream) -> bool:
    return all(period.world is not None for period in stream.periods)


def _error(project: Project, result: PeriodResult) -> Errors | None:
    pairs = [(truth, answer) for truth, answer in zip(result.truth, result.answers, strict=True) if answer is not None]
    if not pairs:
        return None
    truth, answers = zip(*pairs, strict=True)
    if project.spec.task == "regression":
        return float(np.abs(np.asarray(truth, dtype=float) - np.asarray(answers, dtype=float)).mean())
    positive = _positive(project)
    if positive is None:
        return float(np.mean([not _same(one, other) for one, other in pairs]))
    if project.spec.task == "anomaly":
        said, true = np.asarray(answers, dtype=bool), np.asarray([not _same(one, positive) for one in truth])
    else:
        said, true = np.asarray([_same(one, positive) for one in answers]), np.asarray([_same(one, positive) for one in truth])
    return ErrorsPerKind(missed=float((true & ~said).mean()), false_alarm=float((~true & said).mean()))


def _positive(project: Project) -> object:
    """Return the value that tells the kinds of error apart: the class that matters, or for anomaly the one that is normal."""
    return project.spec.data.normal if project.spec.task == "anomaly" else project.spec.data.positive


def _same(one: object, other: object) -> bool:
    """Compare a class of the table with one of an answer: conformed classes are floats where the contract says boolean or integer."""
    try:
        return float(one) == float(other)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return str(one) == str(other)


def _cost(benefit: Benefit, result: PeriodResult, error: Errors | None, hours: float) -> float:
    """Return what the period's wrong answers cost; where the service gave none, a person decided as today."""
    cases = benefit.cases_per_year * hours / HOURS_PER_YEAR
    silent = sum(answer is None for answer in result.answers) / len(result.answers) if result.answers else 0.0
    figures = benefit.figures(_total(error) if error is not None and not benefit.tells_kinds_apart else error)
    today = float(cash_flow.error_cost_eur_per_case(figures, "errors_today"))
    then = float(cash_flow.error_cost_eur_per_case(figures, "expected_error")) if error is not None else today
    return cases * (silent * today + (1 - silent) * then)


def _total(error: Errors) -> float:
    return error.total if isinstance(error, ErrorsPerKind) else error

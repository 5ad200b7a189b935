"""Whether a challenger on trial is promoted, withdrawn, or goes on answering, as a pure function of what it did."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from leitstand.incident import Statement
from leitstand.spec import ProjectSpec

Ending = Literal["promote", "withdraw", "wait"]
FEW_OFFERED = 4  # times the rows it should have answered, were offered to it: then it cannot keep up or fails
DISAGREEMENT = 0.1  # beyond twice what was known from the hold-out


class Gain(BaseModel):
    """How much better the challenger was on the same labelled rows, with its 95 % interval; positive is better."""

    model_config = ConfigDict(frozen=True)

    metric: str
    rows: int
    value: float
    low: float
    high: float


class TrialSeen(BaseModel):
    """What a challenger did on trial.

    Parameters
    ----------
    hours : since the trial began
    answered : rows that the challenger answered
    offered : rows that it should have answered: all in the shadow, its share of a canary
    gain : None where too few labels came
    disagreement : share of the answers that differ from the champion's, for numbers their mean distance in standard deviations; None where
        the two could not be laid beside each other
    usual_disagreement : the same on the hold-out
    latency_ms : median of its answers; None where nobody measured
    """

    model_config = ConfigDict(frozen=True)

    version: int
    mode: Literal["shadow", "canary"]
    hours: float
    answered: int
    offered: float
    gain: Gain | None = None
    disagreement: float | None = None
    usual_disagreement: float | None = None
    latency_ms: float | None = None


class TrialVerdict(BaseModel):
    """What to do with the challenger, and why."""

    model_config = ConfigDict(frozen=True)

    ending: Ending
    why: tuple[Statement, ...]
    seen: TrialSeen


def settle(spec: ProjectSpec, seen: TrialSeen) -> TrialVerdict:
    """Return whether the trial is over and how it ends.

    It has passed every gate on the hold-out, so the trial looks for what the hold-out could not show: it is withdrawn where it is certainly
    worse on the labels that came, without labels where it answers otherwise than known, and where it is too slow or does not answer.
    """
    policy = spec.maintenance
    if seen.answered < policy.rollout_rows:
        if seen.offered >= FEW_OFFERED * policy.rollout_rows:
            return _verdict(seen, "withdraw", "trial_silent", answered=seen.answered, offered=round(seen.offered))
        return _verdict(seen, "wait", "trial_goes_on", answered=seen.answered, needed=policy.rollout_rows)
    if seen.latency_ms is not None and seen.latency_ms > spec.gates.max_latency_ms:
        return _verdict(
            seen, "withdraw", "trial_slow", latency=f"{seen.latency_ms:.0f}", limit=f"{spec.gates.max_latency_ms:.0f}"
        )
    if seen.gain is not None:
        worse = seen.gain.high < -spec.gates.champion_tolerance
        return _judged(seen, worse)
    if seen.hours < spec.monitoring.label_delay_hours:
        return _verdict(seen, "wait", "trial_awaits_labels", hours=f"{spec.monitoring.label_delay_hours - seen.hours:.0f}")
    return _without_labels(seen)


def _judged(seen: TrialSeen, worse: bool) -> TrialVerdict:
    assert seen.gain is not None, "judged by labels"
    figures = {"gain": seen.gain.value, "low": seen.gain.low, "high": seen.gain.high}
    key = "trial_worse" if worse else "trial_good"
    return _verdict(seen, "withdraw" if worse else "promote", key, metric=seen.gain.metric, rows=seen.gain.rows, **figures)


def _without_labels(seen: TrialSeen) -> TrialVerdict:
    if seen.disagreement is None:
        return _verdict(seen, "promote", "trial_unlabelled", answered=seen.answered)
    limit = 2 * (seen.usual_disagreement or 0.0) + DISAGREEMENT
    figures = {"found": seen.disagreement, "limit": limit, "answered": seen.answered}
    if seen.disagreement > limit:
        return _verdict(seen, "withdraw", "trial_strange", **figures)
    return _verdict(seen, "promote", "trial_alike", **figures)


def _verdict(seen: TrialSeen, ending: Ending, key: str, **values: object) -> TrialVerdict:
    said = Statement.of(f"maintenance.{key}", version=seen.version, **values)
    return TrialVerdict(ending=ending, why=(said,), seen=seen)

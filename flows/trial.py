"""A challenger's trial in use: its begin, what it did so far, and its end."""

from datetime import timedelta
from typing import Any

from flows.beside import Beside, gain, replayed, silent
from flows.beside import disagreement as differ
from flows.judged import DISAGREEMENT, evidence_of
from flows.practice_check import Pilot
from flows.workspace import Desk
from infra.approvals import barred
from infra.history import SHARE, TRIALS, Promotion, Standing
from leitstand.incident import Statement
from leitstand.now import is_ahead, now
from leitstand.rollout import TrialSeen, TrialVerdict, settle

CLOCK_STEP = timedelta(hours=1)  # by less a clock is set now and then


def begin(desk: Desk, pilot: Pilot, who: str, why: str) -> Promotion:
    """Let a challenger that passed every gate answer beside the champion, as project.yaml says."""
    policy = desk.project.spec.maintenance
    assert policy.rollout != "direct", "a direct rollout has no trial"
    share = policy.canary_share if policy.rollout == "canary" else 0.0
    return desk.registry.begin_trial(
        desk.project.name, pilot.version.version, policy.rollout, share, who=who, why=why, evidence=evidence_of(pilot)
    )


def examine_trial(desk: Desk, standing: Standing) -> TrialVerdict | None:
    """Return how the trial that is running stands; None where none is."""
    if standing.challenger is None or standing.mode is None:
        return None
    entries = desk.registry.history(desk.project.name)
    started = _begun(entries)
    seen = _seen(desk, standing, started)
    if standing.challenger in barred(entries):
        return _void("maintenance.trial_refused_by_hand", seen)
    if is_ahead(started.time - CLOCK_STEP):
        return _void("maintenance.trial_ahead", seen)
    return settle(desk.project.spec, seen)


def _void(why: str, seen: TrialSeen) -> TrialVerdict:
    return TrialVerdict(ending="withdraw", why=(Statement.of(why, version=seen.version),), seen=seen)


def evidence_after(desk: Desk, verdict: TrialVerdict) -> dict[str, Any]:
    """Return what the end of a trial rests on: the judgement on the hold-out with which it began, and what the challenger did since."""
    started = _begun(desk.registry.history(desk.project.name))
    kept = {name: value for name, value in started.evidence.items() if name != SHARE}
    return kept | {"gain": verdict.seen.gain.model_dump() if verdict.seen.gain else None, "trial": verdict.seen.model_dump()}


def _begun(entries: list[Promotion]) -> Promotion:
    return next(one for one in reversed(entries) if one.kind in TRIALS)


def _seen(desk: Desk, standing: Standing, started: Promotion) -> TrialSeen:
    assert standing.challenger is not None, "on trial"
    assert standing.mode is not None, "on trial"
    own = desk.log.read(desk.project.name, model_version=standing.challenger, since=started.time, roles=(standing.mode,))
    given = desk.log.count(desk.project.name, since=started.time, roles=("champion", "canary"))
    found = {
        "version": standing.challenger,
        "mode": standing.mode,
        "hours": (now() - started.time) / timedelta(hours=1),
        "answered": len(own),
        "offered": given if standing.mode == "shadow" else given * standing.share,
        "usual_disagreement": started.evidence.get(DISAGREEMENT),
        "latency_ms": float(own["latency_ms"].median()) if own["latency_ms"].notna().any() else None,
    }
    if len(own) < desk.project.spec.maintenance.rollout_rows:  # the comparison is not asked for yet, and costs time
        return TrialSeen.model_validate(found)
    beside = _beside(desk, standing, started)
    if beside is None:
        return TrialSeen.model_validate(found)
    compared = {"gain": gain(desk, beside), "disagreement": differ(beside.old, beside.new)}
    return TrialSeen.model_validate(found | compared)


def _beside(desk: Desk, standing: Standing, started: Promotion) -> Beside | None:
    assert standing.challenger is not None, "on trial"
    if standing.mode == "shadow":
        return silent(desk, standing.challenger, started.time)
    assert standing.champion is not None, "a trial has a champion beside it"
    versions = [desk.registry.version(desk.project.name, number) for number in (standing.champion, standing.challenger)]
    return replayed(desk, versions[0], versions[1], started.time)

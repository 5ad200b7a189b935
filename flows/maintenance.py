"""The loop after the introduction: take in new rows, look, settle what is under way, decide, and act where the company allows it.

Each step is one entry of the history, and what the entry needs stands before it is made. So a pass that is killed anywhere leaves either the
state before the step or the one after it, and the next pass goes on from there.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from flows.halting import is_sound_again, pause
from flows.incidents import follow_up, report_incident, said_by, settle_incident
from flows.ingest import ingest
from flows.introduction import promote
from flows.judged import evidence_of
from flows.practice_check import Pilot, practice_check
from flows.probation import predecessor_better, told
from flows.stage import stage
from flows.status_quo import status_quo
from flows.trial import begin, examine_trial
from flows.watch import Looked, look, note_pass, require_champion
from flows.workspace import Desk
from infra.approvals import barred, pending
from infra.history import Standing
from infra.locks import project_lock
from leitstand.decision import Decision
from leitstand.incident import Statement
from leitstand.now import now
from leitstand.rollout import TrialVerdict
from monitoring.result import MonitoringResult

Acted = Literal["none", "promoted", "refused", "waiting", "trial", "withdrawn", "rolled_back", "paused", "resumed"]


@dataclass(frozen=True)
class Step:
    """One thing that a pass did.

    Parameters
    ----------
    version : that it was done with
    why : in sentences of the catalogue
    """

    did: Acted
    version: int
    why: tuple[Statement, ...]


@dataclass(frozen=True)
class Maintained:
    """One pass of the loop.

    Parameters
    ----------
    pilot : the challenger, where one was trained
    champion : version in charge afterwards
    acted : the last thing that was done, as the steps have it; ``none`` where nothing was
    steps : all that was done, in order
    trial : how the trial stood that was running when the pass began
    standing : who answers afterwards
    """

    monitoring: MonitoringResult
    decision: Decision
    pilot: Pilot | None
    champion: int
    acted: Acted
    steps: tuple[Step, ...]
    trial: TrialVerdict | None
    standing: Standing


@dataclass
class _Pass:
    """A pass under way."""

    desk: Desk
    who: str
    looked: Looked
    steps: list[Step] = field(default_factory=list)
    pilot: Pilot | None = None

    @property
    def standing(self) -> Standing:
        found = self.desk.registry.standing(self.desk.project.name)
        assert found is not None, "a project under maintenance has a champion"
        return found

    @property
    def acted(self) -> Acted:
        return self.steps[-1].did if self.steps else "none"

    def did(self, what: Acted, version: int, *why: Statement) -> None:
        self.steps.append(Step(what, version, why))


@stage("maintenance")
def maintenance(desk: Desk, who: str, dry_run: bool = False, html: bool = False) -> Maintained:
    """Look at the champion, decide, and do what project.yaml allows; with ``dry_run`` only say what would be done.

    Raises
    ------
    StateError
        If the project has no champion yet.
    """
    with project_lock(desk.settings, desk.project.name):
        require_champion(desk)  # and set MLflow's alias right where a promotion was killed half-way
        if desk.project.spec.data.incoming is not None:
            ingest(desk, dry_run)
        looked = look(desk, html)
        one = _Pass(desk, who, looked)
        trial = examine_trial(desk, one.standing)
        if not dry_run:
            for step in (_settle_trial(trial), _probation, _resume, _decided):
                step(one)
            note_pass(desk, looked, one.acted)
            forget(desk)
            follow_up(desk)
        standing = one.standing
        assert standing.champion is not None, "a project under maintenance has a champion"
        return Maintained(
            looked.monitoring, looked.decision, one.pilot, standing.champion, one.acted, tuple(one.steps), trial, standing
        )


def forget(desk: Desk) -> int:
    """Delete the predictions that project.yaml lets nobody keep any longer; return how many."""
    days = desk.project.spec.serving.log_days
    return 0 if days is None else desk.log.prune(desk.project.name, now() - timedelta(days=days))


def _settle_trial(trial: TrialVerdict | None) -> Callable[[_Pass], None]:
    def step(one: _Pass) -> None:
        if trial is None or trial.ending == "wait":
            return
        name, version = one.desk.project.name, trial.seen.version
        evidence, why = trial.seen.model_dump(), " ".join(said.render("en") for said in trial.why)
        if trial.ending == "withdraw":
            one.desk.registry.withdraw(name, who=one.who, why=why, evidence=evidence)
            one.did("withdrawn", version, *trial.why)
            report_incident(one.desk, "refused_challenger", "info", trial.why, evidence, model_version=version)
        elif one.desk.project.spec.maintenance.promote == "approval":
            _ask(one, version, evidence, *trial.why)
        else:
            one.desk.registry.promote(name, version, who=one.who, why=why, evidence=evidence)
            one.did("promoted", version, *trial.why)

    return step


def _probation(one: _Pass) -> None:
    """Take a promotion back whose predecessor certainly answers better today."""
    champion = require_champion(one.desk)
    if one.steps or champion.version != one.looked.monitoring.model_version:
        return
    found = predecessor_better(one.desk, one.looked, champion)
    if found is None:
        return
    before = one.desk.registry.champions(one.desk.project.name)[-2]
    _roll_back(one, told(champion.version, before, found))


def _resume(one: _Pass) -> None:
    standing = one.standing
    if not standing.paused or not is_sound_again(one.desk, standing, require_champion(one.desk)):
        return
    why = Statement.of("maintenance.sound_again", windows=one.desk.project.spec.monitoring.confirm_windows)
    entry = one.desk.registry.resume(one.desk.project.name, who=one.who, why=why.render("en"))
    one.did("resumed", entry.to_version, why)
    settle_incident(one.desk, "pause", why)


def _decided(one: _Pass) -> None:
    """Carry the decision out, unless something else was done that it did not know of."""
    action, standing = one.looked.decision.action, one.standing
    if any(step.did in ("promoted", "rolled_back", "resumed") for step in one.steps):
        return
    if action == "rollback":
        _roll_back(one, *said_by(one.looked.decision))
    elif action == "pause" and not standing.paused:
        entry = pause(one.desk, one.looked.decision, one.who)
        one.did("paused", entry.to_version, *said_by(one.looked.decision))
        report_incident(one.desk, "pause", "critical", said_by(one.looked.decision))
    elif action == "ask":
        report_incident(one.desk, "question", "warning", said_by(one.looked.decision))
    elif action == "retrain" and standing.challenger is None:
        _retrain(one)


def _roll_back(one: _Pass, *why: Statement) -> None:
    reasons = " ".join(said.render("en") for said in why)
    entry = one.desk.registry.rollback(one.desk.project.name, who=one.who, why=reasons)
    one.did("rolled_back", entry.to_version, *why)
    back = Statement.of("incidents.rolled_back", version=entry.to_version, before=entry.from_version)
    report_incident(one.desk, "rollback", "critical", (back, *why))


def _retrain(one: _Pass) -> None:
    """Train a challenger, and promote, refuse, try or show it to a person, as the gates and project.yaml say."""
    desk, policy = one.desk, one.desk.project.spec.maintenance
    desk.tracker.close_abandoned(desk.project.name)
    pilot = one.pilot = practice_check(desk, status_quo(desk), one.looked.since)
    version, judgement = pilot.version.version, pilot.judgement
    why = one.looked.decision.render("en")
    if pilot.unchanged:
        one.did("refused", version, Statement.of("maintenance.same_model", version=version))
    elif version in barred(desk.registry.history(desk.project.name)):
        _refuse(one, version, Statement.of("maintenance.taken_back_before", version=version))
    elif judgement.only_distrusted:
        piece = judgement.distrusted[0]
        _ask(
            one,
            version,
            evidence_of(pilot),
            Statement.of("maintenance.distrusted", start=piece.start, end=piece.end, rows=piece.rows),
        )
    elif not judgement.passed:
        failed = ", ".join(gate.name for gate in judgement.gates if not gate.passed)
        _refuse(one, version, Statement.of("maintenance.gates_failed", version=version, gates=failed))
    elif policy.rollout != "direct":
        begin(desk, pilot, one.who, why)
        one.did("trial", version, Statement.of(f"maintenance.begun_{policy.rollout}", version=version, rows=policy.rollout_rows))
    elif policy.promote == "approval":
        _ask(one, version, evidence_of(pilot), Statement.of("maintenance.approval_needed", version=version))
    else:
        promote(desk, pilot, one.who, f"passed every gate; {why}")
        one.did("promoted", version, *said_by(one.looked.decision))


def _refuse(one: _Pass, version: int, why: Statement) -> None:
    one.did("refused", version, why)
    report_incident(one.desk, "refused_challenger", "info", why, model_version=version)


def _ask(one: _Pass, version: int, evidence: dict[str, object], *why: Statement) -> None:
    """Let a challenger wait for a person's word; one that waits already is not asked for again."""
    name = one.desk.project.name
    if not any(waiting.version == version for waiting in pending(one.desk.settings, name)):
        reasons = " ".join(said.render("en") for said in why)
        one.desk.registry.ask(name, version, who=one.who, why=reasons, evidence=evidence)
        report_incident(one.desk, "question", "warning", why, model_version=version)
    one.did("waiting", version, *why)

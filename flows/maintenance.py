"""The loop after the introduction: take in new rows, look, settle what is under way, decide, and act where the company allows it.

Each step is one entry of the history, and what the entry needs stands before it is made. So a pass that is killed anywhere leaves either the
state before the step or the one after it, and the next pass goes on from there.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from flows.challenging import ask, retrain
from flows.halting import is_sound_again, pause
from flows.incidents import follow_up, open_incident, report_incident, said_by, settle_incident
from flows.ingest import Ingested, ingest
from flows.notifying import language_of
from flows.one_pass import Acted, Pass, Step
from flows.practice_check import Pilot
from flows.probation import predecessor_better, told
from flows.stage import stage
from flows.trial import evidence_after, examine_trial
from flows.value import book_value
from flows.watch import look, note_pass, passes_of, require_champion
from flows.workspace import Desk
from infra.history import Standing
from infra.locks import project_lock
from leitstand.decision import Decision, Signals
from leitstand.errors import StateError
from leitstand.incident import Kind, Statement
from leitstand.now import now
from leitstand.rollout import TrialVerdict
from leitstand.texts import Language
from monitoring.result import MonitoringResult


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
    taken : what deliveries brought; None where project.yaml names no place that they come to
    overtaken : the decision was not carried out, because something was done before that it did not know of
    """

    monitoring: MonitoringResult
    decision: Decision
    pilot: Pilot | None
    champion: int
    acted: Acted
    steps: tuple[Step, ...]
    trial: TrialVerdict | None
    standing: Standing
    taken: Ingested | None
    overtaken: bool = False

    def sentences(self, language: Language) -> list[str]:
        """Return the decision, how a trial under way stands, and why each step was done; what was said already is not said again."""
        said = [] if self.overtaken else [self.decision.render(language)]
        waits = self.trial.why if self.trial and self.trial.ending == "wait" else ()
        known = set() if self.overtaken else {reason.render(language) for reason in self.decision.reasons}
        for one in (*waits, *(why for step in self.steps for why in step.why)):
            sentence = one.render(language)
            if sentence not in known:
                known.add(sentence)
                said.append(sentence)
        return said


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
        try:
            return _carried_out(desk, who, dry_run, html)
        except Exception as error:
            if not dry_run:
                with suppress(StateError):  # what keeps the log of incidents from being written is the error itself then
                    report_incident(desk, "failed_pass", "warning", Statement.of_error(error))
                    follow_up(desk)
            raise


def _carried_out(desk: Desk, who: str, dry_run: bool, html: bool) -> Maintained:
    taken = ingest(desk, dry_run) if desk.project.spec.data.incoming is not None else None
    looked = look(desk, html)
    one = Pass(desk, who, looked)
    trial = examine_trial(desk, one.standing)
    if not dry_run:
        _report_held_back(desk, taken)
        for step in (_settle_trial(trial), _probation, _resume, _decided, _close_what_is_over):
            step(one)
        has_trained = one.pilot is not None or looked.decision.action != "retrain"
        note_pass(desk, looked, one.acted if has_trained else "none")
        book_value(desk)  # before anything is forgotten that a month has earned with
        forget(desk)
        settle_incident(desk, "failed_pass", Statement.of("incidents.pass_ran_again"))
        follow_up(desk)
    standing = one.standing
    assert standing.champion is not None, "a project under maintenance has a champion"
    steps = tuple(one.steps)
    return Maintained(
        looked.monitoring, looked.decision, one.pilot, standing.champion, one.acted, steps, trial, standing, taken, one.overtaken
    )


def _report_held_back(desk: Desk, taken: Ingested | None) -> None:
    """Report once what did not come in: deliveries that wait for a person, whoever found them, and places that cannot be read.

    The incident is closed when there is neither any more.
    """
    if taken is None:
        return
    if not taken.waiting and not taken.missed:
        settle_incident(desk, "held_back_delivery", Statement.of("incidents.nothing_held_back"))
        return
    known = open_incident(desk, "held_back_delivery")
    told = [report.content["evidence"] for report in (known.reports if known else ())]
    numbers = {number for one in told for number in one.get("deliveries", ())}
    places = {place for one in told for place in one.get("places", ())}
    fresh = [one for one in taken.waiting if one.number not in numbers]
    missed = {place: error for place, error in taken.missed.items() if place not in places}
    said = [
        statement
        for one in fresh
        for statement in (Statement.of("incidents.held_back", number=one.number, delivery=one.name), one.reason)
        if statement is not None
    ]
    said += [one for error in missed.values() for one in (Statement.of("incidents.place_missed"), Statement.of_error(error))]
    if said:
        evidence = {"deliveries": [one.number for one in fresh], "places": list(missed)}
        report_incident(desk, "held_back_delivery", "warning", said, {name: some for name, some in evidence.items() if some})


def forget(desk: Desk) -> int:
    """Delete the predictions that project.yaml lets nobody keep any longer; return how many.

    They are counted from the pass before this one: a clock that jumps far ahead must not empty the log at once.
    """
    days = desk.project.spec.serving.log_days
    if days is None:
        return 0
    before = passes_of(desk, limit=2)[1:]
    return desk.log.prune(desk.project.name, min(now(), before[0].time) - timedelta(days=days)) if before else 0


def _settle_trial(trial: TrialVerdict | None) -> Callable[[Pass], None]:
    def step(one: Pass) -> None:
        if trial is None or trial.ending == "wait":
            return
        name, version = one.desk.project.name, trial.seen.version
        evidence, why = evidence_after(one.desk, trial), " ".join(said.render(language_of(one.desk)) for said in trial.why)
        if trial.ending == "withdraw":
            one.desk.registry.withdraw(name, who=one.who, why=why, evidence=evidence)
            one.did("withdrawn", version, *trial.why)
            report_incident(one.desk, "refused_challenger", "info", trial.why, trial.seen.model_dump())
        elif one.desk.project.spec.maintenance.promote == "approval":
            ask(one, version, evidence, *trial.why)
        else:
            one.desk.registry.promote(name, version, who=one.who, why=why, evidence=evidence)
            one.did("promoted", version, *trial.why)

    return step


def _probation(one: Pass) -> None:
    """Take a promotion back whose predecessor certainly answers better today."""
    champion = require_champion(one.desk)
    if one.steps or champion.version != one.looked.monitoring.model_version:
        return
    found = predecessor_better(one.desk, one.looked, champion)
    if found is None:
        return
    before = one.desk.registry.champions(one.desk.project.name)[-2]
    _roll_back(one, told(champion.version, before, found))


def _resume(one: Pass) -> None:
    standing = one.standing
    if not standing.paused or not is_sound_again(one.desk, standing, require_champion(one.desk)):
        return
    why = _sound_again(one.desk.project.spec.monitoring.confirm_windows)
    entry = one.desk.registry.resume(one.desk.project.name, who=one.who, why=why.render(language_of(one.desk)))
    one.did("resumed", entry.to_version, why)
    settle_incident(one.desk, "pause", why)


def _decided(one: Pass) -> None:
    """Carry the decision out, unless something else was done that it did not know of."""
    action, standing = one.looked.decision.action, one.standing
    one.overtaken = any(step.did in ("promoted", "rolled_back", "resumed") for step in one.steps)
    if one.overtaken:
        return
    if action == "rollback":
        _roll_back(one, *said_by(one.looked.decision))
    elif action == "pause" and not standing.paused:
        entry = pause(one.desk, one.looked.decision, one.who)
        one.did("paused", entry.to_version, *said_by(one.looked.decision))
        report_incident(one.desk, "pause", "critical", said_by(one.looked.decision))
    elif action == "ask":
        kind: Kind = "broken_input" if one.looked.signals.broken_columns else "question"
        report_incident(one.desk, kind, "warning", said_by(one.looked.decision))
    elif action == "retrain" and standing.challenger is None:
        retrain(one)


def _close_what_is_over(one: Pass) -> None:
    """Close the incidents whose cause is gone: refused challengers once a later one is in charge, broken inputs once they are sound again."""
    promoted = [step.version for step in one.steps if step.did == "promoted"]
    if promoted:
        settle_incident(one.desk, "refused_challenger", Statement.of("incidents.later_promoted", version=promoted[-1]))
    windows = one.desk.project.spec.monitoring.confirm_windows
    if one.looked.signals.broken_columns or open_incident(one.desk, "broken_input") is None:
        return
    if not _broken_lately(one, windows):
        settle_incident(one.desk, "broken_input", _sound_again(windows))


def _sound_again(windows: int) -> Statement:
    return (
        Statement.of("maintenance.sound_again_once") if windows == 1 else Statement.of("maintenance.sound_again", windows=windows)
    )


def _broken_lately(one: Pass, windows: int) -> bool:
    """Return whether inputs were broken in the newest windows, or there are not as many to tell from."""
    earlier = [Signals.model_validate(known.signals) for known in passes_of(one.desk)]
    judged = [seen for seen in (one.looked.signals, *earlier) if seen.enough][:windows]
    return len(judged) < windows or any(seen.broken_columns for seen in judged)


def _roll_back(one: Pass, *why: Statement) -> None:
    reasons = " ".join(said.render(language_of(one.desk)) for said in why)
    entry = one.desk.registry.rollback(one.desk.project.name, who=one.who, why=reasons)
    one.did("rolled_back", entry.to_version, *why)
    back = Statement.of("incidents.rolled_back", version=entry.to_version, before=entry.from_version)
    report_incident(one.desk, "rollback", "critical", (back, *why))

"""The loop after the introduction, in its first form: monitor, decide, and act where the company allows it."""

from dataclasses import dataclass
from datetime import timedelta

from flows.introduction import promote
from flows.practice_check import Pilot, practice_check
from flows.stage import stage
from flows.status_quo import status_quo
from flows.watch import look, note_pass, require_champion
from flows.workspace import Desk
from infra.locks import project_lock
from leitstand.decision import Decision
from leitstand.now import now
from monitoring.result import MonitoringResult


@dataclass(frozen=True)
class Maintained:
    """One pass of the loop.

    Parameters
    ----------
    pilot : the challenger, where one was trained
    champion : version in charge afterwards
    acted : what was done: ``none``, ``promoted``, ``refused``, ``waiting`` (for approval) or ``rolled_back``
    """

    monitoring: MonitoringResult
    decision: Decision
    pilot: Pilot | None
    champion: int
    acted: str


@stage("maintenance")
def maintenance(desk: Desk, who: str, dry_run: bool = False, html: bool = False) -> Maintained:
    """Look at the champion, decide, and do what project.yaml allows; with ``dry_run`` only say what would be done.

    Raises
    ------
    StateError
        If the project has no champion yet.
    """
    with project_lock(desk.settings, desk.project.name):
        looked = look(desk, html)
        pilot, acted = (None, "none") if dry_run else act(desk, looked.decision, who)
        if not dry_run:
            note_pass(desk, looked, acted)
            forget(desk)
        return Maintained(looked.monitoring, looked.decision, pilot, require_champion(desk).version, acted)


def forget(desk: Desk) -> int:
    """Delete the predictions that project.yaml lets nobody keep any longer; return how many."""
    days = desk.project.spec.serving.log_days
    return 0 if days is None else desk.log.prune(desk.project.name, now() - timedelta(days=days))


def act(desk: Desk, decision: Decision, who: str) -> tuple[Pilot | None, str]:
    """Carry out a decision and return the challenger, if one was trained, and what was done."""
    if decision.action == "rollback":
        why = decision.render("en")
        desk.registry.rollback(desk.project.name, who=who, why=why)
        return None, "rolled_back"
    if decision.action != "retrain":
        return None, "none"
    desk.tracker.close_abandoned(desk.project.name)
    pilot = practice_check(desk, status_quo(desk))
    if pilot.unchanged or not pilot.judgement.passed:
        return pilot, "refused"
    if desk.project.spec.maintenance.promote == "approval":
        return pilot, "waiting"
    promote(desk, pilot, who)
    return pilot, "promoted"

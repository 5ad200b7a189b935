"""The four policies that a time-lapse compares."""

from flows.maintenance import maintenance
from flows.practice_check import practice_check
from flows.simulation.lapse import Acted, Policy
from flows.simulation.stream import Period
from flows.status_quo import status_quo
from flows.workspace import Desk
from leitstand.errors import LeitstandError

WHO = "time-lapse"
ALARMS = ("retrain", "rollback", "ask", "pause")


def never(desk: Desk, period: Period) -> Acted:
    """Leave the first model in charge for ever."""
    return Acted()


def always(desk: Desk, period: Period) -> Acted:
    """Train after every period on all there is, and put the new model in charge whatever it is worth: what a scheduled script does."""
    return retrained(desk)


def oracle(desk: Desk, period: Period) -> Acted:
    """Train after every period in which the world was another than before, or is still settling: this policy is told."""
    return retrained(desk) if period.world is not None and period.world.changed else Acted()


def leitstand(desk: Desk, period: Period) -> Acted:
    """Do what the maintenance loop does."""
    found = maintenance(desk, WHO)
    return Acted(
        what=found.acted if found.acted != "none" else found.decision.action,
        trained=found.pilot is not None,
        alarm=found.decision.action in ALARMS,
        why=found.decision.render(desk.settings.language),
    )


POLICIES: dict[str, Policy] = {"never": never, "always": always, "leitstand": leitstand, "oracle": oracle}


def retrained(desk: Desk) -> Acted:
    """Take the new rows in, train on all, and promote without looking at a gate."""
    from flows.ingest import ingest

    try:
        ingest(desk)
        pilot = practice_check(desk, status_quo(desk))
    except LeitstandError as error:  # such as one class only: a script would fail and leave the model in charge
        return Acted("failed", trained=True, why=str(error))
    if pilot.unchanged:
        return Acted("unchanged", trained=True)
    desk.registry.promote(desk.project.name, pilot.version.version, who=WHO, why="every period")
    return Acted("promoted", trained=True)

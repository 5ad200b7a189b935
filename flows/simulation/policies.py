"""The four policies that a time-lapse compares."""

from datetime import datetime

from flows.ingest import ingest
from flows.maintenance import maintenance
from flows.practice_check import practice_check
from flows.simulation.lapse import Acted, Policy
from flows.simulation.stream import Stream
from flows.status_quo import status_quo
from flows.workspace import Desk
from leitstand.errors import LeitstandError

WHO = "time-lapse"
SETTLING_PERIODS = 2
ALARMS = ("retrain", "rollback", "ask", "pause")
QUIET = ("young_model",)  # a reason to train that says nothing about the world


def never(desk: Desk, stream: Stream, number: int) -> Acted:
    """Leave the first model in charge for ever."""
    return Acted()


def always(desk: Desk, stream: Stream, number: int) -> Acted:
    """Train after every period on all there is, and put the new model in charge whatever it is worth: what a scheduled script does."""
    return retrained(desk)


def oracle(desk: Desk, stream: Stream, number: int) -> Acted:
    """Train after a period in which the world was another than before, and after the next ones, until there is enough of the new world."""
    changes = [n for n in range(number + 1) if (world := stream.periods[n].world) is not None and world.changed]
    if not changes or number > changes[-1] + SETTLING_PERIODS:
        ingest(desk)
        return Acted()
    return retrained(desk, stream.periods[changes[-1]].start)


def leitstand(desk: Desk, stream: Stream, number: int) -> Acted:
    """Do what the maintenance loop does."""
    found = maintenance(desk, WHO)
    return Acted(
        what=found.acted if found.acted != "none" else found.decision.action,
        trained=found.pilot is not None,
        alarm=found.decision.action in ALARMS and found.decision.reasons[0].key not in QUIET,
        why=" ".join(found.sentences(desk.settings.language)),
    )


POLICIES: dict[str, Policy] = {"never": never, "always": always, "leitstand": leitstand, "oracle": oracle}


def retrained(desk: Desk, since: datetime | None = None) -> Acted:
    """Take the new rows in, train, and promote without looking at a gate; ``since`` is when the world changed, for who knows it."""
    try:
        ingest(desk)
        pilot = practice_check(desk, status_quo(desk), since)
    except LeitstandError as error:  # such as one class only: a script would fail and leave the model in charge
        return Acted("failed", trained=True, why=str(error))
    if pilot.unchanged:
        return Acted("unchanged", trained=True)
    desk.registry.promote(desk.project.name, pilot.version.version, who=WHO, why="every period")
    return Acted("promoted", trained=True)

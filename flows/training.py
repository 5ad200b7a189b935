"""Training alone: everything up to the registered version, nobody is promoted."""

from time import perf_counter

from flows.artifacts import publish
from flows.benefit import benefit
from flows.evidence import keep_evidence, rests_on
from flows.introduction import Introduction
from flows.lifecycle import run_report
from flows.practice_check import Pilot, practice_check
from flows.stage import stage
from flows.status_quo import Inventory, status_quo
from flows.strategy import strategy
from flows.workspace import Desk
from infra.locks import project_lock
from leitstand.milestones import milestone
from leitstand.run_report import RunReport


@stage("train")
def training_only(desk: Desk) -> RunReport:
    """Train, judge and register a model; the champion stays what it is."""
    started = perf_counter()
    with project_lock(desk.settings, desk.project.name):
        desk.tracker.close_abandoned(desk.project.name)
        known = rests_on(desk)
        inventory = status_quo(desk)
        promise, sourcing = benefit(desk), strategy(desk)
        pilot = practice_check(desk, inventory)
    waiting = _nobody_promoted()
    report = run_report(desk, inventory, promise, sourcing, pilot, waiting, None, perf_counter() - started)
    keep_evidence(desk, report, known, left_out=("M5",))
    publish(report, desk.settings.language)
    return report


def keep_challenger(desk: Desk, inventory: Inventory, pilot: Pilot) -> None:
    """Append what the practice check of a challenger found, so that the roadmap knows the model that may be put in charge.

    Raises
    ------
    StateError
        If the database cannot be written.
    """
    unseen = milestone("M3", "open", 0.0)
    report = run_report(desk, inventory, benefit(desk), unseen, pilot, _nobody_promoted(), None, 0.0)
    keep_evidence(desk, report, rests_on(desk), left_out=("M3", "M5"))


def _nobody_promoted() -> Introduction:
    return Introduction(False, None, None, milestone("M5", "open", 0.0, missing=("promotion",)))

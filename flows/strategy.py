"""M3, strategy: make, buy or cooperate, and who answers for it?"""

from time import perf_counter

from flows.stage import stage
from flows.workspace import Desk
from leitstand.milestones import Milestone, milestone


@stage("strategy")
def strategy(desk: Desk) -> Milestone:
    """M3: show the decision that project.yaml records, or say that it is missing."""
    started = perf_counter()
    desk.report("M3", "sourcing")
    sourcing, owner = desk.project.spec.sourcing, desk.project.spec.owner
    if sourcing is None:
        return milestone("M3", "open", perf_counter() - started, {"owner": owner.name}, ("sourcing",))
    evidence = {
        "decision": sourcing.decision,
        "strategy": sourcing.strategy,
        "reason_de": sourcing.reason.de,
        "reason_en": sourcing.reason.en,
        "owner": owner.name,
    }
    return milestone("M3", "passed", perf_counter() - started, evidence)

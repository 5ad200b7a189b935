"""M2, benefit: what would the model earn, and when has it paid back?"""

from dataclasses import dataclass
from time import perf_counter

from flows.stage import stage
from flows.workspace import Desk
from leitstand.benefit import BusinessCase, business_case
from leitstand.milestones import Milestone, Verdict, milestone


@dataclass(frozen=True)
class Promise:
    """The business case as promised before training; None where project.yaml has no figures for it."""

    case: BusinessCase | None
    milestone: Milestone


@stage("benefit")
def benefit(desk: Desk) -> Promise:
    """M2: put project.yaml's figures into the value formula."""
    started = perf_counter()
    desk.report("M2", "value")
    figures = desk.project.spec.benefit
    if figures is None:
        return Promise(None, milestone("M2", "open", perf_counter() - started, missing=("benefit",)))
    case = business_case(figures, figures.expected_error)
    verdict: Verdict = "passed" if case.within_limit else "refused"
    evidence = case.model_dump() | {"max_payback_months": figures.max_payback_months}
    return Promise(case, milestone("M2", verdict, perf_counter() - started, evidence))

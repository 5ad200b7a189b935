"""M2, benefit: what would the model earn, and when has it paid back?"""

from dataclasses import asdict, dataclass
from time import perf_counter

from flows.stage import stage
from flows.workspace import Desk
from leitstand.benefit import BusinessCase, break_even, business_case
from leitstand.milestones import Milestone, Verdict, milestone
from leitstand.uncertainty import simulate


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
    sure, even = simulate(figures), break_even(figures)
    evidence = case.model_dump() | {
        "max_payback_months": figures.max_payback_months,
        "probability_within_limit": sure.probability_within_limit,
        "payback_months_interval": asdict(sure.payback_months),
        "net_present_value_eur_interval": asdict(sure.net_present_value_eur),
        "break_even": asdict(even),
        "source": figures.source,
    }
    return Promise(case, milestone("M2", verdict, perf_counter() - started, evidence))

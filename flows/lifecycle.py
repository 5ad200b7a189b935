"""The whole roadmap in one go: from data to a model in charge, its service tried and watched."""

from time import perf_counter

import numpy as np

from flows.artifacts import publish
from flows.benefit import Promise, benefit
from flows.evidence import keep_evidence, rests_on
from flows.introduction import Introduction, introduction
from flows.practice_check import Pilot, practice_check
from flows.stage import stage
from flows.status_quo import Inventory, status_quo
from flows.strategy import strategy
from flows.watch import signals
from flows.workspace import Desk
from infra.locks import project_lock
from leitstand.bootstrap import Estimate
from leitstand.decision import Decision, decide
from leitstand.milestones import Milestone
from leitstand.run_report import (
    BenefitReport,
    BrokenRuleReport,
    CandidateReport,
    DataReport,
    Interval,
    LearningCurveReport,
    ModelReport,
    RunReport,
    SliceReport,
)


@stage("lifecycle")
def lifecycle(desk: Desk, who: str, serve: bool = True, approved: bool = False) -> RunReport:
    """Take a project along the five milestones.

    Parameters
    ----------
    who : started the run, for the history
    serve : whether the service is tried
    approved : whether ``who`` approves the model, for projects that wait for approval

    Raises
    ------
    LeitstandError
        If the data, the project or the state do not allow it; what was promoted before stays in charge.
    """
    started = perf_counter()
    with project_lock(desk.settings, desk.project.name):
        desk.tracker.close_abandoned(desk.project.name)
        known = rests_on(desk)
        inventory = status_quo(desk)
        promise = benefit(desk)
        sourcing = strategy(desk)
        pilot = practice_check(desk, inventory)
        introduced = introduction(desk, pilot, who, serve, approved)
    decision = decide(desk.project.spec, signals(desk, introduced.monitoring)) if introduced.monitoring else None
    report = run_report(desk, inventory, promise, sourcing, pilot, introduced, decision, perf_counter() - started)
    keep_evidence(desk, report, known)
    publish(report, desk.settings.language)
    return report


def run_report(
    desk: Desk,
    inventory: Inventory,
    promise: Promise,
    sourcing: Milestone,
    pilot: Pilot,
    introduced: Introduction,
    decision: Decision | None,
    seconds: float,
) -> RunReport:
    """Return the document of a run."""
    return RunReport(
        project=desk.project.name,
        task=desk.project.spec.task,
        data=data_report(inventory, pilot),
        model=model_report(desk, pilot, introduced),
        gates=pilot.judgement.gates,
        milestones=(inventory.milestone, promise.milestone, sourcing, pilot.milestone, introduced.milestone),
        benefit=BenefitReport(promised=promise.case, measured=pilot.benefit) if promise.case and pilot.benefit else None,
        service=introduced.service,
        monitoring=introduced.monitoring.model_dump(mode="json") if introduced.monitoring else None,
        decision=decision,
        seconds=round(seconds, 3),
    )


def data_report(inventory: Inventory, pilot: Pilot) -> DataReport:
    """Return what went into a run."""
    result, snapshot = pilot.accepted.check, pilot.accepted.snapshot
    return DataReport(
        version=snapshot.version,
        created=snapshot.created,
        rows=result.rows,
        accepted=len(result.accepted),
        quarantined=len(result.quarantined),
        quarantine_file=str(pilot.accepted.quarantine) if pilot.accepted.quarantine else None,
        broken=tuple(
            BrokenRuleReport(column=one.column, rule=one.rule, rows=one.rows, examples=one.examples) for one in result.broken
        ),
        sources=inventory.sources,
        synthetic=inventory.synthetic,
        extra=result.extra,
    )


def model_report(desk: Desk, pilot: Pilot, introduced: Introduction) -> ModelReport:
    """Return what a run found out about its model."""
    judgement, version, curve = pilot.judgement, pilot.version, pilot.curve
    return ModelReport(
        name=desk.project.name,
        version=version.version,
        alias="champion" if introduced.promoted else version.alias,
        candidate=pilot.training.model.card.candidate,
        run_id=version.run_id,
        sha256=version.sha256,
        metric=judgement.metric,
        metrics={name: estimate.value for name, estimate in judgement.metrics.items()},
        intervals={name: interval(estimate) for name, estimate in judgement.metrics.items()},
        baseline=judgement.baseline,
        baseline_metrics=judgement.baseline_metrics,
        champion_metrics=judgement.champion_metrics,
        gain_over_baseline=interval(judgement.baseline_gain),
        gain_over_champion=interval(judgement.champion_gain) if judgement.champion_gain else None,
        training_rows=pilot.training_rows,
        holdout_rows=judgement.rows,
        candidates=tuple(
            CandidateReport(name=one.name, value=one.value if np.isfinite(one.value) else None, seconds=round(one.seconds, 3))
            for one in pilot.training.candidates
        ),
        slices=tuple(SliceReport(column=s.column, value=s.value, rows=s.rows, metric=s.metric) for s in judgement.slices),
        importance=judgement.importance,
        learning_curve=None
        if curve is None
        else LearningCurveReport(rows=curve.rows, values=curve.values, more_data_helps=curve.more_data_helps),
        latency_ms=judgement.latency_ms,
        code_version=version.tags.get("code_version", ""),
        lock_sha256=version.tags.get("lock_hash", ""),
    )


def interval(estimate: Estimate) -> Interval:
    """Return an estimate as the document has it."""
    return Interval(value=estimate.value, low=estimate.low, high=estimate.high)

"""M5, introduction: put the model in charge, let it answer over HTTP, take labels back, and watch it."""

from dataclasses import dataclass
from time import perf_counter

import numpy as np
import pandas as pd

from flows.judged import evidence_of
from flows.notifying import language_of
from flows.practice_check import Pilot, answer_columns
from flows.stage import stage
from flows.watch import watch
from flows.workspace import Desk
from leitstand.dataset import in_order
from leitstand.milestones import Milestone, milestone
from leitstand.run_report import ServiceReport
from leitstand.texts import text
from monitoring.result import MonitoringResult
from serving.client import Client, as_json, as_rows
from serving.launch import start_service

TRIAL_ROWS = 200  # enough for a first look at drift and performance
ROWS_PER_REQUEST = 20


@dataclass(frozen=True)
class Introduction:
    """The model in charge, and how its service did.

    Parameters
    ----------
    promoted : whether the pilot is the champion now
    """

    promoted: bool
    service: ServiceReport | None
    monitoring: MonitoringResult | None
    milestone: Milestone


@stage("introduction")
def introduction(desk: Desk, pilot: Pilot, who: str, serve: bool = True, approved: bool = False) -> Introduction:
    """M5: promote what passed every gate, and try the service with held-out rows and their labels.

    ``approved`` says that a person (``who``) has approved; without it a project under ``promote: approval`` waits.
    """
    started = perf_counter()
    if not pilot.judgement.passed:
        return Introduction(False, None, None, milestone("M5", "open", perf_counter() - started, missing=("gates",)))
    waits = desk.project.spec.maintenance.promote == "approval" and not approved
    if waits and pilot.version.alias != "champion":
        waiting = milestone("M5", "open", perf_counter() - started, {"version": pilot.version.version}, ("approval",))
        return Introduction(False, None, None, waiting)
    promote(desk, pilot, who, text("maintenance.approved_by_call" if approved else "maintenance.passed", language_of(desk)))
    service, seen = (trial(desk, pilot), watch(desk)) if serve else (None, first_look(desk, pilot))
    spec = desk.project.spec
    evidence = {
        "champion": pilot.version.version,
        "fallback": spec.when_it_errs.fallback,
        "contact": spec.when_it_errs.contact,
        "promote": spec.maintenance.promote,
        "answered_rows": service.rows if service else 0,
    }
    missing = tuple(name for name, there in (("service", service), ("contact", spec.when_it_errs.contact)) if not there)
    closed = milestone("M5", "open" if missing else "passed", perf_counter() - started, evidence, missing)
    return Introduction(True, service, seen, closed)


def promote(desk: Desk, pilot: Pilot, who: str, why: str) -> None:
    """Make the pilot the champion, with its figures as evidence; nothing happens if it is already."""
    champion = desk.registry.champion(desk.project.name)
    if champion is not None and champion.version == pilot.version.version:
        return
    desk.report("M5", "promote")
    evidence = evidence_of(pilot)
    desk.registry.promote(desk.project.name, pilot.version.version, who=who, why=why, evidence=evidence)


def trial(desk: Desk, pilot: Pilot) -> ServiceReport:
    """Start the service, send held-out rows to it, feed their labels back, and stop it.

    Raises
    ------
    ServiceError
        If the service does not start or refuses a row that the contract accepted.
    """
    desk.report("M5", "start service")
    rows = trial_rows(desk, pilot)
    labels = pilot.holdout.frame.loc[rows.index, desk.project.spec.data.target]
    contract, column = desk.project.input_contract, desk.project.contract.column(desk.project.spec.data.target)
    everything = in_order(desk.project, desk.snapshots.load(desk.project.name, pilot.accepted.snapshot.version))
    seconds, labelled, requests = [], 0, 0
    with (
        start_service([desk.project.name], desk.settings) as service,
        Client(service.url, desk.project.name, language=desk.settings.language) as client,
    ):
        desk.report("M5", "send rows")
        size = 1 if desk.project.spec.data.history_rows else min(ROWS_PER_REQUEST, desk.project.spec.serving.max_rows)
        for start in range(0, len(rows), size):
            part = rows.iloc[start : start + size]
            before = as_rows(history(desk, everything, int(part.index[0])), contract)
            began = perf_counter()
            answer = client.predict(as_rows(part, contract), before)
            seconds.append(perf_counter() - began)
            requests += 1
            desk.log.note_rehearsal([one.id for one in answer.predictions])
            truth = [_label(value, column.type) for value in labels.loc[part.index]]
            fed = client.feedback({one.id: value for one, value in zip(answer.predictions, truth, strict=True)})
            labelled += fed.matched
    return ServiceReport(
        url=service.url, requests=requests, rows=len(rows), labels=labelled, median_ms=float(np.median(seconds)) * 1000
    )


def first_look(desk: Desk, pilot: Pilot) -> MonitoringResult:
    """Compare the hold-out with the reference without a service: does the newest or other part already look different."""
    desk.report("M5", "monitor")
    judgement = pilot.judgement
    answers = judgement.predictions
    window = pilot.holdout.frame.assign(**answer_columns(answers), label=judgement.truth)
    if answers.probabilities is not None:  # they tell which class the score speaks of
        named = {f"probability_{name}": answers.probabilities[:, i] for i, name in enumerate(answers.classes)}
        window = window.assign(**named)
    metrics = {name: estimate.value for name, estimate in judgement.metrics.items()}
    return desk.tools.monitor(
        desk.project,
        pilot.reference,
        window,
        reference_metrics=metrics,
        model_version=pilot.version.version,
        synthetic=pilot.training.model.card.synthetic,
    )


def trial_rows(desk: Desk, pilot: Pilot) -> pd.DataFrame:
    """Return the held-out rows that the trial sends: the newest where rows have an order, evenly spread otherwise."""
    frame = pilot.holdout.frame
    if desk.project.spec.split.strategy == "time":
        return frame.tail(TRIAL_ROWS)
    step = -(-len(frame) // TRIAL_ROWS)
    return frame.iloc[::step]


def history(desk: Desk, everything: pd.DataFrame, position: int) -> pd.DataFrame:
    """Return the rows before one row that the project's features look back at: those of the same series."""
    data = desk.project.spec.data
    if not data.history_rows:
        return everything.iloc[:0]
    earlier = everything.iloc[:position]
    if data.series is not None:
        earlier = earlier[earlier[data.series] == everything[data.series].iloc[position]]
    return earlier.tail(min(data.history_rows, desk.project.spec.serving.max_rows))


def _label(value: object, kind: str) -> object:
    plain = as_json(value)
    if kind == "boolean":
        return bool(plain)
    return int(plain) if kind == "integer" and plain is not None else plain

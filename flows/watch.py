"""Looking at the champion in use: the logged window against the reference of its run, and what follows from it."""

import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from flows.newly_labelled import new_labelled_rows, sources_state
from flows.stage import stage
from flows.windows import Rows, looks_at, rows_of_window
from flows.workspace import Desk
from infra.history import Promotion
from infra.passes import Pass, Passes
from infra.registry import ModelVersion
from infra.releases import REFERENCE_FILE
from leitstand.basis import BASIS_FILE, Basis
from leitstand.decision import Decision, Look, Past, Signals, decide
from leitstand.errors import StateError
from leitstand.now import is_ahead, now
from leitstand.onset import onset
from monitoring.result import MonitoringResult
from monitoring.store import MonitoringStore

RUN_FOLDER = "run"
REFUSED = "refused"


@dataclass(frozen=True)
class Looked:
    """One look at the champion, and what follows from it and from the looks before.

    Parameters
    ----------
    sources : what the project's files looked like, to be compared by the next pass
    since : since when a change shows that shows now; None where there is none
    """

    monitoring: MonitoringResult
    signals: Signals
    decision: Decision
    sources: str | None = None
    since: datetime | None = None


@dataclass(frozen=True)
class Known:
    """What a run left for monitoring."""

    reference: pd.DataFrame
    metrics: dict[str, float]
    basis: Basis


@stage("monitor")
def watch(desk: Desk, html: bool = False) -> MonitoringResult:
    """Compare what the champion answered with what it was trained and judged on, and keep the result.

    It is about the last ``window_hours``, or about everything since the champion is in charge.

    Raises
    ------
    StateError
        If the project has no champion yet.
    """
    desk.report("M5", "monitor")
    champion = require_champion(desk)
    history = desk.registry.history(desk.project.name)
    rows = rows_of_window(desk, champion, (), passes_of(desk), history, rehearsed=True)
    return _compare(desk, champion, known_of(desk, champion), rows, html)


@stage("look")
def look(desk: Desk, html: bool = False) -> Looked:
    """Watch the champion, and decide from that and from the passes before what to do. Nothing is noted: see ``note_pass``.

    It is about the last ``window_hours``, or about everything since the last pass that had enough rows.

    Raises
    ------
    StateError
        If the project has no champion yet.
    """
    desk.report("M5", "monitor")
    champion = require_champion(desk)
    history, passes = desk.registry.history(desk.project.name), passes_of(desk)
    looks = looks_at(champion, passes, history)
    rows = rows_of_window(desk, champion, looks, passes, history)
    known = known_of(desk, champion)
    found = _compare(desk, champion, known, rows, html)
    seen, sources = signals(desk, found), sources_state(desk)
    past = past_of(desk, champion, looks, history, known.basis, sources)
    return Looked(found, seen, decide(desk.project.spec, seen, past), sources, onset(seen, looks) or known.basis.since)


def note_pass(desk: Desk, looked: Looked, acted: str) -> Pass:
    """Keep a pass of the maintenance loop, so that later ones can count windows and wait after a training.

    Parameters
    ----------
    acted : what was done, as ``Maintained.acted``; a decision to retrain counts as a training unless this is ``none``
    """
    found = looked.monitoring
    figures: dict[str, Any] = {
        "metrics": found.metrics,
        "metric": found.metric,
        "metric_low": found.metric_low,
        "metric_high": found.metric_high,
        "labelled_rows": found.labelled_rows,
        "labels": None if found.labels is None else found.labels.model_dump(),
        "estimate": None if found.estimate is None else found.estimate.model_dump(),
        "effects": {column.name: column.effect for column in found.columns},
        "sources": looked.sources,
    }
    passes = Passes(desk.settings.database("history"))
    try:
        return passes.append(
            desk.project.name,
            model_version=found.model_version or 0,
            acted=acted,
            trained=looked.decision.action == "retrain" and acted != "none",
            signals=looked.signals.model_dump(mode="json"),
            decision=looked.decision.model_dump(mode="json"),
            figures=figures,
        )
    finally:
        passes.close()


def require_champion(desk: Desk) -> ModelVersion:
    """Return the project's champion.

    Raises
    ------
    StateError
        If there is none yet.
    """
    champion = desk.registry.champion(desk.project.name)
    if champion is None:
        raise StateError("flows.no_champion", project=desk.project.name)
    return champion


def reference_of(desk: Desk, version: ModelVersion) -> tuple[pd.DataFrame, dict[str, float]]:
    """Return the reference window of a version and its figures on the hold-out."""
    known = known_of(desk, version)
    return known.reference, known.metrics


def known_of(desk: Desk, version: ModelVersion) -> Known:
    """Return the reference window of a version, its figures on the hold-out, and what else its training knew."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = desk.tracker.fetch_file(version.run_id, RUN_FOLDER, Path(scratch))
        reference = pd.read_parquet(folder / REFERENCE_FILE)
        kept = folder / BASIS_FILE
        basis = Basis.model_validate_json(kept.read_text(encoding="utf-8")) if kept.exists() else Basis()
    return Known(reference, dict(desk.tracker.run(version.run_id).metrics), basis)


def signals(desk: Desk, found: MonitoringResult) -> Signals:
    """Return what the decision needs of a monitoring result."""
    return Signals(
        enough=found.enough,
        rows=found.window_rows,
        start=found.window_start,
        end=found.window_end,
        labels_start=found.labels_start,
        watched=len(found.columns),
        drifted={column.name: column.weight for column in found.columns if column.drifted},
        input_drift=found.input_drift,
        drifted_share=found.drifted_share,
        season_known=found.season_known,
        prediction_drift=found.prediction_drift,
        broken_columns=found.broken,
        performance_drop=found.performance_drop,
        metric=found.metric,
        figures=_figures(found),
        within_noise=found.within_noise,
        vouched=found.vouched,
        estimated_drop=None if found.estimate is None else found.estimate.drop,
        label_coverage=found.label_coverage,
        usual_coverage=None if found.labels is None else found.labels.usual,
        labels_late=found.labels is not None and found.labels.late,
        earlier_versions=max(0, len(desk.registry.champions(desk.project.name)) - 1),
    )


def _figures(found: MonitoringResult) -> dict[str, float]:
    """Return by which figures performance was judged; empty where it was not."""
    if found.metric is None or found.performance_drop is None:
        return {}
    told = {
        "value": found.metrics.get(found.metric),
        "low": found.metric_low,
        "high": found.metric_high,
        "promised": found.reference_metrics.get(found.metric),
    }
    known = {name: value for name, value in told.items() if value is not None}
    return known if len(known) == len(told) else {}


def past_of(
    desk: Desk, champion: ModelVersion, looks: list[Look], history: list[Promotion], basis: Basis, sources: str | None
) -> Past:
    """Return what happened before: earlier looks, the last training, and what is new since then."""
    passes = Passes(desk.settings.database("history"))
    try:
        trained = passes.last_training(desk.project.name)
    finally:
        passes.close()
    # a model that waited for approval was trained before it was put in charge: when its data version was made, nearly
    versions = desk.snapshots.provenance(desk.project.name)
    made = [one.time for one in versions if one.version == champion.data_version]
    times = made or [entry.time for entry in history if entry.kind == "promote"]
    last = max((time for time in (*times, *([trained.time] if trained else [])) if not is_ahead(time)), default=None)
    newest = trained if trained is not None and trained.time == last else None
    return Past(
        looks=tuple(looks),
        hours_since_training=None if last is None else (now() - last).total_seconds() / 3600,
        last_refused=newest is not None and newest.acted == REFUSED,
        new_labelled_rows=new_labelled_rows(desk, last, newest, sources),
        more_data_helps=basis.more_data_helps,
        rows_since=basis.rows_since,
    )


def passes_of(desk: Desk, limit: int = 500) -> list[Pass]:
    """Return the latest passes of the maintenance loop, newest first."""
    passes = Passes(desk.settings.database("history"))
    try:
        return passes.latest(desk.project.name, limit=limit)
    finally:
        passes.close()


def _compare(desk: Desk, champion: ModelVersion, known: Known, rows: Rows, html: bool) -> MonitoringResult:
    store = MonitoringStore(desk.settings)
    with tempfile.TemporaryDirectory() as scratch:
        page = Path(scratch) / "report.html" if html else None
        found = desk.tools.monitor(
            desk.project,
            known.reference,
            rows.window,
            reference_metrics=known.metrics,
            basis=known.basis,
            labelled=rows.labelled,
            labels=rows.labels,
            span=(rows.start, rows.end),
            labels_start=rows.labels_start,
            model_version=champion.version,
            synthetic=champion.tags.get("synthetic") == "true",
            html=page,
        )
        store.save(found, page)
    return found

"""Looking at the champion in use: the logged window against the reference of its run, and what follows from it."""

import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pandas as pd

from flows.stage import stage
from flows.workspace import Desk
from infra.prediction_log import logged_inputs
from infra.registry import ModelVersion
from infra.passes import Pass, Passes
from leitstand.decision import Decision, Signals, decide
from leitstand.errors import StateError
from leitstand.now import now
from monitoring.result import MonitoringResult
from monitoring.store import MonitoringStore

ANSWERS = ("prediction", "score", "lower", "upper", "label", "time")


@dataclass(frozen=True)
class Looked:
    """One look at the champion, and what follows from it and from the looks before."""

    monitoring: MonitoringResult
    signals: Signals
    decision: Decision


def look(desk: Desk, html: bool = False) -> Looked:
    """Watch the champion, and decide from that and from the passes before what to do. Nothing is noted: see ``note_pass``.

    Raises
    ------
    StateError
        If the project has no champion yet.
    """
    found = watch(desk, html)
    seen = signals(desk, found)
    return Looked(found, seen, decide(desk.project.spec, seen))


def note_pass(desk: Desk, looked: Looked, acted: str) -> Pass:
    """Keep a pass of the maintenance loop, so that later ones can count windows and wait after a training.

    Parameters
    ----------
    acted : what was done, as ``Maintained.acted``; a decision to retrain counts as a training unless this is ``none``
    """
    passes = Passes(desk.settings.database("history"))
    try:
        return passes.append(
            desk.project.name,
            model_version=looked.monitoring.model_version or 0,
            acted=acted,
            trained=looked.decision.action == "retrain" and acted != "none",
            signals=looked.signals.model_dump(mode="json"),
            decision=looked.decision.model_dump(mode="json"),
            figures=looked.monitoring.metrics,
        )
    finally:
        passes.close()


@stage("monitor")
def watch(desk: Desk, html: bool = False) -> MonitoringResult:
    """Compare what the champion answered lately with what it was trained and judged on, and keep the result.

    Raises
    ------
    StateError
        If the project has no champion yet.
    """
    desk.report("M5", "monitor")
    champion = require_champion(desk)
    reference, metrics = reference_of(desk, champion)
    window = window_of(desk, champion)
    store = MonitoringStore(desk.settings)
    with tempfile.TemporaryDirectory() as scratch:
        page = Path(scratch) / "report.html" if html else None
        found = desk.tools.monitor(
            desk.project,
            reference,
            window,
            reference_metrics=metrics,
            model_version=champion.version,
            synthetic=champion.tags.get("synthetic") == "true",
            html=page,
        )
        store.save(found, page)
    return found


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
    with tempfile.TemporaryDirectory() as scratch:
        file = desk.tracker.fetch_file(version.run_id, "run/reference.parquet", Path(scratch))
        reference = pd.read_parquet(file)
    return reference, dict(desk.tracker.run(version.run_id).metrics)


def window_of(desk: Desk, version: ModelVersion) -> pd.DataFrame:
    """Return the logged predictions of a version inside the monitoring window, with labels where they came."""
    hours = desk.project.spec.monitoring.window_hours
    since = now() - timedelta(hours=hours) if hours is not None else None
    logged = desk.log.read(desk.project.name, model_version=version.version, since=since)
    watched = [column.name for column in desk.project.input_contract.columns if column.type != "file"]
    inputs = logged_inputs(logged, watched)
    answers = [name for name in logged.columns if (name in ANSWERS or name.startswith("probability_")) and name not in watched]
    return inputs.assign(**{name: logged[name] for name in answers})


def signals(desk: Desk, found: MonitoringResult) -> Signals:
    """Return what the decision needs of a monitoring result."""
    earlier = {entry.to_version for entry in desk.registry.history(desk.project.name)} - {found.model_version}
    return Signals(
        enough=found.enough,
        rows=found.window_rows,
        input_drift=found.input_drift,
        drifted_share=found.drifted_share,
        prediction_drift=found.prediction_drift,
        broken_columns=tuple(sorted({fault.column for fault in found.quality if fault.fault in ("missing", "constant")})),
        performance_drop=found.performance_drop,
        label_coverage=found.label_coverage,
        earlier_versions=len(earlier),
    )

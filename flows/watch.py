"""Looking at the champion in use: the logged window against the reference of its run."""

import tempfile
from datetime import timedelta
from pathlib import Path

import pandas as pd

from flows.stage import stage
from flows.workspace import Desk
from infra.prediction_log import logged_inputs
from infra.registry import ModelVersion
from leitstand.decision import Signals
from leitstand.errors import StateError
from leitstand.now import now
from monitoring.result import MonitoringResult
from monitoring.store import MonitoringStore

ANSWERS = ("prediction", "score", "lower", "upper", "label", "time")


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

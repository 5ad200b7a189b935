"""Registering a model: the run with everything needed to repeat it, and its version; none where the very same model is registered."""

import platform
import tempfile
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from flows.workspace import Desk
from infra.code_version import code_version
from infra.registry import CHAMPION, ModelVersion
from infra.releases import HOLDOUT_FILE, REFERENCE_FILE
from infra.snapshots import Snapshot
from leitstand.basis import BASIS_FILE, make_basis
from leitstand.dataset import Dataset
from leitstand.errors import ModelError, StateError
from leitstand.judging import Champion, Judgement, rival_predictions
from leitstand.model_file import save_model
from leitstand.prediction import Predictions
from leitstand.recency import recent_rows
from leitstand.seen import KnownRows, from_frame, known_rows
from leitstand.training import LearningCurve, Training

COMPARED_MOST_ROWS = 2_000  # a compiled form that answers these alike is the same model
SPEC_FILE, CONTRACT_FILE, ROWS_FILE = "project.json", "contract.json", "rows.parquet"
RUN_FOLDER = "run"
FRESH_ROWS = "fresh_rows"
MODEL_REQUIREMENTS = ("scikit-learn", "skops", "numpy", "scipy", "pandas")


def already_registered(desk: Desk, snapshot: Snapshot, judgement: Judgement, holdout: Dataset) -> ModelVersion | None:
    """Return the champion, or else the newest version, that was trained on the very same data and answers alike on the hold-out."""
    same_data = [one for one in desk.registry.versions(desk.project.name) if one.data_version == snapshot.version]
    for version in same_data:
        if version.alias == CHAMPION and answers_alike(judgement.champion_predictions, judgement.predictions):
            return version
    for version in same_data[-1:]:
        if version.alias != CHAMPION and answers_alike(_answers(desk, version, holdout), judgement.predictions):
            return version
    return None


def _answers(desk: Desk, version: ModelVersion, holdout: Dataset) -> Predictions | None:
    try:
        return rival_predictions(Champion(desk.registry.fetch(version), same_data=True), holdout)
    except (ModelError, StateError):  # its files are gone or not its own, and nobody relies on them
        return None


def answers_alike(old: Predictions | None, new: Predictions) -> bool:
    """Return whether two models give the very same answers: classes or numbers, scores, probabilities and intervals."""
    if old is None or old.classes != new.classes:
        return False
    pairs = [(getattr(old, name), getattr(new, name)) for name in ("value", "score", "probabilities", "lower", "upper")]
    return all(_alike(before, now) for before, now in pairs)


def _alike(old: np.ndarray | None, new: np.ndarray | None) -> bool:
    if old is None or new is None:
        return old is new
    if old.dtype.kind == "f":
        return bool(np.allclose(old, new, rtol=1e-9, atol=1e-12, equal_nan=True))
    return bool((old == new).all())


def register(
    desk: Desk,
    snapshot: Snapshot,
    training: Training,
    judgement: Judgement,
    curve: LearningCurve | None,
    known: pd.DataFrame,
    training_part: Dataset,
    holdout: Dataset,
) -> ModelVersion:
    """Note the run with everything needed to repeat it, and register its model as a version."""
    desk.report("M4", "register")
    card, tags = training.model.card, run_tags(desk, snapshot, training)
    run_id = desk.tracker.start(desk.project.name, card.candidate, run_parameters(desk, training), tags)
    try:
        desk.tracker.log_metrics(run_id, run_metrics(judgement, training))
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            sha256 = save_model(training.model, folder / "model")
            desk.tracker.log_model(
                run_id, folder / "model", inputs=desk.project.input_contract, requirements=model_requirements()
            )
            desk.tools.draw(folder / "run", training.candidates, judgement, curve)
            known.to_parquet(folder / "run" / REFERENCE_FILE, index=False)
            basis = make_basis(training_part, judgement, curve)
            if card.since is not None:
                rows_since = recent_rows(training_part, len(holdout), card.fresh_rows)
                basis = basis.model_copy(update={"since": card.since, "rows_since": rows_since})
            (folder / "run" / BASIS_FILE).write_text(basis.model_dump_json(indent=2), encoding="utf-8")
            known_rows(training_part, holdout).to_parquet(folder / "run" / ROWS_FILE, index=False)
            step = -(-len(holdout) // COMPARED_MOST_ROWS)
            holdout.features.iloc[::step].to_parquet(folder / "run" / HOLDOUT_FILE, index=False)
            (folder / "run" / SPEC_FILE).write_text(desk.project.spec.model_dump_json(indent=2), encoding="utf-8")
            (folder / "run" / CONTRACT_FILE).write_text(desk.project.contract.model_dump_json(indent=2), encoding="utf-8")
            desk.tracker.log_file(run_id, folder / "run", "run")
        version = desk.registry.register(desk.project.name, run_id, sha256, tags)
        desk.tracker.finish(run_id)
    except BaseException:
        desk.tracker.finish(run_id, "FAILED")
        raise
    return version


def rows_of(desk: Desk, version: ModelVersion) -> KnownRows | None:
    """Return the rows that a version was made from; None for one from before they were kept."""
    file = f"{RUN_FOLDER}/{ROWS_FILE}"
    if file not in desk.tracker.artifacts(version.run_id, RUN_FOLDER):
        return None
    with tempfile.TemporaryDirectory() as scratch:
        return from_frame(pd.read_parquet(desk.tracker.fetch_file(version.run_id, file, Path(scratch))))


def run_parameters(desk: Desk, training: Training) -> dict[str, Any]:
    """Return what was decided before the run, flat."""
    spec, card = desk.project.spec, training.model.card
    settings = flat("split", spec.split.model_dump()) | flat("training", spec.training.model_dump())
    learned = {"training_rows": card.rows, FRESH_ROWS: card.fresh_rows, "recent": card.recent}
    return {"task": spec.task, "candidate": card.candidate, "target": card.target, **learned, **settings}


def run_metrics(judgement: Judgement, training: Training) -> dict[str, float]:
    """Return every figure of the run by name: hold-out, its bounds, baseline, champion, cross-validation."""
    figures = {name: estimate.value for name, estimate in judgement.metrics.items()}
    for name, estimate in judgement.metrics.items():
        figures |= {f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    figures |= {f"baseline_{name}": value for name, value in judgement.baseline_metrics.items()}
    figures |= {f"champion_{name}": value for name, value in (judgement.champion_metrics or {}).items()}
    figures |= {f"cv_{score.name}": score.value for score in training.candidates}
    figures["latency_ms"] = judgement.latency_ms
    return {name: value for name, value in figures.items() if np.isfinite(value)}


def run_tags(desk: Desk, snapshot: Snapshot, training: Training) -> dict[str, str]:
    """Return what the run hangs on: data, code, installed packages, platform."""
    code = code_version(desk.settings)
    return {
        "data_version": snapshot.version,
        "code_version": str(code),
        "lock_hash": code.lock_hash,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "synthetic": str(training.model.card.synthetic).lower(),
    }


def model_requirements() -> list[str]:
    """Return the pinned packages a stored model needs to be loaded."""
    return [f"{name}=={installed(name)}" for name in MODEL_REQUIREMENTS]


def flat(section: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return one section of project.yaml as flat parameters."""
    return {f"{section}.{name}": value for name, value in values.items() if value is not None}

"""M4, practice check: is the data good enough, and does the pilot beat today's figure?"""

import platform
import tempfile
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from data_contracts.result import CheckResult, save_quarantine
from flows.stage import stage
from flows.status_quo import Inventory
from flows.warming import load_for_the_end
from flows.workspace import Desk
from infra.code_version import code_version
from infra.registry import ModelVersion
from infra.releases import HOLDOUT_FILE, REFERENCE_FILE
from infra.snapshots import Snapshot
from leitstand.benefit import BusinessCase, business_case, measured_error
from leitstand.dataset import Dataset, make_dataset
from leitstand.judging import Champion, Judgement, judge
from leitstand.leaks import refuse_leaks
from leitstand.milestones import Milestone, Verdict, milestone
from leitstand.model_file import save_model
from leitstand.prediction import Predictions
from leitstand.split import holdout_mask, training_mask
from leitstand.training import LearningCurve, Training, learning_curve, train

COMPARED_MOST_ROWS = 2_000  # a compiled form that answers these alike is the same model
REFERENCE_MOST_ROWS = 10_000  # a distribution is known well enough then
SPEC_FILE, CONTRACT_FILE = "project.json", "contract.json"
MODEL_REQUIREMENTS = ("scikit-learn", "skops", "numpy", "scipy", "pandas")


@dataclass(frozen=True)
class Accepted:
    """The rows that the contract let in, as a data version."""

    check: CheckResult
    quarantine: Path | None
    snapshot: Snapshot


@dataclass(frozen=True)
class Pilot:
    """The trained and judged model as a registered version.

    Parameters
    ----------
    reference : the window that monitoring compares with
    unchanged : the champion was trained on the very same data and answers alike: nothing new was registered
    """

    accepted: Accepted
    training: Training
    judgement: Judgement
    curve: LearningCurve | None
    training_rows: int
    holdout: Dataset
    reference: pd.DataFrame
    version: ModelVersion
    unchanged: bool
    benefit: BusinessCase | None
    milestone: Milestone


@stage("practice-check")
def practice_check(desk: Desk, inventory: Inventory) -> Pilot:
    """M4: check the contract, keep a data version, train, judge against today's figure, register."""
    started = perf_counter()
    accepted = accept(desk, inventory)
    training_part, holdout = split(desk, accepted.snapshot)
    training, curve = fit(desk, training_part, accepted.snapshot, inventory.synthetic)
    known = reference(training, training_part)
    champion = rival(desk, accepted.snapshot)
    judgement = examine(desk, training, training_part, holdout, champion)
    unchanged = champion is not None and champion[1].same_data and answers_alike(judgement)
    if unchanged and champion is not None:
        version = champion[0]
        judgement = judgement.without_gate("champion")
    else:
        version = register(desk, accepted, training, judgement, curve, known, holdout)
    figures = desk.project.spec.benefit
    earned = None if figures is None else business_case(figures, measured_error(desk.project.spec.task, judgement))
    evidence = {
        "data_version": accepted.snapshot.version,
        "model_version": version.version,
        "metric": judgement.metric,
        "value": judgement.metrics[judgement.metric].value,
        "baseline": judgement.baseline_metrics.get(judgement.metric),
        "gates_passed": sum(gate.passed for gate in judgement.gates),
        "gates": len(judgement.gates),
        "unchanged": unchanged,
    }
    verdict: Verdict = "passed" if judgement.passed else "refused"
    closed = milestone("M4", verdict, perf_counter() - started, evidence)
    return Pilot(accepted, training, judgement, curve, len(training_part), holdout, known, version, unchanged, earned, closed)


def accept(desk: Desk, inventory: Inventory) -> Accepted:
    """Check the contract, put bad rows into quarantine, and keep the good ones as a data version.

    Raises
    ------
    ContractBroken
        If the contract does not let the data in.
    """
    desk.report("M4", "contract")
    result = desk.check(inventory.frame, desk.project.contract)
    quarantine = save_quarantine(result, desk.settings.folder("quarantine", desk.project.name))
    result.raise_if_stopped(desk.settings.language)
    desk.report("M4", "snapshot")
    provenance = {
        "sources": inventory.sources,
        "contract": desk.project.contract.id,
        "contract_version": desk.project.contract.version,
        "rows": result.rows,
        "accepted": len(result.accepted),
        "quarantined": len(result.quarantined),
        "synthetic": inventory.synthetic,
    }
    return Accepted(result, quarantine, keep(desk, result.accepted, provenance))


@task(name="snapshot", retries=2, retry_delay_seconds=2, cache_policy=NO_CACHE, persist_result=False)
def keep(desk: Desk, frame: pd.DataFrame, provenance: dict[str, Any]) -> Snapshot:
    """Store the accepted rows as a data version; tried again because a network share may be away for a moment."""
    files = [column.name for column in desk.project.contract.columns if column.type == "file"]
    return desk.snapshots.save(desk.project.name, frame, file_columns=files, provenance=provenance)


def split(desk: Desk, snapshot: Snapshot) -> tuple[Dataset, Dataset]:
    """Return the training part and the hold-out of a data version.

    Raises
    ------
    NotEnoughData
        If the rows or classes do not suffice.
    LeakError
        If a column gives the target away.
    """
    desk.report("M4", "split")
    dataset = make_dataset(desk.project, desk.snapshots.load(desk.project.name, snapshot.version))
    refuse_leaks(dataset)
    settings = desk.project.spec.split
    held = holdout_mask(settings, dataset.features, dataset.target, dataset.groups, dataset.discrete)
    return dataset.take(training_mask(settings, held)), dataset.take(held)


def fit(desk: Desk, training_part: Dataset, snapshot: Snapshot, synthetic: bool) -> tuple[Training, LearningCurve | None]:
    """Compare the candidates and fit the best; find out whether more data would help."""
    load_for_the_end()
    made = train(training_part, snapshot.version, synthetic, lambda name: desk.report("M4", f"train {name}"))
    if not desk.project.spec.training.learning_curve:
        return made, None
    desk.report("M4", "learning curve")
    return made, learning_curve(training_part, made)


def rival(desk: Desk, snapshot: Snapshot) -> tuple[ModelVersion, Champion] | None:
    """Return the champion as a rival; None before the first promotion."""
    version = desk.registry.champion(desk.project.name)
    if version is None:
        return None
    return version, Champion(desk.registry.fetch(version), version.data_version == snapshot.version)


def examine(
    desk: Desk, training: Training, training_part: Dataset, holdout: Dataset, champion: tuple[ModelVersion, Champion] | None
) -> Judgement:
    """Judge the pilot on the hold-out."""
    desk.report("M4", "judge")
    return judge(training.model, training_part, holdout, champion[1] if champion else None)


def answers_alike(judgement: Judgement) -> bool:
    """Return whether the champion gives the very same answers on the hold-out."""
    old, new = judgement.champion_predictions, judgement.predictions
    if old is None:
        return False
    if old.value.dtype.kind == "f":
        return bool(np.allclose(old.value, new.value, rtol=1e-9, atol=1e-12))
    same_score = old.score is None or new.score is None or np.allclose(old.score, new.score, rtol=1e-9, atol=1e-12)
    return bool((old.value == new.value).all() and same_score)


def register(
    desk: Desk,
    accepted: Accepted,
    training: Training,
    judgement: Judgement,
    curve: LearningCurve | None,
    known: pd.DataFrame,
    holdout: Dataset,
) -> ModelVersion:
    """Note the run with everything needed to repeat it, and register its model as a version."""
    from flows.charts import draw_charts  # loads Matplotlib, in a thread while the model was trained

    desk.report("M4", "register")
    card, tags = training.model.card, run_tags(desk, accepted.snapshot, training)
    run_id = desk.tracker.start(desk.project.name, card.candidate, run_parameters(desk, training), tags)
    try:
        desk.tracker.log_metrics(run_id, run_metrics(judgement, training))
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            sha256 = save_model(training.model, folder / "model")
            desk.tracker.log_model(
                run_id, folder / "model", inputs=desk.project.input_contract, requirements=model_requirements()
            )
            draw_charts(folder / "run", training, judgement, curve)
            known.to_parquet(folder / "run" / REFERENCE_FILE, index=False)
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


def run_parameters(desk: Desk, training: Training) -> dict[str, Any]:
    """Return what was decided before the run, flat."""
    spec, card = desk.project.spec, training.model.card
    settings = flat("split", spec.split.model_dump()) | flat("training", spec.training.model_dump())
    return {"task": spec.task, "candidate": card.candidate, "target": card.target, "training_rows": card.rows, **settings}


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


def reference(training: Training, training_part: Dataset) -> pd.DataFrame:
    """Return the reference window: training rows evenly spread, with the model's answers and the labels."""
    step = -(-len(training_part) // REFERENCE_MOST_ROWS)
    part = training_part.take(np.arange(len(training_part)) % step == 0)
    frame = part.frame[[name for name in part.project.input_contract.names if _is_watched(part, name)]].reset_index(drop=True)
    return frame.assign(**answer_columns(training.model.answer(part.features)), label=part.target)


def answer_columns(predictions: Predictions) -> dict[str, np.ndarray]:
    """Return the columns by which monitoring knows the answers."""
    columns = {"prediction": predictions.value}
    if predictions.score is not None:
        columns["score"] = predictions.score
    return columns


def flat(section: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return one section of project.yaml as flat parameters."""
    return {f"{section}.{name}": value for name, value in values.items() if value is not None}


def _is_watched(part: Dataset, name: str) -> bool:
    return part.project.contract.column(name).type != "file"

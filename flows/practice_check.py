"""M4, practice check: is the data good enough, and does the pilot beat today's figure?"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from data_contracts.result import CheckResult, save_quarantine
from flows.pilot import keeps_open
from flows.registration import already_registered, register, rows_of
from flows.stage import stage
from flows.status_quo import Inventory
from flows.workspace import Desk
from infra.registry import CHAMPION, ModelVersion
from infra.snapshots import Snapshot
from leitstand.benefit import BusinessCase, business_case, measured_error
from leitstand.dataset import Dataset, make_dataset, training_and_holdout
from leitstand.growing import newest as newest_rows
from leitstand.judging import Champion, Judgement, judge
from leitstand.leaks import refuse_leaks
from leitstand.milestones import Milestone, Verdict, milestone
from leitstand.prediction import Predictions
from leitstand.recency import FEWEST_ROWS, dated, recent_rows, trained
from leitstand.season import TIME
from leitstand.training import ONE_THREAD_ROWS, LearningCurve, Training, learning_curve

REFERENCE_MOST_ROWS = 10_000  # a distribution is known well enough then


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
    version : a new one, or the champion or newest one if that was trained on the very same data and answers alike
    unchanged : it is the champion
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
def practice_check(desk: Desk, inventory: Inventory, since: datetime | None = None) -> Pilot:
    """M4: check the contract, keep a data version, train, judge against today's figure, register.

    Parameters
    ----------
    since : when the world changed, as far as is known: the newest rows are then judged on, and may be all that is learned from
    """
    started = perf_counter()
    accepted = accept(desk, inventory)
    before = 0 if since is None else rows_before(desk, since, accepted)
    training_part, holdout, fresh = split(desk, accepted.snapshot, before)
    training, curve = fit(desk, training_part, len(holdout), accepted.snapshot, inventory.synthetic, fresh)
    if since is not None:
        training = dated(training, since)
    known = reference(training, newest(training_part, len(holdout), fresh))
    judgement = examine(desk, training, training_part, holdout, accepted.snapshot)
    version = already_registered(desk, accepted.snapshot, judgement, holdout)
    unchanged = version is not None and version.alias == CHAMPION
    if unchanged:
        judgement = judgement.without_rival()
    if version is None:
        version = register(desk, accepted.snapshot, training, judgement, curve, known, training_part, holdout)
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
    points = keeps_open(desk.project.folder, desk.project.spec)
    verdict: Verdict = "refused" if not judgement.passed else "open" if points else "passed"
    closed = milestone("M4", verdict, perf_counter() - started, evidence, points if judgement.passed else ())
    return Pilot(accepted, training, judgement, curve, len(training_part), holdout, known, version, unchanged, earned, closed)


def accept(desk: Desk, inventory: Inventory) -> Accepted:
    """Check the contract, put bad rows into quarantine, and keep the good ones as a data version.

    Raises
    ------
    ContractBroken
        If the contract does not let the data in.
    """
    desk.report("M4", "contract")
    result = desk.tools.check(inventory.frame, desk.project.contract)
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
    return Accepted(result, quarantine, as_version(desk, result.accepted, inventory.snapshot, provenance))


def as_version(desk: Desk, accepted: pd.DataFrame, grown: Snapshot | None, provenance: dict[str, Any]) -> Snapshot:
    """Return the accepted rows, as far back as project.yaml lets a model look, as a data version: that which deliveries made, if it is no other."""
    learned = newest_rows(desk.project, accepted)
    if grown is not None and grown.rows == len(learned):
        return grown
    cut = {} if grown is None else {"cut_from": grown.version, "learned": len(learned)}
    return keep(desk, learned, provenance | cut)


@task(name="snapshot", retries=2, retry_delay_seconds=2, cache_policy=NO_CACHE, persist_result=False)
def keep(desk: Desk, frame: pd.DataFrame, provenance: dict[str, Any]) -> Snapshot:
    """Store the accepted rows as a data version; tried again because a network share may be away for a moment."""
    files = [column.name for column in desk.project.contract.columns if column.type == "file"]
    return desk.snapshots.save(desk.project.name, frame, file_columns=files, provenance=provenance)


def rows_before(desk: Desk, since: datetime, accepted: Accepted) -> int:
    """Return how many rows of a data version had been delivered before a moment; 0 where none had.

    Of a version that project.yaml lets a model look at in part only, the rows that were left out do not count.
    """
    versions = desk.snapshots.provenance(desk.project.name)
    earlier = [one for one in versions if one.time <= since]
    if not earlier:
        return 0
    whole = next((one for one in versions if one.version == earlier[-1].notes.get("cut_from")), earlier[-1])
    left_out = len(accepted.check.accepted) - accepted.snapshot.rows
    return max(0, max(whole.rows, int(whole.notes.get("accepted", 0))) - left_out)


def split(desk: Desk, snapshot: Snapshot, before: int = 0) -> tuple[Dataset, Dataset, int]:
    """Return the training part and the hold-out of a data version, and how many labelled rows came after its first ``before`` rows.

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
    fresh = int((dataset.frame.index >= before).sum()) if before else 0
    return *training_and_holdout(dataset, fresh), fresh


def fit(
    desk: Desk, training_part: Dataset, held: int, snapshot: Snapshot, synthetic: bool, fresh: int = 0
) -> tuple[Training, LearningCurve | None]:
    """Compare the candidates and fit the best; find out whether more data would help.

    Parameters
    ----------
    held : rows of the hold-out
    fresh : labelled rows since the world changed; where a model of them alone is better, they are all that is learned from
    """
    if len(training_part) < ONE_THREAD_ROWS:
        desk.tools.load_later()  # of two cores one is free now; a fit on both would wait for every core that a second process takes
    made = trained(training_part, held, snapshot.version, synthetic, fresh, lambda name: desk.report("M4", f"train {name}"))
    desk.tools.load_later()
    if not desk.project.spec.training.learning_curve:
        return made, None
    desk.report("M4", "learning curve")
    return made, learning_curve(training_part, made)


def examine(desk: Desk, training: Training, training_part: Dataset, holdout: Dataset, snapshot: Snapshot) -> Judgement:
    """Judge the pilot on the hold-out, against the champion if there is one."""
    desk.report("M4", "judge")
    version = desk.registry.champion(desk.project.name)
    if version is None:
        return judge(training.model, training_part, holdout)
    same_data = version.data_version == snapshot.version
    champion = Champion(desk.registry.fetch(version), same_data, None if same_data else rows_of(desk, version))
    return judge(training.model, training_part, holdout, champion)


def newest(training_part: Dataset, held: int, fresh: int) -> Dataset:
    """Return the rows of the training part that show the world as it is: those since a change, where they are enough."""
    recent = recent_rows(training_part, held, fresh)
    return (
        training_part.take(np.arange(len(training_part) - recent, len(training_part))) if recent >= FEWEST_ROWS else training_part
    )


def reference(training: Training, training_part: Dataset) -> pd.DataFrame:
    """Return the reference window: training rows evenly spread, with the model's answers, the labels, and where there is one the time."""
    step = -(-len(training_part) // REFERENCE_MOST_ROWS)
    part = training_part.take(np.arange(len(training_part)) % step == 0)
    frame = part.frame[[name for name in part.project.input_contract.names if _is_watched(part, name)]].reset_index(drop=True)
    time = part.project.spec.data.time
    moments = {} if time is None else {TIME: part.frame[time].to_numpy()}
    return frame.assign(**answer_columns(training.model.answer(part.features)), label=part.target, **moments)


def answer_columns(predictions: Predictions) -> dict[str, np.ndarray]:
    """Return the columns by which monitoring knows the answers."""
    columns = {"prediction": predictions.value}
    if predictions.score is not None:
        columns["score"] = predictions.score
    return columns


def _is_watched(part: Dataset, name: str) -> bool:
    return part.project.contract.column(name).type != "file"

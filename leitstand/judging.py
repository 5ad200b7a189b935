"""Judging a trained model once on the hold-out: figures with intervals, against baseline and champion, by slices, with its reasons."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sklearn.inspection import permutation_importance

from leitstand.baseline import baseline_predictions
from leitstand.bootstrap import Estimate, estimates, paired_gain
from leitstand.dataset import Dataset
from leitstand.distrust import Distrusted, distrusted
from leitstand.gates import Gate, baseline_gate, champion_gate, criterion_gates, gate
from leitstand.metrics import Metric, evaluate, metrics_for
from leitstand.model import TrainedModel
from leitstand.needs_ai import needs_ai
from leitstand.prediction import Predictions
from leitstand.seen import KnownRows, row_keys
from leitstand.slices import Slice, champion_slice_gates, slice_gates, slices_of
from leitstand.stability import instability
from leitstand.training import chosen_metric

FEWEST_COMPARED = 30  # rows that the champion has not learned from; below, a comparison says nothing
OF_ANSWERS = {"classification": "balanced_accuracy", "anomaly": "f1"}  # neither can be had by answering the same to everybody
RANKINGS = ("roc_auc", "average_precision")
RIVAL_GATES = ("champion", "champion_slice:", "trust")
IMPORTANCE_ROWS = 1000  # of the hold-out: a ranking of columns needs no more
LATENCY_REPEATS = 15


@dataclass(frozen=True)
class Judgement:
    """All that was found on the hold-out.

    Parameters
    ----------
    metric : name of the primary metric
    metrics : every metric with its interval
    baseline : name of the baseline
    baseline_gain, champion_gain : in the primary metric, positive where the model is better; None without a champion
    compared_rows : of the hold-out, on which the champion's figures rest: those it did not learn from, all where too few are left
    learned_rows : of the hold-out, that the champion learned from
    importance : mean loss of the primary metric when a model input is shuffled, greatest first
    latency_ms : of one row, features included; the fastest of 15, for what else runs on the machine says nothing about the model
    instability : change of the answers under small noise; see ``leitstand.stability``
    distrusted : stretches whose labels cannot be right; a person has to look at them
    """

    rows: int
    metric: str
    metrics: dict[str, Estimate]
    baseline: str
    baseline_metrics: dict[str, float]
    baseline_gain: Estimate
    champion_metrics: dict[str, float] | None
    champion_gain: Estimate | None
    compared_rows: int
    learned_rows: int
    slices: tuple[Slice, ...]
    importance: dict[str, float]
    latency_ms: float
    instability: float
    distrusted: tuple[Distrusted, ...]
    gates: tuple[Gate, ...]
    truth: np.ndarray
    predictions: Predictions
    champion_predictions: Predictions | None

    @property
    def passed(self) -> bool:
        """Whether every gate let the model through."""
        return all(one.passed for one in self.gates)

    @property
    def only_distrusted(self) -> bool:
        """Whether nothing but labels that cannot be right stands in the way, so that a person may judge."""
        return not self.passed and all(one.passed for one in self.gates if one.name != "trust")

    def without_rival(self) -> "Judgement":
        """Return the judgement less the gates about the champion, for a champion that turned out to be the model itself."""
        return replace(self, gates=tuple(one for one in self.gates if not one.name.startswith(RIVAL_GATES)))


@dataclass(frozen=True)
class Champion:
    """The model in charge, as a rival.

    Parameters
    ----------
    same_data : whether it was trained on the very data version that the challenger was
    known : the rows of its own data version; None where nobody has kept them
    """

    model: TrainedModel
    same_data: bool
    known: KnownRows | None = None


@dataclass(frozen=True)
class _Rivalry:
    """The champion's answers, and the comparison on the rows that are fair to both."""

    answers: Predictions
    rows: np.ndarray
    learned: int
    metrics: dict[str, float]
    gain: Estimate
    distrusted: tuple[Distrusted, ...]
    gates: tuple[Gate, ...]


def judge(model: TrainedModel, training: Dataset, holdout: Dataset, champion: Champion | None = None) -> Judgement:
    """Judge ``model`` on the hold-out; call once per training, for a hold-out that is looked at twice is no hold-out.

    Parameters
    ----------
    training, holdout : the two sides of the split
    champion : the model now in charge, judged on the same rows
    """
    spec = holdout.project.spec
    metrics, primary = metrics_for(spec.task, len(training.classes)), chosen_metric(training)
    blocks = spec.split.strategy == "time"
    truth = holdout.target
    predictions = model.answer(holdout.features)
    rule, rule_name = baseline_predictions(training, holdout)
    found = estimates(metrics, truth, predictions, blocks)
    values = {name: estimate.value for name, estimate in found.items()}
    baseline_gain = paired_gain(primary, truth, predictions, rule, blocks)
    rivalry = _compare(champion, primary, metrics, holdout, predictions)
    slices, latency_ms, unsteady = (
        slices_of(primary, holdout, predictions),
        _latency_ms(model, holdout),
        instability(model, holdout.features),
    )
    gates = [
        *criterion_gates(spec.success, metrics, values),
        baseline_gate(baseline_gain, spec.gates),
        needs_ai(baseline_gain).gate,
    ]
    gates += rivalry.gates if rivalry else ()
    gates += slice_gates(primary, slices, values, spec.gates.slice_floor)
    gates.append(gate("stability", unsteady, spec.gates.max_instability, at_least=False))
    gates.append(gate("latency", latency_ms, spec.gates.max_latency_ms, at_least=False))
    return Judgement(
        rows=len(holdout),
        metric=primary.name,
        metrics=found,
        baseline=rule_name,
        baseline_metrics=evaluate(metrics, truth, rule),
        baseline_gain=baseline_gain,
        champion_metrics=rivalry.metrics if rivalry else None,
        champion_gain=rivalry.gain if rivalry else None,
        compared_rows=int(rivalry.rows.sum()) if rivalry else 0,
        learned_rows=rivalry.learned if rivalry else 0,
        slices=slices,
        importance=_importance(primary, model, holdout) if spec.training.importance else {},
        latency_ms=latency_ms,
        instability=unsteady,
        distrusted=rivalry.distrusted if rivalry else (),
        gates=tuple(gates),
        truth=truth,
        predictions=predictions,
        champion_predictions=rivalry.answers if rivalry else None,
    )


def _compare(
    champion: Champion | None, primary: Metric, metrics: Mapping[str, Metric], holdout: Dataset, predictions: Predictions
) -> _Rivalry | None:
    """Compare with the champion on the rows that neither has learned from."""
    rival = rival_predictions(champion, holdout)
    if champion is None or rival is None:
        return None
    spec, truth = holdout.project.spec, holdout.target
    blocks, unfit = spec.split.strategy == "time", _learned(champion, holdout)
    rows = ~unfit if (~unfit).sum() >= FEWEST_COMPARED else np.ones(len(truth), dtype=bool)
    fair, new, old = truth[rows], predictions.take(rows), rival.take(rows)
    gain = paired_gain(primary, fair, new, old, blocks)
    doubtful = distrusted(primary, holdout, predictions, rival, champion.known)
    answered = metrics.get(OF_ANSWERS.get(spec.task, "")) if primary.name in RANKINGS else None
    of_answers = paired_gain(answered, fair, new, old, blocks) if answered else None
    gates = [champion_gate(gain, spec.gates, champion.same_data, of_answers)]
    gates += champion_slice_gates(primary, holdout.take(rows), new, old, spec.gates.slice_floor)
    gates.append(gate("trust", float(len(doubtful)), 0.0, at_least=False))
    return _Rivalry(rival, rows, int(unfit.sum()), evaluate(metrics, fair, old), gain, doubtful, tuple(gates))


def _learned(champion: Champion, holdout: Dataset) -> np.ndarray:
    """Return which rows of the hold-out the champion was trained on; none where nobody knows."""
    if champion.known is None or champion.same_data:
        return np.zeros(len(holdout), dtype=bool)
    return np.isin(row_keys(holdout), champion.known.learned)


def rival_predictions(champion: Champion | None, holdout: Dataset) -> Predictions | None:
    """Return the champion's answers; None without one, or when it cannot answer for today's columns or classes."""
    if champion is None or not set(champion.model.card.feature_names) <= set(holdout.features.columns):
        return None
    return champion.model.answer(holdout.features)


def _importance(primary: Metric, model: TrainedModel, holdout: Dataset) -> dict[str, float]:
    """Permutation importance (Breiman 2001; Fisher, Rudin & Dominici 2019) in units of the primary metric."""
    step = -(-len(holdout) // IMPORTANCE_ROWS)
    inputs = holdout.features[list(model.card.feature_names)].iloc[::step]
    truth = holdout.target[::step]

    def score(_: object, frame: pd.DataFrame, target: np.ndarray) -> float:
        value = primary(target, model.answer(frame))
        return value if primary.greater_is_better else -value

    found = permutation_importance(model.estimator, inputs, truth, scoring=score, n_repeats=2, random_state=0)
    ranked = sorted(zip(inputs.columns, found.importances_mean, strict=True), key=lambda pair: -pair[1])
    return {str(name): float(value) for name, value in ranked if np.isfinite(value)}


def _latency_ms(model: TrainedModel, holdout: Dataset) -> float:
    seconds = []
    for repeat in range(LATENCY_REPEATS):
        row = holdout.frame.iloc[[repeat % len(holdout)]]
        started = time.perf_counter()
        model.predict(holdout.project, row)
        seconds.append(time.perf_counter() - started)
    return min(seconds) * 1000

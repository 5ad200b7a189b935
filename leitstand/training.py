"""Comparing candidates by cross-validation on the training part, and fitting the best one."""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from leitstand.baseline import fit_rule
from leitstand.bootstrap import paired_gain
from leitstand.dataset import Dataset, positive_class
from leitstand.errors import ProjectError, UnknownName
from leitstand.metrics import Metric, metrics_for, primary_metric
from leitstand.model import ModelCard, TrainedModel
from leitstand.prediction import Predictions, joined
from leitstand.split import folds
from leitstand.temperature import fitted_temperature

Progress = Callable[[str], None]
LEARNING_CURVE_SHARES = (0.125, 0.25, 0.5, 1.0)  # each step doubles the rows
# beyond this more rows of the same kind rarely matter, and the curve would cost more than the model
LEARNING_CURVE_MOST_ROWS = 10_000
ONE_THREAD_ROWS = 10_000
ONE_FOLD_ROWS = 10_000  # of more rows one fold holds enough to tell how sure a model may be


@dataclass(frozen=True)
class CandidateScore:
    """How one candidate did in cross-validation.

    Parameters
    ----------
    value : the project's metric over all validated rows
    seconds : it took, all folds
    """

    name: str
    value: float
    seconds: float


@dataclass(frozen=True)
class Training:
    """What training gave: the fitted model and how it was chosen."""

    model: TrainedModel
    metric: str
    candidates: tuple[CandidateScore, ...]


@dataclass(frozen=True)
class LearningCurve:
    """How the metric grows with the training rows.

    Parameters
    ----------
    rows, values : one entry per size
    more_data_helps : whether the last step up brought a gain whose 95 % interval lies above zero
    """

    rows: tuple[int, ...]
    values: tuple[float, ...]
    more_data_helps: bool


@dataclass(frozen=True)
class _Fold:
    """Out-of-fold answers: positions in the training part, and the predictions for them."""

    positions: np.ndarray
    predictions: Predictions


def chosen_metric(dataset: Dataset) -> Metric:
    """Return the metric by which the project's candidates are compared.

    Raises
    ------
    UnknownName
        If project.yaml names one that the task kind does not have.
    """
    spec = dataset.project.spec
    known = metrics_for(spec.task, len(dataset.classes))
    name = spec.training.metric or primary_metric(spec.task, len(dataset.classes))
    if name not in known:
        raise UnknownName("metric", name, known)
    return known[name]


def train(dataset: Dataset, data_version: str, synthetic: bool, progress: Progress = lambda _: None) -> Training:
    """Cross-validate every candidate on the training part and return the chosen one, fitted on all of it.

    The first candidate is the simple one: another is chosen only if it is certainly better (the idea of the one-standard-error rule, Breiman et
    al. 1984, section 3.4.3, with the paired bootstrap as the judge). A lead that chance explains does not last.

    With one candidate only what needs out-of-fold answers is validated; calibration of many rows on the last fold alone.

    Parameters
    ----------
    dataset : the training part alone
    progress : told the name of each candidate as it starts

    Raises
    ------
    ProjectError
        If a candidate cannot be fitted.
    """
    metric = chosen_metric(dataset)
    candidates = dataset.project.candidates(dataset.features)
    if not candidates:
        raise ProjectError("errors.no_candidates", project=dataset.project.name)
    scores: list[CandidateScore] = []
    answers: dict[str, list[_Fold]] = {}
    for name, estimator in candidates.items():
        progress(name)
        started = time.perf_counter()
        answers[name] = list(_out_of_fold(dataset, name, estimator, _needed(dataset, len(candidates))))
        scores.append(CandidateScore(name, _score(dataset, metric, answers[name]), time.perf_counter() - started))
    name = _choice(dataset, metric, scores, answers)
    fitted = _fit(dataset, name, candidates[name])
    card = _card(dataset, name, data_version, synthetic, answers[name]).model_copy(update={"rule": fit_rule(dataset)})
    return Training(TrainedModel(fitted, card), metric.name, tuple(scores))


def _choice(dataset: Dataset, metric: Metric, scores: list[CandidateScore], answers: dict[str, list[_Fold]]) -> str:
    """Return the name of the best candidate, or of the first one where the best is not certainly better than it."""
    ranked = [score for score in scores if np.isfinite(score.value)]
    if not ranked or len(scores) == 1:
        return scores[0].name
    first, best = scores[0].name, max(ranked, key=lambda score: score.value if metric.greater_is_better else -score.value).name
    truth = dataset.target[np.concatenate([fold.positions for fold in answers[best]])]
    blocks = dataset.project.spec.split.strategy == "time"
    try:
        leader, simple = (joined([fold.predictions for fold in answers[name]]) for name in (best, first))
    except ValueError:  # a fold without one of the classes
        return best
    return best if paired_gain(metric, truth, leader, simple, blocks).low > 0 else first


def answers_of(learned: Dataset, judged: Dataset, name: str) -> Predictions:
    """Return the answers to ``judged`` of the candidate ``name`` fitted on ``learned``.

    Raises
    ------
    ProjectError
        If it cannot be fitted.
    """
    return _answer(learned, _fit(learned, name, learned.project.candidates(learned.features)[name]), judged)


def learning_curve(dataset: Dataset, training: Training) -> LearningCurve | None:
    """Return how the chosen candidate does with growing shares of the training part, judged on its last cross-validation fold.

    The hold-out is not touched. None where the training part is too small to be cut.

    Parameters
    ----------
    dataset : the training part
    """
    if len(dataset) > LEARNING_CURVE_MOST_ROWS:
        step = -(-len(dataset) // LEARNING_CURVE_MOST_ROWS)
        dataset = dataset.take(np.arange(len(dataset)) % step == 0)
    metric = chosen_metric(dataset)
    name = training.model.card.candidate
    estimator = dataset.project.candidates(dataset.features)[name]
    inside, validation = list(_split(dataset))[-1]
    judged = dataset.take(validation)
    order = inside if dataset.project.spec.split.strategy == "time" else np.random.default_rng(0).permutation(inside)
    rows, answers = [], []
    for share in LEARNING_CURVE_SHARES:
        part = order[-max(1, int(len(order) * share)) :]
        if len(part) < 20 or (dataset.discrete and len(np.unique(dataset.target[part])) < len(np.unique(dataset.target[inside]))):
            continue
        rows.append(len(part))
        answers.append(_answer(dataset, _fit(dataset.take(part), name, estimator), judged))
    if len(rows) < 2:
        return None
    values = tuple(metric(judged.target, answer) for answer in answers)
    blocks = dataset.project.spec.split.strategy == "time"
    last = paired_gain(metric, judged.target, answers[-1], answers[-2], blocks)
    return LearningCurve(tuple(rows), values, last.low > 0)


def _split(dataset: Dataset) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    return folds(dataset.project.spec.split, dataset.features, dataset.target, dataset.groups, dataset.discrete)


def _needed(dataset: Dataset, candidates: int) -> slice:
    """Return which folds are validated."""
    if candidates > 1 or dataset.project.spec.task != "classification":
        return slice(None)
    if not dataset.project.spec.training.calibrate:
        return slice(0)
    return slice(None) if len(dataset) <= ONE_FOLD_ROWS else slice(-1, None)


def _out_of_fold(dataset: Dataset, name: str, estimator: Any, which: slice) -> Iterator[_Fold]:
    for inside, outside in list(_split(dataset))[which]:
        yield _Fold(outside, _answer(dataset, _fit(dataset.take(inside), name, estimator), dataset.take(outside)))


def _fit(dataset: Dataset, name: str, estimator: Any) -> Any:
    """Return a fitted clone; an anomaly detector sees normal rows only."""
    learned = dataset.take(~dataset.target) if dataset.project.spec.task == "anomaly" else dataset
    target = None if dataset.project.spec.task == "anomaly" else learned.target
    try:
        with warnings.catch_warnings(), _threads(len(learned)):
            # a candidate that has not converged is still judged by its figures
            warnings.simplefilter("ignore", ConvergenceWarning)
            return clone(estimator).fit(learned.features, target)
    except Exception as error:
        detail = " ".join(str(error).split())[:300]
        raise ProjectError("errors.candidate_failed", project=dataset.project.name, candidate=name, detail=detail) from error


def _threads(rows: int) -> AbstractContextManager[object]:
    """Keep small trainings on one thread: starting and joining threads costs them more than it brings."""
    return threadpool_limits(1) if rows < ONE_THREAD_ROWS else nullcontext()


def _answer(dataset: Dataset, fitted: Any, judged: Dataset) -> Predictions:
    card = _card(dataset, "", "", False, [])
    if card.task == "anomaly":
        card = card.model_copy(update={"threshold": float("inf")})
    if card.task == "classification":
        card = card.model_copy(update={"classes": tuple(np.asarray(fitted.classes_).tolist())})
    return TrainedModel(fitted, card).answer(judged.features)


def _score(dataset: Dataset, metric: Metric, answers: list[_Fold]) -> float:
    """Return the metric over each fold, averaged by the number of rows; NaN without answers."""
    values = [(metric(dataset.target[fold.positions], fold.predictions), len(fold.positions)) for fold in answers]
    defined = [(value, rows) for value, rows in values if np.isfinite(value)]
    if not defined:
        return float("nan")
    figures, rows = zip(*defined, strict=True)
    return float(np.average(figures, weights=rows))


def _card(dataset: Dataset, name: str, data_version: str, synthetic: bool, answers: list[_Fold]) -> ModelCard:
    spec = dataset.project.spec
    card = ModelCard(
        project=spec.project,
        task=spec.task,
        candidate=name,
        target=spec.data.target,
        feature_names=tuple(dataset.features.columns),
        classes=dataset.classes,
        positive=positive_class(dataset),
        ranges=_ranges(dataset),
        data_version=data_version,
        rows=len(dataset),
        synthetic=synthetic,
    )
    return card.model_copy(update=_calibration(dataset, answers))


def _calibration(dataset: Dataset, answers: list[_Fold]) -> dict[str, float]:
    """Return the interval's half width, the alarm threshold or the temperature of the probabilities, from out-of-fold answers.

    The half width is the split-conformal quantile of absolute residuals (Lei et al., JASA 113(523), 2018, eq. 4) with cross-validation
    residuals as in CV+ (Barber et al., Ann. Statist. 49(1), 2021); the threshold is the same quantile of normal rows' scores.
    """
    spec = dataset.project.spec
    if not answers:
        return {}
    if spec.task == "classification":
        return _temperature(dataset, answers) if spec.training.calibrate else {}
    if spec.task == "regression":
        residuals = np.concatenate([np.abs(dataset.target[fold.positions] - fold.predictions.value) for fold in answers])
        return {"interval": conformal_quantile(residuals, spec.training.confidence), "confidence": spec.training.confidence}
    scores = [fold.predictions.score[~dataset.target[fold.positions]] for fold in answers if fold.predictions.score is not None]
    return {"threshold": conformal_quantile(np.concatenate(scores), 1 - spec.training.max_false_alarm_rate)}


def _temperature(dataset: Dataset, answers: list[_Fold]) -> dict[str, float]:
    try:
        given = joined([fold.predictions for fold in answers])
    except ValueError:  # a fold without one of the classes
        return {}
    metrics = metrics_for("classification", len(dataset.classes))
    truth = dataset.target[np.concatenate([fold.positions for fold in answers])]
    found = fitted_temperature(metrics, truth, given, dataset.project.spec.split.strategy == "time")
    return {} if found is None else {"temperature": found}


def conformal_quantile(values: np.ndarray, level: float) -> float:
    """Return the ⌈(n+1)·level⌉-th smallest of n values (the largest where there are too few), so that the next one is covered with ``level``."""
    rank = min(len(values), int(np.ceil((len(values) + 1) * level)))
    return float(np.sort(values)[rank - 1])


def _ranges(dataset: Dataset) -> dict[str, tuple[float, float]]:
    numbers = [column.name for column in dataset.project.input_contract.columns if column.is_number]
    values = dataset.frame[numbers].to_numpy(dtype=float)
    ranges = {}
    for i, name in enumerate(numbers):
        present = values[np.isfinite(values[:, i]), i]
        if len(present):
            ranges[name] = (float(present.min()), float(present.max()))
    return ranges

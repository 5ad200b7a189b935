"""The pictures that stay with a run: candidates, learning curve, what the model looks at, and its answers against the truth."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from leitstand.judging import Judgement
from leitstand.training import CandidateScore, LearningCurve

MOST_BARS = 15
BLUE, GREY = "#1f6f8b", "#9aa5ab"


def draw_charts(folder: Path, candidates: Sequence[CandidateScore], judgement: Judgement, curve: LearningCurve | None) -> None:
    """Draw the run's pictures as ``overview.png`` into ``folder`` (made if missing)."""
    folder.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(11, 8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 2)
    _candidates(axes[0, 0], candidates, judgement)
    _curve(axes[0, 1], curve, judgement.metric)
    _importance(axes[1, 0], judgement)
    _answers(axes[1, 1], judgement)
    figure.savefig(folder / "overview.png", dpi=90)


def _candidates(axes: Axes, candidates: Sequence[CandidateScore], judgement: Judgement) -> None:
    scores = [score for score in candidates if np.isfinite(score.value)]
    axes.barh([score.name for score in scores], [score.value for score in scores], color=BLUE)
    baseline = judgement.baseline_metrics.get(judgement.metric)
    if baseline is not None:
        axes.axvline(baseline, color=GREY, linestyle="--", label=f"baseline ({judgement.baseline})")
        axes.legend(fontsize=8)
    axes.set_title(f"Candidates, cross-validated: {judgement.metric}")


def _curve(axes: Axes, curve: LearningCurve | None, metric: str) -> None:
    axes.set_title(f"Learning curve: {metric}")
    if curve is None:
        axes.text(0.5, 0.5, "not drawn", ha="center", color=GREY)
        return
    axes.plot(curve.rows, curve.values, marker="o", color=BLUE)
    axes.set_xlabel("training rows")


def _importance(axes: Axes, judgement: Judgement) -> None:
    top = list(judgement.importance.items())[:MOST_BARS][::-1]
    axes.barh([name for name, _ in top], [value for _, value in top], color=BLUE)
    axes.set_title(f"Loss of {judgement.metric} when a column is shuffled")
    axes.tick_params(axis="y", labelsize=8)


def _answers(axes: Axes, judgement: Judgement) -> None:
    truth, predictions = judgement.truth, judgement.predictions
    if predictions.classes:
        _confusion(axes, truth, predictions.value, predictions.classes)
    elif predictions.threshold is not None and predictions.score is not None:
        bins = np.histogram_bin_edges(predictions.score, 40).tolist()
        axes.hist(predictions.score[~truth], bins, color=BLUE, alpha=0.7, label="normal")
        axes.hist(predictions.score[truth], bins, color="#c8553d", alpha=0.7, label="anomalous")
        axes.axvline(predictions.threshold, color="black", linestyle="--", label="threshold")
        axes.legend(fontsize=8)
        axes.set_title("Anomaly score on the hold-out")
    else:
        axes.scatter(truth, predictions.value, s=6, alpha=0.4, color=BLUE)
        low, high = float(min(truth.min(), predictions.value.min())), float(max(truth.max(), predictions.value.max()))
        axes.plot([low, high], [low, high], color=GREY)
        axes.set_xlabel("truth")
        axes.set_ylabel("prediction")
        axes.set_title("Answers on the hold-out")


def _confusion(axes: Axes, truth: np.ndarray, answers: np.ndarray, classes: tuple[object, ...]) -> None:
    counts = np.array([[np.sum((truth == true) & (answers == said)) for said in classes] for true in classes])
    axes.imshow(counts, cmap="Blues")
    names = [str(name) for name in classes]
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    for (row, column), count in np.ndenumerate(counts):
        axes.text(column, row, str(count), ha="center", va="center", fontsize=8)
    axes.set_xlabel("answer")
    axes.set_ylabel("truth")
    axes.set_title("Answers on the hold-out")

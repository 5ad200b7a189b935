"""The picture of a time-lapse: the error of every policy over time, with what happened."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from flows.simulation.figures import PolicyFigures, TimeLapse
from leitstand.figures import whole
from leitstand.texts import Language, text

COLOURS = {"never": "#9aa5ab", "always": "#d08c2f", "leitstand": "#1f6f8b", "oracle": "#4c9f70"}
MARKS = {"promoted": "^", "rolled_back": "v", "paused": "s", "refused": "x", "ask": "o"}


def draw(found: TimeLapse, file: Path, language: Language) -> None:
    """Draw the time-lapse into a PNG file."""
    figure = Figure(figsize=(12, 7), layout="constrained")
    FigureCanvasAgg(figure)
    errors, cost = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    figure.suptitle(text("simulation.title", language, project=found.project, stream=found.stream))
    _errors(errors, found, language)
    figure.legend(*errors.get_legend_handles_labels(), fontsize=8, loc="outside lower center", ncols=4)
    errors.xaxis.set_major_locator(MaxNLocator(integer=True))
    _trainings(cost, found, language)
    figure.savefig(file, dpi=110)


def _drawn(found: TimeLapse) -> dict[str, PolicyFigures]:
    """Return the policies to draw: an oracle only where it knows something, for it does what the first one does otherwise."""
    return {name: policy for name, policy in found.policies.items() if name != "oracle" or found.changes is not None}


def _errors(axes: Axes, found: TimeLapse, language: Language) -> None:
    for name, policy in _drawn(found).items():
        values = np.array([np.nan if error is None else error for error in policy.errors])
        label = text(f"simulation.policy_{name}", language)
        told = text("simulation.legend", language, policy=label, cost=whole(policy.cost_eur, language))
        axes.plot(
            np.arange(1, len(values) + 1), values, color=COLOURS[name], label=told, linewidth=2 if name == "leitstand" else 1.2
        )
    _events(axes, found, language)
    changes = found.changes or ()
    for number in changes[:1] if len(changes) > 4 else changes:
        axes.axvline(number + 1, color="#b03a2e", linestyle=":", linewidth=1.5)
        axes.annotate(
            text("simulation.change", language),
            (number + 1, axes.get_ylim()[1]),
            xytext=(4, -12),
            textcoords="offset points",
            color="#b03a2e",
        )
    axes.set_ylabel(text("simulation.error", language))
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.2)


def _events(axes: Axes, found: TimeLapse, language: Language) -> None:
    """Mark on Leitstand's line what it did."""
    own = found.policies.get("leitstand")
    if own is None:
        return
    for what, mark in MARKS.items():
        at = [(number + 1, own.errors[number] or 0.0) for number, done, _ in own.events if done == what]
        if at:
            label = text(f"simulation.event_{what}", language)
            periods, heights = zip(*at, strict=True)
            axes.scatter(periods, heights, marker=mark, s=70, color=COLOURS["leitstand"], zorder=5, label=label)


def _trainings(axes: Axes, found: TimeLapse, language: Language) -> None:
    drawn = _drawn(found)
    names = list(drawn)[::-1]
    for row, name in enumerate(names):
        policy = drawn[name]
        at = [number + 1 for number, what, _ in policy.events if what in ("promoted", "refused")]
        axes.scatter(at, [row] * len(at), marker="|", s=120, color=COLOURS[name])
    axes.set_yticks(range(len(names)), [text(f"simulation.policy_{name}", language) for name in names])
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_xlabel(text("simulation.period", language))
    axes.set_title(text("simulation.trainings_drawn", language), fontsize=9, loc="left")

"""The pictures of a dossier, drawn from stored figures in its language."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from flows.business import Analysis
from flows.dossier.telling import Teller

BLUE, GREY, RED = "#1f6f8b", "#9aa5ab", "#c8553d"
DOTS_PER_INCH = 160
MOST_BARS = 10


def tornado(found: Analysis, tell: Teller) -> bytes:
    """Return one bar per assumption, from the net present value at its low to that at its high bound."""
    bars, middle = found.tornado[::-1], found.promised.net_present_value_eur or 0.0
    figure, axes = _canvas(8, 1.2 + 0.42 * len(bars))
    names = [tell(f"benefit.{bar.assumption.key.replace('.', '_')}") for bar in bars]
    for end, colour in (("low", RED), ("high", BLUE)):
        widths = [getattr(bar, f"npv_at_{end}_eur") - middle for bar in bars]
        axes.barh(names, widths, left=middle, color=colour, label=tell(f"benefit.at_{end}"))
    axes.axvline(middle, color="black", linewidth=0.8)
    axes.axvline(0, color="black", linewidth=0.8, linestyle="--")
    axes.xaxis.set_major_formatter(lambda value, _: tell.grouped(value))
    axes.margins(x=0.08)
    figure.legend(*axes.get_legend_handles_labels(), fontsize=8, loc="outside upper right", ncols=2, frameon=False)
    return _png(figure)


def performance(model: Mapping[str, Any], gates: Sequence[Mapping[str, Any]], name: str, tell: Teller) -> bytes:
    """Return the deciding metric with its interval beside the figure without AI and what is demanded."""
    metric = model["metric"]
    found, baseline = model["intervals"][metric], model["baseline_metrics"].get(metric)
    figure, axes = _canvas(8, 2.2)
    rows = [(tell("picture_model"), found["value"], BLUE)]
    rows += [(tell("picture_baseline"), baseline, GREY)] if baseline is not None else []
    axes.barh([row[0] for row in rows], [row[1] for row in rows], color=[row[2] for row in rows], height=0.5)
    spread = [[found["value"] - found["low"]], [found["high"] - found["value"]]]
    axes.errorbar([found["value"]], [rows[0][0]], xerr=spread, color="black", capsize=4, linewidth=1.2)
    for bound in (one["threshold"] for one in gates if one["name"] == f"criterion:{metric}"):
        axes.axvline(bound, color=RED, linestyle="--", label=tell("picture_demanded"))
        axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    axes.invert_yaxis()
    axes.set_xlabel(name)
    _numbers(axes, tell)
    return _png(figure)


def learning_curve(curve: Mapping[str, Any], name: str, tell: Teller) -> bytes:
    """Return how the metric grows with the training rows."""
    figure, axes = _canvas(8, 2.8)
    axes.plot(curve["rows"], curve["values"], marker="o", color=BLUE)
    axes.set_xlabel(tell("axis_rows"))
    axes.set_ylabel(name)
    axes.xaxis.set_major_formatter(lambda value, _: tell.grouped(value))
    axes.yaxis.set_major_formatter(lambda value, _: tell.number(value).text)
    return _png(figure)


def importance(values: Mapping[str, float], name: str, tell: Teller) -> bytes:
    """Return what each column is worth to the model, those that are worth most."""
    top = list(values.items())[:MOST_BARS][::-1]
    figure, axes = _canvas(8, 0.9 + 0.3 * len(top))
    axes.barh([key for key, _ in top], [value for _, value in top], color=BLUE)
    axes.set_xlabel(tell("axis_loss", metric=name))
    _numbers(axes, tell)
    return _png(figure)


def _numbers(axes: Axes, tell: Teller) -> None:
    axes.xaxis.set_major_formatter(lambda value, _: tell.number(value).text)


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(labelsize=9)
    return figure, axes


def _png(figure: Figure) -> bytes:
    drawn = io.BytesIO()
    figure.savefig(
        drawn, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None}
    )  # no version in it: equal evidence, equal file
    return drawn.getvalue()

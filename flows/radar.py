"""The radar picture of a readiness profile."""

import math
from pathlib import Path

from leitstand.questionnaire import Questionnaire
from leitstand.readiness import Profile
from leitstand.texts import Language, text

BLUE, GREY = "#1f6f8b", "#9aa5ab"


def draw_radar(profile: Profile, form: Questionnaire, path: Path, language: Language) -> None:
    """Draw the dimensions of a profile as an SVG that needs nothing beside it; the bar of the next strategy is a dashed line.

    Letters are drawn as shapes, so that the picture looks the same everywhere.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from matplotlib.projections.polar import PolarAxes

    figure = Figure(figsize=(7, 6.4), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot(projection="polar")
    assert isinstance(axes, PolarAxes), "the projection asked for"
    angles = [2 * math.pi * place / len(form.dimensions) for place in range(len(form.dimensions))]
    scores = [profile.dimensions[dimension.id] for dimension in form.dimensions]
    ring = [*angles, angles[0]]
    axes.plot(ring, [*scores, scores[0]], color=BLUE, linewidth=2, marker="o", label=text("readiness.picture_today", language))
    axes.fill(angles, scores, color=BLUE, alpha=0.2)
    if profile.next is not None:
        above = form.strategy(profile.next)
        label = text("readiness.picture_bar", language, strategy=above.title.in_language(language))
        axes.plot(ring, [above.every_dimension] * len(ring), color=GREY, linestyle="--", label=label)
    axes.set_xticks(angles, [])
    for angle, score, dimension in zip(angles, scores, form.dimensions, strict=True):
        title = f"{dimension.title.in_language(language)}\n{shown(score, language)}"
        across, up = round(math.sin(angle), 3), round(math.cos(angle), 3)
        side = "left" if across > 0 else "right" if across < 0 else "center"
        axes.text(angle, 106, title, ha=side, va="bottom" if up > 0 else "top" if up < 0 else "center")
    axes.set_theta_offset(math.pi / 2)
    axes.set_theta_direction(-1)
    axes.set_ylim(0, 100)
    axes.set_yticks([25, 50, 75, 100])
    axes.tick_params(axis="y", labelsize=8, labelcolor=GREY)
    strategy = form.strategy(profile.strategy).title.in_language(language)
    axes.set_title(text("readiness.picture_title", language, total=shown(profile.total, language), strategy=strategy), pad=56)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_name(f".{path.name}.new")
    with rc_context({"svg.fonttype": "path", "svg.hashsalt": "leitstand"}):
        figure.savefig(written, format="svg", metadata={"Date": None})
    written.replace(path)


def shown(score: float, language: Language) -> str:
    """Return a score as it is read in ``language``: without decimals where there are none."""
    digits = f"{score:.1f}".removesuffix(".0")
    return digits.replace(".", ",") if language == "de" else digits

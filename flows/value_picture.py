"""The picture of the value ledger: what each month brought, and how the investment comes back."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from leitstand.ledger import Balance
from leitstand.texts import Language, text

BLUE, LIGHT, GREY, RED = "#1f6f8b", "#9cc5d3", "#9aa5ab", "#c8553d"


def draw_value(found: Balance, path: Path, language: Language, promised_eur: Sequence[float]) -> None:
    """Draw the months as bars and the balance as a line into a PNG or SVG file.

    Parameters
    ----------
    promised_eur : the balance after each month, as the business case promised
    """
    figure = Figure(figsize=(10, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    names = [line.period for line in found.lines]
    for source, colour in (("labels", BLUE), ("promotion", LIGHT), ("promise", GREY)):
        bars = [(place, line.net_eur) for place, line in enumerate(found.lines) if line.account.source == source]
        if bars:
            axes.bar(
                [place for place, _ in bars], [net for _, net in bars], color=colour, label=text(f"value.by_{source}", language)
            )
    places = range(len(names))
    axes.plot(
        places, [line.balance_eur for line in found.lines], color="black", marker="o", label=text("value.balance", language)
    )
    axes.plot(places, promised_eur, color=GREY, linestyle="--", label=text("value.promised", language))
    axes.axhline(0, color=RED, linewidth=1)
    axes.set_xticks(list(places), names, rotation=45, ha="right", fontsize=8)
    axes.set_ylabel("EUR")
    axes.yaxis.set_major_formatter(
        lambda value, _: f"{value:,.0f}".translate(str.maketrans(",", "." if language == "de" else ","))
    )
    axes.set_title(text("value.picture_title", language))
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=90)

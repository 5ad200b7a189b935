"""Numbers as people write them, in German or English."""

import math

from leitstand.texts import Language

ROUNDED = 3


def figure(value: float, language: Language, digits: int = ROUNDED) -> str:
    """Return a number with so many significant digits, all digits before the decimal sign kept; what is no number is a dash."""
    if math.isnan(value):
        return "–"
    if value == 0 or math.isinf(value):
        return "0" if value == 0 else "∞" if value > 0 else "−∞"
    exponent = math.floor(math.log10(abs(value)))
    if not -6 <= exponent <= 15:
        shown = f"{value:.{digits - 1}e}"
    else:
        decimals = max(0, digits - 1 - exponent)
        shown = f"{value:.{decimals}f}"
        shown = shown.rstrip("0").rstrip(".") if decimals else shown
    return (shown.replace(".", ",") if language == "de" else shown).replace("-", "−")


def whole(value: float, language: Language) -> str:
    """Return a number without decimals, its thousands set apart as the language does."""
    shown = f"{value:,.0f}".replace("-", "−")
    return shown.replace(",", ".") if language == "de" else shown


def percent(share: float, language: Language) -> str:
    """Return a share from 0 to 1 as a whole percentage, set as the language sets it."""
    return f"{100 * share:.0f} %" if language == "de" else f"{100 * share:.0f}%"


def placed(name: str, value: str | int | float, language: Language) -> str:
    """Return what stands for a placeholder: a number that is no whole one as a figure, or as a percentage where the name ends in ``share``."""
    if not isinstance(value, float):
        return str(value)
    return percent(value, language) if name.endswith("share") else figure(value, language)

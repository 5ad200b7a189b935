"""How far next month's values may lie from those seen so far."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd

ROUNDED_TO = 2  # significant digits of the span; "−10 to 35" can be read and edited, "−9.8731 to 34.6617" cannot
MANY_TIMES = 10
NEVER_NEGATIVE_UNITS = frozenset("K kg g t h min s ms d 1/min Hz kHz m² cm² mm² m³ cm³ l ppm dB(A) kWh MWh".split())  # noqa: SIM905 - words, not code
NEVER_NEGATIVE_WORDS = frozenset(
    """area fläche flaeche perimeter umfang length länge laenge width breite height höhe hoehe count anzahl number stück stueck menge
    quantity duration dauer age alter weight gewicht mass masse volume volumen diameter durchmesser radius axis distance distanz""".split()  # noqa: SIM905 - words, not code
)
TINIEST, LARGEST = 1e-290, 1e290  # beyond, the margins leave what a float can hold
COUNTER_VALUES = 10
SKEWED = 5  # a maximum this many times the 99th percentile shows that single values far out are ordinary here


def guess_range(values: pd.Series, unit: str | None, words: set[str]) -> tuple[float, float] | None:
    """Return smallest and largest plausible value; None where values of the past say nothing about those to come.

    A whole span is added on each side. The sample is often one month of one season: half of a year's swing of temperature or demand
    lies outside of it, and new extremes are what longer measuring brings. That bears drift and winter, and still catches what a
    contract is for: a wrong unit (K for °C, g for kg), a slipped decimal point, -999 or 65535 from a broken sensor. Where single values
    far out are ordinary, the margin grows to ten times the largest. Zero stays the bottom of what starts exactly there and of what has
    no negative amount by its unit or name; never of temperatures, for which zero is no bottom. Counters and years have no range: their
    new values always lie outside.

    Parameters
    ----------
    words : of the column's name, in lower case
    """
    numbers = values.dropna().to_numpy(dtype=np.float64)
    numbers = numbers[np.isfinite(numbers)]
    if len(numbers) == 0 or np.abs(numbers).max() > LARGEST or _is_counter(numbers):
        return None
    low, high = float(numbers.min()), float(numbers.max())
    span = high - low or max(abs(high), 1.0)
    if span < TINIEST:
        return None
    margin_low = margin_high = span
    if low >= 0 and high > SKEWED * float(np.quantile(numbers, 0.99)):
        margin_high = MANY_TIMES * high
    if low < 0 and high <= 0 and low < SKEWED * float(np.quantile(numbers, 0.01)):
        margin_low = MANY_TIMES * -low
    step = 10.0 ** (math.floor(math.log10(span)) - ROUNDED_TO + 1)
    bottom, top = _outwards(low - margin_low, step, math.floor), _outwards(high + margin_high, step, math.ceil)
    temperature = unit in ("°C", "°F") or any(word.startswith("temp") for word in words)
    positive = unit in NEVER_NEGATIVE_UNITS or bool(words & NEVER_NEGATIVE_WORDS)
    if not temperature and (low == 0 or (low > 0 and positive)):
        bottom = max(bottom, 0.0)
    if np.isin(numbers, (0.0, 1.0)).all():
        bottom, top = 0.0, 1.0  # a flag
    return (bottom, top) if bottom <= low and high <= top else None


def _is_counter(numbers: np.ndarray) -> bool:
    """Return whether the numbers only ever grow: running numbers, years, meter readings."""
    steps = np.diff(numbers)
    if len(steps) < 2 or (steps < 0).any():
        return False
    if (numbers == np.floor(numbers)).all():
        years = numbers.min() >= 1900 and numbers.max() <= 2100
        return bool(years or (steps > 0).sum() >= COUNTER_VALUES)
    return bool((steps > 0).mean() > 0.5)


def _outwards(value: float, step: float, direction: Callable[[float], float]) -> float:
    return float(f"{direction(round(value / step, 6)) * step:.12g}")

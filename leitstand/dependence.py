"""How far rows that follow one another in time depend on each other: what slow processes take away from every test for chance."""

import numpy as np
import pandas as pd

SPAN = 5.0  # the sum of correlations ends at so many times itself (Sokal 1997, section 3: between 4 and 6)
LARGEST_LAG = 4  # a quarter of the rows: correlations over longer spans cannot be told from noise
MOST_CATEGORIES = 5  # the frequent ones tell how slowly the others change


def design_effect(values: pd.Series) -> float:
    """Return how many rows in time order count as one independent row; 1 where they do not depend on each other.

    The integrated autocorrelation time of the ranks, with Sokal's automatic window (A. Sokal, Monte Carlo methods in statistical mechanics,
    1997). A test that treats n rows as n / design effect rows keeps its level (Weiss, JASA 73(364), 1978, for Kolmogorov–Smirnov; Rao &
    Scott, JASA 76(374), 1981, for counts).

    Parameters
    ----------
    values : in time order, numbers or texts; missing ones are passed over
    """
    present = values.dropna()
    if len(present) < 2 * LARGEST_LAG:
        return 1.0
    if pd.api.types.is_numeric_dtype(present):
        return _correlation_time(present.rank().to_numpy(dtype=float))
    shares = present.value_counts(normalize=True).head(MOST_CATEGORIES)
    times = [_correlation_time((present == name).to_numpy(dtype=float)) for name in shares.index]
    return float(np.average(times, weights=shares.to_numpy()))


def longest_run(values: pd.Series) -> int:
    """Return how many neighbouring rows at most hold the same value; missing ones are passed over."""
    present = values.dropna()
    if present.empty:
        return 0
    return int((present != present.shift()).cumsum().value_counts().max())


def _correlation_time(values: np.ndarray) -> float:
    centred, n = values - values.mean(), len(values)
    power = np.abs(np.fft.rfft(centred, 2 * n)) ** 2
    correlation = np.fft.irfft(power)[: max(2, n // LARGEST_LAG)]
    if correlation[0] <= 1e-12 * n * max(1.0, float(np.abs(values).max()) ** 2):
        return 1.0
    times = 2 * np.cumsum(correlation / correlation[0]) - 1
    enough = np.flatnonzero(np.arange(len(times)) >= SPAN * times)
    return max(1.0, float(times[enough[0] if len(enough) else -1]))

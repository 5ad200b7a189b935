"""Synthetic data with known truth: two mixing lines for three adhesives, eleven weeks, and the lab's samples.

The truth, which tests hold the model to:

- The mixer's viscosity strives for ``steady_viscosity``, a function of product group, melt temperature, motor current and screw speed, and
  follows it as a first-order lag with a time constant of ``LAG_MINUTES`` (a stirred tank).
- The material needs ``DEAD_TIME_MINUTES`` through the pipe to the tap where the lab draws its samples.
- The lab's error is normal with a standard deviation of ``LAB_NOISE_MPAS``. That is the noise floor: no model can have a smaller root mean
  square error, and one that looks back far enough can come near it, because what is drawn in half an hour is in the pipe already.

Feed and cooling water are measured and do not matter. Both lines stand still on Sundays.
"""

from pathlib import Path

import numpy as np
import pandas as pd

SYNTHETIC = True

WEEKS = 11
STEP_MINUTES = 5
LAG_MINUTES = 25.0
DEAD_TIME_MINUTES = 30
LAB_NOISE_MPAS = 120.0
LINES = ("L1", "L2")
GROUPS = ("assembly", "flooring", "packaging")
BASE_MPAS = {"assembly": 9000.0, "flooring": 6500.0, "packaging": 3800.0}
PER_KELVIN = {"assembly": -0.022, "flooring": -0.016, "packaging": -0.010}
CURRENT_A = {"assembly": 46.0, "flooring": 39.0, "packaging": 31.0}


def steady_viscosity(
    group: np.ndarray, temperature_c: np.ndarray, motor_current_a: np.ndarray, speed_rpm: np.ndarray
) -> np.ndarray:
    """Return the viscosity in mPa·s that the mixer strives for.

    Falls with temperature (Arrhenius, linearised around 80 °C), rises with the torque that the current stands for, falls with shear
    (power law, Ostwald–de Waele).
    """
    base, slope, current = (
        np.vectorize(table.__getitem__, otypes=[float])(group) for table in (BASE_MPAS, PER_KELVIN, CURRENT_A)
    )
    return base * np.exp(slope * (temperature_c - 80)) * (motor_current_a / current) ** 0.8 * (speed_rpm / 120) ** -0.3


def write(folder: Path, seed: int) -> None:
    """Write ``process.csv`` (a row per line and five minutes) and ``lab.csv`` (a sample per line and one to two hours)."""
    rng = np.random.default_rng(seed)
    process, lab = zip(*(_line(name, rng) for name in LINES), strict=True)
    _save(pd.concat(process).sort_values(["timestamp", "line"]), folder / "process.csv")
    _save(pd.concat(lab).sort_values(["sampled_at", "line"]), folder / "lab.csv")


def _save(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, index=False, lineterminator="\n", date_format="%Y-%m-%dT%H:%M:%S")


def _line(name: str, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    times = pd.date_range("2024-01-01", periods=WEEKS * 7 * 24 * 60 // STEP_MINUTES, freq=f"{STEP_MINUTES}min")
    group = _campaigns(len(times), rng)
    target = np.vectorize(CURRENT_A.__getitem__, otypes=[float])(group)
    temperature = 80 + _wander(len(times), 4.0, 8 * 60, rng)
    speed = 120 + _wander(len(times), 10.0, 12 * 60, rng)
    current = target * (1 + _wander(len(times), 0.08, 6 * 60, rng))
    process = pd.DataFrame(
        {
            "timestamp": times,
            "line": name,
            "product_group": group,
            "temperature_c": temperature.round(2),
            "motor_current_a": current.round(2),
            "speed_rpm": speed.round(1),
            "feed_kg_h": (410 + _wander(len(times), 25.0, 4 * 60, rng)).round(1),
            "cooling_water_c": (14 + _wander(len(times), 1.5, 24 * 60, rng)).round(2),
        }
    )
    viscosity = _first_order(steady_viscosity(group, temperature, current, speed), STEP_MINUTES / LAG_MINUTES)
    running = times.dayofweek != 6
    samples = _sampling_rows(running, rng)
    drawn = viscosity[samples - DEAD_TIME_MINUTES // STEP_MINUTES] + rng.normal(0, LAB_NOISE_MPAS, len(samples))
    # A sample is drawn some time within the five minutes of the row.
    drawn_at = times[samples] + pd.to_timedelta(rng.integers(0, STEP_MINUTES * 60, len(samples)), unit="s")
    lab = pd.DataFrame({"sampled_at": drawn_at, "line": name, "viscosity_mpas": drawn.round(0).astype(int)})
    return process[running], lab


def _campaigns(rows: int, rng: np.random.Generator) -> np.ndarray:
    """Return the product of each row: campaigns of 6 to 30 hours, never the same product twice in a row."""
    group = np.empty(rows, dtype=object)
    start, current = 0, int(rng.integers(len(GROUPS)))
    while start < rows:
        length = int(rng.integers(6, 31)) * 60 // STEP_MINUTES
        group[start : start + length] = GROUPS[current]
        start, current = start + length, (current + int(rng.integers(1, len(GROUPS)))) % len(GROUPS)
    return group


def _wander(rows: int, spread: float, memory_minutes: float, rng: np.random.Generator) -> np.ndarray:
    """Return an Ornstein–Uhlenbeck process around 0 with standard deviation ``spread``."""
    keep = np.exp(-STEP_MINUTES / memory_minutes)
    steps = rng.normal(0, spread * np.sqrt(1 - keep**2), rows)
    values = np.empty(rows)
    values[0] = rng.normal(0, spread)
    for row in range(1, rows):
        values[row] = keep * values[row - 1] + steps[row]
    return values


def _first_order(goal: np.ndarray, rate: float) -> np.ndarray:
    values = goal.copy()
    share = 1 - np.exp(-rate)
    for row in range(1, len(goal)):
        values[row] = values[row - 1] + share * (goal[row] - values[row - 1])
    return values


def _sampling_rows(running: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the rows at which a sample is drawn: one in 60 to 120 minutes, none in the first two hours after a standstill."""
    gaps = rng.integers(60 // STEP_MINUTES, 120 // STEP_MINUTES + 1, len(running))
    rows = np.cumsum(gaps)
    rows = rows[rows < len(running)]
    settled = 120 // STEP_MINUTES
    return np.asarray([row for row in rows if row >= settled and running[row - settled : row + 1].all()])

"""Synthetic recordings with known truth: six moulds, each over six greasing cycles, heard ten times a cycle.

The truth, which tests hold the model to:

- The lubricant film of a cycle lasts ``life`` hours: log-normal with median ``LIFE_HOURS``; two thirds of all cycles lie between it
  divided and multiplied by 1.4. The wear is (hours / life)³.
- A clip is ``needs_maintenance`` if and only if the wear is at least 1, that is, from ``life`` hours on.
- The sound is the hum of the drive (50 Hz and its harmonics, as loud in each mould as its own pattern says), the hiss of the hydraulics,
  and friction: noise around 2.4 kHz and clicks of stick-slip, both growing with the wear. Microphone gain, hiss and the pitch of the
  hum change from clip to clip and say nothing.

Hours since greasing therefore tell something, for that is today's rule, but a film that wears early or late is only heard.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.signal import butter, lfilter

from leitstand.signals import Sound, write_wav

SYNTHETIC = True

MOULDS, CYCLES, CLIPS = 6, 6, 10
RATE_HZ = 8000
SECONDS = 1.0
LIFE_HOURS = 90.0
LIFE_SPREAD = 0.35  # standard deviation of the logarithm


def write(folder: Path, seed: int) -> None:
    """Write the folder ``recordings``: 360 WAV files and ``manifest.csv``."""
    rng = np.random.default_rng(seed)
    target = folder / "recordings"
    target.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(1, MOULDS + 1):
        mould, hum = f"M{number:02d}", rng.lognormal(0, 0.5, 12)
        greased = pd.Timestamp("2024-03-01 06:00") + pd.Timedelta(hours=float(rng.integers(0, 48)))
        for cycle in range(1, CYCLES + 1):
            life = LIFE_HOURS * float(np.exp(rng.normal(0, LIFE_SPREAD)))
            hours = _hours(rng)
            for hour in hours:
                name = f"{mould}_c{cycle}_{hour:06.2f}h.wav"
                write_wav(target / name, Sound(clip(hum, wear(hour, life), rng), RATE_HZ))
                rows.append(
                    {
                        "recording": name,
                        "mould": mould,
                        "greasing_cycle": f"{mould}-C{cycle}",
                        "recorded_at": (greased + pd.Timedelta(hours=float(hour))).isoformat(timespec="seconds"),
                        "hours_since_greasing": hour,
                        "condition": "needs_maintenance" if wear(hour, life) >= 1 else "normal",
                    }
                )
            greased += pd.Timedelta(hours=float(np.ceil(hours[-1])) + 2)
    pd.DataFrame(rows).to_csv(target / "manifest.csv", index=False, lineterminator="\n")


def wear(hours: float, life_hours: float) -> float:
    """Return the wear of the film: 0 when greased, 1 at the end of its life."""
    return (hours / life_hours) ** 3


def clip(hum: np.ndarray, worn: float, rng: np.random.Generator) -> np.ndarray:
    """Return one second of a mould at work, shape (RATE_HZ,), full scale ±1.

    Parameters
    ----------
    hum : shape (n_harmonics,), the mould's own pattern
    worn : wear of the film, 0 and more
    """
    count = round(RATE_HZ * SECONDS)
    time = np.arange(count) / RATE_HZ
    pitch = 50 * (1 + rng.normal(0, 0.002))
    phases = rng.uniform(0, 2 * np.pi, len(hum))
    harmonics = np.arange(1, len(hum) + 1)
    drive = (hum / harmonics) @ np.sin(2 * np.pi * pitch * harmonics[:, None] * time + phases[:, None])
    hiss = rng.normal(0, 0.25 * np.exp(rng.normal(0, 0.2)), count)
    b, a = butter(2, (2000 / (RATE_HZ / 2), 2800 / (RATE_HZ / 2)), "bandpass")
    friction = 0.6 * worn * np.exp(rng.normal(0, 0.15)) * lfilter(b, a, rng.normal(0, 1, count))
    clicks = np.zeros(count)
    clicks[rng.integers(0, count, rng.poisson(8 * worn))] = rng.normal(0, 4, 1)
    sound = drive + hiss + friction + 0.5 * worn * lfilter(b, a, clicks)
    gain = 0.08 * np.exp(rng.normal(0, 0.3))
    return np.asarray(gain * sound)


def _hours(rng: np.random.Generator) -> np.ndarray:
    """Return when the clips of a cycle are recorded, in hours since greasing, rising; the last one before the next greasing."""
    end = rng.uniform(84, 130)
    spread = (np.arange(CLIPS) + rng.uniform(0.1, 0.9, CLIPS)) / CLIPS
    return np.asarray((end * spread).round(2))

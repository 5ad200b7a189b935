"""Real bearing vibrations as a folder of WAV files that the template acoustic_maintenance can start from.

    python benchmarks/real_acoustic.py bearings
    leitstand new ears --template acoustic_maintenance --data bearings
    leitstand run ears

The signals are those of the Case Western Reserve University Bearing Data Center at 1797 rpm: one normal bearing and nine faults, all at
48 kHz (its normal recordings at 48 kHz must never be mixed with its faults at 12 kHz: the rate would tell them apart). They are looked for
under LEITSTAND_REAL_DATA.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from infra.settings import load_settings
from leitstand.signals import Sound, write_wav

SIGNALS = Path("acoustic_maintenance", "cwru-bearing", "cwru_1797rpm_de48k.npz")
RATE_HZ = 48_000
CLIP_SAMPLES = 2400  # 50 ms: one and a half turns of the shaft, and several hits of every fault
CLIPS_PER_SEGMENT = 10  # neighbours stay together; the last clip of a segment is left out, so that segments do not touch
NORMAL = "Normal"


def write_bearings(signals: Path, folder: Path) -> pd.DataFrame:
    """Write one WAV file per clip and ``manifest.csv`` into ``folder``, and return the manifest.

    Every signal is brought to the same peak first: what 16 bits lose must not tell normal and faulty apart. Nobody noted greasing for
    these bearings, so time and hours stay empty, and there is no rule of today to compare with.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    with np.load(signals) as loaded:
        for bearing in loaded.files:
            for number, samples in clips(np.asarray(loaded[bearing], dtype=float)):
                name = f"{bearing.replace('@', '_at_')}_{number:03d}.wav"
                write_wav(folder / name, Sound(samples, RATE_HZ))
                rows.append(
                    {
                        "recording": name,
                        "mould": "drive end",
                        "greasing_cycle": f"{bearing}-{number // CLIPS_PER_SEGMENT}",
                        "recorded_at": None,
                        "hours_since_greasing": None,
                        "condition": "normal" if bearing == NORMAL else "needs_maintenance",
                    }
                )
    manifest = pd.DataFrame(rows)
    manifest.to_csv(folder / "manifest.csv", index=False)
    return manifest


def clips(signal: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield number and samples of every clip that is kept, peak at ±0.99."""
    scaled = 0.99 * signal / np.abs(signal).max()
    for number in range(len(scaled) // CLIP_SAMPLES):
        if number % CLIPS_PER_SEGMENT != CLIPS_PER_SEGMENT - 1:
            yield number, scaled[number * CLIP_SAMPLES : (number + 1) * CLIP_SAMPLES]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the WAV files go; made if missing")
    folder = parser.parse_args().folder
    real_data = load_settings().real_data
    if real_data is None or not (real_data / SIGNALS).is_file():
        raise SystemExit(f"The signals are not there: set LEITSTAND_REAL_DATA to the folder that holds {SIGNALS}.")
    manifest = write_bearings(real_data / SIGNALS, folder)
    print(manifest.groupby("condition").agg(clips=("recording", "size"), segments=("greasing_cycle", "nunique")))


if __name__ == "__main__":
    main()

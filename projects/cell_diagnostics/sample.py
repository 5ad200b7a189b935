"""Real data: the Breast Cancer Wisconsin (Diagnostic) table that scikit-learn ships.

569 fine-needle aspirates, 30 figures of their cell nuclei, 212 malignant and 357 benign (Street, Wolberg & Mangasarian, Nuclear feature
extraction for breast tumor diagnosis, SPIE 1905, 1993). The truth is the diagnosis of the time; nothing here is invented. ``sample_id`` only
numbers the rows: the table that scikit-learn ships names no patients.
"""

from pathlib import Path

from sklearn.datasets import load_breast_cancer

SYNTHETIC = False


def write(folder: Path, seed: int) -> None:
    """Write ``cells.csv``; ``seed`` changes nothing, for the data are real."""
    loaded = load_breast_cancer(as_frame=True)
    table = loaded.frame.drop(columns="target").rename(columns=_column_name)
    table.insert(0, "sample_id", [f"S{number:04d}" for number in range(1, len(table) + 1)])
    table["diagnosis"] = loaded.frame["target"].map(dict(enumerate(loaded.target_names)))
    table.to_csv(folder / "cells.csv", index=False, lineterminator="\n")


def _column_name(name: str) -> str:
    """Return ``worst_radius`` of "worst radius" and ``radius_error`` of "radius error"."""
    return name.replace(" ", "_")

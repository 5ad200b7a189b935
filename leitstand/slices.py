"""Parts of the hold-out that are judged one by one, so that a good mean hides no group that is answered badly."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from leitstand.bootstrap import paired_gain
from leitstand.dataset import Dataset
from leitstand.gates import Gate, gate
from leitstand.metrics import Metric
from leitstand.prediction import Predictions

FEWEST_ROWS = 20
MOST_SLICES = 10


@dataclass(frozen=True)
class Slice:
    """The primary metric on the hold-out rows with one value of one column."""

    column: str
    value: str
    rows: int
    metric: float


def slices_of(primary: Metric, holdout: Dataset, predictions: Predictions) -> tuple[Slice, ...]:
    """Return every slice with enough rows where the metric is defined."""
    slices = []
    for column, value, inside in _masks(holdout):
        figure = primary(holdout.target[inside], predictions.take(inside))
        if np.isfinite(figure):
            slices.append(Slice(column, value, int(inside.sum()), figure))
    return tuple(slices)


def slice_gates(primary: Metric, slices: tuple[Slice, ...], values: Mapping[str, float], floor: float | None) -> list[Gate]:
    """Return a gate per slice: not further behind the figure over all rows than the floor allows."""
    if floor is None:
        return []
    bound = values[primary.name] - floor if primary.greater_is_better else values[primary.name] + floor
    return [gate(f"slice:{one.column}={one.value}", one.metric, bound, primary.greater_is_better) for one in slices]


def champion_slice_gates(
    primary: Metric, compared: Dataset, new: Predictions, old: Predictions, floor: float | None
) -> list[Gate]:
    """Return a gate per slice: not with certainty further behind the champion there than the floor allows.

    A slice is small and there are several, so the best case of the 95 % interval counts and not the figure itself.
    """
    if floor is None:
        return []
    blocks = compared.project.spec.split.strategy == "time"
    gates = []
    for column, value, inside in _masks(compared):
        gain = paired_gain(primary, compared.target[inside], new.take(inside), old.take(inside), blocks)
        if np.isfinite(gain.high):
            gates.append(gate(f"champion_slice:{column}={value}", gain.high, -floor, at_least=True))
    return gates


def _masks(holdout: Dataset) -> Iterator[tuple[str, str, np.ndarray]]:
    for column in holdout.project.spec.data.slices:
        values = _sliced(holdout.frame[column])
        for value in pd.unique(values)[:MOST_SLICES]:
            inside = np.asarray(values == value)
            if inside.sum() >= FEWEST_ROWS:
                yield column, str(value), inside


def _sliced(values: pd.Series) -> np.ndarray:
    """Return the slice each row belongs to: its value, or for many-valued numbers the quarter of the range by rows."""
    if values.dtype != object and values.nunique() > MOST_SLICES:
        return pd.qcut(values, 4, duplicates="drop").astype(str).to_numpy()
    return values.astype(str).to_numpy()

"""What a model answers, in one form for all task kinds."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Predictions:
    """The answers for n rows.

    Parameters
    ----------
    value : shape (n,): the class, the number, or (anomaly) whether the row is anomalous (bool)
    score : shape (n,): probability of the positive class (two classes), anomaly score (the higher the worse); None otherwise
    probabilities : shape (n, k) in the order of ``classes``; None unless classification
    classes : the k classes
    positive : of two classes, the one that ``score`` speaks of
    lower, upper : shape (n,): bounds of the prediction interval, in the target's unit; None unless regression
    threshold : of the anomaly score; None unless anomaly
    outside : per row, the names of the number columns whose value lies outside what the model was trained on
    """

    value: np.ndarray
    score: np.ndarray | None = None
    probabilities: np.ndarray | None = None
    classes: tuple[str | int | float | bool, ...] = ()
    positive: str | int | float | bool | None = None
    lower: np.ndarray | None = None
    upper: np.ndarray | None = None
    threshold: float | None = None
    outside: tuple[tuple[str, ...], ...] = field(default=())

    def __len__(self) -> int:
        return len(self.value)

    def take(self, rows: np.ndarray) -> "Predictions":
        """Return the answers of some rows, given as positions or as a mask of shape (n,)."""
        positions = np.flatnonzero(rows) if rows.dtype == bool else rows

        def part(values: np.ndarray | None) -> np.ndarray | None:
            return None if values is None else values[positions]

        return Predictions(
            value=self.value[positions],
            score=part(self.score),
            probabilities=part(self.probabilities),
            classes=self.classes,
            positive=self.positive,
            lower=part(self.lower),
            upper=part(self.upper),
            threshold=self.threshold,
            outside=tuple(self.outside[i] for i in positions) if self.outside else (),
        )


def joined(parts: Sequence[Predictions]) -> Predictions:
    """Return the answers for several sets of rows as one.

    Raises
    ------
    ValueError
        If there are none, or their classes differ.
    """
    if not parts or any(part.classes != parts[0].classes for part in parts):
        raise ValueError("answers to be joined need the same classes")

    def together(name: str) -> np.ndarray | None:
        values = [getattr(part, name) for part in parts]
        return None if any(value is None for value in values) else np.concatenate(values)

    return Predictions(
        value=np.concatenate([part.value for part in parts]),
        score=together("score"),
        probabilities=together("probabilities"),
        classes=parts[0].classes,
        positive=parts[0].positive,
        lower=together("lower"),
        upper=together("upper"),
        threshold=parts[0].threshold,
    )

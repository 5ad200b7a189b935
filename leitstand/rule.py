"""The answer that needs no learning, kept with a model: it answers when the model cannot or must not."""

from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from leitstand.contract import Scalar
from leitstand.prediction import Predictions


class Rule(BaseModel):
    """The baseline of one training, with all that it took from the data.

    Parameters
    ----------
    own : whether the project's own ``baseline`` of model.py answers; what it leaves open is filled from here
    classes, positive : of a classification, as the model's card has them
    shares : of the classes in training
    value : the number to answer with: the median, or in time order the last known one
    fill : the number where the project's own rule gives none: the median
    threshold : of the own rule's score, above which a row is anomalous
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: Literal["classification", "regression", "anomaly"]
    own: bool = False
    classes: tuple[Scalar, ...] = ()
    positive: Scalar | None = None
    shares: tuple[float, ...] = ()
    value: float = 0.0
    fill: float = 0.0
    threshold: float | None = None

    def answer(self, rows: int, said: np.ndarray | None = None) -> Predictions:
        """Return the answers for some rows.

        Parameters
        ----------
        said : shape (rows,): what the project's own rule says of them; None where it has none
        """
        if self.task == "classification":
            return self._class(rows, said)
        if self.task == "regression":
            if said is None:
                return Predictions(np.full(rows, self.value))
            numbers = said.astype(float)
            return Predictions(np.where(np.isfinite(numbers), numbers, self.fill))
        if said is None or self.threshold is None:
            return Predictions(np.zeros(rows, dtype=bool), np.zeros(rows), threshold=0.0)
        scores = said.astype(float)
        return Predictions(scores > self.threshold, scores, threshold=self.threshold)

    def _class(self, rows: int, said: np.ndarray | None) -> Predictions:
        if said is None:
            probabilities = np.tile(self.shares, (rows, 1))
        else:
            probabilities = np.where(said[:, None] == np.asarray(self.classes, dtype=object), 1.0, 0.0)
        value = np.asarray(self.classes)[probabilities.argmax(axis=1)]
        score = probabilities[:, self.classes.index(self.positive)] if self.positive is not None else None
        return Predictions(value, score, probabilities, self.classes, self.positive)

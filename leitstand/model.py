"""A trained model: the estimator, and the card that says what it is and what it was trained on."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from leitstand.conforming import conform
from leitstand.contract import Contract, Scalar
from leitstand.prediction import Predictions
from leitstand.project import Project
from leitstand.rule import Rule


class ModelCard(BaseModel):
    """What must be known to use a stored estimator; stored beside it as JSON.

    Parameters
    ----------
    candidate : name of the estimator among the project's candidates
    target : column it predicts
    feature_names : columns that go into the estimator, in order
    classes : of a classification, in the order of the probabilities
    positive : of two classes, the one the score speaks of
    temperature : by which the probabilities are calibrated, see ``tempered``; None where they are as the estimator gives them
    threshold : of the anomaly score
    interval : half width of the prediction interval, in the target's unit
    confidence : nominal coverage of the interval
    ranges : smallest and largest value of every number column of the contract in training
    data_version : content hash of the snapshot it was trained on
    synthetic : whether that was built-in synthetic data
    rule : the baseline of that training; None in cards from before it was kept
    since : when the world changed that it had to learn anew; None where nothing was known to have changed
    fresh_rows : how many of the newest labelled rows came from after a change; 0 where nothing was known to have changed
    recent : whether it learned from those alone
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    project: str
    task: Literal["classification", "regression", "anomaly"]
    candidate: str
    target: str
    feature_names: tuple[str, ...]
    classes: tuple[Scalar, ...] = ()
    positive: Scalar | None = None
    temperature: float | None = None
    threshold: float | None = None
    interval: float | None = None
    confidence: float | None = None
    ranges: dict[str, tuple[float, float]] = {}
    data_version: str = ""
    rows: int = 0
    synthetic: bool = False
    rule: Rule | None = None
    since: datetime | None = None
    fresh_rows: int = 0
    recent: bool = False


@dataclass(frozen=True)
class TrainedModel:
    """An estimator with its card."""

    estimator: Any
    card: ModelCard

    def predict(self, project: Project, frame: pd.DataFrame) -> Predictions:
        """Return the answers for rows of the project's input contract.

        Parameters
        ----------
        frame : shape (n, …): columns of the contract; others are ignored, missing ones count as missing values. Under
            ``data.history_rows`` earlier rows of the same series stand before the rows they are history to.
        """
        settled = conform(frame, project.input_contract)
        return self.answer(project.features(settled), settled, project.input_contract)

    def answer(
        self, features: pd.DataFrame, settled: pd.DataFrame | None = None, contract: Contract | None = None
    ) -> Predictions:
        """Return the answers for model inputs; with the conformed contract columns, also which values lie outside training."""
        outside = self._outside(settled) if settled is not None else ()
        return self.of_inputs(features[list(self.card.feature_names)], outside)

    def of_inputs(self, inputs: Any, outside: tuple[tuple[str, ...], ...] = ()) -> Predictions:
        """Return the answers for what the estimator itself takes: a frame of its columns, or an array if it knows arrays."""
        if self.card.task == "classification":
            return self._classify(inputs, outside)
        if self.card.task == "regression":
            return self._regress(inputs, outside)
        return self._detect(inputs, outside)

    def _classify(self, inputs: Any, outside: tuple[tuple[str, ...], ...]) -> Predictions:
        probabilities = tempered(self.estimator.predict_proba(inputs), self.card.temperature)
        classes = np.asarray(self.estimator.classes_)
        value = classes[probabilities.argmax(axis=1)]
        score, positive = None, self.card.positive
        if len(classes) == 2 and positive is not None:
            score = probabilities[:, self.card.classes.index(positive)]
        return Predictions(value, score, probabilities, self.card.classes, positive, outside=outside)

    def _regress(self, inputs: Any, outside: tuple[tuple[str, ...], ...]) -> Predictions:
        value = np.asarray(self.estimator.predict(inputs), dtype=float)
        if self.card.interval is None:
            return Predictions(value, outside=outside)
        return Predictions(value, lower=value - self.card.interval, upper=value + self.card.interval, outside=outside)

    def _detect(self, inputs: Any, outside: tuple[tuple[str, ...], ...]) -> Predictions:
        score = anomaly_score(self.estimator, inputs)
        threshold = self.card.threshold if self.card.threshold is not None else float("inf")
        return Predictions(score > threshold, score, threshold=self.card.threshold, outside=outside)

    def _outside(self, settled: pd.DataFrame) -> tuple[tuple[str, ...], ...]:
        names = [name for name in self.card.ranges if name in settled.columns]
        if not names:
            return tuple(() for _ in range(len(settled)))
        values = settled[names].to_numpy(dtype=float)
        low, high = np.array([self.card.ranges[name] for name in names]).T
        beyond = (values < low) | (values > high)
        columns = np.asarray(names, dtype=object)
        return tuple(tuple(columns[row]) if row.any() else () for row in beyond)


def tempered(probabilities: np.ndarray, temperature: float | None) -> np.ndarray:
    """Return probabilities that are flatter above a temperature of 1 and sharper below, in the same order; None leaves them as they are.

    It is the softmax of their logarithms divided by the temperature (Guo et al., ICML 2017, section 4.2).

    Parameters
    ----------
    probabilities : shape (n, k), rows add up to 1
    """
    if temperature is None:
        return probabilities
    weights: np.ndarray = (probabilities / probabilities.max(axis=1, keepdims=True)) ** (1 / temperature)
    return weights / weights.sum(axis=1, keepdims=True)


def anomaly_score(estimator: Any, inputs: Any) -> np.ndarray:
    """Return shape (n,): the higher, the more anomalous (scikit-learn's ``score_samples`` turned round)."""
    return -np.asarray(estimator.score_samples(inputs), dtype=float)

"""Why a model answered as it did: what each column of a row contributed to the answer, in the answer's own unit.

What is explained is what the model answers: the probability of a class, the number in the target's unit, the anomaly score. The contributions
(Shapley values, Lundberg & Lee, NeurIPS 2017) add up to the difference between this answer and the mean answer to some background rows. Where
they can be computed exactly in that unit they are: sums of trees (TreeSHAP by the package ``shap``), straight lines, and tables of few columns.
Everything else is sampled, and says so. They describe the model, never causes. docs/decisions/0019 has the reasons and the figures.
"""

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal

import numpy as np
import pandas as pd

from leitstand.clock import Clock, OutOfTime
from leitstand.conforming import conform
from leitstand.contract import Column, Scalar
from leitstand.errors import DataError, ServiceError
from leitstand.mixing import Table, stacked, taken
from leitstand.model import TrainedModel
from leitstand.prediction import Predictions
from leitstand.project import Project
from leitstand.shapley import Game, Method, Shares, shares
from leitstand.tree_shap import TreeShap, can_explain
from leitstand.unpacked import Unpacked, model_inputs

Quantity = Literal["probability", "target", "anomaly_score"]

QUANTITIES: dict[str, Quantity] = {"classification": "probability", "regression": "target", "anomaly": "anomaly_score"}
BACKGROUND = 100  # rows
DRAWN_FROM = 1000  # rows of which the background is chosen
ROUNDING = 1e-6  # of the answer


@dataclass(frozen=True)
class Contribution:
    """What one column added to the answer.

    Parameters
    ----------
    column : of the contract; a model input's own name where model.py made it in a way that cannot be followed back
    value : as given; None where it is missing or a file
    contribution : in the unit of the answer
    looks_back : whether what model.py made of the column, such as earlier values and means, is part of it
    """

    column: str
    value: Scalar | None
    contribution: float
    looks_back: bool = False


@dataclass(frozen=True)
class Explanation:
    """Why one row got its answer; ``base`` and all contributions together give ``prediction``.

    Parameters
    ----------
    answer : the class, the number, or whether the row is anomalous
    quantity : what is explained
    subject : the class whose probability it is, otherwise the target column
    unit : of the target; None where it has none, and for probability and score
    base : mean answer to the background rows
    prediction : the answer, as a number
    contributions : the largest first
    method : ``permutation_shap`` is sampled, all others are exact
    evaluations : answers of the model that the samples took; 0 where nothing was sampled
    standard_error : typical one of a sampled contribution, 0 where all rounds of samples agree; None where they are exact, or there was time
        for one round only
    background_rows : how many rows ``base`` is the mean of
    outside : number columns whose value lies outside what the model was trained on
    threshold : of the anomaly score
    """

    answer: Scalar
    quantity: Quantity
    subject: Scalar
    unit: str | None
    base: float
    prediction: float
    contributions: tuple[Contribution, ...]
    method: Method
    evaluations: int
    standard_error: float | None
    background_rows: int
    outside: tuple[str, ...] = ()
    threshold: float | None = None


class Explainer:
    """A model made ready to be explained; safe to use from several threads.

    Parameters
    ----------
    model, project : the model and its project
    background : rows to compare with, any number of them; of an anomaly detector those that raise no alarm are used. Model inputs
        (``card.feature_names``), or rows of the input contract; model inputs are better where features look back or come from files, which such
        rows do not bring along.

    Raises
    ------
    DataError
        If there is no background row, or features cannot be made of them.
    """

    def __init__(self, model: TrainedModel, project: Project, background: pd.DataFrame) -> None:
        self.model, self.project = model, project
        if background.empty:
            raise DataError("explain.no_background", project=project.name)
        every = -(-len(background) // DRAWN_FROM)
        inputs = model_inputs(model, project, background).iloc[::every]
        self._unpacked = Unpacked(model, project, inputs)
        table = self._unpacked.table(inputs)
        answers = self._unpacked.answers(table)
        normal = np.flatnonzero(answers[:, 0] <= model.card.threshold) if model.card.threshold is not None else np.empty(0)
        if len(normal):  # an anomaly is explained by how it differs from what is normal
            table, answers = taken(table, normal), answers[normal]
        self._background = taken(table, _typical(answers))
        self._bottom = self._unpacked.answers(self._background)

    def explain(self, frame: pd.DataFrame, *, seconds: float, history: int = 0) -> list[Explanation]:
        """Return why each row of ``frame`` gets its answer.

        Parameters
        ----------
        frame : rows of the input contract
        seconds : how long it may take
        history : how many rows at the beginning are seen and not explained

        Raises
        ------
        ServiceError
            If the time is too short even for the coarsest estimate.
        """
        clock = Clock(seconds)
        settled = conform(frame, self.project.input_contract)
        inputs = self.project.features(settled)[list(self.model.card.feature_names)]
        shown = np.arange(history, len(frame))
        predictions = self.model.answer(inputs, settled, self.project.input_contract).take(shown)
        outputs = self._outputs(predictions)
        games = self._games(self._unpacked.table(inputs.iloc[shown]), outputs)
        try:
            found = [self._additive(game, output, clock) for game, output in zip(games, outputs, strict=True)]
            estimated = iter(shares([game for game, one in zip(games, found, strict=True) if one is None], clock))
        except OutOfTime as error:
            raise ServiceError("explain.too_slow", seconds=f"{seconds:g}", rows=len(shown)) from error
        return [
            self._explanation(predictions, i, settled.iloc[history + i], inputs.iloc[history + i], output, one or next(estimated))
            for i, (output, one) in enumerate(zip(outputs, found, strict=True))
        ]

    def _outputs(self, predictions: Predictions) -> list[int]:
        """Return which of the model's answers is explained, for each row."""
        if predictions.probabilities is None:
            return [0] * len(predictions)
        if predictions.score is not None:
            return [predictions.classes.index(predictions.positive)] * len(predictions)
        likeliest: list[int] = predictions.probabilities.argmax(axis=1).tolist()
        return likeliest

    def _games(self, table: Table, outputs: list[int]) -> list[Game]:
        unpacked = self._unpacked
        tops = unpacked.answers(table)
        return [
            Game(
                answer=partial(unpacked.answer, output),
                table=stacked(table[i : i + 1], self._background),
                players=unpacked.players,
                count=len(unpacked.columns),
                top=float(tops[i, output]),
                bottom=self._bottom[:, output],
            )
            for i, output in enumerate(outputs)
        ]

    def _additive(self, game: Game, output: int, clock: Clock) -> Shares | None:
        """Return exact shares where the model is a sum of trees or a straight line; None where it is neither."""
        if clock.left <= 0:
            raise OutOfTime
        last, row = self._unpacked.last, game.table[:1]
        coefficients = getattr(last, "coef_", None)
        if can_explain(last) and self._unpacked.temperature is None:  # calibrated, the answer is no sum any more
            method: Method = "tree_shap"
            parts = self._trees.parts(np.asarray(row, dtype=float), output)
        elif self._unpacked.task == "regression" and isinstance(coefficients, np.ndarray) and coefficients.ndim == 1:
            method = "linear_shap"
            parts = coefficients * (np.asarray(row, dtype=float)[0] - np.asarray(self._background, dtype=float).mean(axis=0))
        else:
            return None
        gap = game.top - game.bottom.mean() - parts.sum()
        if not abs(gap) <= ROUNDING * max(abs(game.top), np.abs(game.bottom).max()):
            return None  # as with a line under a link function
        if gap != 0 and parts.any():
            parts = parts + gap * np.abs(parts) / np.abs(parts).sum()  # shap keeps 32 bits of what a tree answers
        return Shares(game, np.bincount(game.players, parts, game.count), method)

    @cached_property
    def _trees(self) -> TreeShap:
        return TreeShap(self._unpacked.last, np.asarray(self._background, dtype=float))

    def _explanation(
        self, predictions: Predictions, i: int, row: pd.Series, inputs: pd.Series, output: int, found: Shares
    ) -> Explanation:
        card = self.model.card
        contract = {column.name: column for column in self.project.input_contract.columns}
        parts = [
            Contribution(
                column=name,
                value=given(row[name], contract[name]) if name in contract else given(inputs[name], None),
                contribution=float(found.values[player]),
                looks_back=name in self._unpacked.looks_back,
            )
            for player, name in enumerate(self._unpacked.columns)
        ]
        return Explanation(
            answer=predictions.value[i].item() if isinstance(predictions.value[i], np.generic) else predictions.value[i],
            quantity=QUANTITIES[card.task],
            subject=card.classes[output] if card.task == "classification" else card.target,
            unit=self.project.contract.column(card.target).unit if card.task == "regression" else None,
            base=float(found.game.bottom.mean()),
            prediction=found.game.top,
            contributions=tuple(sorted(parts, key=lambda part: -abs(part.contribution))),
            method=found.method,
            evaluations=found.evaluations,
            standard_error=found.standard_error,
            background_rows=len(found.game.bottom),
            outside=predictions.outside[i] if predictions.outside else (),
            threshold=card.threshold,
        )


def _typical(answers: np.ndarray) -> np.ndarray:
    """Return the positions of ``BACKGROUND`` rows whose answers are spread as those of all, so that their means agree."""
    top = answers.argmax(axis=1)
    order = np.lexsort((answers[np.arange(len(answers)), top], top)) if answers.shape[1] > 2 else np.argsort(answers[:, -1])
    count = min(BACKGROUND, len(answers))
    return np.sort(order[((np.arange(count) + 0.5) * len(answers) / count).astype(int)])


def given(value: Any, column: Column | None) -> Scalar | None:
    """Return a conformed value as it was given."""
    if (column is not None and column.type == "file") or isinstance(value, bytes) or pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat() if column is not None and column.type == "date" else value.isoformat()
    if column is not None and column.type == "boolean":
        return bool(value)
    if column is not None and column.type == "integer":
        return int(value)
    plain: Scalar = value.item() if isinstance(value, np.generic) else value
    return plain

"""One project that is served: what a request may hold, and the champion's answers to it."""

import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from pydantic import BaseModel, ValidationError

from infra.prediction_entries import Role, new_ids
from leitstand.conforming import conform
from leitstand.contract import Column, Scalar
from leitstand.errors import DataError, LeitstandError
from leitstand.prediction import Predictions
from leitstand.project import Project
from serving.answers import ServedModel, fingerprint, flag_names, outputs, plain
from serving.examples import typical
from serving.explaining import Explaining
from serving.problems import Problem, of_error, of_validation, saying
from serving.released import ReleasedModel
from serving.ruled import RuledRelease
from serving.schema import data_model, feedback_model, predict_model, to_frame

if TYPE_CHECKING:
    from serving.rollout import Rollout

logger = logging.getLogger("bentoml.leitstand")  # below BentoML's own logger, so that its handlers write it
Pseudonymise = Callable[[dict[str, Any]], dict[str, Any]]
Released = ReleasedModel | RuledRelease


@dataclass(frozen=True, slots=True)
class Asked:
    """The checked rows of one request; ``history`` stands before them and is seen, not answered."""

    rows: list[dict[str, Any]]
    history: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to one request as it leaves, and its rows as the log keeps them: id, inputs and output, both JSON; ``flagged`` counts them."""

    body: bytes
    rows: list[tuple[str, bytes, bytes]]
    flagged: int


class Endpoint:
    """A loaded model, ready to answer. Safe to use from several threads.

    Parameters
    ----------
    pseudonymise : what the log keeps of a row in place of personal data
    fallback : whether this answers in place of the champion
    """

    def __init__(
        self, project: Project, released: Released, pseudonymise: Pseudonymise | None = None, fallback: bool = False
    ) -> None:
        self.project, self.released, self.fallback = project, released, fallback
        self.rollout: Rollout | None = None
        """The challenger on trial beside it."""
        self.refusal: LeitstandError | None = None
        """Why it is not to answer now."""
        self.paused = False
        """Whether it answers for a paused project."""
        self._pseudonymise = pseudonymise
        self._rows, self._labels = predict_model(project), feedback_model(project)
        self._columns = {column.name: column for column in project.input_contract.columns}
        self._files = [column.name for column in project.input_contract.columns if column.type == "file"]
        self._model = orjson.Fragment(orjson.dumps(self.served.model_dump()))
        self._array = _Array.of(project, released)
        self._usual: dict[str, Scalar] | None = None
        self._reading = Lock()

    @property
    def version(self) -> int:
        """The model version that answers; 0 stands for the baseline."""
        return self.released.release.version

    @property
    def role(self) -> Role:
        """What the log calls its answers, unless it is on trial."""
        return "fallback" if self.fallback else "champion"

    @property
    def quick(self) -> bool:
        """Whether a few rows are answered in microseconds, so that a thread would cost more than it brings."""
        return self._array is not None

    @property
    def takes_files(self) -> bool:
        """Whether a column holds files."""
        return bool(self._files)

    @property
    def served(self) -> ServedModel:
        """What every answer says about the model."""
        card = self.released.card
        return ServedModel(name=self.project.name, version=self.version, data_version=card.data_version, synthetic=card.synthetic)

    def read(self, body: bytes) -> Asked:
        """Return the rows of a request that keeps the contract.

        Raises
        ------
        Problem
            If it does not.
        """
        request = self._validated(self._rows, body, "rows", self._columns)
        return Asked(request.rows, getattr(request, "history", []))

    def read_labels(self, body: bytes) -> dict[str, Any]:
        """Return the labels of a request by prediction id.

        Raises
        ------
        Problem
            If the request breaks the contract, or names an id twice with different labels (409: no schema can say that).
        """
        target = self.project.contract.column(self.project.spec.data.target)
        identifier = Column(name="id", type="string", required=True, max_length=64)
        labels: dict[str, Any] = {}
        for label in self._validated(self._labels, body, "labels", {"id": identifier, "value": target}).labels:
            if labels.setdefault(label.id, label.value) != label.value:
                raise Problem(409, "request_invalid", saying("serving.id_twice", id=label.id))
        return labels

    def read_new_rows(self, body: bytes) -> tuple[str | None, list[dict[str, Any]]]:
        """Return the id that a request with new rows gives itself, and the rows.

        Raises
        ------
        Problem
            If their form is another.
        """
        columns = {column.name: column for column in self.project.contract.columns}
        request = self._validated(self._new_rows, body, "rows", columns)
        return request.id, request.rows

    def answer(self, asked: Sequence[Asked]) -> list[Answered | Problem]:
        """Return the answers to several requests, computed together where no row hangs on another: no client may see another's rows."""
        if self._array is None and len(asked) > 1 and self.project.spec.data.history_rows:
            return [answered for one in asked for answered in self.answer([one])]
        try:
            predictions, advice = self._with_frame(asked) if self._array is None else self._with_array(asked, self._array)
        except DataError as error:
            if len(asked) > 1:  # one of them; the others get their answers
                return [answered for one in asked for answered in self.answer([one])]
            return [of_error(422, "input_refused", error)]
        return self._split(asked, predictions, advice)

    @cached_property
    def _new_rows(self) -> type[BaseModel]:
        return data_model(self.project)

    @cached_property
    def explaining(self) -> Explaining:
        """What explains the answers."""
        released = self.released
        return Explaining(self.project, lambda: released.original, released.background, released.reference)

    def usual(self) -> dict[str, Scalar]:
        """Return usual values by column, for examples."""
        with self._reading:
            if self._usual is None:
                self._usual = typical(self.project.input_contract, self.released.reference())
            return self._usual

    def _with_array(self, asked: Sequence[Asked], way: "_Array") -> tuple[Predictions, Sequence[Any]]:
        rows = [row for one in asked for row in one.rows]
        return way.answer(rows), [None] * len(rows)

    def _with_frame(self, asked: Sequence[Asked]) -> tuple[Predictions, Sequence[Any]]:
        """Return the answers by way of a data frame: for projects with features or advice of their own, and models that need names."""
        contract = self.project.input_contract
        history = asked[0].history if len(asked) == 1 else []
        frame = conform(to_frame([*history, *(row for one in asked for row in one.rows)], contract), contract)
        try:
            predictions = self.released.model.predict(self.project, frame).take(np.arange(len(history), len(frame)))
        except ValueError as error:  # scikit-learn's word for rows that a model cannot take, such as missing values
            logger.warning("%s %s", self.project.name, without_values(error))
            raise DataError("compiling.no_answer") from error
        if isinstance(self.released, RuledRelease) or not self.project.defines("advise"):
            # advice reads what a model answers with, such as an interval
            return predictions, [None] * len(predictions)
        advice: list[Any] = []
        for one in asked:  # each on its own: advice may look at all rows of a request
            rows = np.arange(len(advice), len(advice) + len(one.rows))
            advice += self.project.advise(frame.iloc[len(history) + rows], predictions.take(rows))
        return predictions, advice

    def _split(self, asked: Sequence[Asked], predictions: Predictions, advice: Sequence[Any]) -> list[Answered | Problem]:
        made = outputs(predictions, self.project.spec.serving.confidence_floor, self.fallback)
        ids = new_ids(len(made))
        answered: list[Answered | Problem] = []
        start = 0
        for one in asked:
            answers, logged = [], []
            for i, row in enumerate(one.rows, start):
                output, flags = made[i]
                follows = advice[i]
                told = {"id": ids[i], **output, "flags": flags, "advice": None if follows is None else plain(follows)}
                answers.append(told)
                kept = {**output, "flags": [shown for flag in flags for shown in flag_names(flag)]}
                logged.append((ids[i], orjson.dumps(self._kept(row)), orjson.dumps(kept)))
            body = orjson.dumps({"predictions": answers, "model": self._model})
            flagged = sum(bool(flags) for _, flags in made[start : start + len(one.rows)])
            answered.append(Answered(body, logged, flagged))
            start += len(one.rows)
        return answered

    def _kept(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return what the log keeps of a row: of a file only the SHA-256, of personal data a pseudonym."""
        if self._files:
            row = {name: fingerprint(value) if isinstance(value, bytes) else value for name, value in row.items()}
        return row if self._pseudonymise is None else self._pseudonymise(row)

    def _validated(self, model: type[BaseModel], body: bytes, key: str, columns: Mapping[str, Column]) -> Any:
        try:
            return model.__pydantic_validator__.validate_json(body)
        except ValidationError as error:
            raise of_validation(error, key, columns, self.project.spec.serving.max_rows, self.project.name) from error


class _Array:
    """The way without a data frame: rows of numbers straight into a compiled model.

    Parameters
    ----------
    names : model inputs in order, all of them number columns of the contract
    """

    def __init__(self, released: ReleasedModel, names: Sequence[str]) -> None:
        self._model, self._names = released.model, tuple(names)
        self._values = itemgetter(*names)
        watched = [name for name in names if name in released.card.ranges]
        self._watched = np.asarray(watched, dtype=object)
        self._positions = np.asarray([self._names.index(name) for name in watched], dtype=np.intp)
        self._low = np.asarray([released.card.ranges[name][0] for name in watched])
        self._high = np.asarray([released.card.ranges[name][1] for name in watched])

    @staticmethod
    def of(project: Project, released: Released) -> "_Array | None":
        """Return the way for a project, or None where features, advice, other columns or the model itself need a data frame."""
        if isinstance(released, RuledRelease):
            return None
        numbers = {column.name for column in project.input_contract.columns if column.is_number or column.type == "boolean"}
        needs = project.defines("features") or project.defines("advise") or project.spec.data.history_rows > 0
        every = set(project.input_contract.names) == numbers and set(released.card.feature_names) <= numbers
        return _Array(released, released.card.feature_names) if released.compiled and every and not needs else None

    def answer(self, rows: Sequence[Mapping[str, Any]]) -> Predictions:
        """Return the answers; missing values are NaN."""
        try:
            picked = [self._values(row) for row in rows]
        except KeyError:  # a column that may be missing is
            picked = [tuple(row.get(name) for name in self._names) for row in rows]
        values = np.array(picked, dtype=np.float64).reshape(len(rows), len(self._names))
        return self._model.of_inputs(values, self._outside(values))

    def _outside(self, values: np.ndarray) -> tuple[tuple[str, ...], ...]:
        watched = values if len(self._watched) == values.shape[1] else values[:, self._positions]
        beyond = (watched < self._low) | (watched > self._high)
        if not beyond.any():
            return ()
        return tuple(tuple(self._watched[row]) if row.any() else () for row in beyond)


def without_values(error: BaseException) -> str:
    """Return where an error came from, but not its message: that may repeat what was sent."""
    return f"{type(error).__name__}\n{''.join(traceback.format_tb(error.__traceback__))}"

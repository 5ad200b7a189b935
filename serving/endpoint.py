"""One project that is served: its champion, its request models and its log."""

import logging
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import numpy as np
from pydantic import BaseModel, ValidationError

from data_contracts.odcs import find_contract, read_contract
from infra.prediction_log import PredictionLog
from infra.registry import ModelVersion, Registry
from infra.settings import Settings
from leitstand.conforming import conform
from leitstand.contract import Column
from leitstand.errors import DataError, LeitstandError, ModelError, StateError
from leitstand.folders import locate
from leitstand.model import TrainedModel
from leitstand.project import Project, load
from leitstand.spec import load_spec
from serving.answers import Answer, FeedbackResponse, PredictResponse, ServedModel, answers, logged
from serving.problems import Problem, of_error, of_validation, saying
from serving.schema import feedback_model, predict_model, to_frame

logger = logging.getLogger("bentoml.leitstand")  # below BentoML's own logger, so that its handlers write it


@dataclass(frozen=True)
class Endpoint:
    """A loaded champion, ready to answer. Safe to use from several threads."""

    project: Project
    model: TrainedModel
    version: ModelVersion
    log: PredictionLog
    _rows: type[BaseModel] = field(init=False, repr=False)
    _labels: type[BaseModel] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_rows", predict_model(self.project))
        object.__setattr__(self, "_labels", feedback_model(self.project))

    @property
    def served(self) -> ServedModel:
        """What every answer says about the model."""
        card = self.model.card
        return ServedModel(
            name=self.project.name, version=self.version.version, data_version=card.data_version, synthetic=card.synthetic
        )

    def predict(self, body: bytes, client: str) -> PredictResponse:
        """Check a request, answer it and log every prediction; what is returned is on disk already.

        Raises
        ------
        Problem
            If the request breaks the contract, the input cannot be used, or the log cannot be written.
        """
        started = time.perf_counter()
        columns = {column.name: column for column in self.project.input_contract.columns}
        request = self._validated(self._rows, body, "rows", columns)
        rows = request.rows
        try:
            made = self.answer(rows, getattr(request, "history", ()))
        except DataError as error:
            raise of_error(422, "input_refused", error) from error
        latency_ms = (time.perf_counter() - started) * 1000
        request_id = uuid4().hex
        records = [
            logged(answer, row, client=client, request_id=request_id, latency_ms=latency_ms)
            for answer, row in zip(made, rows, strict=True)
        ]
        with _log_errors():
            self.log.write(self.project.name, self.version.version, records)
        return PredictResponse(predictions=made, model=self.served)

    def answer(self, rows: Sequence[dict[str, Any]], history: Sequence[dict[str, Any]] = ()) -> list[Answer]:
        """Return the model's answers to checked rows; ``history`` stands before them and is seen, not answered."""
        frame = conform(to_frame([*history, *rows], self.project.input_contract), self.project.input_contract)
        predictions = self.model.predict(self.project, frame).take(np.arange(len(history), len(frame)))
        return answers(self.project, frame.iloc[len(history) :], predictions)

    def feedback(self, body: bytes, client: str) -> FeedbackResponse:
        """Check labels and log them.

        Raises
        ------
        Problem
            If the request breaks the contract, or the log cannot be written.
        """
        target = self.project.contract.column(self.project.spec.data.target)
        identifier = Column(name="id", type="string", required=True, max_length=64)
        labels: dict[str, Any] = {}
        for label in self._validated(self._labels, body, "labels", {"id": identifier, "value": target}).labels:
            if labels.setdefault(label.id, label.value) != label.value:
                raise Problem(422, "request_invalid", saying("serving.id_twice", id=label.id))
        with _log_errors():
            result = self.log.label(self.project.name, labels, f"http:{client}")
        return FeedbackResponse(matched=result.matched, unknown=list(result.unknown))

    def _validated(self, model: type[BaseModel], body: bytes, key: str, columns: dict[str, Column]) -> Any:
        try:
            return model.model_validate_json(body)
        except ValidationError as error:
            raise of_validation(error, key, columns, self.project.spec.serving.max_rows, self.project.name) from error


@contextmanager
def _log_errors() -> Iterator[None]:
    """Turn errors of the log into an answer that names no file or database of ours."""
    try:
        yield
    except StateError as error:
        logger.error("%s", error)
        raise Problem(503, "log_unavailable", saying("serving.log_unavailable")) from error


Endpoints = dict[str, Endpoint | LeitstandError]


def load_endpoints(names: Sequence[str], settings: Settings) -> Endpoints:
    """Return an endpoint per project, or the error that keeps it from being served: one broken model takes no other down."""
    registry, log = Registry(settings), PredictionLog(settings.database("predictions"))
    try:
        return {name: _load_or_explain(name, settings, registry, log) for name in names}
    finally:
        registry.close()


def _load_or_explain(name: str, settings: Settings, registry: Registry, log: PredictionLog) -> Endpoint | LeitstandError:
    try:
        return load_endpoint(name, settings, registry, log)
    except LeitstandError as error:
        logger.error("%s is not served: %s", name, error)
        return error
    except Exception as error:
        logger.error("%s is not served: %s", name, without_values(error))
        return ModelError("serving.load_failed", project=name, reason=type(error).__name__)


def load_endpoint(name: str, settings: Settings, registry: Registry, log: PredictionLog) -> Endpoint:
    """Return the project's champion, its hash checked, ready to answer.

    Raises
    ------
    LeitstandError
        If the project is unknown or broken, has no champion, or its model cannot be trusted.
    """
    folder = locate(name, settings.roots)
    contract = read_contract(find_contract(load_spec(folder / "project.yaml").contract_file, settings.roots))
    project = load(folder, contract)
    champion = registry.champion(name)
    if champion is None:
        raise ModelError("serving.no_champion", project=name)
    return Endpoint(project, registry.fetch(champion), champion, log)


def without_values(error: BaseException) -> str:
    """Return where an error came from, but not its message: that may repeat what was sent."""
    return f"{type(error).__name__}\n{''.join(traceback.format_tb(error.__traceback__))}"

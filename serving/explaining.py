"""Explaining what is served: requests, answers, and the explainer that is made ready by the first request.

scikit-learn, the original model and shap are loaded then and not before, because a service of compiled models does without them.
"""

import math
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import pandas as pd
from pydantic import BaseModel, BeforeValidator, Field, ValidationError, create_model

from infra.packaged import packaged
from leitstand.conforming import conform
from leitstand.contract import Scalar
from leitstand.errors import DataError, ServiceError
from leitstand.model import TrainedModel
from leitstand.project import Project
from leitstand.texts import Language, text
from serving.answers import Closed, Flag, ServedModel
from serving.problems import Problem, ProblemError, of_error, of_validation, saying, shown
from serving.schema import integral, predict_model, to_frame

if TYPE_CHECKING:
    from leitstand.explanation import Explainer, Explanation
    from leitstand.nearest import Example, Examples

MOST_ROWS, MOST_EXAMPLES = 20, 10
NOT_THE_REQUEST = ("explain.no_background", "explain.no_background_packaged", "explain.files_missing", "explain.baseline")
"""What no other request would mend."""


class ColumnContribution(Closed):
    """What one column added to the answer, in the unit of ``prediction``.

    Parameters
    ----------
    column : of the contract, or a model input that cannot be followed back to one
    looks_back : whether what was made of its earlier values is part of it
    """

    column: str
    value: Scalar | None
    contribution: float
    looks_back: bool


class NearExample(Closed):
    """A training row that is like the explained one; personal data and files are left out.

    Parameters
    ----------
    label : how it ended
    distance : root mean square over the compared columns; 1 is one standard deviation in each, or another category
    """

    values: dict[str, Scalar | None]
    label: Scalar | None
    distance: float


class RowExplanation(Closed):
    """Why one row gets its answer: ``base`` and all contributions add up to ``prediction``.

    Parameters
    ----------
    answer : the class, the number, or whether the row is anomalous
    prediction : the answer as a number, in ``unit``
    base : mean of it over ``background_rows`` rows to compare with
    contributions : the largest first
    method : ``permutation_shap`` is sampled, all others are exact
    evaluations : answers of the model that the samples took
    standard_error : typical one of a sampled contribution
    words : the same in a few sentences
    examples : the nearest first
    """

    answer: Scalar | None
    unit: str
    base: float
    prediction: float
    contributions: list[ColumnContribution]
    method: Literal["tree_shap", "linear_shap", "exact_shap", "permutation_shap"]
    evaluations: int
    standard_error: float | None
    background_rows: int
    flags: list[Flag]
    words: list[str]
    examples: list[NearExample]


class ExplainResponse(Closed):
    """The answer to ``POST /{project}/explain``, in the order of the request's rows."""

    explanations: list[RowExplanation]
    model: ServedModel


def explain_model(project: Project, language: Language = "en") -> type[BaseModel]:
    """Return the model of ``{"rows": [...], "history": [...], "examples": 3}``: rows as ``predict_model`` has them, but fewer.

    Parameters
    ----------
    language : of the descriptions in its JSON schema; the rules are the same
    """
    base = predict_model(project, language)
    (row,) = get_args(base.model_fields["rows"].annotation)
    note = text("explain.rows", language, most=MOST_ROWS)
    rows = Annotated[list[row], Field(min_length=1, max_length=MOST_ROWS, description=note)]  # type: ignore[valid-type]
    number = Field(strict=True, ge=0, le=MOST_EXAMPLES, description=text("explain.examples", language))
    count = Annotated[int, number, BeforeValidator(integral)]
    return create_model("ExplainRequest", __base__=base, rows=(rows, ...), examples=(count, 0))


class Explaining:
    """Explains the answers of one served model. Safe to use from several threads.

    Parameters
    ----------
    original : returns the scikit-learn model
    background : returns rows to compare with, see ``leitstand.explanation.Explainer``
    reference : returns training rows with their ``label``, see ``leitstand.nearest.Examples``
    """

    def __init__(
        self,
        project: Project,
        original: Callable[[], TrainedModel],
        background: Callable[[], pd.DataFrame],
        reference: Callable[[], pd.DataFrame],
    ) -> None:
        self.project = project
        self._original, self._background, self._reference = original, background, reference
        self._preparing = Lock()
        self._explainer: Explainer | None = None
        self._examples: Examples | None = None

    @cached_property
    def request_model(self) -> type[BaseModel]:
        """What a request may hold."""
        return explain_model(self.project)

    def read(self, body: bytes) -> Any:
        """Return a checked request: ``rows``, ``examples``, and ``history`` where features look back.

        Raises
        ------
        Problem
            If it breaks the contract.
        """
        try:
            return self.request_model.model_validate_json(body)
        except ValidationError as error:
            wrong = [item for item in error.errors(include_url=False, include_context=False) if item["loc"][:1] == ("examples",)]
            if wrong:
                said = saying("explain.examples_number", most=MOST_EXAMPLES, found=shown(wrong[0]["input"]))
                raise Problem(
                    422,
                    "request_invalid",
                    said,
                    errors=lambda language: [ProblemError(pointer="#/examples", detail=said(language))],
                ) from error
            columns = {column.name: column for column in self.project.input_contract.columns}
            raise of_validation(error, "rows", columns, MOST_ROWS, self.project.name) from error

    def explain(self, request: Any, served: ServedModel, language: Language, seconds: float) -> ExplainResponse:
        """Return the explanations of a checked request; the first one also makes the explainer ready.

        Parameters
        ----------
        seconds : how long it may take; making ready counts

        Raises
        ------
        Problem
            If the input cannot be used, there is nothing to compare with, or the time is too short.
        """
        started = time.monotonic()
        try:
            explainer = self._ready()
            examples = self._ready_examples() if request.examples else None
            history = getattr(request, "history", [])
            contract = self.project.input_contract
            frame = conform(to_frame([*history, *request.rows], contract), contract)
            left = seconds - (time.monotonic() - started)
            found = explainer.explain(frame, seconds=left, history=len(history))
            _require_finite(found)
            near: Sequence[Sequence[Example]] = [[]] * len(found)
            if examples is not None:
                inputs = self.project.features(frame).iloc[len(history) :]
                near = examples.nearest(inputs, request.examples)
        except ServiceError as error:
            raise of_error(503, "too_slow", error) from error
        except DataError as error:
            if error.key == "explain.no_background" and packaged():
                error = DataError("explain.no_background_packaged", project=self.project.name)
            if error.key in NOT_THE_REQUEST:
                raise of_error(503, "model_unavailable", error) from error
            raise of_error(422, "input_refused", error) from error
        told = [_told(one, list(few), self.project, language) for one, few in zip(found, near, strict=True)]
        return ExplainResponse(explanations=told, model=served)

    def _ready(self) -> "Explainer":
        from leitstand.explanation import Explainer

        with self._preparing:
            if self._explainer is None:
                self._explainer = Explainer(self._original(), self.project, self._background())
            return self._explainer

    def _ready_examples(self) -> "Examples":
        from leitstand.nearest import Examples

        with self._preparing:
            if self._examples is None:
                self._examples = Examples(self._original(), self.project, self._reference())
            return self._examples


def _require_finite(explanations: Sequence["Explanation"]) -> None:
    """Refuse rows whose values are so large that the model's own arithmetic overflows: nothing adds up to infinity."""
    for row, one in enumerate(explanations, 1):
        if not all(map(math.isfinite, (one.prediction, *(part.contribution for part in one.contributions)))):
            raise DataError("explain.not_finite", row=row)


def _told(found: "Explanation", near: list["Example"], project: Project, language: Language) -> RowExplanation:
    from leitstand.wording import in_words, unit_in_words

    outside = list(found.outside)
    return RowExplanation(
        answer=found.answer,
        unit=unit_in_words(found, language),
        base=found.base,
        prediction=found.prediction,
        contributions=[
            ColumnContribution(column=part.column, value=part.value, contribution=part.contribution, looks_back=part.looks_back)
            for part in found.contributions
        ],
        method=found.method,
        evaluations=found.evaluations,
        standard_error=found.standard_error,
        background_rows=found.background_rows,
        flags=[Flag(name="outside_training_range", columns=outside)] if outside else [],
        words=in_words(found, project, language),
        examples=[NearExample(values=each.values, label=each.label, distance=each.distance) for each in near],
    )

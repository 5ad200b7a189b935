"""What the service tells about itself and its projects, as JSON."""

from collections.abc import Callable, Iterator
from typing import Any

from leitstand.errors import LeitstandError
from leitstand.project import Project
from leitstand.texts import Language
from serving.answers import FeedbackResponse, PredictResponse
from serving.endpoint import Endpoint
from serving.loading import Endpoints
from serving.page import Listed
from serving.preparing import BeingPrepared
from serving.problems import Problem, ProblemDocument, ProblemError, saying, without_folders
from serving.schema import example, feedback_model, predict_model
from serving.standby import being_prepared


def schema_of(project: Project, language: Language) -> dict[str, Any]:
    """Return what to send to a project, what comes back, and an example."""
    return {
        "project": project.name,
        "title": project.spec.title.in_language(language),
        "task": project.spec.task,
        "history_rows": project.spec.data.history_rows,
        "predict": {
            "request": predict_model(project, language).model_json_schema(),
            "response": PredictResponse.model_json_schema(),
            "example": {"rows": [example(project.input_contract)]},
        },
        "feedback": {
            "request": feedback_model(project, language).model_json_schema(),
            "response": FeedbackResponse.model_json_schema(),
        },
        "problem": ProblemDocument.model_json_schema(),
    }


def model_of(endpoint: Endpoint) -> dict[str, Any]:
    """Return which model answers, its figures on the hold-out, and its card."""
    released = endpoint.released
    own = released.release.model_dump(mode="json", exclude={"project", "version", "data_version", "synthetic", "rule"})
    card = released.card.model_dump(mode="json")
    return endpoint.served.model_dump() | own | {"compiled": released.compiled, "card": card}


def serving_now(endpoints: Endpoints) -> Iterator[tuple[str, int, int, bool]]:
    """Yield per project that is loaded what the metrics say of it: name, version, version on trial (0 for none), whether it is paused."""
    for name, found in endpoints.items():
        if isinstance(found, Endpoint):
            trial = found.rollout
            yield name, found.version, 0 if trial is None else trial.endpoint.version, found.paused


def state_of(endpoints: Endpoints, language: Language, known: Callable[[str], bool]) -> dict[str, Any]:
    """Return which projects are answered, and why the others are not; one that is paused is not broken.

    Parameters
    ----------
    known : whether a project may be named

    Raises
    ------
    Problem
        503 if none answers: all are broken, or are being prepared.
    """
    reasons = {name: (found, _reason(found)) for name, found in endpoints.items()}
    silent = {name: without_folders(error, language) for name, (_, error) in reasons.items() if error is not None}
    broken = {name: silent[name] for name, (found, _) in reasons.items() if isinstance(found, LeitstandError)}
    preparing = [found for found in endpoints.values() if isinstance(found, BeingPrepared)]
    if len(broken) == len(endpoints):
        if preparing:
            raise being_prepared(BeingPrepared("serving.models_being_prepared", count=len(preparing)))
        errors = [ProblemError(pointer=f"#/{name}", detail=reason) for name, reason in broken.items() if known(name)]
        said = saying("serving.service_without_model", reasons=" ".join(error.detail for error in errors))
        raise Problem(503, "model_unavailable", said, errors=lambda _: errors)
    projects = {
        name: {
            "ready": name not in silent,
            "detail": silent.get(name),
            "fallback": isinstance(found, Endpoint) and found.fallback,
        }
        for name, found in endpoints.items()
        if known(name)
    }
    return {"status": "preparing" if preparing else "degraded" if silent else "ready", "projects": projects}


def _reason(found: Endpoint | LeitstandError) -> LeitstandError | None:
    return found if isinstance(found, LeitstandError) else found.refusal


def listed(endpoints: Endpoints, language: Language) -> list[Listed]:
    """Return the projects as the index shows them."""
    return [_listed(name, found, language) for name, found in endpoints.items()]


def _listed(name: str, found: Endpoint | LeitstandError, language: Language) -> Listed:
    if isinstance(found, LeitstandError):
        return Listed(name, name, "", detail=without_folders(found, language))
    spec = found.project.spec
    return Listed(name, spec.title.in_language(language), spec.task, found.version, found.released.card.synthetic)

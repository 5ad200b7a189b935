"""The service as a plain ASGI application: paths, limits, languages and error answers. It knows nothing of BentoML."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any, Protocol
from uuid import uuid4

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from infra.prediction_log import PredictionLog
from leitstand.errors import LeitstandError, StateError, UnknownName
from leitstand.texts import Language
from serving.answers import FeedbackResponse, PredictResponse
from serving.endpoint import Endpoint
from serving.loading import Endpoints, without_values
from serving.metrics import Metrics
from serving.problems import MEDIA_TYPE, Problem, ProblemDocument, ProblemError, of_error, saying, without_folders
from serving.queue import Queue
from serving.request import Gone, Scope, client_host, header, preferred, read_body
from serving.schema import example, feedback_model, predict_model

logger = logging.getLogger("bentoml.leitstand")
Handler = Callable[[Request], Awaitable[Response]]
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
PATHS = (
    "POST /{project}/predict",
    "POST /{project}/feedback",
    "GET /{project}/schema",
    "GET /{project}/model",
    "GET /{project}/readyz",
    "GET /readyz",
    "GET /livez",
    "GET /metrics",
)
LARGE_BODY = 100_000  # bytes; longer ones are checked in a thread, for the event loop has others to see to
PREDICT = "/predict"


class Champions(Protocol):
    """Whoever knows what is served at this moment."""

    endpoints: Endpoints


class Leitstand:
    """Answers for all served projects.

    Parameters
    ----------
    champions : what is served, or why it is not
    language : where the client asks for none
    """

    def __init__(self, champions: Champions, queue: Queue, log: PredictionLog, language: Language) -> None:
        self.champions, self.queue, self.log, self.language = champions, queue, log, language
        self.metrics = Metrics()
        self._headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
        self._headers.append((b"content-type", b"application/json"))
        self._others = self._starlette()

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"].endswith(PREDICT):
            endpoint = self.champions.endpoints.get(scope["path"][1 : -len(PREDICT)])
            if isinstance(endpoint, Endpoint):
                await self._predict(endpoint, scope, receive, send)
                return
        await self._others(scope, receive, send)

    async def _predict(self, endpoint: Endpoint, scope: Scope, receive: Any, send: Any) -> None:
        """Answer ``POST /{project}/predict``; what leaves is in the log."""
        started = perf_counter()
        limits, project = endpoint.project.spec.serving, endpoint.project.name
        try:
            self.queue.require_room()
            body = await read_body(scope, receive, limits)
            asked = endpoint.read(body) if len(body) < LARGE_BODY else await asyncio.to_thread(endpoint.read, body)
            async with asyncio.timeout(limits.timeout_seconds):
                answer = await self.queue.answer(endpoint, asked, client_host(scope), started)
        except Gone:
            return
        except Exception as error:
            response = self._refusal(error, scope, limits.timeout_seconds)
            self.metrics.answered(project, "predict", response.status_code, started)
            await response(scope, receive, send)
            return
        self.metrics.answered(project, "predict", 200, started)
        self.metrics.predicted(project, len(answer.rows), answer.flagged)
        headers = [*self._headers, (b"content-length", b"%d" % len(answer.body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def feedback(self, request: Request) -> Response:
        """Answer ``POST /{project}/feedback``."""
        endpoint = self._endpoint(request)
        limits = endpoint.project.spec.serving
        labels = endpoint.read_labels(await read_body(request.scope, request.receive, limits))
        source = f"http:{client_host(request.scope)}"
        async with asyncio.timeout(limits.timeout_seconds):
            result = await asyncio.to_thread(self.log.label, endpoint.project.name, labels, source)
        return _json(FeedbackResponse(matched=result.matched, unknown=list(result.unknown)).model_dump())

    async def schema(self, request: Request) -> Response:
        """Answer ``GET /{project}/schema``: what to send, what comes back, and an example, in the client's language."""
        project, language = self._endpoint(request).project, self._language(request.scope)
        content = {
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
        return _json(content, headers=_spoken(language))

    async def model(self, request: Request) -> Response:
        """Answer ``GET /{project}/model``: which model answers, its figures on the hold-out, and its card."""
        endpoint = self._endpoint(request)
        release, card = endpoint.released.release, endpoint.released.card.model_dump(mode="json")
        own = release.model_dump(mode="json", exclude={"project", "version", "data_version"})
        return _json(endpoint.served.model_dump() | own | {"compiled": endpoint.released.compiled, "card": card})

    async def alive(self, request: Request) -> Response:
        """Answer ``GET /livez``: the process runs."""
        return _json({"status": "alive"})

    async def project_ready(self, request: Request) -> Response:
        """Answer ``GET /{project}/readyz``: this project's model answers."""
        return _json({"status": "ready", "version": self._endpoint(request).version})

    async def ready(self, request: Request) -> Response:
        """Answer ``GET /readyz``: at least one model answers; those that do not are named with the reason."""
        language, endpoints = self._language(request.scope), self.champions.endpoints
        broken = {
            name: without_folders(error, language) for name, error in endpoints.items() if isinstance(error, LeitstandError)
        }
        if len(broken) == len(endpoints):
            reasons = " ".join(broken.values())
            errors = [ProblemError(pointer=f"#/{name}", detail=reason) for name, reason in broken.items()]
            said = saying("serving.service_without_model", reasons=reasons)
            raise Problem(503, "model_unavailable", said, errors=lambda _: errors)
        projects = {name: {"ready": name not in broken, "detail": broken.get(name)} for name in endpoints}
        return _json({"status": "degraded" if broken else "ready", "projects": projects}, headers=_spoken(language))

    async def figures(self, request: Request) -> Response:
        """Answer ``GET /metrics``."""
        versions = {name: found.version for name, found in self.champions.endpoints.items() if isinstance(found, Endpoint)}
        return Response(self.metrics.page(versions), headers=HEADERS, media_type=self.metrics.content_type)

    def _starlette(self) -> Starlette:
        posts = {"predict": self._endpoint_missing, "feedback": self.feedback}
        gets = {"schema": self.schema, "model": self.model, "readyz": self.project_ready}
        own = {"/livez": self.alive, "/readyz": self.ready, "/metrics": self.figures}
        routes = [Route(path, self._guarded(handler, path[1:])) for path, handler in own.items()]
        routes += [
            Route(f"/{{project}}/{name}", self._guarded(handler, name), methods=[method])
            for method, handlers in (("POST", posts), ("GET", gets))
            for name, handler in handlers.items()
        ]
        return Starlette(routes=routes, exception_handlers={HTTPException: self._no_such_path})

    async def _endpoint_missing(self, request: Request) -> Response:
        """Say why a project does not predict; where it does, the request does not come here."""
        self._endpoint(request)
        raise RuntimeError("an endpoint appeared while its request was under way")

    def _endpoint(self, request: Request) -> Endpoint:
        name = request.path_params["project"]
        found = self.champions.endpoints.get(name)
        if found is None:
            raise of_error(404, "project_unknown", UnknownName("project", name[:63], self.champions.endpoints))
        if isinstance(found, LeitstandError):
            raise of_error(503, "model_unavailable", found)
        return found

    def _guarded(self, handler: Handler, path: str) -> Handler:
        """Return the handler with every error turned into an answer that tells nothing of our insides."""

        async def guarded(request: Request) -> Response:
            started = perf_counter()
            found = self.champions.endpoints.get(request.path_params.get("project", ""))
            seconds = found.project.spec.serving.timeout_seconds if isinstance(found, Endpoint) else 0.0
            try:
                response = await handler(request)
            except Gone:
                return Response(status_code=400)  # nobody is left to read it
            except Exception as error:
                response = self._refusal(error, request.scope, seconds)
            project = found.project.name if isinstance(found, Endpoint) else ""
            self.metrics.answered(project, path, response.status_code, started)
            return response

        return guarded

    def _refusal(self, error: Exception, scope: Scope, seconds: float) -> Response:
        """Return the answer that an error becomes; what we did not expect is logged under a number that the client gets."""
        if isinstance(error, Problem):
            return self._problem(error, scope)
        if isinstance(error, TimeoutError):
            return self._problem(Problem(503, "too_slow", saying("serving.too_slow", seconds=f"{seconds:g}")), scope)
        if isinstance(error, StateError):
            logger.error("%s", error)
            headers = {"Retry-After": "5"}
            return self._problem(Problem(503, "log_unavailable", saying("serving.log_unavailable"), headers=headers), scope)
        incident = uuid4().urn
        logger.error("%s %s", incident, without_values(error))
        return self._problem(Problem(500, "internal", saying("serving.internal", incident=incident), instance=incident), scope)

    async def _no_such_path(self, request: Request, error: Exception) -> Response:
        """Answer what matched no path (404) or no method (405)."""
        path = request.url.path[:200]
        if isinstance(error, HTTPException) and error.status_code == 405:
            allowed = (error.headers or {}).get("Allow", "")
            said = saying("serving.method_wrong", path=path, method=request.method[:20], allowed=allowed)
            return self._problem(Problem(405, "method_wrong", said, headers={"Allow": allowed}), request.scope)
        known = ", ".join(PATHS)
        return self._problem(Problem(404, "path_unknown", saying("serving.path_unknown", path=path, known=known)), request.scope)

    def _problem(self, problem: Problem, scope: Scope) -> Response:
        language = self._language(scope)
        content = problem.document(language).model_dump(mode="json", exclude_none=True)
        return _json(content, problem.status, _spoken(language) | problem.headers, MEDIA_TYPE)

    def _language(self, scope: Scope) -> Language:
        return preferred(header(scope, b"accept-language").decode("latin-1"), self.language)


def _json(
    content: Any, status: int = 200, headers: dict[str, str] | None = None, media_type: str = "application/json"
) -> Response:
    return Response(orjson.dumps(content), status, headers or HEADERS, media_type)


def _spoken(language: Language) -> dict[str, str]:
    return HEADERS | {"Content-Language": language, "Vary": "Accept-Language"}

"""The service as a plain ASGI application: paths, limits, languages and error answers. It knows nothing of BentoML."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from uuid import uuid4

import anyio
import anyio.to_thread
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from leitstand.errors import LeitstandError, UnknownName
from leitstand.texts import LANGUAGES, Language
from serving.answers import FeedbackResponse, PredictResponse
from serving.endpoint import Endpoint, Endpoints, without_values
from serving.problems import MEDIA_TYPE, Problem, ProblemDocument, ProblemError, of_error, saying
from serving.schema import example, feedback_model, predict_model

logger = logging.getLogger("bentoml.leitstand")
T = TypeVar("T")
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
)
THREADS = 2  # predictions that run side by side; the rest waits in line


class Leitstand:
    """Answers for all served projects.

    Parameters
    ----------
    endpoints : per project what is served, or why it is not
    language : where the client asks for none
    """

    def __init__(self, endpoints: Endpoints, language: Language) -> None:
        self.endpoints, self.language = endpoints, language
        self._threads = anyio.CapacityLimiter(THREADS)

    def app(self) -> Starlette:
        """Return the ASGI application."""
        posts = {"predict": self.predict, "feedback": self.feedback}
        gets = {"schema": self.schema, "model": self.model, "readyz": self.project_ready}
        routes = [Route("/livez", self._guarded(self.alive)), Route("/readyz", self._guarded(self.ready))]
        routes += [Route(f"/{{project}}/{name}", self._guarded(handler), methods=["POST"]) for name, handler in posts.items()]
        routes += [Route(f"/{{project}}/{name}", self._guarded(handler)) for name, handler in gets.items()]
        return Starlette(routes=routes, exception_handlers={HTTPException: self._no_such_path})

    async def predict(self, request: Request) -> Response:
        """Answer ``POST /{project}/predict``."""
        endpoint = self._endpoint(request)
        body = await _body(request, endpoint)
        return _json(await self._in_thread(endpoint, endpoint.predict, body, _client(request)))

    async def feedback(self, request: Request) -> Response:
        """Answer ``POST /{project}/feedback``."""
        endpoint = self._endpoint(request)
        body = await _body(request, endpoint)
        return _json(await self._in_thread(endpoint, endpoint.feedback, body, _client(request)))

    async def schema(self, request: Request) -> Response:
        """Answer ``GET /{project}/schema``: what to send, what comes back, and an example, in the client's language."""
        project, language = self._endpoint(request).project, self._language(request)
        return JSONResponse(
            {
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
            },
            headers=_headers(language),
        )

    async def model(self, request: Request) -> Response:
        """Answer ``GET /{project}/model``: which model answers, and its card."""
        endpoint = self._endpoint(request)
        version = endpoint.version
        own = {"sha256": version.sha256, "run_id": version.run_id, "created": version.created.isoformat()}
        card = endpoint.model.card.model_dump(mode="json")
        return JSONResponse(endpoint.served.model_dump() | own | {"card": card}, headers=HEADERS)

    async def alive(self, request: Request) -> Response:
        """Answer ``GET /livez``: the process runs."""
        return JSONResponse({"status": "alive"}, headers=HEADERS)

    async def project_ready(self, request: Request) -> Response:
        """Answer ``GET /{project}/readyz``: this project's model answers."""
        return JSONResponse({"status": "ready", "version": self._endpoint(request).version.version}, headers=HEADERS)

    async def ready(self, request: Request) -> Response:
        """Answer ``GET /readyz``: at least one model answers; those that do not are named with the reason."""
        language = self._language(request)
        broken = {name: error.render(language) for name, error in self.endpoints.items() if isinstance(error, LeitstandError)}
        if len(broken) == len(self.endpoints):
            reasons = " ".join(broken.values())
            errors = [ProblemError(pointer=f"#/{name}", detail=reason) for name, reason in broken.items()]
            said = saying("serving.service_without_model", reasons=reasons)
            raise Problem(503, "model_unavailable", said, errors=lambda _: errors)
        projects = {name: {"ready": name not in broken, "detail": broken.get(name)} for name in self.endpoints}
        status = "degraded" if broken else "ready"
        return JSONResponse({"status": status, "projects": projects}, headers=_headers(language))

    def _endpoint(self, request: Request) -> Endpoint:
        name = request.path_params["project"]
        found = self.endpoints.get(name)
        if found is None:
            raise of_error(404, "project_unknown", UnknownName("project", name[:63], self.endpoints))
        if isinstance(found, LeitstandError):
            raise of_error(503, "model_unavailable", found)
        return found

    async def _in_thread(self, endpoint: Endpoint, work: Callable[[bytes, str], T], body: bytes, client: str) -> T:
        seconds = endpoint.project.spec.serving.timeout_seconds
        try:
            with anyio.fail_after(seconds):
                return await anyio.to_thread.run_sync(work, body, client, limiter=self._threads, abandon_on_cancel=True)
        except TimeoutError as error:
            raise Problem(503, "too_slow", saying("serving.too_slow", seconds=f"{seconds:g}")) from error

    def _guarded(self, handler: Handler) -> Handler:
        """Return the handler with every error turned into an answer that tells nothing of our insides."""

        async def guarded(request: Request) -> Response:
            try:
                return await handler(request)
            except Problem as problem:
                return self._problem(problem, request)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody is left to read it
            except Exception as error:
                incident = uuid4().urn
                logger.error("%s %s", incident, without_values(error))
                said = saying("serving.internal", incident=incident)
                return self._problem(Problem(500, "internal", said, instance=incident), request)

        return guarded

    async def _no_such_path(self, request: Request, error: Exception) -> Response:
        """Answer what matched no path (404) or no method (405)."""
        path = request.url.path[:200]
        if isinstance(error, HTTPException) and error.status_code == 405:
            allowed = (error.headers or {}).get("Allow", "")
            said = saying("serving.method_wrong", path=path, method=request.method[:20], allowed=allowed)
            return self._problem(Problem(405, "method_wrong", said, headers={"Allow": allowed}), request)
        return self._problem(
            Problem(404, "path_unknown", saying("serving.path_unknown", path=path, known=", ".join(PATHS))), request
        )

    def _problem(self, problem: Problem, request: Request) -> Response:
        language = self._language(request)
        content = problem.document(language).model_dump(mode="json", exclude_none=True)
        return JSONResponse(content, problem.status, _headers(language) | problem.headers, MEDIA_TYPE)

    def _language(self, request: Request) -> Language:
        return preferred(request.headers.get("accept-language", ""), self.language)


def preferred(header: str, default: Language) -> Language:
    """Return the language that an ``Accept-Language`` header (RFC 9110, section 12.5.4) likes best among ours."""
    best, weight = default, 0.0
    for item in header[:500].split(","):
        tag, _, quality = item.strip().partition(";q=")
        try:
            q = float(quality) if quality else 1.0
        except ValueError:
            continue
        for language in LANGUAGES:
            if tag.lower().split("-")[0] == language and q > weight:
                best, weight = language, q
    return best


async def _body(request: Request, endpoint: Endpoint) -> bytes:
    """Return the request's body within the project's limits.

    Raises
    ------
    Problem
        If it is no JSON by its header, too large, or too slow.
    """
    media = request.headers.get("content-type", "")
    if media.partition(";")[0].strip().lower() != "application/json":
        raise Problem(415, "media_type", saying("serving.media_type", found=media[:60]))
    limits = endpoint.project.spec.serving
    most, seconds = int(limits.max_body_mb * 1_000_000), limits.timeout_seconds
    body, size = bytearray(), 0
    try:
        with anyio.fail_after(seconds):
            async for chunk in request.stream():
                size += len(chunk)
                if size > 4 * most:  # up to here it is read and dropped, so that the sender gets to read the answer
                    break
                if size <= most:
                    body += chunk
    except TimeoutError as error:
        raise Problem(408, "body_too_slow", saying("serving.body_too_slow", seconds=f"{seconds:g}")) from error
    if size > most:
        said = saying("serving.body_too_large", megabytes=f"{limits.max_body_mb:g}")
        raise Problem(413, "body_too_large", said, headers={"Connection": "close"})
    return bytes(body)


def _json(content: BaseModel) -> Response:
    return Response(content.model_dump_json(), headers=HEADERS, media_type="application/json")


def _headers(language: Language) -> dict[str, Any]:
    return HEADERS | {"Content-Language": language, "Vary": "Accept-Language"}


def _client(request: Request) -> str:
    return request.client.host if request.client else "unknown"

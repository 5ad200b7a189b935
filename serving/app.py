"""The service as a plain ASGI application: paths, limits, languages and error answers. It knows nothing of BentoML."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import Any, Protocol

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from infra.api_keys import Right
from infra.group_commit import GroupCommit
from infra.prediction_log import PredictionLog
from infra.received import Received
from leitstand.errors import LeitstandError, UnknownName
from leitstand.texts import LANGUAGES, Language
from serving.answers import FeedbackResponse
from serving.endpoint import Endpoint
from serving.loading import Endpoints
from serving.metrics import Metrics
from serving.openapi import document
from serving.page import index, page, page_headers
from serving.predicting import Predicting, body_of
from serving.preparing import BeingPrepared
from serving.problems import Problem, of_error, saying
from serving.protection import Guard, right_missing, security_headers
from serving.queue import overloaded
from serving.receiving import Receiving
from serving.refusing import HEADERS, Refusing, as_json, spoken
from serving.request import Gone, Scope, client_host, read_body
from serving.standby import being_prepared, person_decides, unavailable
from serving.told import listed, model_of, schema_of, serving_now, state_of

Handler = Callable[[Request], Awaitable[Response]]
PATHS = (
    "POST /{project}/predict",
    "POST /{project}/explain",
    "POST /{project}/feedback",
    "POST /{project}/data",
    "GET /{project}/",
    "GET /{project}/openapi.json",
    "GET /{project}/schema",
    "GET /{project}/model",
    "GET /{project}/readyz",
    "GET /readyz",
    "GET /livez",
    "GET /metrics",
)
PREDICT = "/predict"
PREDICT_TARGET = PREDICT.encode()
EXPLAINERS = 1  # explanations compute long: one at a time leaves the other core to the answers
MOST_EXPLAINING = 8


class Champions(Protocol):
    """Whoever knows what is served at this moment."""

    endpoints: Endpoints


class Leitstand:
    """Answers for all served projects.

    Parameters
    ----------
    champions : what is served, or why it is not
    commit : writes to ``log``
    received : where new rows are kept
    guard : who may ask for what
    language : where the client asks for none
    tls : whether the service itself speaks TLS
    """

    def __init__(
        self,
        champions: Champions,
        commit: GroupCommit,
        log: PredictionLog,
        received: Received,
        guard: Guard,
        language: Language,
        *,
        tls: bool = False,
    ) -> None:
        self.champions, self.log, self.guard = champions, log, guard
        self.metrics, self.refusing = Metrics(), Refusing(language)
        self.receiving = Receiving(received, guard)
        self.predicting = Predicting(commit, guard, self.metrics, self.refusing, tls=tls)
        self._page_headers = {name.decode(): value.decode() for name, value in security_headers(tls=tls, page=True)}
        self._explainers = CapacityLimiter(EXPLAINERS)
        self._others = self._starlette()

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"].endswith(PREDICT):
            endpoint = self.champions.endpoints.get(scope["path"][1 : -len(PREDICT)])
            if isinstance(endpoint, Endpoint):
                await self.predicting.answer(endpoint, scope, receive, send)
                return
        await self._others(scope, receive, send)

    def refusal(self, target: bytes, headers: Sequence[tuple[bytes, bytes]]) -> bytes | None:
        """Return the rest of the answer to a POST that is refused for lack of room alone, see ``serving.protocol``; None to let it pass."""
        if not target.endswith(PREDICT_TARGET):
            return None
        endpoint = self.champions.endpoints.get(target[1 : -len(PREDICT_TARGET)].decode("latin-1"))
        return self.predicting.refusal(endpoint, headers) if isinstance(endpoint, Endpoint) and endpoint.refusal is None else None

    async def feedback(self, request: Request) -> Response:
        """Answer ``POST /{project}/feedback``."""
        endpoint, client = self._admitted(request, "feedback")
        limits = endpoint.project.spec.serving
        labels = endpoint.read_labels(await read_body(request.scope, request.receive, limits))
        async with asyncio.timeout(limits.timeout_seconds):
            result = await asyncio.to_thread(self.log.label, endpoint.project.name, labels, f"http:{client}")
        return as_json(FeedbackResponse(matched=result.matched, unknown=list(result.unknown)).model_dump())

    async def data(self, request: Request) -> Response:
        """Answer ``POST /{project}/data``."""
        endpoint, client = self._admitted(request, "data")
        return await self.receiving.answer(endpoint, client, request.scope, request.receive)

    async def explain(self, request: Request) -> Response:
        """Answer ``POST /{project}/explain``; nothing is logged, for nothing is predicted that was not asked before."""
        endpoint, client = self._admitted(request, "predict")
        limits, language = endpoint.project.spec.serving, self.refusing.language(request.scope)
        if endpoint.refusal is not None:
            raise person_decides(endpoint.refusal)
        if self._explainers.statistics().tasks_waiting >= MOST_EXPLAINING:
            raise overloaded()
        asked = endpoint.explaining.read(await body_of(endpoint, request.scope, request.receive))
        self.guard.charge(client, endpoint.project.name, len(asked.rows))
        seconds = limits.timeout_seconds
        async with asyncio.timeout(seconds):
            told = await to_thread.run_sync(
                endpoint.explaining.explain, asked, endpoint.served, language, seconds,
                limiter=self._explainers, abandon_on_cancel=True,
            )  # fmt: skip
        return as_json(told.model_dump(), headers=spoken(language))

    async def openapi(self, request: Request) -> Response:
        """Answer ``GET /{project}/openapi.json``."""
        endpoint, _ = self._admitted(request, "read")
        language = self.refusing.language(request.scope)
        usual = await asyncio.to_thread(endpoint.usual)
        told = document(endpoint.project, endpoint.version, language, protected=self.guard.requires_key, usual=usual)
        return as_json(told, headers=spoken(language))

    async def page(self, request: Request) -> Response:
        """Answer ``GET /{project}/``: a page to try the model by hand; it shows the contract, so it needs a key where there are keys."""
        may_see = self.guard.admit_page(request.scope["headers"], client_host(request.scope))
        if not may_see(request.path_params["project"]):
            raise right_missing("read", request.path_params["project"])
        endpoint = self._endpoint(request)
        language = _asked_language(request) or self.refusing.language(request.scope)
        usual = {} if self.guard.requires_key else await asyncio.to_thread(endpoint.usual)
        card, protected = endpoint.released.card, self.guard.requires_key
        made = page(endpoint.project, endpoint.served, card, language, protected=protected, usual=usual)
        return Response(made, headers=self._page_headers | page_headers(language))

    async def index(self, request: Request) -> Response:
        """Answer ``GET /``: the projects that are served, as far as the sender may know of them."""
        may_see = self.guard.admit_page(request.scope["headers"], client_host(request.scope))
        language = _asked_language(request) or self.refusing.language(request.scope)
        shown = {name: found for name, found in self.champions.endpoints.items() if may_see(name)}
        return Response(index(listed(shown, language), language), headers=self._page_headers | page_headers(language))

    async def schema(self, request: Request) -> Response:
        """Answer ``GET /{project}/schema``: what to send, what comes back, and an example, in the client's language."""
        endpoint, _ = self._admitted(request, "read")
        language = self.refusing.language(request.scope)
        return as_json(schema_of(endpoint.project, language), headers=spoken(language))

    async def model(self, request: Request) -> Response:
        """Answer ``GET /{project}/model``: which model answers, its figures on the hold-out, and its card."""
        endpoint, _ = self._admitted(request, "read")
        return as_json(model_of(endpoint))

    async def alive(self, request: Request) -> Response:
        """Answer ``GET /livez``: the process runs."""
        return as_json({"status": "alive"})

    async def project_ready(self, request: Request) -> Response:
        """Answer ``GET /{project}/readyz``: this project's model answers, or what stands in for it."""
        if not self._known(request)(request.path_params["project"]):
            self._admitted(request, "read")  # says what is missing
        endpoint = self._endpoint(request)
        if endpoint.refusal is not None:
            raise person_decides(endpoint.refusal)
        return as_json({"status": "fallback" if endpoint.fallback else "ready", "version": endpoint.version})

    async def ready(self, request: Request) -> Response:
        """Answer ``GET /readyz``: at least one model answers; those that do not are named with the reason, to whom may know of them."""
        language = self.refusing.language(request.scope)
        return as_json(state_of(self.champions.endpoints, language, self._known(request)), headers=spoken(language))

    async def figures(self, request: Request) -> Response:
        """Answer ``GET /metrics``."""
        self.guard.admit(request.scope["headers"], client_host(request.scope), "*", "read")
        return Response(
            self.metrics.page(serving_now(self.champions.endpoints)), headers=HEADERS, media_type=self.metrics.content_type
        )

    def _starlette(self) -> Starlette:
        posts = {"predict": self._endpoint_missing, "feedback": self.feedback, "data": self.data, "explain": self.explain}
        gets = {
            "schema": self.schema,
            "model": self.model,
            "readyz": self.project_ready,
            "openapi.json": self.openapi,
            "": self.page,
        }
        own = {"/livez": self.alive, "/readyz": self.ready, "/metrics": self.figures, "/": self.index}
        routes = [Route(path, self._guarded(handler, path[1:])) for path, handler in own.items()]
        routes += [
            Route(f"/{{project}}/{name}", self._guarded(handler, name), methods=[method])
            for method, handlers in (("POST", posts), ("GET", gets))
            for name, handler in handlers.items()
        ]
        made = Starlette(routes=routes, exception_handlers={HTTPException: self._no_such_path})
        made.router.redirect_slashes = False  # it would send any word on, not only the names of projects
        return made

    async def _endpoint_missing(self, request: Request) -> Response:
        """Say why a project does not predict; where it does, the request does not come here, unless its model appears at this moment."""
        endpoint, _ = self._admitted(request, "predict")
        raise being_prepared(BeingPrepared("serving.being_prepared", project=endpoint.project.name))

    def _admitted(self, request: Request, right: Right) -> tuple[Endpoint, str]:
        """Return the endpoint of a request whose sender may do that, and the sender's name."""
        scope = request.scope
        client = self.guard.admit(scope["headers"], client_host(scope), request.path_params["project"], right)
        return self._endpoint(request), client

    def _known(self, request: Request) -> Callable[[str], bool]:
        """Return which projects the sender of a request may know by name."""
        return self.guard.known(request.scope["headers"], client_host(request.scope))

    def _endpoint(self, request: Request) -> Endpoint:
        name = request.path_params["project"]
        found = self.champions.endpoints.get(name)
        if found is None:
            raise of_error(404, "project_unknown", UnknownName("project", name[:63], self.champions.endpoints))
        if isinstance(found, LeitstandError):
            raise unavailable(found)
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
                response = self.refusing.error(error, request.scope, seconds)
            project = found.project.name if isinstance(found, Endpoint) else ""
            self.metrics.answered(project, path, response.status_code, started)
            return response

        return guarded

    async def _no_such_path(self, request: Request, error: Exception) -> Response:
        """Answer what matched no path (404) or no method (405)."""
        path, language = request.url.path[:200], self.refusing.language(request.scope)
        if path[1:] in self.champions.endpoints and self._known(request)(path[1:]):
            return Response(status_code=308, headers=HEADERS | {"Location": f"{path[1:]}/"})
        if isinstance(error, HTTPException) and error.status_code == 405:
            allowed = (error.headers or {}).get("Allow", "")
            said = saying("serving.method_wrong", path=path, method=request.method[:20], allowed=allowed)
            return self.refusing.problem(Problem(405, "method_wrong", said, headers={"Allow": allowed}), language)
        said = saying("serving.path_unknown", path=path, known=", ".join(PATHS))
        return self.refusing.problem(Problem(404, "path_unknown", said), language)


def _asked_language(request: Request) -> Language | None:
    asked = request.query_params.get("language")
    return next((language for language in LANGUAGES if language == asked), None)

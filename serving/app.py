"""The service as a plain ASGI application: paths, limits, languages and error answers. It knows nothing of BentoML."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any, Protocol

import orjson
from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from infra.api_keys import Right
from infra.group_commit import GroupCommit
from infra.prediction_entries import Role
from infra.prediction_log import PredictionLog
from leitstand.errors import LeitstandError, StateError, UnknownName
from leitstand.texts import LANGUAGES, Language
from serving.answers import FeedbackResponse
from serving.endpoint import Answered, Asked, Endpoint, without_values
from serving.forms import form_as_json, is_form
from serving.loading import Endpoints
from serving.metrics import Metrics
from serving.openapi import document
from serving.page import index, page, page_headers
from serving.problems import MEDIA_TYPE, Problem, of_error, problem_of, saying
from serving.protection import Guard, security_headers
from serving.queue import Queue, new_request_id, overloaded
from serving.request import Gone, Scope, client_host, header, preferred, read_body, within
from serving.shadow import Shadow
from serving.standby import person_decides, unavailable
from serving.told import listed, model_of, schema_of, serving_now, state_of

logger = logging.getLogger("bentoml.leitstand")
Handler = Callable[[Request], Awaitable[Response]]
HEADERS = {name.decode(): value.decode() for name, value in security_headers(tls=False)}
PATHS = (
    "POST /{project}/predict",
    "POST /{project}/explain",
    "POST /{project}/feedback",
    "GET /{project}/",
    "GET /{project}/openapi.json",
    "GET /{project}/schema",
    "GET /{project}/model",
    "GET /{project}/readyz",
    "GET /readyz",
    "GET /livez",
    "GET /metrics",
)
LARGE_BODY = 100_000  # bytes; longer ones are checked in a thread, for the event loop has others to see to
PREDICT = "/predict"
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
    guard : who may ask for what
    language : where the client asks for none
    tls : whether the service itself speaks TLS
    """

    def __init__(
        self,
        champions: Champions,
        commit: GroupCommit,
        log: PredictionLog,
        guard: Guard,
        language: Language,
        *,
        tls: bool = False,
    ) -> None:
        self.champions, self.log, self.guard, self.language = champions, log, guard, language
        self.metrics = Metrics()
        self.queue = Queue(commit)
        self.shadow = Shadow(commit, self.queue, self.metrics)
        self._secure = security_headers(tls=tls)
        self._page_headers = {name.decode(): value.decode() for name, value in security_headers(tls=tls, page=True)}
        self._headers = [*self._secure, (b"content-type", b"application/json")]
        self._explainers = CapacityLimiter(EXPLAINERS)
        self._overloads: dict[Language, tuple[dict[str, Any], dict[str, Any]]] = {}
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
        limits, project, request_id = endpoint.project.spec.serving, endpoint.project.name, new_request_id()
        try:
            client = self.guard.admit(scope["headers"], client_host(scope), project, "predict")
            if endpoint.refusal is not None:
                raise person_decides(endpoint.refusal)
            if self.queue.is_full:
                await self._too_many(project, started, scope, send)
                return
            body = await self._body(endpoint, scope, receive)
            asked = endpoint.read(body) if len(body) < LARGE_BODY else await asyncio.to_thread(endpoint.read, body)
            self.guard.charge(client, project, len(asked.rows))
            async with asyncio.timeout(limits.timeout_seconds):
                answer, role = await self._answer(endpoint, asked, client, started, request_id)
        except Gone:
            return
        except Exception as error:
            response = self._refusal(error, scope, limits.timeout_seconds)
            self.metrics.answered(project, "predict", response.status_code, started)
            await response(scope, receive, send)
            return
        self.metrics.answered(project, "predict", 200, started)
        self.metrics.predicted(project, len(answer.rows), answer.flagged, role)
        headers = [*self._headers, (b"content-length", b"%d" % len(answer.body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})
        trial = endpoint.rollout
        if trial is not None and trial.mode == "shadow":
            self.shadow.offer(trial.endpoint, asked, answer, client, request_id)

    async def _answer(
        self, endpoint: Endpoint, asked: Asked, client: str, started: float, request_id: str
    ) -> tuple[Answered, Role]:
        """Return the answer and whose it is: the canary's if the request is in its share and it can answer, otherwise the champion's."""
        trial = endpoint.rollout
        if trial is not None and trial.takes(request_id):
            try:
                return await self.queue.answer(trial.endpoint, asked, client, started, "canary", request_id), "canary"
            except StateError:
                raise
            except Exception as error:  # a challenger's fault is not the client's
                logger.warning(
                    "%s version %s as canary: %s", endpoint.project.name, trial.endpoint.version, without_values(error)
                )
                self.metrics.canary_failed(endpoint.project.name)
        return await self.queue.answer(endpoint, asked, client, started, endpoint.role, request_id), endpoint.role

    async def _too_many(self, project: str, started: float, scope: Scope, send: Any) -> None:
        """Refuse a request for which there is no room, at the least cost: most of them come when there is no time to lose."""
        language = self._language(scope)
        if language not in self._overloads:
            problem = overloaded()
            made = self._problem(problem, scope)
            start = {"type": "http.response.start", "status": made.status_code, "headers": made.raw_headers}
            self._overloads[language] = start, {"type": "http.response.body", "body": made.body}
        self.metrics.answered(project, "predict", 503, started)
        for message in self._overloads[language]:
            await send(message)

    async def _body(self, endpoint: Endpoint, scope: Scope, receive: Any) -> bytes:
        """Return the body as JSON; projects with files take forms too."""
        limits = endpoint.project.spec.serving
        if endpoint.takes_files and is_form(scope):
            return await within(limits, form_as_json(scope, receive, endpoint.project.input_contract, limits))
        return await read_body(scope, receive, limits)

    async def feedback(self, request: Request) -> Response:
        """Answer ``POST /{project}/feedback``."""
        endpoint, client = self._admitted(request, "feedback")
        limits = endpoint.project.spec.serving
        labels = endpoint.read_labels(await read_body(request.scope, request.receive, limits))
        async with asyncio.timeout(limits.timeout_seconds):
            result = await asyncio.to_thread(self.log.label, endpoint.project.name, labels, f"http:{client}")
        return _json(FeedbackResponse(matched=result.matched, unknown=list(result.unknown)).model_dump())

    async def explain(self, request: Request) -> Response:
        """Answer ``POST /{project}/explain``; nothing is logged, for nothing is predicted that was not asked before."""
        endpoint, client = self._admitted(request, "predict")
        limits, language = endpoint.project.spec.serving, self._language(request.scope)
        if endpoint.refusal is not None:
            raise person_decides(endpoint.refusal)
        if self._explainers.statistics().tasks_waiting >= MOST_EXPLAINING:
            raise overloaded()
        asked = endpoint.explaining.read(await self._body(endpoint, request.scope, request.receive))
        self.guard.charge(client, endpoint.project.name, len(asked.rows))
        seconds = limits.timeout_seconds
        async with asyncio.timeout(seconds):
            told = await to_thread.run_sync(
                endpoint.explaining.explain, asked, endpoint.served, language, seconds,
                limiter=self._explainers, abandon_on_cancel=True,
            )  # fmt: skip
        return _json(told.model_dump(), headers=_spoken(language))

    async def openapi(self, request: Request) -> Response:
        """Answer ``GET /{project}/openapi.json``."""
        endpoint, _ = self._admitted(request, "read")
        language = self._language(request.scope)
        usual = await asyncio.to_thread(endpoint.usual)
        told = document(endpoint.project, endpoint.version, language, protected=self.guard.requires_key, usual=usual)
        return _json(told, headers=_spoken(language))

    async def page(self, request: Request) -> Response:
        """Answer ``GET /{project}/``: a page to try the model by hand. Where keys are needed, what it asks the service needs one."""
        self.guard.admit_page(request.scope["headers"], client_host(request.scope))
        endpoint = self._endpoint(request)
        language = _asked_language(request) or self._language(request.scope)
        usual = {} if self.guard.requires_key else await asyncio.to_thread(endpoint.usual)
        card, protected = endpoint.released.card, self.guard.requires_key
        made = page(endpoint.project, endpoint.served, card, language, protected=protected, usual=usual)
        return Response(made, headers=self._page_headers | page_headers(language))

    async def index(self, request: Request) -> Response:
        """Answer ``GET /``: the projects that are served."""
        self.guard.admit_page(request.scope["headers"], client_host(request.scope))
        language = _asked_language(request) or self._language(request.scope)
        return Response(
            index(listed(self.champions.endpoints, language), language), headers=self._page_headers | page_headers(language)
        )

    async def schema(self, request: Request) -> Response:
        """Answer ``GET /{project}/schema``: what to send, what comes back, and an example, in the client's language."""
        endpoint, _ = self._admitted(request, "read")
        language = self._language(request.scope)
        return _json(schema_of(endpoint.project, language), headers=_spoken(language))

    async def model(self, request: Request) -> Response:
        """Answer ``GET /{project}/model``: which model answers, its figures on the hold-out, and its card."""
        endpoint, _ = self._admitted(request, "read")
        return _json(model_of(endpoint))

    async def alive(self, request: Request) -> Response:
        """Answer ``GET /livez``: the process runs."""
        return _json({"status": "alive"})

    async def project_ready(self, request: Request) -> Response:
        """Answer ``GET /{project}/readyz``: this project's model answers, or what stands in for it."""
        endpoint = self._endpoint(request)
        if endpoint.refusal is not None:
            raise person_decides(endpoint.refusal)
        return _json({"status": "fallback" if endpoint.fallback else "ready", "version": endpoint.version})

    async def ready(self, request: Request) -> Response:
        """Answer ``GET /readyz``: at least one model answers; those that do not are named with the reason."""
        language = self._language(request.scope)
        return _json(state_of(self.champions.endpoints, language), headers=_spoken(language))

    async def figures(self, request: Request) -> Response:
        """Answer ``GET /metrics``."""
        self.guard.admit(request.scope["headers"], client_host(request.scope), "*", "read")
        return Response(
            self.metrics.page(serving_now(self.champions.endpoints)), headers=HEADERS, media_type=self.metrics.content_type
        )

    def _starlette(self) -> Starlette:
        posts = {"predict": self._endpoint_missing, "feedback": self.feedback, "explain": self.explain}
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
        """Say why a project does not predict; where it does, the request does not come here."""
        self._admitted(request, "predict")
        raise RuntimeError("an endpoint appeared while its request was under way")

    def _admitted(self, request: Request, right: Right) -> tuple[Endpoint, str]:
        """Return the endpoint of a request whose sender may do that, and the sender's name."""
        scope = request.scope
        client = self.guard.admit(scope["headers"], client_host(scope), request.path_params["project"], right)
        return self._endpoint(request), client

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
                response = self._refusal(error, request.scope, seconds)
            project = found.project.name if isinstance(found, Endpoint) else ""
            self.metrics.answered(project, path, response.status_code, started)
            return response

        return guarded

    def _refusal(self, error: Exception, scope: Scope, seconds: float) -> Response:
        """Return the answer that an error becomes; what we did not expect is logged under a number that the client gets."""
        if isinstance(error, StateError):
            logger.error("%s", error)
        problem = problem_of(error, seconds)
        if problem.instance is not None:
            logger.error("%s %s", problem.instance, without_values(error))
        return self._problem(problem, scope)

    async def _no_such_path(self, request: Request, error: Exception) -> Response:
        """Answer what matched no path (404) or no method (405)."""
        path = request.url.path[:200]
        if path[1:] in self.champions.endpoints:
            return Response(status_code=308, headers=HEADERS | {"Location": f"{path[1:]}/"})
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


def _asked_language(request: Request) -> Language | None:
    asked = request.query_params.get("language")
    return next((language for language in LANGUAGES if language == asked), None)


def _json(
    content: Any, status: int = 200, headers: dict[str, str] | None = None, media_type: str = "application/json"
) -> Response:
    return Response(orjson.dumps(content), status, headers or HEADERS, media_type)


def _spoken(language: Language) -> dict[str, str]:
    return HEADERS | {"Content-Language": language, "Vary": "Accept-Language"}

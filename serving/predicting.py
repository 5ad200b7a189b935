"""Answering ``POST /{project}/predict``: the hot path, from the first byte to the answer and to the challenger's silent one."""

import asyncio
import logging
from collections.abc import Sequence
from time import perf_counter
from typing import Any

from starlette.responses import Response

from infra.group_commit import GroupCommit
from infra.prediction_entries import Role
from leitstand.errors import StateError
from leitstand.texts import Language
from serving.endpoint import Answered, Asked, Endpoint, without_values
from serving.forms import form_as_json, is_form, refuse_foreign_page
from serving.metrics import Metrics
from serving.protection import Guard, security_headers
from serving.queue import Queue, new_request_id, overloaded
from serving.refusing import Refusing
from serving.request import Gone, Scope, client_host, read_body, within
from serving.shadow import Shadow
from serving.standby import person_decides

logger = logging.getLogger("bentoml.leitstand")
LARGE_BODY = 100_000  # bytes; longer ones are checked in a thread, for the event loop has others to see to


class Predicting:
    """Answers predictions of all projects.

    Parameters
    ----------
    commit : writes to the prediction log
    tls : whether the service itself speaks TLS
    """

    def __init__(self, commit: GroupCommit, guard: Guard, metrics: Metrics, refusing: Refusing, *, tls: bool) -> None:
        self._guard, self._metrics, self._refusing = guard, metrics, refusing
        self._queue = Queue(commit)
        self._shadow = Shadow(commit, self._queue, metrics)
        self._headers = [*security_headers(tls=tls), (b"content-type", b"application/json")]
        self._overloads: dict[Language, Response] = {}

    def close(self) -> None:
        """End the threads."""
        self._shadow.close()
        self._queue.close()

    async def answer(self, endpoint: Endpoint, scope: Scope, receive: Any, send: Any) -> None:
        """Answer one request; what leaves is in the log."""
        started = perf_counter()
        limits, project, request_id = endpoint.project.spec.serving, endpoint.project.name, new_request_id()
        try:
            client = self._guard.admit(scope["headers"], client_host(scope), project, "predict")
            if endpoint.refusal is not None:
                raise person_decides(endpoint.refusal)
            if self._queue.is_full:
                await self._too_many(project, started, scope, send)
                return
            body = await body_of(endpoint, scope, receive)
            asked = endpoint.read(body) if len(body) < LARGE_BODY else await asyncio.to_thread(endpoint.read, body)
            self._guard.charge(client, project, len(asked.rows))
            async with asyncio.timeout(limits.timeout_seconds):
                made, role = await self._made(endpoint, asked, client, started, request_id)
        except Gone:
            return
        except Exception as error:
            response = self._refusing.error(error, scope, limits.timeout_seconds)
            self._metrics.answered(project, "predict", response.status_code, started)
            await response(scope, receive, send)
            return
        self._metrics.answered(project, "predict", 200, started)
        self._metrics.predicted(project, len(made.rows), made.flagged, role)
        headers = [*self._headers, (b"content-length", b"%d" % len(made.body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": made.body})
        trial = endpoint.rollout
        if trial is not None and trial.mode == "shadow":
            self._shadow.offer(trial.endpoint, asked, made, client, request_id)

    async def _made(
        self, endpoint: Endpoint, asked: Asked, client: str, started: float, request_id: str
    ) -> tuple[Answered, Role]:
        """Return the answer and whose it is: the canary's if the request is in its share and it can answer, otherwise the champion's."""
        trial = endpoint.rollout
        if trial is not None and trial.takes(request_id):
            try:
                async with asyncio.timeout(endpoint.project.spec.serving.timeout_seconds / 2):  # the rest is the champion's
                    return await self._queue.answer(trial.endpoint, asked, client, started, "canary", request_id), "canary"
            except StateError:
                raise
            except Exception as error:  # a challenger's fault is not the client's
                where = without_values(error)
                logger.warning("%s version %s as canary: %s", endpoint.project.name, trial.endpoint.version, where)
                self._metrics.canary_failed(endpoint.project.name)
        return await self._queue.answer(endpoint, asked, client, started, endpoint.role, request_id), endpoint.role

    async def _too_many(self, project: str, started: float, scope: Scope, send: Any) -> None:
        """Refuse a request for which there is no room, at the least cost: most of them come when there is no time to lose."""
        made = self._overload(self._refusing.language(scope))
        self._metrics.answered(project, "predict", 503, started)
        await send({"type": "http.response.start", "status": 503, "headers": made.raw_headers})
        await send({"type": "http.response.body", "body": made.body})

    def refusal(self, endpoint: Endpoint, headers: Sequence[tuple[bytes, bytes]]) -> bytes | None:
        """Return headers and body of the refusal of a request for which there is no room; None if there is some.

        It stands before the check of keys: that the service has enough to do is no secret, and is told at the least cost.
        """
        if not self._queue.is_full:
            return None
        self._metrics.answered(endpoint.project.name, "predict", 503, perf_counter())
        made = self._overload(self._refusing.language({"headers": headers}))
        return b"".join(b"%s: %s\r\n" % header for header in made.raw_headers) + b"\r\n" + bytes(made.body)

    def _overload(self, language: Language) -> Response:
        made = self._overloads.get(language)
        if made is None:
            made = self._overloads[language] = self._refusing.problem(overloaded(), language)
        return made


async def body_of(endpoint: Endpoint, scope: Scope, receive: Any) -> bytes:
    """Return the body of a request as JSON; projects with files take forms too."""
    limits = endpoint.project.spec.serving
    if endpoint.takes_files and is_form(scope):
        refuse_foreign_page(scope)
        return await within(limits, form_as_json(scope, receive, endpoint.project.input_contract, limits))
    return await read_body(scope, receive, limits)

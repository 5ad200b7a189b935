"""New rows that are sent to the service: checked for form, and on disk before the sender is told so; the contract's turn is later."""

import asyncio
import hashlib
from typing import Any

import orjson
from starlette.responses import Response

from infra.received import Received
from leitstand.project import Project
from serving.answers import DataResponse
from serving.endpoint import Endpoint
from serving.problems import Problem, saying
from serving.protection import Guard
from serving.refusing import as_json
from serving.request import Scope, read_body


class Receiving:
    """Takes new rows for all served projects.

    Parameters
    ----------
    received : where they are kept
    guard : counts the rows of each client
    """

    def __init__(self, received: Received, guard: Guard) -> None:
        self._received, self._guard = received, guard

    def close(self) -> None:
        """Close the connections to the database."""
        self._received.close()

    async def answer(self, endpoint: Endpoint, client: str, scope: Scope, receive: Any) -> Response:
        """Answer ``POST /{project}/data`` of an admitted client.

        Raises
        ------
        Problem
            404 if the project takes no rows this way, 422 if the rows have another form.
        StateError
            If they cannot be kept.
        """
        project = endpoint.project
        if not takes_rows(project):
            raise Problem(404, "data_not_taken", saying("serving.data_not_taken", project=project.name))
        limits = project.spec.serving
        id_, rows = endpoint.read_new_rows(await read_body(scope, receive, limits))
        self._guard.charge(client, project.name, len(rows))
        content = orjson.dumps(rows, option=orjson.OPT_SORT_KEYS)
        named = b"" if id_ is None else f"{client}\0{id_}\0".encode()  # other rows under an id that was used are no repetition
        known_by = hashlib.sha256(named + content).hexdigest()[:60]
        async with asyncio.timeout(limits.timeout_seconds):
            fresh = await asyncio.to_thread(
                self._received.keep, project.name, known_by, content.decode(), len(rows), f"http:{client}"
            )
        return as_json(DataResponse(received=len(rows), duplicate=not fresh).model_dump(), 202)


def takes_rows(project: Project) -> bool:
    """Return whether project.yaml lets rows come through the service."""
    incoming = project.spec.data.incoming
    return incoming is not None and incoming.api

"""How our flows are run by Prefect: on which server, with which settings, and what it may keep of their parameters."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from prefect import Flow
from prefect.context import SettingsContext, get_settings_context
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker

from flows.prefect_server import PrefectServer
from infra.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")
DRAIN_SECONDS = 10.0
Plain = str | int | float | bool | None


class _StageFlow(Flow[P, R]):
    """A flow whose parameters may be data frames and models: Prefect is told their type only.

    Prefect would otherwise encode every parameter to JSON, row by row.
    """

    def serialize_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Return plain values as they are and a type name for all others."""
        return {name: value if isinstance(value, Plain) else type(value).__name__ for name, value in parameters.items()}


def stage(name: str) -> Callable[[Callable[P, R]], _StageFlow[P, R]]:
    """Make a function a Prefect flow of that name. What it returns stays in memory."""

    def wrap(function: Callable[P, R]) -> _StageFlow[P, R]:
        return _StageFlow(function, name=name, validate_parameters=False, persist_result=False)

    return wrap


@contextmanager
def orchestrated(settings: Settings, server: PrefectServer) -> Iterator[None]:
    """Run flows inside this context on a Prefect server; waits until it answers.

    Heartbeats are off: at the end of each flow they wait up to a second for their thread, and whoever started a run knows sooner when it has
    died (docs/decisions/0023).

    Raises
    ------
    ServiceError
        If the server dies or does not answer in time.
    """
    server.wait()
    context = get_settings_context()
    now = context.settings
    updates: dict[str, Any] = {
        "home": settings.folder("prefect"),
        "flows": now.flows.model_copy(update={"heartbeat_frequency": None}),
        "api": now.api.model_copy(update={"url": server.url}),
    }
    with SettingsContext(profile=context.profile, settings=now.model_copy(update=updates)):
        try:
            yield
        finally:
            # what is still to be sent would be tried for a minute at the end of Python, when the server may be gone
            for worker in (APILogWorker, EventsWorker):
                worker.drain_all(timeout=DRAIN_SECONDS)

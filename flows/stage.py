"""How our flows are run by Prefect: on which server, with which settings, and what it may keep of their parameters."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import httpx
from prefect import Flow
from prefect.context import SettingsContext, get_settings_context
from pydantic import SecretStr

from infra.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")
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
def orchestrated(settings: Settings) -> Iterator[str]:
    """Run flows inside this context on the Prefect server that is running, or on a temporary one where none is.

    Heartbeats are off: at the end of each flow they wait up to a second for their thread, and a run of ours holds a lock that tells
    when it has died.

    Yields
    ------
    the address of the server that is used; ``temporary`` for one of our own
    """
    context = get_settings_context()
    now = context.settings
    updates: dict[str, Any] = {
        "home": settings.folder("prefect"),
        "flows": now.flows.model_copy(update={"heartbeat_frequency": None}),
    }
    running = _answers(settings.prefect_url)
    if running:
        updates["api"] = now.api.model_copy(update={"url": settings.prefect_url})
    else:
        database = now.server.database.model_copy(update={"connection_url": SecretStr(_async_url(settings.database("prefect")))})
        updates["server"] = now.server.model_copy(update={"database": database})
    with SettingsContext(profile=context.profile, settings=now.model_copy(update=updates)):
        yield settings.prefect_url if running else "temporary"


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=1.0, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _async_url(url: str) -> str:
    """Return the URL with the asynchronous driver that Prefect needs."""
    scheme, _, rest = url.partition("://")
    drivers = {"sqlite": "sqlite+aiosqlite"}
    return f"{drivers.get(scheme, 'postgresql+asyncpg')}://{rest}"

"""The BentoML service: BentoML supervises the process, holds the socket and packages; ``serving.app`` answers.

``bentoml serve serving.service:LeitstandService --arg projects=cell_diagnostics`` starts it by hand; ``serving.launch`` does so for us.
BentoML's own routes would answer errors in another form and know no languages, so our application stands in front of all of them.
"""

import gc
import logging
import os
from typing import Any

import bentoml
from _bentoml_sdk import Service
from pydantic import BaseModel

from infra.lifeline import end_with
from serving.protocol import BoundedProtocol, install

NEVER_SECONDS = 86_400  # every project has its own time limit, which answers in our form before BentoML's could


class Arguments(BaseModel):
    """What ``bentoml serve --arg`` takes.

    Parameters
    ----------
    projects : names, separated by commas; empty for all that have a champion
    launcher : process id that the service must not outlive; 0 for none
    compiling : whether a champion without a compiled form gets one before it is loaded
    tls : whether the socket speaks TLS
    """

    projects: str = ""
    launcher: int = 0
    compiling: bool = True
    tls: bool = False


@bentoml.service(
    name="leitstand",
    workers=1,
    traffic={"timeout": NEVER_SECONDS},
    metrics={"enabled": False},  # its label per requested path grows without bound
    logging={"access": {"enabled": False}},
    envs=[{"name": name, "value": "1"} for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")],
)
class LeitstandService:
    """Answers for the champions of the named projects."""

    def __init__(self) -> None:
        from infra.api_keys import KeyStore
        from infra.group_commit import GroupCommit
        from infra.packaged import service_settings
        from infra.prediction_log import PredictionLog
        from infra.received import Received
        from infra.settings import calm_tools, follow_clock, read_variable
        from serving.app import Leitstand
        from serving.loading import Champions
        from serving.protection import LAUNCHER_VARIABLE, Guard

        arguments = bentoml.use_arguments(Arguments)
        if arguments.launcher:
            end_with(os.getppid(), grandparent=arguments.launcher)
        calm_tools()
        for name in (
            "uvicorn.access",
            "uvicorn.error",
        ):  # a line per request costs as much as the answer; the prediction log has them
            logging.getLogger(name).setLevel(logging.WARNING)
        settings = service_settings()
        follow_clock(settings)
        self.log = log = PredictionLog(settings.database("predictions"))
        self.commit = GroupCommit(log)
        names = arguments.projects.split(",") if arguments.projects else None
        self.champions = Champions(names, settings, arguments.compiling)
        self.guard = guard = Guard(
            KeyStore(settings.database("keys"), wait_seconds=1),
            self.champions.limits(),
            launcher_word=read_variable(LAUNCHER_VARIABLE) or "",
        )
        self.received = Received(settings.database("history"))
        self.app = Leitstand(self.champions, self.commit, log, self.received, guard, settings.language, tls=arguments.tls)
        BoundedProtocol.refuse = self.app.refusal

        _keep_loaded()
        preparing = self.champions.preparing

        def renew() -> None:
            nonlocal preparing
            for name, serving in self.champions.limits().items():
                guard.limit(name, serving)
            if preparing and not self.champions.preparing:
                preparing = False
                _keep_loaded()

        self.champions.watch(renew)
        guard.follow()

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    async def end(self) -> None:
        """Write what still waits for the log."""
        self.champions.stop()
        self.guard.stop()
        self.app.predicting.close()
        await self.commit.close()
        self.received.close()
        self.log.close()

    @bentoml.on_deployment  # type: ignore[untyped-decorator]
    def follow_launcher() -> None:
        """Make the supervising process, which runs this hook, replace dead workers at once and end with the process that launched it."""
        from serving import supervision

        supervision.install()
        launcher = bentoml.use_arguments(Arguments).launcher
        if launcher:
            end_with(launcher)


def _keep_loaded() -> None:
    """Let what is loaded now stay: a collection that goes through all of it would stop every answer for a tenth of a second."""
    gc.collect()
    gc.freeze()


class _InFront:
    """ASGI application that answers every request with ours; start-up and shutdown stay BentoML's."""

    def __init__(self, bento: Any) -> None:
        self._bento = bento
        self._own: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Hand HTTP to our application and everything else to BentoML."""
        if scope["type"] != "http":
            await self._bento(scope, receive, send)
            return
        if self._own is None:
            self._own = bentoml.get_current_service().app
        await self._own(scope, receive, send)


class _Fronted(Service[Any]):
    """A BentoML service with our application in front of its own.

    An application that is mounted, or added as middleware, stands behind BentoML's tracing and time-out, which cost three times what an answer
    does; we have a time limit per project, and metrics.
    """

    __slots__ = ()

    def to_asgi(self, is_main: bool = True) -> Any:
        """Return what answers on the socket, which BentoML opens next."""
        install()
        return _InFront(super().to_asgi(is_main))


LeitstandService.__class__ = _Fronted  # type: ignore[method-assign]

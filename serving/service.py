"""The BentoML service: BentoML supervises the process, holds the socket and packages; ``serving.app`` answers.

``bentoml serve serving.service:LeitstandService --arg projects=cell_diagnostics`` starts it by hand; ``serving.launch`` does so for us.
BentoML's own routes would answer errors in another form and know no languages, so our application stands in front of all of them.
"""

import os
from typing import Any

import bentoml
from pydantic import BaseModel

from infra.lifeline import end_with

NEVER_SECONDS = 86_400  # every project has its own time limit, which answers in our form before BentoML's could


class Arguments(BaseModel):
    """What ``bentoml serve --arg`` takes.

    Parameters
    ----------
    projects : names, separated by commas
    launcher : process id that the service must not outlive; 0 for none
    """

    projects: str
    launcher: int = 0


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
        from infra.settings import calm_tools, load_settings
        from serving.app import Leitstand
        from serving.endpoint import load_endpoints

        arguments = bentoml.use_arguments(Arguments)
        if arguments.launcher:
            end_with(os.getppid(), grandparent=arguments.launcher)
        calm_tools()
        settings = load_settings()
        endpoints = load_endpoints(arguments.projects.split(","), settings)
        self.app = Leitstand(endpoints, settings.language).app()

    @bentoml.on_deployment  # type: ignore[untyped-decorator]
    def follow_launcher() -> None:
        """Make the supervising process, which runs this hook, end with the process that launched it."""
        launcher = bentoml.use_arguments(Arguments).launcher
        if launcher:
            end_with(launcher)


class InFront:
    """ASGI middleware that answers every request with our application; start-up and shutdown stay BentoML's."""

    def __init__(self, app: Any) -> None:
        self.bento = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Hand HTTP to our application and everything else to BentoML."""
        answering = bentoml.get_current_service().app if scope["type"] == "http" else self.bento
        await answering(scope, receive, send)


LeitstandService.add_asgi_middleware(InFront)  # type: ignore[attr-defined]

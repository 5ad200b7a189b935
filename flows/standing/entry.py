"""What the supervisor runs: ``python -m flows.standing.entry SERVICE`` becomes that service, with what ``leitstand up`` planned."""

import os
import sys
from typing import cast

from flows.standing.plan import KEEPER, Plan, ServiceName, note_start, read_plan
from infra.lifeline import end_with
from infra.settings import Settings, calm_tools, follow_clock, load_settings, set_variables
from infra.supervision import parent_supervises
from leitstand.errors import LeitstandError

WORKER = {
    "PREFECT_WORKER_QUERY_SECONDS": "1",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",  # there is no command line that would say it
    # Neither is to start a thread when it is imported, see flows.standing.preloaded.
    "OPENBLAS_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
"""Read by Prefect, OpenBLAS and Arrow when they are imported."""


def become(name: str) -> None:
    """Be the service ``name`` until it is told to end, or its supervisor is gone."""
    calm_tools()
    settings = load_settings()
    plan, parent = read_plan(settings), os.getppid()
    if plan is None or not parent_supervises(settings):
        return
    note_start(settings, name)
    follow_clock(settings)
    if name == KEEPER:
        from flows.standing.keeper import keep

        keep(settings, parent)
        return
    end_with(parent)
    _serve(cast(ServiceName, name), settings, plan)


def _serve(name: ServiceName, settings: Settings, plan: Plan) -> None:
    if name == "prefect":
        from flows.prefect_server import serve_prefect

        serve_prefect(settings, plan.ports["prefect"])
    elif name == "mlflow":
        from infra.mlflow_server import serve_mlflow

        serve_mlflow(settings, plan.ports["mlflow"])
    elif name == "service":
        from serving.standing import become_service

        become_service(settings, plan.host, plan.ports["service"])
    else:
        from flows.standing.delegation import conditions

        started_under = conditions()
        set_variables(WORKER | {"PREFECT_API_URL": plan.prefect_url, "PREFECT_HOME": str(settings.folder("prefect"))})
        from flows.standing.worker import work

        work(settings, plan.prefect_url, started_under)


if __name__ == "__main__":
    try:
        become(sys.argv[1])
    except LeitstandError as error:
        sys.exit(str(error))

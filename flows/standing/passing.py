"""One scheduled maintenance pass: what Prefect knows as the flow behind each deployment."""

from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.flow_engine import run_flow_sync
from prefect.states import Completed

from flows.maintenance import maintenance
from flows.prefect_server import PrefectServer
from flows.stage import orchestrated, stage
from flows.standing.forked import FLOW
from flows.workspace import Desk, open_project
from infra.settings import Settings, load_settings
from leitstand.errors import Busy

WHO = "schedule"


@stage(FLOW)
def scheduled_pass(project: str) -> "State[None]":
    """Look after one project; skipped while somebody else works on it."""
    settings = load_settings()
    desk = Desk(open_project(project, settings), settings)
    try:
        done = maintenance(desk, WHO)
    except Busy as busy:
        return Completed(name="Skipped", message=str(busy))
    return Completed(message=f"{done.acted}: {done.decision.render('en')}")


def carry_out(flow_run_id: UUID, project: str, prefect_url: str, settings: Settings) -> None:
    """Run a flow run that Prefect has planned, to its end; an error of the pass becomes its state."""
    with orchestrated(settings, PrefectServer(prefect_url)):
        with get_client(sync_client=True) as client:
            flow_run = client.read_flow_run(flow_run_id)
        run_flow_sync(scheduled_pass, flow_run=flow_run, parameters={"project": project}, return_type="state")

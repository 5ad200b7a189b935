"""The desk that a command's flow works at: the project, a Prefect server, progress on the terminal."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from flows.cli.app import settings
from flows.cli.console import milestones

if TYPE_CHECKING:  # loads pandas and scikit-learn, which must wait until the servers boot
    from flows.workspace import Desk


@contextmanager
def open_desk(project: str, flow: str, *, quiet: bool, data: Path | None = None, checks: bool = False) -> "Iterator[Desk]":
    """Yield the desk of a project, ready for a flow.

    Parameters
    ----------
    flow : module of the flow, loaded while the Prefect server boots
    quiet : whether to show no progress
    data : what to use instead of the project's sources
    checks : whether the flow is certain to check a contract; a second process then loads and uses the slow tools

    Raises
    ------
    UsageError
        If there is no such project (did you mean), or nothing at ``data``.
    ProjectError
        If the project's files are wrong.
    ServiceError
        If the Prefect server dies or does not answer in time.
    """
    from flows.prefect_server import prefect_server
    from flows.warming import Tools, tools_aside
    from leitstand.folders import locate

    now = settings()
    locate(project, now.roots)
    with prefect_server(now) as server, tools_aside() if checks else nullcontext(Tools()) as tools:
        import_module(flow)
        from flows.stage import orchestrated
        from flows.workspace import Desk, open_project, with_data

        opened = with_data(open_project(project, now), data)
        with milestones(quiet=quiet) as report, orchestrated(now, server):
            yield Desk(opened, now, report, tools)

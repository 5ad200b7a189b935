"""Opening projects: finding their folder and contract, and preparing the desk that a flow works at."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from flows.cron import check_cron
from flows.warming import Tools
from leitstand import folders
from leitstand import project as projects
from leitstand.contract import Contract
from leitstand.errors import UsageError
from leitstand.project import Project
from leitstand.spec import ProjectSpec, Source, load_spec, parse_spec

if TYPE_CHECKING:  # each of these loads a framework, which commands that do not need it must not pay for
    import pandas as pd

    from infra.deliveries import Deliveries
    from infra.prediction_log import PredictionLog
    from infra.received import Received
    from infra.registry import Registry
    from infra.settings import Settings
    from infra.snapshots import SnapshotStore
    from infra.tracking import Tracker

Report = Callable[[str, str], None]


def open_project(name: str, settings: "Settings") -> Project:
    """Return the project ``name`` from the workspace or from those that come with Leitstand.

    Raises
    ------
    UsageError
        If there is none of that name (did you mean).
    ProjectError
        If its files are wrong.
    """
    from data_contracts.odcs import read_contract

    folder = folders.locate(name, settings.roots)
    spec = load_spec(folder / "project.yaml")
    if spec.maintenance.schedule is not None:
        check_cron(name, spec.maintenance.schedule.cron)
    return projects.load(folder, read_contract(contract_path(folder, spec)))


def contract_path(folder: Path, spec: ProjectSpec) -> Path:
    """Return where the contract of the project in ``folder`` stands: ``data_contracts/`` beside its ``projects/``."""
    return folder.parent.parent / "data_contracts" / spec.contract_file


def with_data(project: Project, data: Path | None) -> Project:
    """Return the project with its sources replaced by one file or folder; unchanged for None.

    Raises
    ------
    UsageError
        If there is nothing at that path.
    """
    if data is None:
        return project
    if not data.exists():
        raise UsageError("flows.data_missing", path=data)
    place = data.resolve()  # sources are read from the workspace, the caller means the folder called from
    source = Source(folder=place) if data.is_dir() else Source(file=place)
    content = project.spec.model_dump() | {
        "data": project.spec.data.model_dump() | {"sources": {"data": source.model_dump()}, "incoming": None}
    }
    spec = parse_spec(content, project.folder / "project.yaml")
    return Project(spec, project.contract, project.folder, project.functions)


def read_table(source: Source, workspace: Path, samples: Path | None = None, contract: Contract | None = None) -> "pd.DataFrame":
    """Return one source's table as it stands there: from a file, a folder, a database, or the built-in ``samples``.

    Parameters
    ----------
    contract : says which columns are texts, so that a code such as 1.10 stays what it is; None where there is none yet

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    if source.database is not None:
        from infra.tables import read_database

        return read_database(source)
    from data_contracts.reading import read_source

    return read_source(source, base=workspace, samples=samples, contract=contract)


class Desk:
    """What a flow works with: one project, the settings, and the stores, each opened when first used.

    Parameters
    ----------
    report : told (milestone, what is being done) as work goes on
    tools : the slow ones, here or in a second process
    """

    def __init__(
        self,
        project: Project,
        settings: "Settings",
        report: Report = lambda milestone, doing: None,
        tools: Tools | None = None,
    ) -> None:
        self.project = project
        self.settings = settings
        self.report = report
        self.tools = tools or Tools()

    @cached_property
    def snapshots(self) -> "SnapshotStore":
        """The data versions."""
        from infra.snapshots import SnapshotStore

        return SnapshotStore(self.settings)

    @cached_property
    def deliveries(self) -> "Deliveries":
        """What came in, and what became of it."""
        from infra.deliveries import Deliveries

        return Deliveries(self.settings.database("history"))

    @cached_property
    def received(self) -> "Received":
        """The rows that the service received."""
        from infra.received import Received

        return Received(self.settings.database("history"))

    @cached_property
    def tracker(self) -> "Tracker":
        """The runs."""
        from infra.tracking import Tracker

        return Tracker(self.settings)

    @cached_property
    def registry(self) -> "Registry":
        """The model versions and their promotions."""
        from infra.registry import Registry

        return Registry(self.settings)

    @cached_property
    def log(self) -> "PredictionLog":
        """The predictions and their labels."""
        from infra.prediction_log import PredictionLog

        return PredictionLog(self.settings.database("predictions"))


def current_user() -> str:
    """Return who started this process, for the history of promotions."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user, as in some containers
        return "unknown"

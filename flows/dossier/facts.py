"""Everything that a dossier tells, gathered from where it is kept; nothing is computed here that a run has not left."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from data_contracts.odcs import read_contract
from flows.business import Analysis, analyse
from flows.dossier.bom import Bom, serving_bom
from flows.evidence import records, today
from flows.pilot import PilotCheck, pilot_check
from flows.portfolio import readiness
from flows.released_card import released_card
from flows.stock import Stock, stock_of
from flows.workspace import contract_path
from infra.history import History, Promotion
from infra.settings import Settings
from infra.snapshots import Provenance, SnapshotStore
from infra.tracking import Run, Tracker
from leitstand.contract import Contract
from leitstand.errors import LeitstandError
from leitstand.folders import locate
from leitstand.law import Duty, duties
from leitstand.milestones import MilestoneId
from leitstand.model import ModelCard
from leitstand.readiness import Profile
from leitstand.risk import Classification, classify
from leitstand.roadmap import Record, Standing, Today, standings
from leitstand.spec import ProjectSpec, load_spec
from monitoring.result import MonitoringResult
from monitoring.store import MonitoringStore


@dataclass(frozen=True)
class ColumnFacts:
    """What one column of a data version holds.

    Parameters
    ----------
    low, high : smallest and largest value as text; None where values have no order
    """

    name: str
    missing: float
    distinct: int | None
    low: str | None
    high: str | None


@dataclass(frozen=True)
class Facts:
    """What there is of a project.

    Parameters
    ----------
    records : all evidence, oldest first
    newest : the newest evidence of each milestone
    pilot : evidence on the model that the dossier is about: the one in charge, or the newest
    columns : of the pilot's data version; empty where it cannot be read
    run : in MLflow, that made the model
    stock : data sets of the inventory that the project learns from
    checklist, bom : None where the problem beside it says why
    """

    spec: ProjectSpec
    contract: Contract
    folder: Path
    today: Today
    records: tuple[Record, ...]
    newest: dict[MilestoneId, Record]
    standings: tuple[Standing, ...]
    pilot: Record | None
    history: tuple[Promotion, ...]
    deliveries: tuple[Provenance, ...]
    columns: tuple[ColumnFacts, ...]
    run: Run | None
    card: ModelCard | None
    analysis: Analysis | None
    readiness: Profile | None
    monitoring: MonitoringResult | None
    classification: Classification
    stock: tuple[Stock, ...]
    checklist: PilotCheck | None
    checklist_problem: LeitstandError | None
    bom: Bom | None
    bom_problem: LeitstandError | None

    @property
    def model(self) -> dict[str, Any]:
        """What the run found out about its model, as its report has it; empty without a run."""
        return (self.pilot.details.get("model") or {}) if self.pilot else {}

    @property
    def data(self) -> dict[str, Any]:
        """What the run found out about its data; empty without a run."""
        return (self.pilot.details.get("data") or {}) if self.pilot else {}

    @property
    def gates(self) -> list[dict[str, Any]]:
        """The gates of the run; empty without one."""
        return (self.pilot.details.get("gates") or []) if self.pilot else []

    @property
    def duties(self) -> tuple[tuple[Duty, Any], ...]:
        """The duties that follow from the risk class, with their dates."""
        return duties(self.classification, self.spec.risk)

    @property
    def synthetic(self) -> bool:
        """Whether the model learned from built-in synthetic data."""
        return bool(self.data.get("synthetic"))

    @property
    def in_charge(self) -> bool:
        """Whether the model that the dossier is about answers today."""
        return self.pilot is not None and self.pilot.model_version == self.today.champion

    @property
    def personal(self) -> list[str]:
        """Columns with personal data, as the contract classifies them."""
        return [column.name for column in self.contract.columns if column.personal_data != "none"]


def gather(project: str, settings: Settings) -> Facts:
    """Return what there is of a project today.

    Raises
    ------
    UsageError
        If there is no such project (did you mean).
    ProjectError
        If its files are wrong.
    StateError
        If the evidence cannot be read, or is not what runs wrote.
    """
    folder = locate(project, settings.roots)
    spec = load_spec(folder / "project.yaml")
    contract = read_contract(contract_path(folder, spec))
    found, now = tuple(records(project, settings)), today(spec, contract, folder, settings)
    newest = {record.milestone: record for record in found}
    pilots = [record for record in found if record.milestone == "M4"]
    pilot = next((one for one in reversed(pilots) if one.model_version == now.champion), newest.get("M4"))
    bom, problem = _bom(spec.project, folder, settings, pilot)
    checklist, unchecked = _checklist(folder, spec)
    deliveries, columns = _data(project, settings, pilot)
    return Facts(
        spec=spec,
        contract=contract,
        folder=folder,
        today=now,
        records=found,
        newest=newest,
        standings=standings(found, now),
        pilot=pilot,
        history=_history(project, settings),
        deliveries=deliveries,
        columns=columns,
        run=Tracker(settings).run(pilot.run_id) if pilot and pilot.run_id else None,
        card=None if pilot is None or pilot.model_version is None else released_card(settings, project, pilot.model_version),
        analysis=analyse(project, settings) if spec.benefit else None,
        readiness=readiness(settings),
        monitoring=MonitoringStore(settings).latest(project),
        classification=classify(spec.risk),
        stock=stock_of(spec, settings),
        checklist=checklist,
        checklist_problem=unchecked,
        bom=bom,
        bom_problem=problem,
    )


def _history(project: str, settings: Settings) -> tuple[Promotion, ...]:
    history = History(settings.database("history"))
    try:
        history.verify(project)
        return tuple(history.read(project))
    finally:
        history.close()


def _data(project: str, settings: Settings, pilot: Record | None) -> tuple[tuple[Provenance, ...], tuple[ColumnFacts, ...]]:
    if pilot is None or pilot.data_version is None:
        return (), ()
    store = SnapshotStore(settings)
    try:
        deliveries = tuple(store.provenance(project, pilot.data_version))
        return deliveries, tuple(_column(column) for _, column in store.load(project, pilot.data_version).items())
    except LeitstandError:
        return (), ()
    finally:
        store.close()


def _column(values: pd.Series) -> ColumnFacts:
    known = values.dropna()
    ordered = len(known) > 0 and (pd.api.types.is_numeric_dtype(known) or pd.api.types.is_datetime64_any_dtype(known))
    low, high = (str(known.min()), str(known.max())) if ordered and known.dtype != bool else (None, None)
    return ColumnFacts(str(values.name), float(values.isna().mean()), int(known.nunique()) if len(known) else None, low, high)


def _checklist(folder: Path, spec: ProjectSpec) -> tuple[PilotCheck | None, LeitstandError | None]:
    try:
        return pilot_check(folder, spec), None
    except LeitstandError as problem:
        return None, problem


def _bom(project: str, folder: Path, settings: Settings, pilot: Record | None) -> tuple[Bom | None, LeitstandError | None]:
    try:
        return serving_bom(project, folder, pilot), None
    except LeitstandError as problem:
        return None, problem


def newest_time(found: Sequence[Record]) -> Any:
    """Return when the newest evidence was written; None without any."""
    return max((record.time for record in found), default=None)

"""Whether a delivery may come in: read, prepared, checked against the contract and looked at as a whole."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from data_contracts.comparing import ROW
from data_contracts.result import CheckResult, save_quarantine
from flows.arrival import Arrival, held_folder
from flows.grown import Table
from flows.workspace import Desk
from infra.deliveries import Delivery
from leitstand.contract import Contract
from leitstand.errors import ContractBroken, DataError, SourceError
from leitstand.suspicion import Fault, Suspicion, suspect

SOURCES: Literal["sources"] = "sources"
FEW_ROWS = (
    20  # of fewer the good ones come in whatever share of them is bad: one bad row of three says nothing about the other two
)
EMPTY = ("contracts.no_rows", "contracts.file_empty")


class _Doubtful(Exception):
    """The delivery is held back, for this reason; its cause is the error, if there was one."""

    def __init__(self, suspicion: Suspicion, rows: int = 0, check: CheckResult | None = None) -> None:
        super().__init__(suspicion.fault)
        self.suspicion, self.rows, self.check = suspicion, rows, check


@dataclass(frozen=True)
class Admitted:
    """What became of a delivery.

    Parameters
    ----------
    came_in : which of its rows did, shape (n_rows,), bool; one for all of a delivery that is held back, or of which ``prepare`` made other rows
    """

    delivery: Delivery
    came_in: np.ndarray | bool


class Admission:
    """Lets deliveries into a table, or holds them back.

    Parameters
    ----------
    open_table : returns the table; called when the first delivery can be read
    dry_run : nothing is written
    """

    def __init__(self, desk: Desk, open_table: Callable[[], Table], dry_run: bool) -> None:
        self._desk, self._open_table, self._dry_run = desk, open_table, dry_run

    def admit(self, arrival: Arrival, one: Delivery, earlier: Sequence[int]) -> Admitted:
        """Return what became of a delivery.

        Parameters
        ----------
        one : as it is to be noted, without its figures
        earlier : rows of deliveries that came the same way before

        Raises
        ------
        DataError
            If the sources cannot be used, which nobody can decide about later.
        Changing
            If it is being written.
        """
        try:
            return self._taken(arrival, one, earlier)
        except _Doubtful as doubt:
            if arrival.kind == SOURCES and isinstance(doubt.__cause__, DataError):
                raise doubt.__cause__ from None
            return Admitted(self._held(arrival, one, doubt), came_in=False)

    def _taken(self, arrival: Arrival, one: Delivery, earlier: Sequence[int]) -> Admitted:
        project, decided = self._desk.project, arrival.number is not None
        frame = _read(arrival)
        result = self._checked(arrival, frame)
        table = self._open_table()
        if not decided and arrival.kind != SOURCES:
            self._question(frame, table, earlier)
        if not decided and (len(frame) >= FEW_ROWS or arrival.kind == SOURCES or project.contract.on_broken == "stop"):
            try:
                result.raise_if_stopped(self._desk.settings.language)
            except ContractBroken as error:
                raise _Doubtful(_of_error("contract", error), len(frame), result) from error
        grown = table.take(project, result.accepted, one)
        taken = replace(
            one,
            rows=len(frame),
            accepted=len(result.accepted),
            quarantined=len(result.quarantined),
            quarantine_file=self._quarantine(result),
            added=grown.added,
            corrected=grown.corrected,
            unchanged=grown.unchanged,
            outdated=grown.outdated,
            late=grown.late,
            labelled=grown.labelled,
        )
        is_same = result.rows == len(frame)
        return Admitted(taken, ~np.isin(np.arange(1, len(frame) + 1), result.quarantined[ROW]) if is_same else True)

    def _checked(self, arrival: Arrival, frame: pd.DataFrame) -> CheckResult:
        try:
            return self._desk.tools.check(_prepared(self._desk, arrival, frame), _contract(self._desk, arrival))
        except ContractBroken as error:
            raise _Doubtful(_of_error("columns", error), len(frame)) from error

    def _question(self, frame: pd.DataFrame, table: Table, earlier: Sequence[int]) -> None:
        project, data = self._desk.project, self._desk.project.spec.data
        most_times = data.incoming.most_times_usual if data.incoming is not None else float("inf")
        doubt = suspect(frame, table.frame, project.contract, data.target, earlier, most_times)
        if doubt is not None:
            raise _Doubtful(doubt, len(frame))

    def _held(self, arrival: Arrival, one: Delivery, doubt: _Doubtful) -> Delivery:
        """Return the delivery as held back; a copy of it is put aside first."""
        if not self._dry_run and arrival.number is None:
            folder = held_folder(self._desk, arrival.sha256)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            arrival.keep(folder)
        file = None if doubt.check is None else self._quarantine(doubt.check)
        found = doubt.suspicion
        return replace(one, state="held", fault=found.fault, message=found.text(), rows=doubt.rows, quarantine_file=file)

    def _quarantine(self, result: CheckResult) -> str | None:
        if self._dry_run:
            return None
        kept = save_quarantine(result, self._desk.settings.folder("quarantine", self._desk.project.name))
        return None if kept is None else str(kept)


def _read(arrival: Arrival) -> pd.DataFrame:
    try:
        frame = arrival.read()
    except SourceError as error:
        raise _Doubtful(_of_error("empty" if error.key in EMPTY else "unreadable", error)) from error
    if frame.empty:
        raise _Doubtful(Suspicion("empty", "ingest.empty", {"name": arrival.name}))
    return frame


def _prepared(desk: Desk, arrival: Arrival, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows as the contract describes them; those of files and tables stand as in the project's one source."""
    project = desk.project
    if arrival.kind not in ("file", "table") or len(project.spec.data.sources) != 1 or not project.defines("prepare"):
        return frame
    try:
        return project.prepare({next(iter(project.spec.data.sources)): frame})
    except Exception as error:  # the project's own code, which cannot know every table that may come
        detail = f"{type(error).__name__}: {error}"
        raise ContractBroken("ingest.not_prepared", name=arrival.name, detail=detail[:200]) from error


def _contract(desk: Desk, arrival: Arrival) -> Contract:
    """Return the rules of a delivery: freshness is a matter of the whole table; where rows are in order, later ones may correct earlier ones."""
    contract = desk.project.contract.model_copy(update={"freshness_hours": None})
    if not arrival.rows_in_order:
        return contract
    free = {"primary_key_position": None, "unique": False}
    columns = [one.model_copy(update=free) if one.primary_key_position is not None else one for one in contract.columns]
    return contract.model_copy(update={"columns": tuple(columns)})


def _of_error(fault: Fault, error: DataError) -> Suspicion:
    return Suspicion(fault, error.key, {name: str(value) for name, value in error.values.items()})

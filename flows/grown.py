"""The table that deliveries have made: for the next pass to extend, and for training to learn from."""

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import numpy as np
import pandas as pd

from flows.workspace import Desk
from infra.deliveries import DELIVERED_BY, VERSION, Delivery
from infra.snapshots import Snapshot
from leitstand.growing import UNKNOWN, Grown, begin, grow
from leitstand.project import Project

COLUMN = "delivery"


@dataclass
class Table:
    """The rows so far, growing delivery by delivery.

    Parameters
    ----------
    frame : None before the first delivery
    deliveries : shape (n,): number of the newest delivery that held each row
    known : the deliveries that rows may be from
    version : data version that the rows were loaded from
    touched : whether a delivery was taken
    changed : whether one added or corrected rows
    """

    frame: pd.DataFrame | None
    deliveries: np.ndarray
    known: list[Delivery] = field(default_factory=list)
    version: str | None = None
    touched: bool = False
    changed: bool = False

    def take(self, project: Project, accepted: pd.DataFrame, delivery: Delivery) -> Grown:
        """Extend the table by the accepted rows of a delivery."""
        self.known.append(delivery)
        order = {one.number: place for place, one in enumerate(sorted(self.known, key=lambda one: one.place))}
        if self.frame is None:
            grown = begin(project, accepted, delivery.number)
        else:
            grown = grow(project, self.frame, self.deliveries, accepted, delivery.number, order)
        if grown.added or grown.corrected:
            self.frame, self.changed = grown.frame, True
        self.deliveries, self.touched = grown.deliveries, True
        return grown


def open_table(desk: Desk, known: list[Delivery]) -> Table:
    """Return the table as the last pass left it."""
    project = desk.project.name
    version = desk.deliveries.bookmark(project, VERSION)
    taken = [one for one in known if one.state == "taken"]
    if version is None:
        return Table(None, np.empty(0, dtype=int), taken)
    frame = desk.snapshots.load(project, version)
    return Table(frame, _sources_of_rows(desk, len(frame)), taken, version)


def save_sources_of_rows(desk: Desk, table: Table) -> dict[str, str]:
    """Write which delivery each row is from, and return the bookmark that makes it count; nothing for a table without a key."""
    if not desk.project.contract.primary_key:
        return {}
    name = f"{uuid4().hex}.parquet"
    pd.DataFrame({COLUMN: table.deliveries.astype(np.int32)}).to_parquet(_folder(desk) / name, index=False)
    return {DELIVERED_BY: name}


def forget_sources_of_rows(desk: Desk) -> None:
    """Delete what earlier passes wrote, also killed ones."""
    folder = desk.settings.root / "ingest" / desk.project.name
    current = desk.deliveries.bookmark(desk.project.name, DELIVERED_BY)
    for path in folder.glob("*.parquet"):
        if path.name != current:
            with suppress(OSError):
                path.unlink()


def current(desk: Desk) -> Snapshot | None:
    """Return the data version that deliveries have made, or None before the first pass and for projects without incoming data."""
    version = None if desk.project.spec.data.incoming is None else desk.deliveries.bookmark(desk.project.name, VERSION)
    return None if version is None else desk.snapshots.find(desk.project.name, version)


def labelled_rows_since(desk: Desk, version: str) -> int:
    """Return how many rows got a label since a data version that a model was trained on.

    Raises
    ------
    UnknownName
        If the project has no such version.
    """
    notes = desk.snapshots.provenance(desk.project.name, version)[-1].notes
    return desk.deliveries.labelled_since(desk.project.name, str(notes.get("cut_from") or version))


def forget_versions(desk: Desk, newest: int, dry_run: bool = False) -> list[str]:
    """Delete the content of data versions that nothing needs any more, and return which.

    Those that a registered model was trained on stay, that which deliveries have made, and the newest ones.

    Parameters
    ----------
    newest : how many of the newest ones stay whatever else holds, at least 1
    """
    project = desk.project.name
    here = desk.snapshots.here(project)
    keep = {*here[-newest:], *(version.data_version for version in desk.registry.versions(project))}
    made = desk.deliveries.bookmark(project, VERSION)
    keep |= set() if made is None else {made}
    return [one for one in here if one not in keep] if dry_run else desk.snapshots.forget(project, keep)


def is_synthetic(desk: Desk) -> bool:
    """Return whether built-in synthetic data are among the project's sources."""
    return desk.project.uses_sample and bool(desk.project.sample().SYNTHETIC)


def _folder(desk: Desk) -> Path:
    return desk.settings.folder("ingest", desk.project.name)


def _sources_of_rows(desk: Desk, rows: int) -> np.ndarray:
    name = desk.deliveries.bookmark(desk.project.name, DELIVERED_BY)
    path = _folder(desk) / name if name else None
    if path is not None and path.is_file():
        found = pd.read_parquet(path)[COLUMN].to_numpy().astype(int)
        if len(found) == rows:
            return found
    return np.full(rows, UNKNOWN)  # lost, or a table that has no key: whatever comes now is newer

"""Taking in what has arrived: good rows make the next data version, bad ones go to quarantine, doubtful deliveries wait for a person.

A pass reads, checks and grows everything first, and then notes all of it in one transaction together with the data version. Killed on the way it
has done nothing, and the next pass finds the same; run twice it finds nothing the second time.
"""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from flows.admission import SOURCES, Admission
from flows.arrival import Arrival, Changing, Found, held_folder
from flows.arrivals import find
from flows.grown import Table, forget_sources_of_rows, is_synthetic, open_table, save_sources_of_rows
from flows.stage import stage
from flows.status_quo import read_sources
from flows.watched_folder import is_as_seen, sha256_of
from flows.workspace import Desk
from infra.deliveries import Delivery, Noting
from infra.locks import hold
from infra.snapshots import Snapshot
from leitstand.errors import LeitstandError, ProjectError
from leitstand.now import now

LOCK_WAIT_SECONDS = 600.0
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)  # the sources are older than every delivery


@dataclass(frozen=True)
class Ingested:
    """What one pass took in.

    Parameters
    ----------
    deliveries : those of this pass, the oldest first, each with its figures; those held back with the fault
    waiting : all deliveries, of this pass and earlier ones, that a person has to decide about
    duplicates : names of files whose content was delivered before
    missed : place to the reason why it could not be looked at; the next pass tries again
    rows_late : of the added rows, those before the newest row of the table
    rows_outdated : rows of which a newer delivery brought another form
    labelled_rows_added : rows whose target became known
    snapshot : the new data version; None when nothing was new
    """

    deliveries: tuple[Delivery, ...] = ()
    waiting: tuple[Delivery, ...] = ()
    duplicates: tuple[str, ...] = ()
    missed: Mapping[str, LeitstandError] = field(default_factory=dict)
    rows_added: int = 0
    rows_corrected: int = 0
    rows_unchanged: int = 0
    rows_outdated: int = 0
    rows_late: int = 0
    rows_quarantined: int = 0
    labelled_rows_added: int = 0
    snapshot: Snapshot | None = None


@stage("ingest")
def ingest(desk: Desk, dry_run: bool = False) -> Ingested:
    """Take in what has arrived since the last pass; with ``dry_run`` only say what would be taken.

    Raises
    ------
    ProjectError
        If project.yaml does not say where data come from.
    ContractBroken
        If the contract does not let the sources in, which are the first delivery.
    Busy
        If another pass of the project does not end.
    StateError
        If something cannot be written; nothing is noted then.
    """
    if desk.project.spec.data.incoming is None:
        raise ProjectError("ingest.no_incoming", project=desk.project.name)
    desk.report("M5", "ingest")
    with hold(desk.settings, f"ingest-{desk.project.name}", wait_seconds=LOCK_WAIT_SECONDS):
        return _Pass(desk, dry_run).run()


def decide(desk: Desk, wanted: str, what: Literal["allowed", "refused"], who: str) -> Delivery:
    """Let a delivery that was held back in with the next pass, or refuse it for good.

    Parameters
    ----------
    wanted : its number, its name, or the first digits of its hash

    Raises
    ------
    UnknownName
        If no such delivery waits.
    """
    decided = desk.deliveries.decide(desk.project.name, wanted, what, who=who)
    if what == "refused":
        shutil.rmtree(held_folder(desk, decided.sha256), ignore_errors=True)
    return decided


class _Pass:
    """One look at all places, and what became of what was found there."""

    def __init__(self, desk: Desk, dry_run: bool) -> None:
        self.desk, self.dry_run, self.name = desk, dry_run, desk.project.name
        self.known = desk.deliveries.read(self.name)
        self.made: list[Delivery] = []
        self.received: dict[int, tuple[int, ...]] = {}
        self.bookmarks: dict[str, str] = {}
        self.table: Table | None = None
        self.admission = Admission(desk, self._open_table, dry_run)

    def run(self) -> Ingested:
        found = find(self.desk, self.known)
        arrivals = [*([] if self._has_begun() else [_sources(self.desk)]), *found.arrivals]
        changing = [path for arrival in arrivals if (path := self._take(arrival)) is not None]
        for name in changing:
            (found.files or {}).pop(name, None)
        snapshot = None if self.dry_run else self._note(found)
        if not self.dry_run:
            self._tidy(found)
        return self._told(found, snapshot)

    def _has_begun(self) -> bool:
        """Whether the sources need not be taken: they were, or the table that is watched is the source."""
        data = self.desk.project.spec.data
        first = next(iter(data.sources.values()))
        watched = data.incoming is not None and data.incoming.database is not None
        same = watched and (first.database, first.table, first.query) == (
            data.incoming.database, data.incoming.table, data.incoming.query,  # type: ignore[union-attr]
        )  # fmt: skip
        return bool(self.known) or (len(data.sources) == 1 and same)

    def _take(self, arrival: Arrival) -> str | None:
        """Take a delivery into the table or hold it back; return its name if it has to wait for the next pass."""
        numbers = [one.number for one in (*self.known, *self.made)]
        number = arrival.number or max(numbers, default=0) + 1
        one = Delivery(self.name, number, arrival.kind, arrival.name, arrival.sha256, arrival.moment, arrival.modified, now())
        try:
            admitted = self.admission.admit(arrival, one, self._earlier(arrival))
        except Changing:
            return arrival.name
        if admitted.delivery.state == "held" and arrival.parts:  # the rows of one sender hold back nobody else's
            for part in arrival.parts:
                self._take(part)
            return None
        self.made.append(admitted.delivery)
        self.received[number] = arrival.received
        if arrival.bookmark is not None:
            place, value = arrival.bookmark(admitted.came_in)
            self.bookmarks[place] = value
        return None

    def _earlier(self, arrival: Arrival) -> list[int]:
        """Return how many rows deliveries had that came the same way."""
        now_taken = [one.rows for one in self.made if one.kind == arrival.kind and one.state == "taken"]
        return [*now_taken, *self.desk.deliveries.usual_rows(self.name, arrival.kind)]

    def _open_table(self) -> Table:
        if self.table is None:
            self.table = open_table(self.desk, self.known)
        return self.table

    def _note(self, found: Found) -> Snapshot | None:
        """Note the pass, all of it or nothing; return the data version that it made, if it made one."""
        noting = Noting(self.made, self.bookmarks, found.files, self.received)
        table, store = self.table, self.desk.deliveries
        if table is None or not table.touched or table.frame is None:
            if self.made or (found.files is not None and found.files != store.files(self.name)):
                store.note(self.name, noting)
            return None
        self.bookmarks |= save_sources_of_rows(self.desk, table)
        if not table.changed:
            store.note(self.name, noting)
            return None
        self.desk.report("M5", "snapshot")
        files = [column.name for column in self.desk.project.contract.columns if column.type == "file"]
        return self.desk.snapshots.save(
            self.name,
            table.frame,
            file_columns=files,
            provenance=_provenance(self.desk, table, self.made),
            together=store.together(self.name, noting),
        )

    def _tidy(self, found: Found) -> None:
        """Delete what is no longer needed; what a killed pass left is found here by the next one."""
        incoming, folder = self.desk.project.spec.data.incoming, self.desk.settings.root / "held" / self.name
        waiting = {one.sha256 for one in self._waiting()}
        for left in folder.iterdir() if folder.is_dir() else ():
            if left.name not in waiting:
                shutil.rmtree(left, ignore_errors=True)
        forget_sources_of_rows(self.desk)
        if incoming is not None and incoming.when_taken == "delete":
            taken = {one.sha256 for one in self.made if one.state == "taken"}
            for path in [*found.taken, *(one.path for one in found.arrivals if one.path and one.sha256 in taken)]:
                seen = (found.files or {}).get(path.name)
                with suppress(OSError):  # somebody else's file system; the next pass tries again
                    if seen is not None and is_as_seen(path, seen):  # the next delivery may stand there by now
                        shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _waiting(self) -> list[Delivery]:
        latest = {one.number: one for one in (*self.known, *self.made)}
        return [one for one in latest.values() if one.state in ("held", "allowed")]

    def _told(self, found: Found, snapshot: Snapshot | None) -> Ingested:
        def total(name: str) -> int:
            return sum(getattr(one, name) for one in self.made if one.state == "taken")

        return Ingested(
            deliveries=tuple(
                one if snapshot is None or one.state != "taken" else replace(one, version=snapshot.version) for one in self.made
            ),
            waiting=tuple(one for one in self._waiting() if one.state == "held"),
            duplicates=tuple(found.duplicates),
            missed=found.missed,
            rows_added=total("added"),
            rows_corrected=total("corrected"),
            rows_unchanged=total("unchanged"),
            rows_outdated=total("outdated"),
            rows_late=total("late"),
            rows_quarantined=total("quarantined"),
            labelled_rows_added=total("labelled"),
            snapshot=snapshot,
        )


def _sources(desk: Desk) -> Arrival:
    """Return the project's sources as the first delivery; a file among them is known again when it stands in the watched folder too."""
    (first, *others) = desk.project.spec.data.sources.values()
    path = None if others or first.file is None else desk.settings.workspace / first.file.expanduser()
    content = SOURCES if path is None or not path.is_file() else sha256_of(path)
    return Arrival(SOURCES, SOURCES, content, BEGINNING, BEGINNING, lambda: read_sources(desk)[0], lambda folder: None)


def _provenance(desk: Desk, table: Table, made: Sequence[Delivery]) -> dict[str, Any]:
    """Return where a data version comes from: the version it grew from, and every delivery that went into it."""
    shown = (
        "number",
        "kind",
        "name",
        "sha256",
        "rows",
        "accepted",
        "quarantined",
        "added",
        "corrected",
        "unchanged",
        "outdated",
        "late",
    )
    taken = [one for one in made if one.state == "taken"]
    return {
        "grown_from": table.version,
        "deliveries": [{name: getattr(one, name) for name in shown} | {"time": one.time.isoformat()} for one in taken],
        "sources": {one.name: one.kind for one in taken},
        "contract": desk.project.contract.id,
        "contract_version": desk.project.contract.version,
        "rows": sum(one.rows for one in taken),
        "accepted": sum(one.accepted for one in taken),
        "quarantined": sum(one.quarantined for one in taken),
        "synthetic": is_synthetic(desk),
    }

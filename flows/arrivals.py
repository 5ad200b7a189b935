"""What has arrived since the last pass: files in the watched folder, rows in a database, rows that the service received, what a person let in."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd

from data_contracts.reading import read_file
from flows.arrival import Arrival, Found, held_folder
from flows.watched_folder import look_at_folder, read_delivered
from flows.workspace import Desk
from infra.bookmarks import Overlap, are_past, bookmark_after, fresh_rows, looking_back, read_bookmark, row_hashes
from infra.deliveries import Delivery
from infra.received import Request
from infra.tables import read_since
from leitstand.errors import SourceError, StateError
from leitstand.incoming import Incoming
from leitstand.now import now
from leitstand.spec import Source

HELD_TABLE = "rows.csv"


def find(desk: Desk, known: Sequence[Delivery]) -> Found:
    """Look at every place that project.yaml names.

    Parameters
    ----------
    known : all deliveries so far
    """
    incoming, found = _incoming(desk), Found()
    found.arrivals += [_let_in(desk, one) for one in known if one.state == "allowed"]
    if incoming.folder is not None:
        look_at_folder(desk, incoming, known, found)
    if incoming.database is not None:
        try:
            found.arrivals += _look_at_table(desk, incoming, len(known))
        except (SourceError, StateError) as error:
            found.missed[incoming.table or "query"] = error
    if incoming.api:
        found.arrivals += _look_at_requests(desk)
    found.arrivals.sort(key=lambda arrival: arrival.place)
    return found


def _incoming(desk: Desk) -> Incoming:
    incoming = desk.project.spec.data.incoming
    assert incoming is not None
    return incoming


def _look_at_table(desk: Desk, incoming: Incoming, known: int) -> list[Arrival]:
    column, back = incoming.key or incoming.time or "", Overlap(incoming.overlap_keys, incoming.overlap_hours)
    source = Source(database=incoming.database, table=incoming.table, query=incoming.query)
    named = incoming.table or hashlib.sha256((incoming.query or "").encode()).hexdigest()[:12]
    place = f"table:{hashlib.sha256(f'{incoming.database}|{named}|{column}'.encode()).hexdigest()[:40]}"
    noted = desk.deliveries.bookmark(desk.project.name, place)
    before = None if noted is None else read_bookmark(noted)
    rows = read_since(source, column, None if before is None else looking_back(before.value, back))
    new = fresh_rows(rows, before)
    fresh = rows[new].reset_index(drop=True)
    if fresh.empty:
        return []
    plausible = are_past(rows[column]) if incoming.time is not None else np.ones(len(rows), dtype=bool)
    moment = now()
    # counted, because a row that is changed back and forth is a new delivery each time
    content = hashlib.sha256(f"{place}|{noted}|{known}".encode() + row_hashes(fresh).tobytes()).hexdigest()

    def keep(folder: Path) -> None:
        fresh.to_csv(folder / HELD_TABLE, index=False)

    def bookmark(came_in: np.ndarray | bool) -> tuple[str, str]:
        moving = np.zeros(len(rows), dtype=bool)
        moving[new] = came_in
        return place, bookmark_after(rows, column, before, back, moving & plausible).text()

    name = f"{incoming.table or 'query'} {moment:%Y-%m-%dT%H:%M:%S}"
    return [Arrival("table", name, content, moment, moment, lambda: fresh, keep, rows_in_order=True, bookmark=bookmark)]


def _look_at_requests(desk: Desk) -> list[Arrival]:
    requests = desk.received.waiting(desk.project.name)
    if not requests:
        return []
    whole = _request_arrival(desk, requests)
    runs = [list(run) for _, run in groupby(requests, key=lambda one: one.client)]
    return [replace(whole, parts=tuple(_request_arrival(desk, run) for run in runs) if len(runs) > 1 else ())]


def _request_arrival(desk: Desk, requests: Sequence[Request]) -> Arrival:
    first, last = requests[0], requests[-1]
    content = hashlib.sha256("\n".join(one.id for one in requests).encode()).hexdigest()

    def read() -> pd.DataFrame:
        rows = [row for one in requests for row in json.loads(one.content)]
        return pd.DataFrame(
            {name: pd.Series([row.get(name) for row in rows], dtype=object) for name in desk.project.contract.names}
        )

    name, sequences = f"requests {first.sequence}-{last.sequence}", tuple(one.sequence for one in requests)
    return Arrival("api", name, content, last.time, last.time, read, lambda folder: None, rows_in_order=True, received=sequences)


def _let_in(desk: Desk, delivery: Delivery) -> Arrival:
    """Return a delivery that was held back and that a person let in."""
    if delivery.kind == "api":
        again = _request_arrival(desk, desk.received.of_delivery(desk.project.name, delivery.number))
        return replace(again, name=delivery.name, sha256=delivery.sha256, number=delivery.number)
    folder = held_folder(desk, delivery.sha256)

    def read() -> pd.DataFrame:
        if delivery.kind == "table":
            return read_file(folder / HELD_TABLE, Source(file=folder / HELD_TABLE), desk.project.contract)
        return read_delivered(desk, _incoming(desk), folder / delivery.name)

    kept = (delivery.kind, delivery.name, delivery.sha256, delivery.moment, delivery.modified)
    return Arrival(*kept, read, lambda folder: None, number=delivery.number, rows_in_order=delivery.kind == "table")

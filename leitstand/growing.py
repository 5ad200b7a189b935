"""A table that grows by deliveries: new rows are added, corrected ones replace their old form, and the newest delivery of a key counts.

What comes out does not hang on the order in which deliveries arrive, where the contract has a key: each row remembers which delivery it is from.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from leitstand.conforming import settled
from leitstand.contract import Contract
from leitstand.project import Project

UNKNOWN = 0
"""Stands for the delivery of a row of which nobody knows any more where it came from: older than all others."""


@dataclass(frozen=True)
class Grown:
    """A table after one more delivery, and what the delivery brought.

    Parameters
    ----------
    deliveries : shape (n,): number of the newest delivery that held the row
    added : rows whose key is new; all rows where there is no key
    corrected : rows that replace one of the same key
    unchanged : rows that were there already
    outdated : rows of which a newer delivery brought another form
    late : of the added ones, those that lie before the newest row of the table
    labelled : rows whose target became known
    """

    frame: pd.DataFrame
    deliveries: np.ndarray
    added: int = 0
    corrected: int = 0
    unchanged: int = 0
    outdated: int = 0
    late: int = 0
    labelled: int = 0


def begin(project: Project, first: pd.DataFrame, number: int) -> Grown:
    """Return the table that the first delivery makes."""
    key = project.contract.primary_key
    latest = first.drop_duplicates(key, keep="last") if key else first
    frame, order = _in_order(project, settled(latest, project.contract).reset_index(drop=True))
    labelled = int(frame[project.spec.data.target].notna().sum())
    return Grown(frame, np.full(len(order), number), added=len(frame), outdated=len(first) - len(latest), labelled=labelled)


def grow(
    project: Project, table: pd.DataFrame, deliveries: np.ndarray, new: pd.DataFrame, number: int, order: Mapping[int, int]
) -> Grown:
    """Return the table with a delivery taken in.

    Parameters
    ----------
    table, deliveries : as an earlier call returned them
    new : rows that the contract accepted; of several with the same key the last counts
    number : of the delivery
    order : number of a delivery to its place in time
    """
    key, target = project.contract.primary_key, project.spec.data.target
    latest = new.drop_duplicates(key, keep="last") if key else new
    both = _stacked(table, latest, project.contract)
    place = _places(both, key, len(table))
    known = place >= 0
    arrived = len(table) + np.arange(len(latest))
    before, after = both.iloc[place[known]], both.iloc[arrived[known]]
    same, newer = np.zeros(len(latest), dtype=bool), np.zeros(len(latest), dtype=bool)
    same[known] = _equal(before, after)
    newer[known] = order[number] > np.array([order.get(one, -1) for one in deliveries[place[known]].tolist()], dtype=int)
    corrected = known & newer & ~same
    learned = both[target].notna().to_numpy()
    labelled = int((~known & learned[arrived]).sum()) + int((learned[arrived[corrected]] & ~learned[place[corrected]]).sum())
    kept = np.arange(len(table))
    kept[place[corrected]] = arrived[corrected]
    source = deliveries.copy()
    source[place[newer]] = number
    frame = both.iloc[np.concatenate([kept, arrived[~known]])]
    frame, positions = _in_order(project, settled(frame, project.contract).reset_index(drop=True))
    return Grown(
        frame,
        np.concatenate([source, np.full((~known).sum(), number)])[positions],
        added=int((~known).sum()),
        corrected=int(corrected.sum()),
        unchanged=int(same.sum()),
        outdated=int((known & ~newer & ~same).sum()) + len(new) - len(latest),
        late=_late(project, table, latest[~known]),
        labelled=labelled,
    )


def newest(project: Project, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the accepted rows that project.yaml lets a model learn from: ``history_days``, ``most_rows``."""
    data = project.spec.data
    if data.history_days is not None and data.time is not None:
        moments = frame[data.time]
        frame = frame[~(moments < moments.max() - pd.Timedelta(days=data.history_days))]
    if data.most_rows is None or len(frame) <= data.most_rows:
        return frame.reset_index(drop=True)
    if data.time is not None:
        frame = frame.sort_values(data.time, kind="stable", na_position="first")
    return frame.tail(data.most_rows).reset_index(drop=True)


def _stacked(table: pd.DataFrame, new: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    columns = {}
    for column in contract.columns:
        old, fresh = table[column.name], new[column.name]
        if old.dtype != fresh.dtype:
            common = {"integer": "float64", "number": "float64", "boolean": "boolean"}.get(column.type, "object")
            old, fresh = old.astype(common), fresh.astype(common)  # type: ignore[call-overload]
        columns[column.name] = pd.concat([old, fresh], ignore_index=True)
    return pd.DataFrame(columns)


def _places(both: pd.DataFrame, key: list[str], rows: int) -> np.ndarray:
    """Return where in the first ``rows`` the key of each later row stands, -1 where it is new."""
    if not key:
        return np.full(len(both) - rows, -1)
    codes = both.groupby(key, sort=False, dropna=False).ngroup().to_numpy()
    place = np.full(codes.max(initial=-1) + 1, -1)
    place[codes[:rows]] = np.arange(rows)
    return place[codes[rows:]]


def _equal(before: pd.DataFrame, after: pd.DataFrame) -> np.ndarray:
    same = np.ones(len(before), dtype=bool)
    for name in before.columns:
        old, new = before[name].reset_index(drop=True), after[name].reset_index(drop=True)
        alike = (old == new).fillna(False).to_numpy(dtype=bool)
        same &= alike | (old.isna() & new.isna()).to_numpy()
    return same


def _in_order(project: Project, frame: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the rows in time order, and where each stood."""
    data = project.spec.data
    if data.time is None:
        return frame, np.arange(len(frame))
    by = list(dict.fromkeys([data.time, *([data.series] if data.series else []), *project.contract.primary_key]))
    ordered = frame.sort_values(by, kind="stable", na_position="first")
    return ordered.reset_index(drop=True), ordered.index.to_numpy()


def _late(project: Project, table: pd.DataFrame, added: pd.DataFrame) -> int:
    time = project.spec.data.time
    return 0 if time is None or table.empty else int((added[time] < table[time].max()).sum())

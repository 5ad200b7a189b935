"""Finding the answer that a later truth belongs to, by key and time, where nobody has kept the answer's id."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import numpy as np
import pandas as pd

from leitstand.contract import Column

MOST_NAMED = 5
Doubt = Literal["several_answers", "equally_near", "contradiction"]
_ROW, _KEY, _TIME = "_row", "_key", "_time"


@dataclass(frozen=True)
class Ambiguous:
    """A truth that could belong to more than one answer, or contradicts another one: nothing is noted for it.

    Parameters
    ----------
    row : of the delivered table, from 1
    key : its values, as a person writes them
    doubt : ``several_answers`` have that key (and time), two are ``equally_near``, or another row says something else about the same answer
    """

    row: int
    key: str
    doubt: Doubt


@dataclass(frozen=True)
class Matched:
    """What became of a delivery of truths.

    Parameters
    ----------
    labels : truth by answer id
    ambiguous : refused, in the order of the table
    unknown : how many rows belong to no answer
    unknown_examples : the keys of the first of them
    """

    labels: Mapping[str, Any]
    ambiguous: tuple[Ambiguous, ...]
    unknown: int
    unknown_examples: tuple[str, ...]


def match(
    answers: pd.DataFrame,
    truth: pd.DataFrame,
    keys: Sequence[Column],
    value: str,
    *,
    time: str | None = None,
    tolerance: timedelta | None = None,
) -> Matched:
    """Return which answer each truth belongs to.

    Without a time an answer must be the only one with the key. With a time it is the nearest one of that key, at most ``tolerance`` away.

    Parameters
    ----------
    answers : ``id``, the key columns, and with a time ``time``, aware
    truth : the key columns, ``value``, and the column ``time``; rows without a value are passed over
    keys : compared as the contract types them, so that 7, 7.0 and "7" are one
    tolerance : None for any distance
    """
    known = truth.reset_index(drop=True)
    known = known[known[value].notna()]
    left, right = _prepared(known, keys, time), _prepared(answers, keys, None if time is None else "time")
    right = right.assign(id=answers["id"].to_numpy()[right[_ROW]])
    found = _only_one(left, right) if time is None else _nearest(left, right, tolerance)
    shown = known.loc[left[_ROW], [*(column.name for column in keys), *([time] if time else [])]]
    found = found.assign(
        shown=[", ".join(f"{name}={one}" for name, one in zip(shown.columns, row, strict=True)) for row in shown.to_numpy()],
        value=known.loc[left[_ROW], value].to_numpy(),
        row=left[_ROW].to_numpy() + 1,
    )
    return _result(_without_contradictions(found))


def match_ids(truth: pd.DataFrame, id_column: str, value: str) -> Matched:
    """Return the truths by the id of their answer, whether there is such an answer or not; rows without an id or a value are passed over."""
    known = truth.reset_index(drop=True).dropna(subset=[id_column, value])
    ids = known[id_column].astype(str)
    rows = {"id": ids, "value": known[value], "row": known.index + 1, "shown": f"{id_column}=" + ids, "doubt": None}
    return _result(_without_contradictions(pd.DataFrame(rows)))


def _prepared(frame: pd.DataFrame, keys: Sequence[Column], time: str | None) -> pd.DataFrame:
    """Return row number, one key text and the time; rows without a key or time belong to nothing and keep a key of their own."""
    parts = [_settled(frame[column.name], column).to_list() for column in keys]
    texts = [None if any(pd.isna(part) for part in row) else "\x1f".join(row) for row in zip(*parts, strict=True)]
    made = pd.DataFrame({_ROW: frame.index.to_numpy(), _KEY: pd.Series(texts, dtype=object)})
    if time is not None:
        moments = pd.to_datetime(frame[time], utc=True, errors="coerce", format="ISO8601")
        made[_TIME] = moments.dt.tz_localize(None).astype("datetime64[us]").to_numpy()
    return made


def _settled(values: pd.Series, column: Column) -> pd.Series:
    if column.is_number:
        numbers = pd.to_numeric(values, errors="coerce").astype("float64")
        return numbers.map(repr, na_action="ignore").astype(object)
    if column.is_time:
        moments = pd.to_datetime(values, utc=True, errors="coerce", format="ISO8601")
        return moments.map(lambda moment: moment.isoformat(), na_action="ignore").astype(object)
    if column.type == "boolean":
        return values.map(lambda one: str(one).lower(), na_action="ignore").replace({"1": "true", "0": "false"}).astype(object)
    return values.map(str, na_action="ignore").astype(object)


def _only_one(left: pd.DataFrame, right: pd.DataFrame) -> pd.DataFrame:
    usable = right[right[_KEY].notna()]
    counts, first = usable[_KEY].value_counts(), usable.drop_duplicates(_KEY).set_index(_KEY)["id"]
    several = (left[_KEY].map(counts).fillna(0) > 1).to_numpy(dtype=bool)
    return _found(left, left[_KEY].map(first).to_numpy(dtype=object), {"several_answers": several})


def _nearest(left: pd.DataFrame, right: pd.DataFrame, tolerance: timedelta | None) -> pd.DataFrame:
    usable = right.dropna(subset=[_KEY, _TIME]).sort_values(_TIME, kind="stable")
    usable = usable.assign(several=usable.duplicated([_KEY, _TIME], keep=False)).drop_duplicates([_KEY, _TIME])
    asked = left.dropna(subset=[_KEY, _TIME]).sort_values(_TIME, kind="stable")
    before, after = (_beside(asked, usable, direction, tolerance) for direction in ("backward", "forward"))
    gaps = [side["gap"].fillna(pd.Timedelta.max).to_numpy() for side in (before, after)]
    nearer = gaps[0] <= gaps[1]
    ids = np.where(nearer, before["id"].to_numpy(dtype=object), after["id"].to_numpy(dtype=object))
    several = np.where(nearer, before["several"].eq(True).to_numpy(), after["several"].eq(True).to_numpy())
    tie = (gaps[0] == gaps[1]) & before["id"].notna().to_numpy() & (before["id"] != after["id"]).to_numpy()
    return _found(asked, ids, {"several_answers": several, "equally_near": tie & ~several}).reindex(left.index)


def _beside(
    asked: pd.DataFrame, answers: pd.DataFrame, direction: Literal["backward", "forward"], tolerance: timedelta | None
) -> pd.DataFrame:
    limit = None if tolerance is None else pd.Timedelta(tolerance)
    known = answers[[_KEY, _TIME, "id", "several"]].assign(at=answers[_TIME])
    joined = pd.merge_asof(asked[[_KEY, _TIME]], known, on=_TIME, by=_KEY, direction=direction, tolerance=limit)
    return joined.assign(gap=(joined[_TIME] - joined["at"]).abs())


def _found(asked: pd.DataFrame, ids: np.ndarray, doubts: Mapping[Doubt, np.ndarray]) -> pd.DataFrame:
    found = pd.DataFrame({"id": ids, "doubt": pd.Series(None, index=range(len(ids)), dtype=object)})
    for name, rows in doubts.items():
        found.loc[rows, "doubt"] = name
        found.loc[rows, "id"] = None
    return found.set_axis(asked.index)


def _without_contradictions(found: pd.DataFrame) -> pd.DataFrame:
    given = found[found["id"].notna()]
    values = given.groupby("id")["value"].nunique()
    contradicted = found["id"].isin(values[values > 1].index)
    return found.assign(id=found["id"].where(~contradicted, None), doubt=found["doubt"].where(~contradicted, "contradiction"))


def _result(found: pd.DataFrame) -> Matched:
    doubted = found[found["doubt"].notna()]
    unknown = found[found["id"].isna() & found["doubt"].isna()]
    sure = found[found["id"].notna()]
    return Matched(
        labels=dict(zip(sure["id"], sure["value"], strict=True)),
        ambiguous=tuple(
            Ambiguous(int(row), str(shown), doubt) for row, shown, doubt in doubted[["row", "shown", "doubt"]].to_numpy().tolist()
        ),
        unknown=len(unknown),
        unknown_examples=tuple(unknown["shown"].head(MOST_NAMED)),
    )

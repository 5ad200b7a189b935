"""How far a company's table has been read: the last key or time, and which rows near it were seen.

Rows may become visible late: a transaction that took a smaller key, or wrote an earlier time, ends after one that took a greater. So each pass looks
some way back, and knows the rows it has seen by their hashes (64 bits of the whole row), also where the table has no key.

A bookmark only follows rows that can be trusted to stand in their place: one mistyped date would move it past all that is still to come. The rows
beyond it are read with every pass and known by their hashes.
"""

import base64
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from leitstand.contract import EXACT_INTEGERS
from leitstand.now import now

Value = int | float | str | datetime | date | None
_READ: dict[str, Callable[[str], Value]] = {
    "int": int,
    "float": float,
    "str": str,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "NoneType": lambda shown: None,
}


@dataclass(frozen=True)
class Bookmark:
    """The place that a table was read to.

    Parameters
    ----------
    value : greatest key or time so far that a row moved it to; None as long as none did, and the table is read from its beginning
    seen : hashes of the rows from ``value`` less the overlap on, sorted; a row that stands there twice has two
    """

    value: Value
    seen: np.ndarray = field(repr=False)

    def text(self) -> str:
        """Return the bookmark as a text."""
        shown = self.value.isoformat() if isinstance(self.value, date) else str(self.value)
        packed = base64.b85encode(zlib.compress(np.sort(self.seen).tobytes(), 1)).decode("ascii")
        return json.dumps({"type": type(self.value).__name__, "value": shown, "seen": packed})


def read_bookmark(text: str) -> Bookmark:
    """Return the bookmark that ``text`` was made of."""
    content = json.loads(text)
    seen = np.frombuffer(zlib.decompress(base64.b85decode(content["seen"])), dtype=np.uint64)
    return Bookmark(_READ[content["type"]](content["value"]), seen)


@dataclass(frozen=True)
class Overlap:
    """How far behind a bookmark to look again: so many keys where it is a number, so many hours where it is a time."""

    keys: int
    hours: float


def looking_back(value: Value, overlap: Overlap) -> Value:
    """Return the value from which on to look again, None for the beginning; a text that is no time stays as it is."""
    if value is None:
        return None
    if isinstance(value, int | float):
        return value - overlap.keys
    if isinstance(value, datetime | date):
        back = value - timedelta(hours=overlap.hours)
        return back if isinstance(value, datetime) else back - timedelta(days=1)  # a date has no hours: rather a day too many
    try:
        moment = pd.Timestamp(value)
    except ValueError:
        return value
    back = moment.to_pydatetime() - timedelta(hours=overlap.hours)
    return back.isoformat(sep="T" if "T" in value else " ", timespec="seconds")[: max(len(value), 10)]


def fresh_rows(frame: pd.DataFrame, before: Bookmark | None) -> np.ndarray:
    """Return which rows were not seen before; shape (n_rows,), bool.

    Parameters
    ----------
    frame : what the table holds from ``looking_back`` of the bookmark on
    """
    return np.ones(len(frame), dtype=bool) if before is None else ~_seen(row_hashes(frame), before.seen)


def are_past(times: pd.Series) -> np.ndarray:
    """Return which times have come already, those without a zone read as UTC; shape (n_rows,), bool.

    A number says nothing about now and counts as past; what is no time does not.
    """
    if pd.api.types.is_numeric_dtype(times):
        return np.ones(len(times), dtype=bool)
    moments = pd.to_datetime(times, utc=True, errors="coerce", format="ISO8601")
    past: np.ndarray = (moments <= now()).to_numpy(dtype=bool)
    return past


def bookmark_after(frame: pd.DataFrame, column: str, before: Bookmark | None, overlap: Overlap, moving: np.ndarray) -> Bookmark:
    """Return the bookmark after a reading; it knows all rows from its place on, also those that did not move it.

    Parameters
    ----------
    frame : as for ``fresh_rows``
    moving : which rows may move it, shape (n_rows,), bool
    """
    reached: Any = _plain(frame.loc[moving, column].dropna().max()) if frame.loc[moving, column].notna().any() else None
    if before is not None and before.value is not None:
        reached = before.value if reached is None else max(reached, before.value)  # rows may have been deleted since
    low: Any = looking_back(reached, overlap)
    hashes = row_hashes(frame)
    if low is None:
        return Bookmark(None, hashes)
    near = np.asarray([_text(value) != "" and _plain(value) >= low for value in frame[column].tolist()], dtype=bool)
    return Bookmark(reached, hashes[near])


def row_hashes(frame: pd.DataFrame) -> np.ndarray:
    """Return a hash of each row that hangs on the values alone, not on how a driver gives them; shape (n,), uint64."""
    texts = pd.DataFrame({str(name): _texts(frame[name]) for name in sorted(frame.columns, key=str)})
    hashes: np.ndarray = pd.util.hash_pandas_object(texts, index=False).to_numpy()
    return hashes


def _seen(hashes: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return which rows were seen, each hash as often as it was."""
    counted = pd.Series(hashes).groupby(hashes).cumcount().to_numpy()
    known, times = np.unique(seen, return_counts=True)
    if len(known) == 0:
        return np.zeros(len(hashes), dtype=bool)
    place = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    return (known[place] == hashes) & (counted < times[place])


def _texts(values: pd.Series) -> list[str]:
    return [_text(value) for value in values.tolist()]


def _text(value: Any) -> str:
    if value is None or value is pd.NaT or value is pd.NA or value != value:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float | Decimal) and abs(float(value)) < EXACT_INTEGERS and value == int(value):
        return str(int(value))
    return value.isoformat() if isinstance(value, datetime | date) else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime(warn=False)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Decimal):
        return int(value) if value == int(value) else float(value)
    return value

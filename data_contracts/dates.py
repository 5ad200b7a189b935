"""Dates and times as they are written in Germany (31.12.2024 14:05), by ISO 8601, and with slashes."""

from typing import Literal

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.numerals import Texts, matches

_CLOCK = r"(?:[ T,]+(?P<clock>\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?))?(?: ?Uhr)?"
_DOTTED = rf"^(?P<day>\d{{1,2}})\.(?P<month>\d{{1,2}})\.(?P<year>\d{{4}}|\d{{2}}){_CLOCK}$"
_YEAR_FIRST = rf"^(?P<year>\d{{4}})/(?P<month>\d{{1,2}})/(?P<day>\d{{1,2}}){_CLOCK}$"
_DAY_FIRST = rf"^(?P<day>\d{{1,2}})/(?P<month>\d{{1,2}})/(?P<year>\d{{4}}){_CLOCK}$"
_MONTH_FIRST = rf"^(?P<month>\d{{1,2}})/(?P<day>\d{{1,2}})/(?P<year>\d{{4}}){_CLOCK}$"
_ISO = r"^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?: ?(?:Z|[+-]\d{2}:?\d{2}))?)?$"
SlashOrder = Literal["day", "month"]
"""What stands first in a date with slashes."""

_BY_ORDER = {"day": _DAY_FIRST, "month": _MONTH_FIRST}
_LOOKS_LIKE = r"^\d{1,4}[-./]\d{1,2}[-./]\d{1,4}"


def looks_like_time(texts: Texts) -> bool:
    """Return whether the first text that is not missing begins like a date."""
    first = pc.drop_null(texts)[:1]
    return bool(len(first) and matches(first, _LOOKS_LIKE)[0])


def to_time(texts: Texts, known: SlashOrder | None = None) -> pd.Series:
    """Return shape (n,), datetime64[ns] without zone (a zone in the text is converted to UTC); NaT where a text is no date.

    ``01/02/2024`` is read only if another value of the column says which number is the month, or ``known`` does, found out from more than
    these values.
    """
    made, order = _to_iso(texts, _DOTTED), known or slash_order(texts)
    for pattern in (_YEAR_FIRST, *([_BY_ORDER[order]] if order else [])):
        made = pc.coalesce(made, _to_iso(texts, pattern))
    iso = pc.if_else(pa.array(matches(texts, _ISO)), _one(texts), pa.scalar(None, pa.string()))
    chosen = pc.coalesce(iso, made).to_pandas()
    parsed = pd.to_datetime(chosen, format="ISO8601", utc=True, errors="coerce")
    return parsed.dt.tz_localize(None).astype("datetime64[ns]")


def has_slashes(texts: Texts) -> bool:
    """Return whether there are dates among the texts that hang on the order."""
    return bool(matches(texts, r"^\d{1,2}/\d{1,2}/\d{4}").any())


def slash_order(texts: Texts) -> SlashOrder | None:
    """Return what stands first in dates with slashes: as in the US the month, or the day; None if no text says it, or they contradict each other."""
    first, second = (
        matches(texts, r"^(?:1[3-9]|[23]\d)/\d{1,2}/\d{4}").any(),
        matches(texts, r"^\d{1,2}/(?:1[3-9]|[23]\d)/\d{4}").any(),
    )
    if first == second:
        return None
    return "day" if first else "month"


def _to_iso(texts: Texts, pattern: str) -> pa.Array:
    parts = pc.extract_regex(_one(texts), pattern)
    day, month, year, clock = (pc.struct_field(parts, name) for name in ("day", "month", "year", "clock"))
    century = pc.if_else(pc.greater_equal(year, "69"), "19", "20")  # of two digits, as POSIX (strptime, %y) reads them
    year = pc.if_else(pc.equal(pc.utf8_length(year), 2), pc.binary_join_element_wise(century, year, ""), year)
    date = pc.binary_join_element_wise(year, pc.utf8_lpad(month, 2, "0"), pc.utf8_lpad(day, 2, "0"), "-")
    hours = pc.utf8_lpad(pc.fill_null(pc.if_else(pc.equal(clock, ""), None, clock), "00:00"), 5, "0")
    short = pc.starts_with(
        pc.utf8_slice_codeunits(hours, 1, 2), ":"
    )  # 9:05:30 is longer than five characters and still lacks its zero
    return pc.binary_join_element_wise(date, pc.if_else(short, pc.binary_join_element_wise("0", hours, ""), hours), "T")


def _one(texts: Texts) -> pa.Array:
    return texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts

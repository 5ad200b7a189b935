"""The forms in which a date or a time may come in, ISO 8601 and German, and their grammar as regular expressions.

The expressions know the calendar (days of a month, leap years), so that the published JSON schema takes exactly what ``parse_time`` can read.
They use nothing that JavaScript, Python and Rust read differently.
"""

from datetime import UTC, datetime

GERMAN_DATES = ("%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S")
FIRST_YEAR, LAST_YEAR = 1678, 2261  # whole years that 64 bits of nanoseconds since 1970 reach
_YEAR = "(?:167[89]|16[89][0-9]|1[7-9][0-9]{2}|2[01][0-9]{2}|22[0-5][0-9]|226[01])"
_LEAP_YEAR = "(?:16(?:8[048]|9[26])|(?:1[7-9]|2[01])(?:0[48]|[2468][048]|[13579][26])|2000|22(?:0[48]|[24][048]|[135][26]|60))"
_ISO_DATE = (
    f"(?:{_YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    f"|02-(?:0[1-9]|1[0-9]|2[0-8]))|{_LEAP_YEAR}-02-29)"
)
_GERMAN_DATE = (
    rf"(?:(?:(?:0?[1-9]|[12][0-9]|3[01])\.(?:0?[13578]|1[02])|(?:0?[1-9]|[12][0-9]|30)\.(?:0?[469]|11)"
    rf"|(?:0?[1-9]|1[0-9]|2[0-8])\.0?2)\.{_YEAR}|29\.0?2\.{_LEAP_YEAR})"
)
_HOUR, _SIXTY = "(?:[01][0-9]|2[0-3])", "[0-5][0-9]"
_ZONE = f"(?:Z|[+-]{_HOUR}:{_SIXTY})"
_ISO_TIME = rf"{_HOUR}:{_SIXTY}(?::{_SIXTY}(?:\.[0-9]{{1,9}})?)?{_ZONE}?"
_GERMAN_TIME = f"(?:[01]?[0-9]|2[0-3]):{_SIXTY}(?::{_SIXTY})?"
_MIDNIGHT = r"00:00(?::00(?:\.0{1,9})?)?"

DATE_PATTERN = f"^(?:{_ISO_DATE}(?:[T ]{_MIDNIGHT}(?:Z|[+-]00:00)?)?|{_GERMAN_DATE}(?: 0?0:00(?::00)?)?)$"
"""A day; a time of day may stand there only if it is midnight, as many programs write it."""
TIMESTAMP_PATTERN = f"^(?:{_ISO_DATE}(?:[T ]{_ISO_TIME})?|{_GERMAN_DATE}(?: {_GERMAN_TIME})?)$"


def parse_time(value: str) -> datetime:
    """Return a date or time in ISO 8601 or German form (``31.01.2026 14:30``) as a naive datetime in UTC.

    Raises
    ------
    ValueError
        If the text is neither, or lies outside the years 1678 to 2261.
    """
    moment = _first_that_parses(value)
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"not in the years {FIRST_YEAR} to {LAST_YEAR}")
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def _first_that_parses(value: str) -> datetime:
    if value[4:5] != "-":
        for form in GERMAN_DATES:
            try:
                return datetime.strptime(value, form)
            except ValueError:
                continue
    return datetime.fromisoformat(value)

"""The unit that a column's name carries: ``Air temperature [K]``, ``temp (°C)``, ``speed_rpm``."""

import re

# Spelling in lower case to the unit as we write it; taken from a name's end only, after an underscore or a blank.
SUFFIXES = {
    "rpm": "1/min", "hz": "Hz", "khz": "kHz", "celsius": "°C", "degc": "°C", "grad_c": "°C", "kelvin": "K", "fahrenheit": "°F",
    "mm": "mm", "cm": "cm", "km": "km", "um": "µm", "mm_s": "mm/s", "m_s": "m/s", "km_h": "km/h", "kmh": "km/h",
    "kg": "kg", "bar": "bar", "mbar": "mbar", "hpa": "hPa", "kpa": "kPa", "mpa": "MPa", "kw": "kW", "kwh": "kWh", "mw": "MW",
    "mwh": "MWh", "nm": "Nm", "kn": "kN", "ms": "ms", "sec": "s", "seconds": "s", "sekunden": "s", "minutes": "min", "minuten": "min",
    "hours": "h", "stunden": "h", "days": "d", "tage": "d", "percent": "%", "prozent": "%", "pct": "%", "eur": "EUR", "euro": "EUR",
    "usd": "USD", "volt": "V", "ampere": "A", "db": "dB", "ppm": "ppm", "pa_s": "Pa.s", "mpas": "mPa.s", "l_min": "l/min", "m3_h": "m³/h",
}  # fmt: skip
BRACKETED = {"rpm": "1/min", "u/min": "1/min", "degc": "°C", "celsius": "°C", "€": "EUR", "umdrehungen/min": "1/min"}

_BRACKETS = re.compile(r"(?:\[([^\[\]]{1,20})\]|\(([^()]{1,20})\))\s*$")
_UNIT = re.compile(r"[°µμΩ%‰€$A-Za-z][°µμΩA-Za-z0-9²³·*/.^_-]*|1/\w+|%|‰")
# What stands in brackets behind a name and is no unit.
_WORDS = {
    "y/n",
    "yes/no",
    "ja/nein",
    "max",
    "min.",
    "avg",
    "mean",
    "target",
    "optional",
    "new",
    "old",
    "neu",
    "alt",
    "id",
    "de",
    "en",
}


def unit_of(name: str) -> str | None:
    """Return the unit that a column name carries; None where it carries none."""
    bracketed = _BRACKETS.search(name)
    if bracketed:
        found = (bracketed[1] or bracketed[2]).strip()
        if found.casefold() in _WORDS or not _UNIT.fullmatch(found):
            return None
        return BRACKETED.get(found.casefold(), found)
    words = [word for word in re.split(r"[_\s]+", name.casefold()) if word]
    for size in (2, 1):
        if len(words) > size and (unit := SUFFIXES.get("_".join(words[-size:]))):
            return unit
    return None

"""The unit of a column whose name says the quantity but not the unit: guessed from where its values lie."""

from data_contracts.personal_words import name_words

# Quantity: words (German, English); then the ranges in which a unit is the only usual one. Ranges of one quantity do not overlap.
_GUESSES: tuple[tuple[str, tuple[tuple[str, float, float], ...]], ...] = (
    ("temperature temperatur temp thermocouple", (("°C", -60, 199), ("K", 200, 2000))),
    ("humidity feuchte luftfeuchte luftfeuchtigkeit", (("%", 1.01, 100),)),
    ("turnover umsatz revenue erlös", (("EUR", 0, float("inf")),)),
)


def guess_unit(name: str, low: float, high: float) -> str | None:
    """Return the unit whose usual range holds all values; None where no quantity is named, or none or several ranges do."""
    words = name_words(name)
    for spelled, ranges in _GUESSES:
        if words & set(spelled.split()):
            fitting = [unit for unit, bottom, top in ranges if bottom <= high <= top and (low >= bottom or unit == "%")]
            return fitting[0] if len(fitting) == 1 else None
    return None

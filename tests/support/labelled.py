"""Columns of which is known whether they hold personal data, made with Faker in German and US English: for measuring the finder.

``python tests/support/labelled.py`` prints precision and recall of each kind.
"""

import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from faker import Faker

from data_contracts.personal import find_personal

LOCALES = ("de_DE", "en_US")
SIZES = (20, 150)
TUNED, HELD_OUT = range(4), range(100, 106)
"""Seeds of the columns that the finder's shares were chosen on, and of those that they are judged on."""
NAMES = ("x", "column_3", "feld", "Wert A")
"""Names that say nothing: values alone must tell."""


@dataclass(frozen=True)
class Labelled:
    """A column with what it holds; None for no personal data."""

    kind: str | None
    what: str
    name: str
    texts: list[str]


def labelled(seeds: range = HELD_OUT) -> Iterator[Labelled]:
    """Yield all columns of these seeds."""
    for locale in LOCALES:
        for size in SIZES:
            for seed in seeds:
                fake = Faker(locale)
                fake.seed_instance(seed)
                source = random.Random(seed)
                for kind, what, make in (*_personal(fake, locale, source), *_ordinary(fake, source)):
                    texts = [make() for _ in range(size)]
                    yield Labelled(kind, f"{what} {locale}", NAMES[seed % len(NAMES)], texts)


def measured(columns: list[Labelled]) -> dict[str, tuple[float, float]]:
    """Return precision and recall by kind."""
    found: Counter[str] = Counter()
    there: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for column in columns:
        answer = find_personal(column.name, column.texts)
        if column.kind is not None:
            there[column.kind] += 1
        if answer is not None:
            found[answer.kind] += 1
            right[answer.kind] += answer.kind == column.kind
    return {kind: (right[kind] / found[kind] if found[kind] else 1.0, right[kind] / there[kind]) for kind in sorted(there)}


def mistakes(columns: list[Labelled]) -> Counter[str]:
    """Return which columns were taken for what they are not, with how often."""
    made: Counter[str] = Counter()
    for column in columns:
        answer = find_personal(column.name, column.texts)
        if (answer.kind if answer else None) != column.kind:
            made[f"{column.what}: expected {column.kind}, found {answer.kind if answer else None}"] += 1
    return made


Maker = tuple[str | None, str, Callable[[], str]]


def _personal(fake: Faker, locale: str, source: random.Random) -> list[Maker]:
    german = locale == "de_DE"
    made: list[Maker] = [
        ("name", "name", fake.name),
        ("name", "plain name", lambda: f"{fake.first_name()} {fake.last_name()}"),
        ("name", "last, first", lambda: f"{fake.last_name()}, {fake.first_name()}"),
        ("name", "first name", fake.first_name),
        ("name", "surname", fake.last_name),
        ("email", "e-mail", fake.email),
        ("phone", "telephone", fake.phone_number),
        ("iban", "IBAN", fake.iban),
        ("iban", "IBAN in groups", lambda: " ".join(_groups(fake.iban()))),
        ("address", "street", fake.street_address),
        ("address", "address", fake.address),
        ("tax_id", "tax id", lambda: _german_tax_id(source) if german else fake.ssn()),
    ]
    if german:
        made.append(("licence_plate", "plate", fake.license_plate))
        made.append(
            (
                "tax_id",
                "tax number",
                lambda: f"{source.randint(10, 999)}/{source.randint(100, 999)}/{source.randint(10000, 99999)}",
            )
        )
    return made


def _ordinary(fake: Faker, source: random.Random) -> list[Maker]:
    parts = ("Pump", "Valve", "Motor", "Bearing", "Lager", "Ventil", "Pumpe", "Welle", "Dichtung", "Gehäuse")
    adjectives = ("Red", "Small", "Old", "New", "Rote", "Kleine", "Alte", "Neue", "Steel", "Left")
    return [
        (None, "article number", lambda: f"{source.choice('ABCX')}{source.choice('KLMZ')}-{source.randint(1000, 99999)}"),
        (None, "part number", lambda: f"{source.randint(10, 99)}.{source.randint(100, 999)}.{source.randint(10, 99)}"),
        (None, "order number", lambda: f"{source.randint(4_500_000_000, 4_599_999_999)}"),
        (None, "eleven digits", lambda: f"{source.randint(10**10, 10**11 - 1)}"),
        (None, "part name", lambda: f"{source.choice(adjectives)} {source.choice(parts)}"),
        (None, "machine", lambda: f"{source.choice(parts)} {source.randint(1, 99)}"),
        (None, "sentence", lambda: fake.sentence(8)),
        (None, "company", fake.company),
        (None, "city", fake.city),
        (None, "country", fake.country),
        (None, "colour", fake.color_name),
        (None, "EAN", fake.ean13),
        (None, "ISBN", fake.isbn13),
        (None, "UUID", fake.uuid4),
        (None, "URL", fake.url),
        (None, "file", lambda: fake.file_path(depth=2)),
        (None, "MAC address", fake.mac_address),
        (None, "day", lambda: fake.date("%d.%m.%Y")),
        (None, "ISO time", fake.iso8601),
        (None, "measured value", lambda: f"{source.uniform(-50, 900):.3f}".replace(".", source.choice(".,"))),
        (None, "count", lambda: f"{source.randint(0, 99999)}"),
        (None, "version", lambda: f"{source.randint(1, 9)}.{source.randint(0, 20)}.{source.randint(0, 99)}"),
        (None, "status", lambda: source.choice(("ok", "scrap", "rework", "open"))),
        (None, "batch", lambda: f"CH-{source.randint(2019, 2026)}-{source.randint(1, 9999):04d}"),
        (None, "place", lambda: f"Halle {source.randint(1, 9)} / Regal {source.randint(1, 40)}"),
        (None, "hex", lambda: f"{source.getrandbits(48):012x}"),
    ]


def _german_tax_id(source: random.Random) -> str:
    """Return a tax id: ten digits of which exactly one stands twice, the first no zero, and the check digit (ISO 7064 MOD 11,10)."""
    while True:
        digits = source.sample(range(10), 9)
        digits.insert(source.randrange(1, 10), source.choice(digits))
        if digits[0]:
            break
    product = 10
    for digit in digits:
        product = ((digit + product) % 10 or 10) * 2 % 11
    return "".join(map(str, digits)) + str((11 - product) % 10)


def _groups(iban: str) -> list[str]:
    return [iban[place : place + 4] for place in range(0, len(iban), 4)]


if __name__ == "__main__":
    every = list(labelled())
    for one, (precision, recall) in measured(every).items():
        sys.stdout.write(f"{one:15} precision {precision:.3f}  recall {recall:.3f}\n")
    sys.stdout.write(f"{len(every)} columns; {mistakes(every).most_common(40)}\n")

"""Saying things in the dossier's language: texts, figures with their source, and what nobody has filled in."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from flows.dossier.content import Cell, Note, Paragraph, Table
from leitstand.contract import Bilingual
from leitstand.figures import figure
from leitstand.roadmap import Record
from leitstand.texts import Language, messages, text

MONTHS = 12


class Teller:
    """What every chapter tells with.

    Parameters
    ----------
    language : of everything
    """

    def __init__(self, language: Language) -> None:
        self.language = language

    def __call__(self, key: str, /, **values: object) -> str:
        """Return a text; of the area ``dossier`` where ``key`` names none."""
        return text(key if "." in key else f"dossier.{key}", self.language, **values)

    def either(self, key: str, fallback: str) -> str:
        """Return a text of the area ``dossier``, or ``fallback`` where there is none of that name."""
        return self(key) if self.knows(key) else fallback

    def knows(self, key: str) -> bool:
        """Return whether the area ``dossier`` has a text of that name."""
        return key in messages("dossier")

    def both(self, given: Bilingual | None) -> Cell:
        """Return what people wrote in both languages."""
        return self.missing() if given is None else Cell(given.in_language(self.language))

    def given(self, value: object | None, record: Record | None = None) -> Cell:
        """Return what people wrote, or that nobody did."""
        return self.missing() if value in (None, "") else Cell(str(value), numbers(record))

    def missing(self) -> Cell:
        """Return that nobody has filled this in."""
        return Cell(self("missing"), missing=True)

    def no_evidence(self) -> Cell:
        """Return that no run has shown this."""
        return Cell(self("no_evidence"), missing=True)

    def number(self, value: float | None, record: Record | None = None, unit: str = "", digits: int = 3) -> Cell:
        """Return a figure with so many significant digits and its source."""
        if value is None:
            return self.no_evidence()
        shown = self.grouped(value) if abs(value) >= 10_000 else figure(float(value), self.language, digits)
        return Cell(f"{shown} {unit}".strip(), numbers(record))

    def eur(self, value: float | None, record: Record | None = None) -> Cell:
        """Return an amount of money, whole euros."""
        return self.no_evidence() if value is None else Cell(f"{self.grouped(value)} EUR", numbers(record))

    def share(self, value: float | None, record: Record | None = None) -> Cell:
        """Return a share as a percentage."""
        if value is None:
            return self.no_evidence()
        shown = figure(100 * value, self.language)
        return Cell(f"{shown} %" if self.language == "de" else f"{shown}%", numbers(record))

    def grouped(self, value: float) -> str:
        """Return a whole number with thousands set apart."""
        shown = f"{value:,.0f}".replace("-", "−")
        return shown.replace(",", ".") if self.language == "de" else shown

    def day(self, value: date | datetime | None) -> str:
        """Return a day as the language writes it."""
        if value is None:
            return "–"
        return f"{value:%d.%m.%Y}" if self.language == "de" else f"{value:%Y-%m-%d}"

    def time(self, value: datetime | None) -> str:
        """Return a time in UTC."""
        return "–" if value is None else f"{self.day(value)} {value:%H:%M} UTC"

    def facts(self, rows: Iterable[tuple[str, Cell]]) -> Table:
        """Return a list of names with values; a name is a key of the area ``dossier``."""
        return Table((), tuple((Cell(self(key), strong=True), value) for key, value in rows), (0.34, 0.66))

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Cell | tuple[Cell, ...]]], widths: Sequence[float]) -> Table:
        """Return a table; headings are keys of the area ``dossier``."""
        return Table(tuple(self(key) for key in columns), tuple(tuple(row) for row in rows), tuple(widths))

    def say(self, key: str, *records: Record | None, **values: object) -> Paragraph:
        """Return a text as a paragraph, with the evidence that it rests on."""
        return Paragraph((Cell(self(key, **values), numbers(*records)),))

    def note(self, kind: Any, key: str, *records: Record | None, **values: object) -> Note:
        """Return a text that is set apart."""
        return Note(kind, (Cell(self(key, **values), numbers(*records)),))


def numbers(*records: Record | None) -> tuple[int, ...]:
    """Return the numbers of evidence, those that are there."""
    return tuple(record.number for record in records if record is not None)

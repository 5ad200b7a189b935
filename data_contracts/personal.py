"""Does a column hold personal data? Found from its values (check digits, numbering plans, lists of names), and from its name.

The one place that decides it: contract inference and the inventory both ask here. Values decide where they can; a name decides alone where
values cannot (a diagnosis, a salary, a personnel number are numbers or texts like others).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from data_contracts import personal_values as values
from data_contracts.personal_words import CLASSES, NAME_WORDS, GdprClass, Kind, kind_of_name, name_words
from leitstand.contract import PersonalData

LIKELY_SHARE = 0.5
"""This share of the texts must look so; a comment that mentions one address is not a column of addresses."""
# What an ordinary text may look like by accident needs more of them: article numbers look like plates, one in ten numbers has the check
# digit of a tax id.
_SHARES: dict[Kind, float] = {"licence_plate": 0.8, "tax_id": 0.7, "phone": 0.7}
PERSON_SHARE = 0.3
"""The list of names is not complete. It knows 0.40 to 0.45 of full names that are drawn evenly from rare and frequent ones (far more of real
ones), and at most 0.20 of other pairs of words (places called after people)."""
PERSON_SHAPE = 0.8
SINGLE_SHARE, HINTED_SHARE = 0.25, 0.15
"""Of single words the lists know 0.23 to 0.55 of names and at most 0.10 of others (companies called after people)."""
FEWEST_SINGLE = 10
MOST_TEXTS = 400  # enough to tell shares of a half from noise (binomial error 2.5 points); more costs time only
FEWEST_DIFFERENT = 3
OLDEST_YEARS, YOUNGEST_YEARS = 110, 14


@dataclass(frozen=True)
class Finding:
    """Personal data of one column.

    Parameters
    ----------
    share : of the values looked at that are of this kind; None where the name alone says it
    """

    kind: Kind
    by: Literal["values", "name"]
    share: float | None = None

    @property
    def gdpr(self) -> GdprClass:
        """How the GDPR calls it."""
        return CLASSES[self.kind]

    @property
    def contract_class(self) -> PersonalData:
        """The class that a contract knows; data on criminal offences (Art. 10) are held as strictly as those of Art. 9."""
        return "special" if self.gdpr in ("special", "criminal") else "personal"


def find_personal(name: str, texts: Sequence[str]) -> Finding | None:
    """Return the kind of personal data that a column holds; None for none.

    Parameters
    ----------
    texts : some of its texts, as spread over the table as possible; empty for numbers and dates. Whole numbers may be given as texts
    """
    called = kind_of_name(name)
    if called is not None and CLASSES[called] in ("special", "criminal"):
        return Finding(called, "name")
    some = [text.strip() for text in texts if text and text.strip()][:MOST_TEXTS]
    if found := _by_values(name, called, some):
        return found
    return Finding(called, "name") if called is not None else None


def suspected(name: str, texts: Sequence[str]) -> PersonalData:
    """Return which class of personal data a column may hold, as a contract says it.

    Parameters
    ----------
    texts : as ``find_personal`` takes them
    """
    found = find_personal(name, texts)
    return found.contract_class if found else "none"


def may_be_birth_dates(dates: Sequence[date | datetime], today: date) -> bool:
    """Return whether dates may be days of birth: all without time of day, of people who live and work, spread over decades.

    A day of delivery twenty years ago looks the same, so this is to be asked only where other columns hold people.
    """
    if len(dates) < FEWEST_DIFFERENT or any(
        isinstance(one, datetime) and (one.hour or one.minute or one.second) for one in dates
    ):
        return False
    ages = sorted((today - (one.date() if isinstance(one, datetime) else one)).days / 365.25 for one in dates)
    middle = ages[len(ages) // 2]
    return ages[0] >= YOUNGEST_YEARS - 1 and ages[-1] <= OLDEST_YEARS and 18 <= middle <= 75 and ages[-1] - ages[0] >= 15


def _by_values(name: str, called: Kind | None, texts: list[str]) -> Finding | None:
    if not texts:
        return None
    tests: list[tuple[Kind, Callable[[str], bool]]] = [
        ("email", values.is_email),
        ("iban", values.is_iban),
        ("tax_id", values.is_tax_id),
        ("tax_id", values.is_tax_number),
        ("licence_plate", values.is_plate),
        ("address", values.is_address),
        ("phone", values.is_phone if called != "phone" else values.is_dialled),
    ]
    if called == "licence_plate":
        tests.append(("licence_plate", values.is_plate_abroad))
    for kind, test in tests:
        share = _share(texts, test)
        if share > _SHARES.get(kind, LIKELY_SHARE):
            return Finding(kind, "values", round(share, 3))
    if not _digits(texts) and len({*texts}) >= FEWEST_DIFFERENT and (share := _share(texts, values.is_dialled)) > 0.8:
        return Finding("phone", "values", round(share, 3))
    return _names(name, called, texts)


def _names(name: str, called: Kind | None, texts: list[str]) -> Finding | None:
    """Return a finding where the texts are names of people: by the list of names, or by their shape under a word for people."""
    hinted = called in ("name", "person") or bool(name_words(name) & NAME_WORDS)
    shaped = _share(texts, values.looks_like_person)
    if hinted and shaped > LIKELY_SHARE:
        return Finding("name", "values", round(shaped, 3))
    different = sorted({*texts})
    if len(different) < FEWEST_DIFFERENT:
        return None
    if shaped > PERSON_SHAPE and (share := _share(different, values.is_person)) > PERSON_SHARE:
        return Finding("name", "values", round(share, 3))
    single = _share(different, values.is_single_name)
    enough = len(different) >= FEWEST_SINGLE and single > SINGLE_SHARE
    if enough or (hinted and single > HINTED_SHARE):
        return Finding("name", "values", round(single, 3))
    return None


def _digits(texts: list[str]) -> bool:
    """Return whether most texts are bare digits without a leading zero: counts and article numbers, which can mostly be dialled somewhere."""
    return _share(texts, lambda text: text.isdigit() and not text.startswith("0")) > LIKELY_SHARE


def _share(texts: Sequence[str], test: Callable[[str], bool]) -> float:
    return sum(bool(test(text)) for text in texts) / len(texts) if texts else 0.0

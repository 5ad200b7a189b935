"""Does a column hold personal data? Suspected from its name (German and English) and from what its texts look like."""

import itertools
import re
from collections.abc import Callable, Sequence

from leitstand.contract import PersonalData

# Whole words of a column's name; a word inside another (file in profile) does not count.
PERSONAL_WORDS = frozenset(
    """vorname nachname familienname zuname geburtsname name_kunde kundenname mitarbeitername firstname lastname surname forename fullname
    mitarbeiter mitarbeiterin employee fahrer driver patient patientin patientid bediener operator werker sachbearbeiter ansprechpartner
    email mail emailadresse telefon telefonnummer telefonnr phone mobil mobile handy handynummer fax
    strasse straße hausnummer anschrift wohnort adresse address street birthdate birthday dob geburtsdatum geburtstag geburtsort geboren
    alter age geschlecht gender sex nationalität nationality staatsangehörigkeit familienstand
    iban bic kontonummer kreditkarte creditcard steuernummer steuerid sozialversicherungsnummer svnr ssn passport reisepass ausweisnummer
    personalnummer personalnr mitarbeiternummer kundennummer kundennr customerid userid username benutzer benutzername login
    kennzeichen licenseplate ipadresse ipaddress gehalt lohn salary wage""".split()  # noqa: SIM905 - words, not code
)
SPECIAL_WORDS = frozenset(
    """diagnose diagnosis icd icd10 krankheit disease illness erkrankung medikament medication blutgruppe bloodtype blutdruck bloodpressure
    schwangerschaft pregnancy pregnant behinderung disability krankenversicherung religion konfession ethnie ethnicity race rasse
    gewerkschaft union sexualität sexuality genetik genome biometrie biometric fingerabdruck fingerprint""".split()  # noqa: SIM905 - words, not code
)  # Art. 9 GDPR
NAME_WORDS = frozenset(
    {"name", "kunde", "customer", "user", "person", "kontakt", "contact", "client"}
)  # only if the texts look like names
LIKELY_SHARE = 0.5  # of the texts must look so; a comment that mentions one address is not a column of addresses

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}")
_PHONE = re.compile(r"(?:\+\d{1,3}|00\d{1,3}|\(0\d{1,5}\)|0\d{2,5})[ /()-]+\d[\d ()/-]{4,14}|\+\d{8,15}")
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")
_PERSON = re.compile(
    r"(?:Dr\. |Prof\. )*[A-ZÄÖÜ][a-zäöüß]+(?:[ -][A-ZÄÖÜ][a-zäöüß]+)*,? [A-ZÄÖÜ][a-zäöüß]+(?:-[A-ZÄÖÜ][a-zäöüß]+)?"
)


def suspected(name: str, texts: Sequence[str]) -> PersonalData:
    """Return which class of personal data a column may hold.

    Parameters
    ----------
    texts : some of its texts; empty for numbers and dates
    """
    words = name_words(name)
    if words & SPECIAL_WORDS:
        return "special"
    if words & PERSONAL_WORDS or _likely(texts, is_email) or _likely(texts, is_phone) or _likely(texts, is_iban):
        return "personal"
    if words & NAME_WORDS and _likely(texts, lambda value: bool(_PERSON.fullmatch(value))):
        return "personal"
    return "none"


def name_words(name: str) -> set[str]:
    """Return the words of a column name in lower case, and each two neighbours joined: ``first_name`` holds ``firstname``."""
    spaced = re.sub(r"(?<=[a-zäöüß])(?=[A-ZÄÖÜ])", " ", name)
    words = [word for word in re.split(r"[\W_]+", spaced.casefold()) if word]
    return {*words, *(first + second for first, second in itertools.pairwise(words))}


def is_email(value: str) -> bool:
    """Return whether the text is one e-mail address."""
    return bool(_EMAIL.fullmatch(value))


def is_phone(value: str) -> bool:
    """Return whether the text is a telephone number: with a leading zero or country code and marks between its groups."""
    return bool(_PHONE.fullmatch(value))


def is_iban(value: str) -> bool:
    """Return whether the text is an IBAN with right check digits (ISO 13616-1: the number modulo 97 is 1)."""
    plain = re.sub(r"\s", "", value).upper()
    if not _IBAN.fullmatch(plain):
        return False
    turned = plain[4:] + plain[:4]
    return int("".join(str(int(character, 36)) for character in turned)) % 97 == 1


def _likely(texts: Sequence[str], test: Callable[[str], bool]) -> bool:
    return bool(texts) and sum(bool(test(text.strip())) for text in texts) > LIKELY_SHARE * len(texts)

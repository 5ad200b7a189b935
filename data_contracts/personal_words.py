"""Words of column names that give personal data away, German and English, by kind, and how the GDPR calls each kind."""

import itertools
import re
from typing import Literal

GdprClass = Literal["ordinary", "special", "criminal", "pseudonymous"]
Kind = Literal[
    "name", "email", "phone", "iban", "tax_id", "birth_date", "address", "licence_plate",
    "person", "identifier", "demographic", "money", "online", "health", "belief", "criminal",
]  # fmt: skip

CLASSES: dict[Kind, GdprClass] = {
    "name": "ordinary", "email": "ordinary", "phone": "ordinary", "iban": "ordinary", "tax_id": "ordinary", "birth_date": "ordinary",
    "address": "ordinary", "licence_plate": "ordinary", "person": "ordinary", "demographic": "ordinary", "money": "ordinary",
    "online": "ordinary",
    "identifier": "pseudonymous",  # Art. 4 no. 5: still personal data, for who holds the list behind the numbers
    "health": "special", "belief": "special",  # Art. 9
    "criminal": "criminal",  # Art. 10
}  # fmt: skip

# Whole words of a column's name, or two neighbours joined; a word inside another (file in profile) does not count.
WORDS: dict[Kind, str] = {
    "health": """diagnose diagnosis icd icd10 krankheit disease illness erkrankung medikament medication blutgruppe bloodtype blutdruck bloodpressure
        schwangerschaft pregnancy pregnant behinderung disability krankenversicherung krankmeldung krankheitstage sickleave allergie allergy befund
        genetik genome biometrie biometric fingerabdruck fingerprint""",
    "belief": "religion konfession ethnie ethnicity race rasse gewerkschaft union parteizugehörigkeit sexualität sexuality",
    "criminal": """vorstrafe vorstrafen vorbestraft straftat straftaten strafregister führungszeugnis fuehrungszeugnis convicted conviction
        convictions criminalrecord offence offense bußgeld bussgeld strafpunkte""",
    "name": """vorname nachname familienname zuname geburtsname name_kunde kundenname mitarbeitername firstname lastname surname forename fullname
        givenname familyname""",
    "email": "email mail emailadresse emailaddress",
    "phone": "telefon telefonnummer telefonnr tel telephone phone phonenumber mobil mobile handy handynummer fax rufnummer",
    "address": "strasse straße hausnummer anschrift wohnort adresse address street streetaddress homeaddress",
    "birth_date": "birthdate birthday dateofbirth dob geburtsdatum geburtstag geboren geburtsjahr",
    "iban": "iban bic kontonummer",
    "tax_id": "steuernummer steuerid steueridnr idnr taxid taxnumber ssn sozialversicherungsnummer svnr",
    "licence_plate": "kennzeichen licenseplate licenceplate numberplate nummernschild",
    "person": """mitarbeiter mitarbeiterin employee fahrer driver patient patientin bediener operator werker sachbearbeiter ansprechpartner
        bearbeiter bearbeiterin prüfer pruefer monteur schichtführer schichtfuehrer schichtleiter meister techniker inspector""",
    "identifier": """personalnummer personalnr mitarbeiternummer kundennummer kundennr customerid userid patientid patientenid employeeid passport
        reisepass ausweisnummer""",
    "demographic": """alter age geschlecht gender sex nationalität nationality staatsangehörigkeit familienstand geburtsort maritalstatus""",
    "money": "kreditkarte creditcard gehalt lohn salary wage",
    "online": "username benutzer benutzername login ipadresse ipaddress",
}  # fmt: skip
_KINDS: dict[str, Kind] = {word: kind for kind, words in reversed(WORDS.items()) for word in words.split()}

NAME_WORDS = frozenset({"name", "kunde", "customer", "user", "person", "kontakt", "contact", "client"})
"""Words that stand for a person only if the texts below look like names."""


def name_words(name: str) -> set[str]:
    """Return the words of a column name in lower case, and each two neighbours joined: ``first_name`` holds ``firstname``."""
    spaced = re.sub(r"(?<=[a-zäöüß])(?=[A-ZÄÖÜ])", " ", name)
    words = [word for word in re.split(r"[\W_]+", spaced.casefold()) if word]
    triples = (first + second + third for first, second, third in zip(words, words[1:], words[2:], strict=False))
    return {*words, *(first + second for first, second in itertools.pairwise(words)), *triples}


def kind_of_name(name: str) -> Kind | None:
    """Return the kind of personal data that a column name speaks of, the strictest first; None for none."""
    found = {kind for word in name_words(name) if (kind := _KINDS.get(word))}
    return next((kind for kind in WORDS if kind in found), None)

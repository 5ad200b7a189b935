"""Is this text an e-mail address, a telephone number, a tax number …? Where there are check digits, they decide."""

import re
from collections import Counter

from data_contracts.person_data import words

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}")
_PHONE = re.compile(r"(?:\+\d{1,3}|00\d{1,3}|\(0\d{1,5}\)|0\d{2,5})[ /()-]+\d[\d ()/-]{4,14}|\+\d{8,15}")
_DIALLED = re.compile(r"\+?[\d ()/.-]{7,22}(?:x\d{1,5})?")
_NO_NUMBER = re.compile(r"\d{1,3}(?:\.\d+)+|\d+\.\d+|\d{4}-\d\d-\d\d.*|97[89]-[\d-]+")  # versions, decimals, days, ISBN
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")
_TITLES = r"(?:(?:Dr|Prof|Dipl\.?-Ing|Ing|Mr|Mrs|Ms|Miss|Herr|Frau|Univ)\.?[ -]*(?:med\.|rer\.|nat\.)? *)*"
_WORD = r"[A-ZÄÖÜ](?:'[A-Z])?[a-zäöüßéèçñ]+(?:[A-Z][a-z]+)?(?:[-][A-ZÄÖÜ][a-zäöüß]+)*"
_PERSON = re.compile(
    rf"{_TITLES}(?P<first>{_WORD})(?P<middle>(?: {_WORD}| [A-Z]\.)*),?(?: von| van| zu| de| der)* (?P<last>{_WORD})"
    r"(?:,? (?:B\.?Sc|M\.?Sc|B\.?A|MBA|B\.?Eng|Jr|Sr|MD|PhD|DDS|DVM|II|III|IV)\.?)*"
)
_SHAPE = re.compile(
    r"(?:Dr\. |Prof\. )*[A-ZÄÖÜ][a-zäöüß]+(?:[ -][A-ZÄÖÜ][a-zäöüß]+)*,? [A-ZÄÖÜ][a-zäöüß]+(?:-[A-ZÄÖÜ][a-zäöüß]+)?"
)
_PLATE = re.compile(r"(?P<district>[A-ZÄÖÜ]{1,3})[- :](?P<letters>[A-Z]{1,2})[- ]?[1-9]\d{0,3}[EH]?")
_PLATE_ABROAD = re.compile(r"(?=.*\d)(?=.*[A-Z])[A-Z0-9]{1,4}[- ·]?[A-Z0-9]{2,5}")
_GERMAN_STREET = re.compile(
    r"(?P<street>[^\W\d][\w.'ß -]*?)[ ,]+\d{1,4}(?: ?[a-zA-Z])?(?:[/-]\d{1,4}[a-z]?)?(?:,? *\d{5} .+)?", re.DOTALL
)
_ENGLISH_STREET = re.compile(
    r"\d{1,6}[A-Za-z]? (?P<street>[A-Z][\w.' -]*?)(?:,? +(?:Apt|Suite|Unit|Flat|#)\.? ?\w+)?(?:[,\n].*)?", re.DOTALL
)
_POSTAL_LINE = re.compile(r"(?:D-)?\d{5} [A-ZÄÖÜ][\w ./()-]+")
_SSN = re.compile(r"(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}")
_TAX_OFFICE = re.compile(r"\d{2,3}/\d{3,4}/\d{4,5}")


def is_email(value: str) -> bool:
    """Return whether the text is one e-mail address."""
    return bool(_EMAIL.fullmatch(value))


def is_phone(value: str) -> bool:
    """Return whether the text is a telephone number: with a leading zero or country code and marks between its groups."""
    return bool(_PHONE.fullmatch(value))


def is_dialled(value: str, *, strict: bool = False) -> bool:
    """Return whether the text is a number of Germany, the US, or with a country code, by the numbering plans of libphonenumber.

    Parameters
    ----------
    strict : whether a number of the right length is not enough where it is in no range that is given out
    """
    plain = value.strip()
    digits = sum(character.isdigit() for character in plain)
    if not 7 <= digits <= 17 or not _DIALLED.fullmatch(plain) or _NO_NUMBER.fullmatch(plain):
        return False
    import phonenumbers  # its tables take a moment, and most tables need none

    for region in ("DE", "US"):
        try:
            number = phonenumbers.parse(plain.replace("(0)", ""), region)
        except phonenumbers.NumberParseException:
            continue
        marked = plain.startswith(("+", "0", "(")) or re.search(r"\d[-. ]\d", plain) is not None
        if phonenumbers.is_valid_number(number) or (marked and not strict and phonenumbers.is_possible_number(number)):
            return True
    return False


def is_iban(value: str) -> bool:
    """Return whether the text is an IBAN with right check digits (ISO 13616-1: the number modulo 97 is 1)."""
    plain = re.sub(r"\s", "", value).upper()
    if not _IBAN.fullmatch(plain):
        return False
    turned = plain[4:] + plain[:4]
    return int("".join(str(int(character, 36)) for character in turned)) % 97 == 1


def is_tax_id(value: str) -> bool:
    """Return whether the text is a German tax id with right check digit (§ 139b AO; ISO 7064 MOD 11,10), or a US social security number.

    Of the first ten digits of a German one, exactly one stands twice or three times.
    """
    plain = value.strip().replace(" ", "")
    if _SSN.fullmatch(plain):
        return True
    if len(plain) != 11 or not plain.isdigit() or plain[0] == "0":
        return False
    repeated = [count for count in Counter(plain[:10]).values() if count > 1]
    if len(repeated) != 1 or repeated[0] > 3:
        return False
    product = 10
    for digit in plain[:10]:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(plain[10])


def is_tax_number(value: str) -> bool:
    """Return whether the text is written as a German tax office writes its numbers: ``93/815/08152``."""
    return bool(_TAX_OFFICE.fullmatch(value.strip()))


def looks_like_person(value: str) -> bool:
    """Return whether the text has the shape of a person's name, whatever the words."""
    return bool(_SHAPE.fullmatch(value) or _PERSON.fullmatch(value))


def is_person(value: str) -> bool:
    """Return whether the text is a full name whose first or last word is a frequent name."""
    found = _PERSON.fullmatch(value.strip())
    if not found:
        return False
    first, last = (found[part].casefold() for part in ("first", "last"))
    known = words("first_names")
    return any(part in known for part in (*first.split("-"), *last.split("-"))) or (first in words("surnames") and last in known)


def is_single_name(value: str) -> bool:
    """Return whether the text is one word that is a frequent first name or surname."""
    plain = value.strip().casefold()
    return (
        plain in words("first_names")
        or plain in words("surnames")
        or all(part in words("first_names") for part in plain.split("-"))
    )


def is_address(value: str) -> bool:
    """Return whether the text is a street with house number, German or English, or such an address over several lines."""
    plain = " ".join(value.split())
    if len(plain) > 120:
        return False
    streets = words("street_words")
    if found := _GERMAN_STREET.fullmatch(plain):
        last = re.split(r"[ -]", found["street"].casefold().strip())[-1]
        if last in streets or last.endswith(
            ("straße", "strasse", "str.", "weg", "platz", "allee", "gasse", "ring", "damm", "ufer", "steig", "stieg")
        ):
            return True
    if found := _ENGLISH_STREET.fullmatch(plain):
        return found["street"].strip().split(" ")[-1].casefold() in streets or (
            any(word.casefold() in streets for word in found["street"].split()) and "," in plain
        )
    return bool(_POSTAL_LINE.fullmatch(plain))


def is_plate(value: str) -> bool:
    """Return whether the text is a German number plate of a district that exists."""
    found = _PLATE.fullmatch(value.strip())
    return bool(found and found["district"].casefold() in words("plate_districts") and len(value.strip()) <= 11)


def is_plate_abroad(value: str) -> bool:
    """Return whether the text has the shape of a plate of any state; article numbers have it, too."""
    return bool(_PLATE_ABROAD.fullmatch(value.strip()))


def mentioned(text: str) -> set[str]:
    """Return which kinds of personal data stand somewhere in a longer text: e-mail, telephone, IBAN."""
    kinds = set()
    if "@" in text and _EMAIL.search(text):
        kinds.add("email")
    if any(
        is_phone(found[0]) and is_dialled(found[0], strict=True) for found in re.finditer(r"(?:\+|\b0)[\d ()/-]{8,20}\d", text)
    ):
        kinds.add("phone")
    if any(is_iban(found[0]) for found in re.finditer(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,4})?\b", text)):
        kinds.add("iban")
    return kinds

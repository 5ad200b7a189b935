import re
import string
from importlib.resources import files

import pytest

from leitstand.texts import LANGUAGES, areas, messages, text


def placeholders(message: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(message) if name}


@pytest.mark.parametrize("area", areas())
def test_every_message_stands_in_both_languages_with_the_same_placeholders(area: str) -> None:
    for key, forms in messages(area).items():
        assert set(forms) == set(LANGUAGES), f"{area}.{key}"
        assert placeholders(forms["de"]) == placeholders(forms["en"]), f"{area}.{key}"


@pytest.mark.parametrize("area", areas())
def test_no_message_stands_twice(area: str) -> None:
    content = (files("leitstand") / "texts" / f"{area}.yaml").read_text(encoding="utf-8")
    keys = re.findall(r"^(\w+):", content, flags=re.MULTILINE)
    assert len(keys) == len(set(keys))


def test_a_message_is_filled_in_the_language_asked_for() -> None:
    assert text("errors.one_class", "de", project="p", target="t", value="v").startswith("Der Zielwert 't'")


def test_an_unknown_message_is_an_error() -> None:
    with pytest.raises(KeyError, match="no_such"):
        text("errors.no_such")

"""The one catalogue of everything a user reads, in German and English.

Each ``*.yaml`` file beside this module holds the messages of one area: ``area`` is the file's name, and a message is named
``area.key``. Every message has an ``en`` and a ``de`` form with the same ``{placeholders}``; ``tests/leitstand/test_texts.py`` holds
the files to that.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml

Language = Literal["de", "en"]
LANGUAGES: tuple[Language, ...] = ("en", "de")

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def _area(area: str) -> Mapping[str, Mapping[str, str]]:
    resource = files(__package__) / f"{area}.yaml"
    loaded: Mapping[str, Mapping[str, str]] = yaml.load(resource.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506
    return loaded


def areas() -> list[str]:
    """Return the names of all areas in the catalogue, sorted."""
    return sorted(item.name.removesuffix(".yaml") for item in files(__package__).iterdir() if item.name.endswith(".yaml"))


def messages(area: str) -> Mapping[str, Mapping[str, str]]:
    """Return all messages of one area: key to language to text."""
    return _area(area)


def text(key: str, language: Language = "en", /, **values: object) -> str:
    """Return the message ``key`` in ``language`` with its placeholders filled.

    Parameters
    ----------
    key : ``area.name``, such as ``errors.source_missing``
    language : ``de`` or ``en``
    **values : what the placeholders stand for

    Raises
    ------
    KeyError
        If the catalogue has no such message, or a placeholder got no value.
    """
    area, _, name = key.partition(".")
    return _area(area)[name][language].format(**values)

"""Gates in words, for people who have never seen their names."""

from leitstand.texts import Language, text


def in_words(names: str, language: Language) -> str:
    """Return what gates ask for, each with its name behind it.

    Parameters
    ----------
    names : as ``leitstand.gates.Gate`` has them, separated by a comma and a space; what is no name of a gate stays as it is
    """
    return ", ".join(_in_words(name, language) for name in names.split(", "))


def _in_words(name: str, language: Language) -> str:
    kind, _, about = name.partition(":")
    try:
        return f"{text(f'gates.{kind}', language, about=about.replace('=', ' = '))} ({name})"
    except KeyError:
        return name

"""Lists that personal data are recognised by: frequent names, districts of German number plates, words for streets.

Plain facts in words, one list per file, words separated by blanks or line ends. None has to be complete: a column is judged by the share of
its values that a list knows, so that the frequent ones suffice. ``tests/data_contracts/test_personal_labelled.py`` says how well.
"""

from functools import cache
from importlib.resources import files


@cache
def words(name: str) -> frozenset[str]:
    """Return the words of the list ``name``, in lower case."""
    return frozenset((files(__package__) / f"{name}.txt").read_text(encoding="utf-8").casefold().split())

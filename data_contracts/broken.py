"""A broken rule: which rows of which column, and how it is said."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from leitstand.texts import Language, text

Rule = Literal[
    "type", "finite", "required", "minimum", "maximum", "allowed", "pattern", "max_length", "unique", "primary_key",
    "file_missing", "file_empty", "file_size", "freshness",
]  # fmt: skip
MOST_EXAMPLES = 5


@dataclass(frozen=True)
class Broken:
    """The rows of a frame that break one rule.

    Parameters
    ----------
    column : its name; of a key of several columns, all names joined by ``, ``
    rows : shape (n_broken,), int: 0-based positions; empty for a rule of the whole table
    expected : what the rule asks for, such as ``50 mm/s``
    """

    column: str
    rule: Rule
    rows: np.ndarray
    expected: str = ""


@dataclass(frozen=True)
class BrokenRule:
    """What a person is told about one broken rule.

    Parameters
    ----------
    rows : how many rows break it; 0 for a rule of the whole table, such as freshness
    total : how many rows were checked
    examples : at most five different values as they were found
    """

    column: str
    rule: Rule
    rows: int
    total: int
    expected: str = ""
    examples: tuple[str, ...] = field(default=())

    def describe(self, language: Language) -> str:
        """Return one sentence: the column, how many rows, what is wrong with them, examples."""
        key = "contracts.broken_table" if self.rows == 0 else "contracts.broken_rows"
        examples = ", ".join(self.examples) or "–"
        what = reason(self.rule, self.expected, language)
        return text(key, language, column=self.column, rows=self.rows, total=self.total, what=what, examples=examples)


def reason(rule: Rule, expected: str, language: Language) -> str:
    """Return in a few words what is wrong, such as ``above 50 mm/s``."""
    return text(f"contracts.rule_{rule}", language, expected=expected)

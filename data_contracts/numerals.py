"""Numbers as people and machines write them: with decimal point or decimal comma, with or without marks between the thousands.

``1.234`` is one thousand two hundred thirty-four in a German file and one and a bit in an English one. A single value does not say which;
other values of the same column, or of the same file, do (``3,5`` or ``1.234.567`` exist only in one of the two).
"""

from typing import Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Decimal = Literal[".", ","]
Texts: TypeAlias = Any  # pa.Array or pa.ChunkedArray of strings; pyarrow brings no annotations

MISSING = ("", "#N/A", "N/A", "n/a", "NaN", "nan", "NULL", "null")
"""What counts as missing in every column."""

MISSING_NUMBERS = (
    "-",
    "--",
    "?",
    ".",
    "NA",
    "n.a.",
    "N.A.",
    "None",
    "none",
    "k.A.",
    "k. A.",
    "#NV",
    "#DIV/0!",
    "-nan",
    "1.#QNAN",
    "-1.#IND",
)
"""What also counts as missing where all other values are numbers or dates; in a text column ``NA`` may be Namibia."""

_SPACES = r" '’\x{00a0}\x{202f}"  # Swiss and ISO 31-0 marks between thousands
_EXPONENT = r"(?:[eE][+-]?\d+)?"
_WORDS = r"^[+-]?(?i:inf|infinity|nan)$"


def _only(mark: str, other: str) -> str:
    """Return the pattern of numbers that can only be meant with ``mark`` as the decimal mark."""
    fraction = rf"\d*{mark}(?:\d{{1,2}}|\d{{4,}})|(?:0\d*)?{mark}\d{{3}}|\d{{4,}}{mark}\d{{3}}|\d+{mark}|\d*{mark}\d+[eE][+-]?\d+"
    thousands = rf"[1-9]\d{{0,2}}(?:{other}\d{{3}})+{mark}\d+|[1-9]\d{{0,2}}(?:{other}\d{{3}}){{2,}}|[1-9]\d{{0,2}}(?:[{_SPACES}]\d{{3}})+{mark}\d+"
    return rf"^[+-]?(?:{fraction}|{thousands})$"


def _any(mark: str, other: str) -> str:
    """Return the pattern of all numbers under the decimal mark ``mark``."""
    whole = rf"\d+|[1-9]\d{{0,2}}(?:{other}\d{{3}})+|[1-9]\d{{0,2}}(?:[{_SPACES}]\d{{3}})+"
    return rf"^[+-]?(?:(?:{whole})(?:{mark}\d*)?|{mark}\d+){_EXPONENT}$"


_ONLY: dict[Decimal, str] = {".": _only(r"\.", ","), ",": _only(",", r"\.")}
_ANY: dict[Decimal, str] = {".": _any(r"\.", ","), ",": _any(",", r"\.")}
_UNDECIDED = r"^[+-]?[1-9]\d{0,2}[.,]\d{3}$"


def matches(texts: Texts, pattern: str) -> np.ndarray:
    """Return shape (n,), bool: which texts match; missing ones do not."""
    return np.asarray(pc.fill_null(pc.match_substring_regex(texts, pattern), False))


def tidy(texts: Texts, also_missing: tuple[str, ...] = ()) -> Texts:
    """Return the texts without blanks at either end, and null for what counts as missing."""
    trimmed = pc.utf8_trim_whitespace(texts)
    return pc.if_else(pc.is_in(trimmed, pa.array([*MISSING, *also_missing])), pa.scalar(None, pa.string()), trimmed)


def decimal_marks(texts: Texts) -> set[Decimal]:
    """Return the decimal marks that some of the texts can only be meant with; empty when none decides, both when they contradict."""
    marks: tuple[Decimal, ...] = (".", ",")
    return {mark for mark in marks if matches(texts, _ONLY[mark]).any()}


def majority_mark(texts: Texts) -> Decimal | None:
    """Return the decimal mark of most texts that decide it; None when none does or both are as frequent."""
    points, commas = (int(matches(texts, _ONLY[mark]).sum()) for mark in (".", ","))
    if points == commas:
        return None
    return "." if points > commas else ","


def undecided(texts: Texts) -> np.ndarray:
    """Return shape (n,), bool: which texts are numbers of two possible meanings, such as ``1.234``."""
    return matches(texts, _UNDECIDED)


def are_numbers(texts: Texts, decimal: Decimal) -> np.ndarray:
    """Return shape (n,), bool: which texts are numbers under this decimal mark."""
    return matches(texts, _ANY[decimal]) | matches(texts, _WORDS)


def to_float(texts: Texts, decimal: Decimal) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers, and which texts are one.

    Parameters
    ----------
    texts : tidy, null where missing

    Returns
    -------
    shape (n,) float64 with NaN where missing or no number; shape (n,) bool
    """
    good = are_numbers(texts, decimal)
    plain = canonical(pc.if_else(pa.array(good), _one(texts), pa.scalar(None, pa.string())), decimal)
    return np.asarray(pc.cast(plain, pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64), good


def canonical(texts: Texts, decimal: Decimal) -> Texts:
    """Return numbers without marks between thousands, without a plus sign, and with a decimal point."""
    other = r"\." if decimal == "," else ","
    plain = pc.replace_substring_regex(texts, rf"^\+|[{other}{_SPACES}]", "")
    return pc.replace_substring(plain, ",", ".") if decimal == "," else plain


def is_code(texts: Texts, numbers: Texts) -> bool:
    """Return whether a text is a code that must not become a number: leading zeros (``01234``, ``0x1A``), or more digits than a number keeps.

    Parameters
    ----------
    numbers : what the texts are as numbers; saves looking at texts that cannot be codes, such as all of 0.1 to 0.9
    """
    zeros = pc.starts_with(texts, "0")
    if floating := pa.types.is_floating(numbers.type):
        size = pc.abs(numbers)
        fraction = pc.and_(pc.less(size, 1), pc.greater_equal(size, 0.01))
        zeros = pc.or_(pc.and_(zeros, pc.invert(fraction)), pc.starts_with(texts, "00"))
    if pc.any(zeros).as_py() and matches(pc.filter(texts, zeros), r"^0[\dxX]").any():
        return True
    return bool(floating and pc.any(pc.greater(size, 1e17)).as_py() and matches(texts, r"^[+-]?\d{19,}$").any())


def _one(texts: Texts) -> pa.Array:
    return texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts

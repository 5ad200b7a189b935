"""What the texts of a column are: whole numbers, numbers, truth values, times, or texts. Decided from the whole column, never from a part."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts import numerals
from data_contracts.dates import looks_like_time, to_time
from data_contracts.numerals import Decimal, Texts
from leitstand.contract import EXACT_INTEGERS
from leitstand.errors import SourceError

SAMPLE_ROWS = 2000  # enough to see how a file writes its decimals; when these rows do not say, all are looked at


class Undecided(Exception):
    """A column of which 1.234 may mean two things."""

    def __init__(self, example: str) -> None:
        self.example = example


def type_columns(
    columns: Mapping[str, Texts], *, decimal: Decimal | None, as_text: frozenset[str], where: object
) -> pd.DataFrame:
    """Return the columns in the types that their texts have.

    Parameters
    ----------
    columns : the texts by column name; emptied on the way when it is a dict, so that not both forms stay in memory
    decimal : the decimal mark, when somebody said it; otherwise the columns say it
    as_text : columns that stay text though they look like numbers
    where : the source, named in the error

    Raises
    ------
    SourceError
        If nothing in the file says whether 1.234 is a thousand or a decimal.
    """
    marks = {decimal} if decimal else file_marks(columns)
    typed: dict[str, pd.Series] = {}
    for name in list(columns):
        texts = columns.pop(name) if isinstance(columns, dict) else columns[name]
        try:
            typed[name] = (
                to_text(numerals.tidy(texts)) if name in as_text else type_texts(texts, marks, given=decimal is not None)
            )
        except Undecided as undecided:
            raise SourceError("contracts.decimal_undecided", path=where, column=name, example=undecided.example) from undecided
    frame = pd.DataFrame(typed, copy=False)  # the columns are nobody else's
    frame.attrs["decimal"] = next(iter(marks)) if len(marks) == 1 else None
    return frame


def file_marks(columns: Mapping[str, Texts]) -> set[Decimal]:
    """Return the decimal marks that the file's numbers are written with."""
    for rows in (SAMPLE_ROWS, None):
        marks: set[Decimal] = set()
        for texts in columns.values():
            some = numerals.tidy(texts[:rows], numerals.MISSING_NUMBERS)
            if _only_numbers(some):
                marks |= numerals.decimal_marks(some)
        if marks:
            return marks
    return set()


def type_texts(texts: Texts, marks: set[Decimal], *, given: bool = False) -> pd.Series:
    """Return one column in the type that all its texts have.

    Parameters
    ----------
    marks : the decimal marks that the file is written with
    given : whether somebody said so; then no value may be written otherwise

    Raises
    ------
    Undecided
        If nothing says whether 1.234 is a thousand or a decimal.
    """
    if marks == {"."} and (quick := _cast(texts)) is not None:
        return quick
    clean = numerals.tidy(texts)
    strict = numerals.tidy(texts, numerals.MISSING_NUMBERS)
    if strict.null_count == len(strict):
        return to_text(clean)
    typed = _numbers(strict, marks, given)
    if typed is None:
        typed = _truths(strict)
    if typed is None and looks_like_time(strict):
        times = to_time(strict)
        typed = times if not (times.isna().to_numpy() & np.asarray(pc.is_valid(strict))).any() else None
    return to_text(clean) if typed is None else typed


def to_text(texts: Texts) -> pd.Series:
    """Return the texts as objects, None where missing."""
    made: pd.Series = texts.to_pandas().astype(object)
    return made.where(made.notna(), None)


def _cast(texts: Texts) -> pd.Series | None:
    """Return a column of numbers in the plain notation; None where it is something else. The fast way: no pattern is looked at."""
    for kind in (pa.int64(), pa.float64()):
        try:
            numbers = pc.cast(texts, kind)
        except pa.ArrowInvalid:
            continue
        if numbers.null_count == len(numbers) or numerals.is_code(texts, numbers) or would_be_rounded(numbers):
            return None
        made: pd.Series = numbers.to_pandas()
        return made
    return None


def would_be_rounded(numbers: Texts) -> bool:
    """Return whether whole numbers beyond what a float keeps would become floats, because one is missing: different ids would be the same."""
    return pa.types.is_integer(numbers.type) and 0 < numbers.null_count < len(numbers) and _largest(numbers) > EXACT_INTEGERS


def _largest(numbers: Texts) -> int:
    ends = pc.min_max(numbers).as_py()
    return max(abs(ends["min"]), abs(ends["max"]))


def _only_numbers(texts: Texts) -> bool:
    present = np.asarray(pc.is_valid(texts))
    return bool(present.any() and (numerals.are_numbers(texts, ".") | numerals.are_numbers(texts, ","))[present].all())


def _numbers(texts: Texts, marks: set[Decimal], given: bool) -> pd.Series | None:
    if not _only_numbers(texts):
        return None
    own = marks if given else numerals.decimal_marks(texts)
    if len(own) == 2:
        return None
    if not own and len(marks) != 1:
        open_to_both = numerals.undecided(texts)
        if open_to_both.any():
            raise Undecided(texts[int(open_to_both.argmax())].as_py())
    decimal = next(iter(own or (marks if len(marks) == 1 else {"."})))
    present = np.asarray(pc.is_valid(texts))
    if not numerals.are_numbers(texts, decimal)[present].all():
        return None
    return _cast(numerals.canonical(texts, decimal))


def _truths(texts: Texts) -> pd.Series | None:
    lower = pc.utf8_lower(texts)
    if not np.asarray(pc.fill_null(pc.is_in(lower, pa.array(["true", "false"])), True))[np.asarray(pc.is_valid(texts))].all():
        return None
    made: pd.Series = pc.equal(lower, "true").to_pandas()
    return made.astype("boolean") if texts.null_count else made.astype(bool)

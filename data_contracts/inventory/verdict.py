"""Is a data set good enough to learn from, as it is? Rules of thumb, each with its reason; a pilot decides."""

from data_contracts.inventory.found import DataSet, Level, Said, Verdict
from data_contracts.inventory.places import FILE_SETS

ROWS_PER_COLUMN = 10
"""Harrell, Regression Modeling Strategies (2015), 4.4: below 10 to 20 rows for each column a model learns the noise."""
FEWEST_ROWS = 50  # a fifth of them held out are ten, of which one more wrong one already is ten points
MOST_MISSING = 0.5
MOST_DUPLICATES = 0.2
MOST_CONSTANT = 0.5


def judge(one: DataSet) -> Verdict:
    """Return what the data set is good for; a table that could be read and has rows is never refused, only called thin."""
    if one.problem is not None:
        return Verdict("unusable", (Said("inventory.verdict_unreadable"),))
    rows = one.rows or 0
    useful = [column for column in one.columns if not column.constant and column.missing < (one.figures_of or rows)]
    if not useful and one.format not in FILE_SETS:
        return Verdict("unusable", (Said("inventory.verdict_nothing_varies"),))
    reasons: list[tuple[Level, Said]] = []
    needed = FEWEST_ROWS if one.format in FILE_SETS else max(FEWEST_ROWS, ROWS_PER_COLUMN * len(useful))
    if rows < needed and one.format in FILE_SETS:
        reasons.append(("thin", Said("inventory.verdict_few_files", {"files": rows, "needed": needed})))
    elif rows < needed:
        reasons.append(("thin", Said("inventory.verdict_few_rows", {"rows": rows, "needed": needed})))
    read = one.figures_of or rows
    empty = [column.name for column in one.columns if column.missing > MOST_MISSING * read]
    if empty:
        reasons.append(("thin", Said("inventory.verdict_missing", {"count": len(empty), "columns": ", ".join(empty[:5])})))
    if one.duplicates is not None and one.duplicates > MOST_DUPLICATES * read:
        reasons.append(("thin", Said("inventory.verdict_duplicates", {"share": f"{100 * one.duplicates / read:.0f}"})))
    constant = sum(column.constant for column in one.columns)
    if one.format not in FILE_SETS and constant > MOST_CONSTANT * len(one.columns):
        reasons.append(("thin", Said("inventory.verdict_constant", {"count": constant, "columns": len(one.columns)})))
    if not reasons and one.format in FILE_SETS:
        return Verdict("good", (Said("inventory.verdict_good_files", {"files": rows}),))
    if not reasons:
        return Verdict("good", (Said("inventory.verdict_good", {"rows": rows, "columns": len(useful)}),))
    return Verdict("thin", tuple(reason for _, reason in reasons))

"""A contract for own data that adopts what a template's contract says of columns of the same name."""

import pandas as pd

from data_contracts.checking import check
from data_contracts.inference import infer_contract
from leitstand.contract import Column, Contract


def adopt(template: Contract, frame: pd.DataFrame, *, source: str, time: str | None) -> Contract:
    """Propose a contract for own data: the template's definition of a column where the data keep it, otherwise a guess.

    A definition is kept unless more rows break it than the template's contract bears: then the column is called the same and is
    another one. The same holds for the key.

    Parameters
    ----------
    frame : as ``reading.read_source`` returns it
    source : where the rows came from; names the table
    time : the column that tells the time, if that is known
    """
    guessed = infer_contract(frame, name=template.id, source=source)
    shared = {column.name: column for column in template.columns if column.name in guessed.names}
    has_key = bool(template.primary_key) and all(name in shared for name in template.primary_key)
    unfit = _unfit({name: column if has_key else _no_key(column) for name, column in shared.items()}, template, frame)
    has_key = has_key and not unfit & {*template.primary_key, ", ".join(template.primary_key)}
    kept = {name: column if has_key else _no_key(column) for name, column in shared.items() if name not in unfit}
    own = {column.name: _no_key(column) if has_key else column for column in guessed.columns}
    columns = tuple((own | kept)[name] for name in guessed.names)
    time_column = time or guessed.time_column
    is_time = any(column.name == time_column and column.is_time for column in columns)
    freshness = template.freshness_hours if is_time else None
    return template.model_copy(
        update={"table": guessed.table, "columns": columns, "time_column": time_column, "freshness_hours": freshness}
    )


def _unfit(columns: dict[str, Column], template: Contract, frame: pd.DataFrame) -> set[str]:
    """Return the columns (for a key, its columns in one text) whose rules too many rows of the data break."""
    if not columns:
        return set()
    trial = Contract(id=template.id, table=template.table, columns=tuple(columns.values()), extra_columns="ignore")
    return {rule.column for rule in check(frame, trial).broken if rule.rows > template.max_quarantine_share * rule.total}


def _no_key(column: Column) -> Column:
    guesses = tuple(name for name in column.guesses if name != "primary_key_position")
    return column.model_copy(update={"primary_key_position": None, "guesses": guesses})

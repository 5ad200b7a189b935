"""Feeding the truth back by key and time, where nobody kept the ids of the answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import pandas as pd

from data_contracts.parsing import FALSE, TRUE, parse
from flows.workspace import Desk
from infra.label_reading import answers_with
from infra.prediction_log import LabelResult
from infra.pseudonyms import pseudonym_of
from leitstand.contract import Column, Contract
from leitstand.errors import UnknownName, UsageError
from leitstand.label_matching import Matched, match
from leitstand.texts import text

MOST_NAMED = 5


@dataclass(frozen=True)
class Labelled:
    """What became of a delivery of truths: which belonged where, and what was noted."""

    found: Matched
    noted: LabelResult


def label_by(
    desk: Desk,
    truth: pd.DataFrame,
    keys: Sequence[str],
    value: str,
    *,
    source: str,
    time: str | None = None,
    tolerance: timedelta | None = None,
) -> Labelled:
    """Note each truth for the one answer it belongs to; see ``leitstand.label_matching.match``.

    The time of an answer is that of its row (``data.time``) where requests send it, otherwise when it was given.

    Parameters
    ----------
    keys : columns of the truth and inputs of the project: what stands in the log is what a request sent, so a column that
        the model never learns from (``data.drop``) is no key
    value, time : columns of the truth
    source : where it comes from, kept with each label

    Raises
    ------
    UnknownName
        If the truth lacks a column, or the project has no such input.
    UsageError
        If a truth has not the form that the contract gives the target. No label is kept then.
    Busy, StateError
        If the prediction log stayed locked, or cannot be reached or written. No label is kept then.
    """
    contract = desk.project.input_contract
    for name in (*keys, value, *([time] if time else [])):
        if name not in truth.columns:
            raise UnknownName("column", name, list(truth.columns))
    for name in keys:
        if name not in contract.names:
            raise UnknownName("column", name, contract.names)
    columns = [contract.column(name) for name in keys]
    moment = desk.project.spec.data.time if time and desk.project.spec.data.time in contract.names else None
    names = list(dict.fromkeys([*keys, *([moment] if moment else [])]))
    answers = answers_with(desk.log.database, desk.project.name, names)
    answers = answers.assign(time=answers["_at"] if moment is None else answers[moment].fillna(answers["_at"]))
    known = truth.assign(**{column.name: _as_logged(desk, truth[column.name], column) for column in columns})
    plain = [column.model_copy(update={"type": "string"}) if column.is_pseudonymised else column for column in columns]
    known = known.assign(**{value: checked_truths(desk, truth[value])})
    found = match(answers, known, plain, value, time=time, tolerance=tolerance)
    return Labelled(found, desk.log.label(desk.project.name, found.labels, source=source))


def checked_truths(desk: Desk, truth: pd.Series) -> pd.Series:
    """Return truths as the contract types the target; missing stays missing.

    Raises
    ------
    UsageError
        If one has not that form; names the first rows, counted from 1.
    """
    given = truth.dropna()
    values, bad = typed_truths(desk, given)
    if bad.any():
        language, column = desk.settings.language, desk.project.contract.column(desk.project.spec.data.target)
        rows = truth.set_axis(range(1, len(truth) + 1)).dropna()[bad.to_numpy()][:MOST_NAMED]
        examples = ", ".join(text("monitoring.labels_form_row", language, row=row, found=found) for row, found in rows.items())
        raise UsageError(
            "monitoring.labels_form",
            count=int(bad.sum()),
            rows=len(truth),
            column=column.name,
            expected=expected(column),
            examples=examples,
        )
    return values.reindex(truth.index)


def typed_truths(desk: Desk, given: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return truths as the contract types the target, and which of them have not that form or are none of the values that there may be.

    Of an anomaly, ``true`` and ``false`` say too whether the row was one.

    Parameters
    ----------
    given : as a person types them or a table holds them, none missing
    """
    spec = desk.project.spec
    column = desk.project.contract.column(spec.data.target)
    plain = given.map(lambda value: value.strip() if isinstance(value, str) else value).reset_index(drop=True)
    alone = Contract(id=column.name, table=column.name, columns=(column.model_copy(update={"required": False, "unique": False}),))
    values = parse(pd.DataFrame({column.name: plain}), alone)[0][column.name]
    bad = values.isna() | ~values.isin(list(column.allowed)) if column.allowed else values.isna()
    typed = values.map(lambda value: value.item() if hasattr(value, "item") else value).astype(object)
    if spec.task == "anomaly":
        low = plain.astype(str).str.lower()
        said = low.isin([*TRUE[:4], *FALSE[:4]]) & ~plain.isin(list(column.allowed))
        typed, bad = typed.mask(said, low.isin(TRUE)), bad & ~said
    return typed.set_axis(given.index), bad.set_axis(given.index)


def expected(column: Column) -> str:
    """Return what the values of a column may be, for people."""
    return ", ".join(map(str, column.allowed)) if column.allowed else column.type


def _as_logged(desk: Desk, values: pd.Series, column: Column) -> pd.Series:
    """Return the values as the log keeps them: under their pseudonym where persons are not named."""
    if not column.is_pseudonymised:
        return values
    return values.map(lambda value: pseudonym_of(desk.settings, column.name, value), na_action="ignore")

"""Feeding the truth back by key and time, where nobody kept the ids of the answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import pandas as pd

from flows.workspace import Desk
from infra.label_reading import answers_with
from infra.prediction_log import LabelResult
from infra.pseudonyms import pseudonym_of
from leitstand.contract import Column
from leitstand.errors import UnknownName
from leitstand.label_matching import Matched, match


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
    found = match(answers, known, plain, value, time=time, tolerance=tolerance)
    return Labelled(found, desk.log.label(desk.project.name, found.labels, source=source))


def _as_logged(desk: Desk, values: pd.Series, column: Column) -> pd.Series:
    """Return the values as the log keeps them: under their pseudonym where persons are not named."""
    if not column.is_pseudonymised:
        return values
    return values.map(lambda value: pseudonym_of(desk.settings, column.name, value), na_action="ignore")

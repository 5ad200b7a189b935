"""What a person says about a doubtful answer: right, or what it should have been."""

from typing import Any

import pandas as pd

from flows.workspace import Desk
from infra.reviews import Doubtful, Reviews
from leitstand.contract import Column, Contract
from leitstand.errors import UnknownName, UsageError

FLAGS = ("outside_training_range", "below_confidence_floor", "fallback_used")


def doubtful(desk: Desk, *, flag: str | None = None, limit: int = 50, settled: bool = False) -> list[Doubtful]:
    """Return the flagged answers that wait for a person, newest first; see ``Reviews.waiting``.

    Raises
    ------
    UnknownName
        If there is no such flag.
    """
    if flag is not None and flag not in FLAGS:
        raise UnknownName("flag", flag, FLAGS)
    reviews = open_reviews(desk)
    try:
        return reviews.waiting(desk.project.name, flag=flag, limit=limit, settled=settled)
    finally:
        reviews.close()


def review_answer(desk: Desk, id: str, *, who: str, truth: str | None = None) -> Doubtful:
    """Keep a person's verdict on an answer, as its label too, and return the answer as it stands then.

    Parameters
    ----------
    truth : what the answer should have been, as a person types it; None says that it was right. Of a number that is no label: it was good
        enough, which is not the same as true

    Raises
    ------
    UnknownName
        If the project never gave this answer.
    UsageError
        If the truth has not the form that the contract gives the target.
    """
    name, reviews = desk.project.name, open_reviews(desk)
    try:
        found = reviews.find(name, id)
        label = found.prediction if truth is None else typed_truth(desk, truth)
        if truth is not None or desk.project.spec.task != "regression":
            desk.log.label(name, {id: label}, source=f"review:{who}")
        reviews.settle(name, id, "right" if truth is None else "corrected", who=who)
        return reviews.find(name, id)
    finally:
        reviews.close()


def typed_truth(desk: Desk, truth: str) -> Any:
    """Return the truth as the contract types the target; for an anomaly also ``true`` and ``false`` for whether the row was one.

    Raises
    ------
    UsageError
        If it has not that form, or is none of the values that there may be.
    """
    from data_contracts.parsing import FALSE, TRUE, parse

    spec = desk.project.spec
    column = desk.project.contract.column(spec.data.target)
    low = truth.strip().lower()
    if spec.task == "anomaly" and low in (*TRUE[:4], *FALSE[:4]) and truth not in column.allowed:
        return low in TRUE
    alone = Contract(id=column.name, table=column.name, columns=(column.model_copy(update={"required": False, "unique": False}),))
    values, broken = parse(pd.DataFrame({column.name: [truth.strip()]}), alone)
    value = values[column.name].iloc[0]
    if broken or pd.isna(value) or (column.allowed and value not in column.allowed):
        raise UsageError("review.truth_form", found=truth, column=column.name, expected=_expected(column))
    return value.item() if hasattr(value, "item") else value


def open_reviews(desk: Desk) -> Reviews:
    """Return the review list of the desk's settings."""
    return Reviews(desk.settings.database("predictions"))


def _expected(column: Column) -> str:
    return ", ".join(map(str, column.allowed)) if column.allowed else column.type

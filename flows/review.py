"""What a person says about a doubtful answer: right, or what it should have been."""

from typing import Any

import pandas as pd

from flows.labelling import expected, typed_truths
from flows.workspace import Desk
from infra.reviews import Doubtful, Reviews
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
    """Return the truth as the contract types the target, see ``labelling.typed_truths``.

    Raises
    ------
    UsageError
        If it has not that form, or is none of the values that there may be.
    """
    values, bad = typed_truths(desk, pd.Series([truth]))
    if bad.any():
        column = desk.project.contract.column(desk.project.spec.data.target)
        raise UsageError("review.truth_form", found=truth, column=column.name, expected=expected(column))
    return values.iloc[0]


def open_reviews(desk: Desk) -> Reviews:
    """Return the review list of the desk's settings."""
    return Reviews(desk.settings.database("predictions"))

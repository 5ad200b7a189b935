"""The prediction log as a table: one column per input and per part of the answer."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from infra.prediction_tables import HEAD

ANSWER = ("prediction", "score", "lower", "upper", "flags")
OWN_COLUMNS = (*HEAD, *ANSWER, "label", "label_time")
_NUMBERS = ["score", "lower", "upper"]


def flat(rows: Sequence[Any]) -> pd.DataFrame:
    """Return the rows of ``prediction_tables.with_latest_label`` with inputs and answers as columns of their own."""
    head = pd.DataFrame([row[: len(HEAD)] for row in rows], columns=list(HEAD))
    head["time"] = pd.to_datetime(head["time"], utc=True)
    head["latency_ms"] = head["latency_ms"].astype("float64")
    inputs = pd.DataFrame([row.inputs for row in rows], index=head.index)
    inputs.columns = [f"input_{name}" if _is_own(name) else name for name in inputs.columns]
    outputs = [row.output for row in rows]
    answers = pd.DataFrame({name: [output[name] for output in outputs] for name in ANSWER}, index=head.index)
    answers[_NUMBERS] = answers[_NUMBERS].astype("float64")
    chances = pd.DataFrame([output["probabilities"] or {} for output in outputs], index=head.index).add_prefix("probability_")
    labels = pd.DataFrame(
        {"label": [row.label for row in rows], "label_time": [row.label_time for row in rows]}, index=head.index
    )
    labels["label_time"] = pd.to_datetime(labels["label_time"], utc=True)
    return pd.concat([head, inputs, answers, chances, labels], axis=1)


def logged_inputs(window: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return the input columns of what ``PredictionLog.read`` gave, under the names they have in the contract.

    A name that no logged row had becomes a column without values.
    """
    columns = {name: f"input_{name}" if f"input_{name}" in window.columns else name for name in names}
    taken = {name: window[stored] for name, stored in columns.items() if stored in window.columns and not _is_own(stored)}
    return pd.DataFrame(
        {name: taken.get(name, pd.Series(None, index=window.index, dtype=object)) for name in names}, index=window.index
    )


def _is_own(name: str) -> bool:
    return name in OWN_COLUMNS or name.startswith("probability_")

"""Example rows for the API document and the page: values that the contract takes, and typical ones where the training data tell."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from leitstand.contract import Column, Contract, Scalar
from leitstand.project import Project
from serving.schema import example, predict_model

FEWEST_ROWS = 10  # a value is shown only if at least so many rows have it: nobody's own row may shine through
FIGURES = 4  # significant ones of a number


def typical(contract: Contract, reference: pd.DataFrame) -> dict[str, Scalar]:
    """Return what is usual in the reference rows: the median of numbers, the most frequent text or truth value.

    Columns of personal data, dates, files, and columns without a value that several rows share are left out.
    """
    found = {
        column.name: _usual(column, reference[column.name].dropna())
        for column in contract.columns
        if not column.is_guarded and column.name in reference.columns
    }
    return {name: value for name, value in found.items() if value is not None}


def example_row(project: Project, usual: Mapping[str, Scalar] | None = None) -> dict[str, Any]:
    """Return one row that the project's service takes, as JSON values.

    Parameters
    ----------
    usual : from ``typical``; a value that the contract refuses is passed over

    Returns
    -------
    a row without the columns for which no valid value is known, such as a text with a pattern that nothing usual matches.
    """
    shown = example(project.input_contract)
    row = shown | {name: value for name, value in (usual or {}).items() if name in shown}
    for name in refused(project, row):
        row[name] = shown[name]
    broken = refused(project, row)
    return {name: value for name, value in row.items() if name not in broken}


def refused(project: Project, row: Mapping[str, Any]) -> set[str]:
    """Return the columns whose value the service would refuse, also those that are missing."""
    try:
        predict_model(project).model_validate_json(json.dumps({"rows": [row]}))
    except ValidationError as error:
        return {str(item["loc"][2]) for item in error.errors() if len(item["loc"]) > 2}
    return set()


def _usual(column: Column, values: pd.Series) -> Scalar | None:
    if len(values) < FEWEST_ROWS or column.type in ("date", "timestamp", "file"):
        return None
    if column.is_number and not column.allowed:
        middle = float(f"{np.median(values.to_numpy(dtype=float)):.{FIGURES}g}")
        return round(middle) if column.type == "integer" else middle
    counts = values.value_counts()
    if counts.iloc[0] < FEWEST_ROWS:
        return None
    most = counts.index[0]
    if column.type == "boolean":
        return bool(most)
    if column.type == "integer":
        return int(most)
    return float(most) if column.type == "number" else str(most)

"""A trained model as a plain function of a table, with each column of the table assigned to a column of the contract."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from leitstand.conforming import conform
from leitstand.errors import DataError
from leitstand.mixing import Table
from leitstand.model import TrainedModel, anomaly_score, tempered
from leitstand.origins import contract_column, encoded_origins, separable
from leitstand.project import Project

TRIED_ON = 100  # rows that show whether encoding takes every column by itself


class Unpacked:
    """The encoding steps of a model, and what comes after them.

    Where the steps take every column by itself, rows are mixed after encoding, which saves encoding every mixture; otherwise (principal components,
    an imputer that looks at the neighbours) the table holds the model inputs themselves.

    Parameters
    ----------
    model, project : the model and its project
    inputs : some model inputs to try the encoding on
    """

    def __init__(self, model: TrainedModel, project: Project, inputs: pd.DataFrame) -> None:
        self.task, self.temperature = model.card.task, model.card.temperature
        self._encoding, self.last, origins = _taken_apart(model.estimator, inputs.head(TRIED_ON))
        known = project.input_contract.names
        followed = [contract_column(name, known) for name in origins]
        self.columns = list(dict.fromkeys(followed))
        self.players = np.array([self.columns.index(name) for name in followed])
        self.looks_back = {column for column, name in zip(followed, origins, strict=True) if column != name}

    def table(self, inputs: pd.DataFrame) -> Table:
        """Return the table that stands for some model inputs."""
        return inputs.reset_index(drop=True) if self._encoding is None else _encoded(self._encoding, inputs)

    def answers(self, table: Table) -> np.ndarray:
        """Return shape (n, k): the probability of every class, or (n, 1): the number or the anomaly score."""
        if self.task == "classification":
            return tempered(self.last.predict_proba(table), self.temperature)
        if self.task == "regression":
            return np.asarray(self.last.predict(table), dtype=float)[:, None]
        return anomaly_score(self.last, table)[:, None]

    def answer(self, output: int, table: Table) -> np.ndarray:
        """Return shape (n,): one column of the answers."""
        answers: np.ndarray = self.answers(table)[:, output]
        return answers


def model_inputs(model: TrainedModel, project: Project, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the model inputs of a frame that holds them already, or else of its contract columns.

    Raises
    ------
    DataError
        If features would have to be made of files that are not there.
    """
    names = list(model.card.feature_names)
    settled = conform(frame, project.input_contract)
    if set(names) <= set(frame.columns):
        return pd.DataFrame({name: (settled if _as_in_contract(project, name) else frame)[name] for name in names})
    files = [
        column.name for column in project.input_contract.columns if column.type == "file" and column.name not in frame.columns
    ]
    if files:
        raise DataError("explain.files_missing", project=project.name, columns=", ".join(files))
    return project.features(settled)[names]


def _as_in_contract(project: Project, name: str) -> bool:
    return name in project.input_contract.names and not project.defines("features")


def _taken_apart(estimator: Any, inputs: pd.DataFrame) -> tuple[Pipeline | None, Any, Sequence[str]]:
    """Return the longest part at the beginning that takes every column by itself, what follows it, and the input behind each column between."""
    names = [str(name) for name in inputs.columns]
    if isinstance(estimator, Pipeline):
        for stop in range(len(estimator.steps) - 1, 0, -1):
            head = estimator[:stop]
            origins = encoded_origins(head, names)
            if origins is not None and _plain(head, inputs) and separable(partial(_encoded, head), inputs, origins):
                return head, estimator[-1] if stop == len(estimator.steps) - 1 else estimator[stop:], origins
    return None, estimator, names


def _plain(head: Pipeline, inputs: pd.DataFrame) -> bool:
    """Say whether the encoding ends in numbers without names."""
    encoded = head.transform(inputs)
    return not isinstance(encoded, pd.DataFrame) and encoded.dtype.kind in "fiub"


def _encoded(head: Pipeline, inputs: pd.DataFrame) -> np.ndarray:
    encoded = head.transform(inputs)
    dense: np.ndarray = encoded.toarray() if hasattr(encoded, "toarray") else encoded
    return dense

"""The nearest training examples of a row: what the model has seen that looks most like it, and how it ended there."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from leitstand.conforming import conform
from leitstand.contract import Scalar
from leitstand.errors import DataError
from leitstand.explanation import given
from leitstand.model import TrainedModel
from leitstand.origins import contract_column
from leitstand.project import Project

LABEL = "label"
FARTHEST = 1e150  # standard deviations; the square of more is no float


@dataclass(frozen=True)
class Example:
    """A training row that is near.

    Parameters
    ----------
    values : by column of the contract; personal data and files are left out
    label : how it ended; None where that is not known, or is personal data itself
    distance : root mean square over the columns that are compared; 1 is one standard deviation in each of them, or another category
    """

    values: dict[str, Scalar | None]
    label: Scalar | None
    distance: float


class Examples:
    """Training rows made ready to be searched; safe to use from several threads.

    Compared is what the model looks at, as far as the rows hold it: the model inputs, without those of columns that the contract classifies as
    personal data, so that nothing can be learned of a person by asking around.

    Parameters
    ----------
    model, project : the model and its project
    rows : columns of the contract, model inputs, or both; the truth under ``label``

    Raises
    ------
    DataError
        If the rows hold nothing that the model looks at.
    """

    def __init__(self, model: TrainedModel, project: Project, rows: pd.DataFrame) -> None:
        self._model, self._project = model, project
        inputs = pd.DataFrame() if rows.empty else self._inputs(rows)
        classified = {column.name for column in project.contract.columns if column.is_guarded}
        known = project.input_contract.names
        self._names = [name for name in inputs.columns if contract_column(name, known) not in classified]
        if inputs.empty or not self._names:
            raise DataError("explain.no_examples", project=project.name)
        target = project.contract.column(project.spec.data.target)
        self._labels = rows[LABEL].tolist() if LABEL in rows.columns and target.name not in classified else [None] * len(rows)
        shown = [
            column
            for column in project.input_contract.columns
            if column.name in rows.columns and column.name not in classified and column.type != "file"
        ]
        self._columns = {column.name: column for column in shown}
        self._rows = conform(rows, project.input_contract)[list(self._columns)]
        self._space = {name: _Axis(inputs[name]) for name in self._names}

    def nearest(self, inputs: pd.DataFrame, count: int) -> list[list[Example]]:
        """Return for each row of model inputs its ``count`` nearest examples, the nearest first."""
        found = []
        for i in range(len(inputs)):
            squares = np.zeros(len(self._rows))
            for name, axis in self._space.items():
                squares += axis.squares(inputs[name].iloc[i])
            distances = np.sqrt(squares / len(self._space))
            found.append([self._example(int(place), distances[place]) for place in np.argsort(distances, kind="stable")[:count]])
        return found

    def _example(self, place: int, distance: float) -> Example:
        row = self._rows.iloc[place]
        values = {name: given(row[name], column) for name, column in self._columns.items()}
        return Example(values, given(self._labels[place], None), float(distance))

    def _inputs(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the model inputs that the rows hold or that can be made of them one by one."""
        names, settled = list(self._model.card.feature_names), conform(rows, self._project.input_contract)
        known = [name for name in names if name in rows.columns]
        files = any(column.type == "file" for column in self._project.input_contract.columns)
        if len(known) < len(names) and not files and not self._project.spec.data.history_rows:
            return self._project.features(settled)[names]
        return pd.DataFrame({name: settled[name] if name in settled.columns else rows[name] for name in known}, index=rows.index)


class _Axis:
    """One model input, standardised: numbers and times by their standard deviation, everything else by being the same or not."""

    def __init__(self, values: pd.Series) -> None:
        self._times = pd.api.types.is_datetime64_any_dtype(values)
        self._numeric = self._times or pd.api.types.is_numeric_dtype(values)
        if not self._numeric:
            self._values = values.astype(object).where(values.notna(), None).to_numpy()
            return
        numbers = self._number(values)
        present = numbers[np.isfinite(numbers)]
        spread = present.std() if len(present) else 0.0
        self._scale = spread if spread > 0 else 1.0
        self._values = numbers / self._scale

    def squares(self, value: object) -> np.ndarray:
        """Return shape (n,): squared distances; a gap is 1 away from any value and 0 from another gap."""
        if not self._numeric:
            missing = value is None or value != value
            same = np.array([each is None if missing else each == value for each in self._values], dtype=bool)
            return np.where(same, 0.0, 1.0)
        number = self._number(pd.Series([value]))[0] / self._scale
        gaps = np.isnan(self._values)
        if np.isnan(number):
            return np.where(gaps, 0.0, 1.0)
        return np.where(gaps, 1.0, np.minimum(np.abs(self._values - number), FARTHEST) ** 2)

    def _number(self, values: pd.Series) -> np.ndarray:
        if self._times:
            days = (pd.to_datetime(values) - pd.Timestamp(0)).dt.total_seconds() / 86400
            return days.to_numpy(dtype=float)
        return values.to_numpy(dtype=float)

"""The model's answers to a chunk of checked rows, as columns beside them."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from data_contracts.chunk_checking import Checked
from leitstand.contract import Contract
from leitstand.errors import DataError
from leitstand.model import TrainedModel
from leitstand.prediction import Predictions
from leitstand.project import Project
from serving.answers import plain

ROW_DIGITS = 8  # hexadecimal; 4 billion rows
OUTSIDE = "outside_training_range:"
_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)


class Answerer:
    """Answers chunk after chunk; the answers are those of one prediction of all rows at once.

    Where features look back, the last ``data.history_rows`` rows of every series stand before the next chunk and are answered no second time.

    Parameters
    ----------
    ids : the beginning of all prediction ids; the number of the row in the source is their end
    history : the rows before the first chunk, conformed
    single : whether all rows come in one chunk, so that they need be in no order
    """

    def __init__(
        self, project: Project, model: TrainedModel, ids: str, *, history: pd.DataFrame | None = None, single: bool = True
    ) -> None:
        self._project, self._model, self._ids, self._single = project, model, ids, single
        self.history = history

    def answer(self, checked: Checked) -> tuple[Any, int]:
        """Return the rows with the answers as further columns, and how many are flagged.

        An own column that the table has already is named ``leitstand_<name>``. ``flags`` is a list of texts.

        Raises
        ------
        DataError
            If features look back and the rows are not in time order.
        """
        settled = conformed(checked.table, self._project.input_contract)
        before = 0 if self.history is None else len(self.history)
        seen = settled if not before else pd.concat([self.history, settled], ignore_index=True)
        looks_back = self._project.spec.data.history_rows > 0
        if looks_back and not self._single:
            self._require_order(seen, checked.rows, before)
        features = self._project.features(seen) if self._project.defines("features") else seen
        names = list(self._model.card.feature_names)
        predictions = self._model.of_inputs(features if list(features.columns) == names else features[names])
        if before:
            predictions = predictions.take(np.arange(before, len(seen)))
        self.history = self._last_rows(seen) if looks_back else None
        flags, flagged = self._flags(settled, predictions)
        columns = {"prediction_id": prediction_ids(self._ids, checked.rows), **_columns(predictions), "flags": flags}
        columns["advice"] = self._advice(settled, predictions, flags)
        made = checked.table
        for name, values in columns.items():
            made = made.append_column(f"leitstand_{name}" if name in checked.table.column_names else name, values)
        return made, flagged

    def _flags(self, settled: pd.DataFrame, predictions: Predictions) -> tuple[Any, int]:
        """Return a list of texts per row, as the prediction log keeps them, and how many rows have any."""
        told, doubts = [], []
        for name, (low, high) in self._model.card.ranges.items():
            if name in settled.columns:
                values = settled[name].to_numpy()
                if np.fmin.reduce(values) < low or np.fmax.reduce(values) > high:
                    told.append(f"{OUTSIDE}{name}")
                    doubts.append((values < low) | (values > high))
        floor = self._project.spec.serving.confidence_floor
        if floor is not None and predictions.probabilities is not None:
            told.append("below_confidence_floor")
            doubts.append(predictions.probabilities.max(axis=1) < floor)
        if not doubts:
            return pa.array([[]] * len(settled), type=pa.list_(pa.string())), 0
        flagged = np.flatnonzero(np.logical_or.reduce(doubts))
        bits = np.packbits(np.column_stack([doubt[flagged] for doubt in doubts]), axis=1)
        patterns, which = np.unique(bits, axis=0, return_inverse=True)
        unpacked = np.unpackbits(patterns, axis=1, count=len(doubts)).astype(bool)
        names = np.array(told, dtype=object)
        texts = pa.array([[], *(names[pattern].tolist() for pattern in unpacked)], type=pa.list_(pa.string()))
        place = np.zeros(len(settled), dtype=np.int64)  # most rows have none
        place[flagged] = which.ravel() + 1
        return texts.take(pa.array(place)), len(flagged)

    def _advice(self, settled: pd.DataFrame, predictions: Predictions, flags: Any) -> Any:
        if not self._project.defines("advise"):
            return pa.nulls(len(settled), pa.string())
        outside = tuple(
            tuple(flag.removeprefix(OUTSIDE) for flag in of_row if flag.startswith(OUTSIDE)) for of_row in flags.to_pylist()
        )
        advice = self._project.advise(settled, replace(predictions, outside=outside))
        told = [None if one is None else json.dumps(plain(one), ensure_ascii=False) for one in advice]
        return pa.array(told, type=pa.string())

    def _require_order(self, seen: pd.DataFrame, rows: np.ndarray, before: int) -> None:
        data = self._project.spec.data
        if data.time is None or data.time not in seen.columns:
            return
        times = seen[data.time].to_numpy()
        series = self._series(seen)
        order = np.argsort(series, kind="stable")
        back = (series[order][1:] == series[order][:-1]) & (times[order][1:] < times[order][:-1])
        if back.any():
            place = int(order[1:][back].min())
            row = int(rows[max(place - before, 0)])
            raise DataError("batch.unsorted", row=row, time=str(seen[data.time].iloc[place]), column=data.time)

    def _series(self, seen: pd.DataFrame) -> np.ndarray:
        name = self._project.spec.data.series
        if name is None or name not in seen.columns:
            return np.zeros(len(seen), dtype=int)
        return pd.factorize(seen[name], use_na_sentinel=False)[0]

    def _last_rows(self, seen: pd.DataFrame) -> pd.DataFrame:
        kept = seen.groupby(self._series(seen), sort=False).tail(self._project.spec.data.history_rows)
        return kept.reset_index(drop=True)


def conformed(table: Any, contract: Contract) -> pd.DataFrame:
    """Return checked rows as ``leitstand.conforming.conform`` would, without a copy per column: the numbers are one block."""
    numbers = [column.name for column in contract.columns if column.type in ("integer", "number", "boolean")]
    block = np.empty((len(numbers), table.num_rows))  # as pandas keeps it
    for place, name in enumerate(numbers):
        column = table.column(name)
        values = column.cast(pa.float64()) if pa.types.is_boolean(column.type) else column
        block[place] = values.to_numpy()
    frame = pd.DataFrame(block.T, columns=pd.Index(numbers, dtype=object), copy=False)
    if len(numbers) == len(contract.columns):
        return frame
    others = {column.name: _other(table.column(column.name)) for column in contract.columns if column.name not in numbers}
    return pd.concat([frame, pd.DataFrame(others, index=frame.index)], axis=1)[contract.names]


def _other(column: Any) -> pd.Series:
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return pd.Series(column.cast(pa.timestamp("ns")).to_numpy())
    return pd.Series(column.to_numpy(), dtype=object)


def id_column(names: list[str]) -> str:
    """Return the column that holds our ids: it is called otherwise where the data have one of its name."""
    return "leitstand_prediction_id" if "leitstand_prediction_id" in names else "prediction_id"


def prediction_ids(beginning: str, rows: np.ndarray) -> Any:
    """Return the ids of rows by their numbers in the source; the beginning has 28 signs of a UUID."""
    signs = np.empty((len(rows), len(beginning) + ROW_DIGITS), dtype=np.uint8)
    signs[:, : len(beginning)] = np.frombuffer(beginning.encode(), dtype=np.uint8)
    for place in range(ROW_DIGITS):
        signs[:, -1 - place] = _HEX[(rows >> (4 * place)) & 15]
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * signs.shape[1]
    return pa.StringArray.from_buffers(len(rows), pa.py_buffer(offsets), pa.py_buffer(signs.ravel()))


def _columns(predictions: Predictions) -> dict[str, Any]:
    columns = {"prediction": predictions.value, "score": predictions.score}
    if predictions.probabilities is not None:
        columns |= {f"probability_{name}": predictions.probabilities[:, i] for i, name in enumerate(predictions.classes)}
    columns |= {"lower": predictions.lower, "upper": predictions.upper}
    return {name: pa.array(np.ascontiguousarray(values)) for name, values in columns.items() if values is not None}

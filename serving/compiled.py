"""The compiled form of a model: what the service answers with, where it was shown to answer as the original does.

Of libraries it needs ONNX Runtime and numpy only. ``serving.compiling`` makes it. A folder of two files: ``model.onnx``, a graph over one matrix
of float64, and ``compiled.json``, which says what stands in its columns and how the comparison with the original ended.
"""

import ctypes
import hashlib
import hmac
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from pydantic import ValidationError

from leitstand.errors import DataError, ModelError, TamperedModel
from serving.compilation import Compilation, Input

if TYPE_CHECKING:
    import pandas as pd

    Table = pd.DataFrame | Mapping[str, Any] | np.ndarray

GRAPH_FILE, NOTE_FILE = "model.onnx", "compiled.json"
ROWS_AT_ONCE = 256  # bounds what a kernel machine of thousands of vectors holds at a time; more rows are not answered faster
MISSING, UNKNOWN, FIRST_VALUE = 0.0, 1.0, 2.0  # how a text stands in the matrix: the last is the first of ``Input.values``
ERRORS_ONLY = 3


class CompiledEstimator:
    """A model that answers as scikit-learn's would; safe to use from several threads.

    Every method takes a frame or mapping of columns, or a float64 array of shape (n, k) in the order of ``Compilation.inputs`` where all of
    them are numbers (an array costs least).

    Parameters
    ----------
    graph : content of ``model.onnx``
    threads : that work on one call; with one, calls from several threads do not get into each other's way
    """

    def __init__(self, graph: bytes, compilation: Compilation, threads: int = 1) -> None:
        self.compilation = compilation
        self.classes_ = np.asarray(compilation.classes)
        self._names = [column.name for column in compilation.inputs]
        self._numbers = all(column.kind == "number" for column in compilation.inputs)
        self._no_gaps = _places(compilation)
        self._codes = {column.name: _codes(column) for column in compilation.inputs if column.kind == "text"}
        self._session = _session(graph, threads)

    def predict_proba(self, X: "Table") -> np.ndarray:
        """Return shape (n, classes)."""
        return self._answer(X, "probabilities")

    def predict(self, X: "Table") -> np.ndarray:
        """Return shape (n,): the classes or the numbers."""
        if self.compilation.output == "probabilities":
            classes: np.ndarray = self.classes_[self.predict_proba(X).argmax(axis=1)]
            return classes
        return self._answer(X, "value")[:, 0]

    def score_samples(self, X: "Table") -> np.ndarray:
        """Return shape (n,): the lower, the more anomalous."""
        return self._answer(X, "score")[:, 0]

    def matrix(self, X: "Table") -> np.ndarray:
        """Return what the graph sees, shape (n, k) of float64: numbers as they are, texts as codes, dates as four parts.

        Raises
        ------
        ValueError
            If an array has another number of columns than the model, or the model takes not only numbers.
        """
        if isinstance(X, np.ndarray):
            if not self._numbers or X.ndim != 2 or X.shape[1] != len(self._names):
                raise ValueError(f"an array must be of shape (n, {len(self._names)}) and the model's inputs numbers only")
            return X
        if self._numbers and not isinstance(X, Mapping):
            chosen = X if list(X.columns) == self._names else X[self._names]  # choosing columns takes longer than answering
            numbers: np.ndarray = chosen.to_numpy(dtype=np.float64)
            return numbers
        made = np.empty((len(X[self._names[0]]), sum(column.width for column in self.compilation.inputs)))
        start = 0
        for column in self.compilation.inputs:
            made[:, start : start + column.width] = self._column(column, X[column.name])
            start += column.width
        return made

    def _column(self, column: Input, values: Any) -> np.ndarray:
        if column.kind == "date":
            return date_parts(values)
        if column.kind == "number":
            return np.asarray(values, dtype=np.float64)[:, None]
        codes = self._codes[column.name]
        return np.array([[codes.get(value, UNKNOWN) if value == value else MISSING] for value in values])

    def _answer(self, X: "Table", output: str) -> np.ndarray:
        if self.compilation.output != output:
            raise AttributeError(f"the model answers with {self.compilation.output}, not with {output}")
        matrix = self.matrix(X)
        if self._refuses(matrix):
            raise DataError("compiling.no_answer")
        if len(matrix) <= ROWS_AT_ONCE:
            answer = self._run(matrix)
        else:
            starts = range(0, len(matrix), ROWS_AT_ONCE)
            answer = np.concatenate([self._run(matrix[start : start + ROWS_AT_ONCE]) for start in starts])
        if np.isnan(answer).any():  # scikit-learn refuses such rows before it computes
            raise DataError("compiling.no_answer")
        return answer

    def _refuses(self, matrix: np.ndarray) -> bool:
        """Return whether the original would refuse one of the rows: the graph itself has an answer to everything."""
        if len(self._no_gaps) and np.isnan(matrix[:, self._no_gaps]).any():
            return True
        return self.compilation.most is not None and bool((np.abs(matrix) > self.compilation.most).any())

    def _run(self, matrix: np.ndarray) -> np.ndarray:
        answer: np.ndarray = self._session.run(None, {"X": np.ascontiguousarray(matrix, dtype=np.float64)})[0]
        return answer


def _places(compilation: Compilation) -> np.ndarray:
    """Return the columns of the matrix in which nothing may be missing."""
    places, start = [], 0
    for column in compilation.inputs:
        if column.name in compilation.no_gaps:
            places.append(start)
        start += column.width
    return np.asarray(places, dtype=np.intp)


def load_compiled(folder: Path, model_sha256: str, threads: int = 1) -> CompiledEstimator | None:
    """Return the compiled form in ``folder``; None where there is none, or it does not answer as the original does.

    Parameters
    ----------
    model_sha256 : of the original that it has to have been made from
    threads : see ``CompiledEstimator``

    Raises
    ------
    TamperedModel
        If the graph is missing or not the one that was compared with the original, or was made from another model.
    ModelError
        If ``compiled.json`` cannot be read.
    """
    compilation = read_compilation(folder)
    if compilation is None or not compilation.used:
        return None
    path = folder / GRAPH_FILE
    if not hmac.compare_digest(compilation.model_sha256, model_sha256):
        found = compilation.model_sha256
        raise TamperedModel("compiling.other_model", path=folder, expected=model_sha256[:12], found=found[:12])
    try:
        graph = path.read_bytes()
    except FileNotFoundError as error:
        raise TamperedModel("errors.model_file_missing", path=path) from error
    found = hashlib.sha256(graph).hexdigest()
    if not hmac.compare_digest(found, compilation.onnx_sha256):
        raise TamperedModel("compiling.graph_hash", path=path, expected=compilation.onnx_sha256[:12], found=found[:12])
    compiled = CompiledEstimator(graph, compilation, threads)
    _give_back()
    return compiled


def read_compilation(folder: Path) -> Compilation | None:
    """Return how compiling into ``folder`` ended; None where it was not tried.

    Raises
    ------
    ModelError
        If the note cannot be read.
    """
    path = folder / NOTE_FILE
    try:
        return Compilation.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise ModelError("compiling.note_broken", path=path) from error


def date_parts(values: Any) -> np.ndarray:
    """Return shape (n, 4): what ``leitstand.estimators.DateParts`` makes of one column of dates, without pandas."""
    when = np.asarray(values, dtype="datetime64[ns]")
    day = when.astype("datetime64[D]")
    time = (when - day).astype(np.int64)
    days = when.astype(np.int64) / 1e9 / 86400
    weekday = (day.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
    hour = time // 3_600_000_000_000 + time // 60_000_000_000 % 60 / 60
    yearday = (day - when.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64) + 1
    return np.where(np.isnat(when)[:, None], np.nan, np.column_stack([days, weekday, hour, yearday]))


def _codes(column: Input) -> dict[str | None, float]:
    codes: dict[str | None, float] = {value: FIRST_VALUE + place for place, value in enumerate(column.values)}
    return {**codes, None: MISSING}


def _session(graph: bytes, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False  # an arena would keep what one large request took
    options.log_severity_level = ERRORS_ONLY
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _give_back() -> None:
    """Return freed memory to the system: reading a large forest takes three times what it then holds, and glibc keeps the rest."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other libraries than glibc have none and need none
        if trim is not None:
            trim(0)

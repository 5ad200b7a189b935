"""Predicting a whole table at once, in chunks, with the same log as over HTTP."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self
from uuid import uuid4

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from infra.prediction_log import PredictionLog
from infra.registry import ModelVersion
from leitstand.conforming import conform
from leitstand.errors import UsageError
from leitstand.model import TrainedModel
from leitstand.prediction import Predictions
from leitstand.project import Project
from serving.answers import Answer, answers, logged

CHUNK_ROWS = 10_000


@dataclass(frozen=True)
class BatchResult:
    """What a batch made: the file, and how many rows were answered, doubtful among them (flagged)."""

    path: Path
    rows: int
    flagged: int
    seconds: float


def predict_file(
    project: Project,
    model: TrainedModel,
    version: ModelVersion,
    frame: pd.DataFrame,
    output: Path,
    log: PredictionLog | None,
    *,
    chunk_rows: int = CHUNK_ROWS,
) -> BatchResult:
    """Predict every row of a table and write the table with the answers beside it.

    Parameters
    ----------
    frame : rows that the contract accepted; in time order where the project looks back (``data.history_rows``)
    output : ``.csv`` or ``.parquet``; appears only when it is complete
    log : where every prediction goes before the file appears; None for none

    Returns
    -------
    the file holds all columns of ``frame`` and ``prediction_id, prediction, score, probability_<class>…, lower, upper, flags, advice``; an
    own column that the table has already is named ``leitstand_<name>``

    Raises
    ------
    UsageError
        If the file is neither CSV nor Parquet.
    StateError
        If the log cannot be written; no file appears then.
    OSError
        If the file cannot be written.
    """
    started = time.perf_counter()
    frame = frame.reset_index(drop=True)
    if output.suffix not in _WRITERS:
        raise UsageError("serving.batch_format", path=output, formats=", ".join(_WRITERS))
    output.parent.mkdir(parents=True, exist_ok=True)
    unfinished = output.with_name(f".{output.name}.{uuid4().hex}.part")
    rows = flagged = 0
    try:
        with _WRITERS[output.suffix](unfinished) as writer:
            for chunk, predictions in predicted_chunks(project, model, frame, chunk_rows):
                made = answers(project, chunk, predictions)
                if log is not None:
                    _log(log, project, version, chunk, made)
                writer.write(_table(frame.loc[chunk.index], made, predictions))
                rows, flagged = rows + len(made), flagged + sum(bool(answer.flags) for answer in made)
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)
    return BatchResult(output, rows, flagged, time.perf_counter() - started)


def predicted_chunks(
    project: Project, model: TrainedModel, frame: pd.DataFrame, chunk_rows: int = CHUNK_ROWS
) -> Iterator[tuple[pd.DataFrame, Predictions]]:
    """Yield the conformed rows with their answers, chunk by chunk; the answers are those of the whole table at once.

    Where features look back, the last ``data.history_rows`` rows of every series go before the next chunk and are answered no second time.
    """
    settled = conform(frame, project.input_contract)
    history = settled.iloc[:0]
    for start in range(0, len(settled), chunk_rows):
        chunk = settled.iloc[start : start + chunk_rows]
        seen = pd.concat([history, chunk]) if len(history) else chunk
        predictions = model.predict(project, seen.reset_index(drop=True))
        positions = np.arange(len(history), len(seen))
        yield chunk, predictions.take(positions)
        history = _history(project, seen)


def _history(project: Project, seen: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that are history to what follows, in their order."""
    data = project.spec.data
    if data.history_rows == 0:
        return seen.iloc[:0]
    if data.series is None or data.series not in seen.columns:
        return seen.tail(data.history_rows)
    return seen.groupby(data.series, sort=False, dropna=False).tail(data.history_rows)


def _log(log: PredictionLog, project: Project, version: ModelVersion, chunk: pd.DataFrame, made: list[Answer]) -> None:
    request_id = uuid4().hex
    rows = chunk.to_dict("records")
    records = [
        logged(answer, {str(k): v for k, v in row.items()}, client="batch", request_id=request_id)
        for answer, row in zip(made, rows, strict=True)
    ]
    log.write(project.name, version.version, records)


def _table(rows: pd.DataFrame, made: list[Answer], predictions: Predictions) -> pd.DataFrame:
    """Return the rows with the answers as further columns."""
    columns: dict[str, Any] = {"prediction_id": [answer.id for answer in made], "prediction": predictions.value}
    if predictions.score is not None:
        columns["score"] = predictions.score
    if predictions.probabilities is not None:
        columns |= {f"probability_{name}": predictions.probabilities[:, i] for i, name in enumerate(predictions.classes)}
    if predictions.lower is not None and predictions.upper is not None:
        columns |= {"lower": predictions.lower, "upper": predictions.upper}
    columns["flags"] = ["; ".join(f"{flag.name}: {', '.join(flag.columns)}" for flag in answer.flags) for answer in made]
    columns["advice"] = [None if answer.advice is None else json.dumps(answer.advice, ensure_ascii=False) for answer in made]
    named = {f"leitstand_{name}" if name in rows.columns else name: values for name, values in columns.items()}
    return pd.concat([rows.reset_index(drop=True), pd.DataFrame(named)], axis=1)


class _Writer(Protocol):
    def __init__(self, path: Path) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...
    def write(self, table: pd.DataFrame) -> None: ...


class _CsvWriter:
    """Appends tables to a CSV file; spreadsheets need the byte-order mark to read umlauts."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8-sig", newline="")
        self._first = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def write(self, table: pd.DataFrame) -> None:
        table.to_csv(self._file, index=False, header=self._first)
        self._first = False


class _ParquetWriter:
    """Appends tables to a Parquet file. A column's type is that of the first chunk that had values; text if none had until it was needed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, table: pd.DataFrame) -> None:
        if self._writer is None:
            inferred = pa.Schema.from_pandas(table, preserve_index=False)
            fields = [pa.field(f.name, pa.string()) if pa.types.is_null(f.type) else f for f in inferred]
            self._writer = pq.ParquetWriter(self._path, pa.schema(fields))
        self._writer.write_table(pa.Table.from_pandas(table, schema=self._writer.schema, preserve_index=False))


_WRITERS: dict[str, type[_Writer]] = {".csv": _CsvWriter, ".parquet": _ParquetWriter}

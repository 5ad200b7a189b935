"""A batch under way: what is finished, so that the same command goes on where a killed one stopped.

The folder of a job holds one Arrow file per finished chunk (written and read in a tenth of the time of Parquet), the rows kept out, and the
state. A chunk counts as finished once the state says so, and the state is replaced as a whole; what a killed process left half-written is
written again.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from data_contracts.odcs_text import write_atomically
from infra.prediction_entries import new_id
from leitstand.errors import DataError

ORDER_FILE, STATE_FILE = "order.json", "state.json"
ID_LENGTH = 28  # of the 36 signs of a UUID; the rest is the number of the row


@dataclass
class State:
    """How far a job is.

    Parameters
    ----------
    parts : rows of each finished part
    position : where reading goes on
    rows : how many rows were read
    tally : of the contract check
    kept_out : columns of the rows kept out; None before the first
    complete : whether all chunks are finished
    logged : parts that are in the prediction log
    logging_since : when logging of the next part began, ISO 8601
    """

    parts: list[int] = field(default_factory=list)
    position: Mapping[str, Any] | None = None
    rows: int = 0
    flagged: int = 0
    tally: dict[str, Any] | None = None
    kept_out: list[str] | None = None
    complete: bool = False
    logged: int = 0
    logging_since: str | None = None


class BatchJob:
    """The folder of one job.

    Parameters
    ----------
    order : what the job was told to do, from what and with what; as JSON can hold it. A job with another order is begun anew

    Attributes
    ----------
    changed : the keys of the order that differ from those of an unfinished job, which was therefore thrown away
    resumed_rows : how many rows earlier runs of this job have read
    """

    def __init__(self, folder: Path, order: Mapping[str, Any]) -> None:
        self.folder, self._order = folder, json.loads(json.dumps(order))
        self.changed: tuple[str, ...] = ()
        self._looked_at = 0
        found = _read(folder / ORDER_FILE)
        if found is not None and found["order"] == self._order:
            self.ids: str = found["ids"]
            self.state = State(**(_read(folder / STATE_FILE) or {}))
        else:
            before = {} if found is None else found["order"]
            self.begin(tuple(key for key, value in self._order.items() if found is not None and before.get(key) != value))
        self.resumed_rows = self.state.rows

    def begin(self, changed: tuple[str, ...] = ()) -> None:
        """Throw away what is there and begin anew; ``changed`` says why."""
        self.remove()
        self.folder.mkdir(parents=True)
        self.changed, self.state, self.resumed_rows, self._looked_at = changed, State(), 0, 0
        self.ids = new_id()[:ID_LENGTH]
        write_atomically(json.dumps({"order": self._order, "ids": self.ids}), self.folder / ORDER_FILE)

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def save(self) -> None:
        """Write the state, whole or not at all."""
        write_atomically(json.dumps(asdict(self.state)), self.folder / STATE_FILE)

    def keep_out(self, place: int, bad: pd.DataFrame) -> None:
        """Write the rows that a chunk's check kept out; they count once the chunk is finished."""
        self._looked_at = place + 1
        if bad.empty:
            self._bad(place).unlink(missing_ok=True)
            return
        bad.to_csv(self._bad(place), index=False, header=False)
        self.state.kept_out = [str(name) for name in bad.columns]

    def finish(
        self, table: Any | None, flagged: int, history: pd.DataFrame | None, after: Mapping[str, Any], tally: dict[str, Any]
    ) -> None:
        """Write the answers of the next chunk, None if it has no good row, and count it as finished.

        Raises
        ------
        DataError
            If a column has another type than before.
        """
        place = len(self.state.parts)
        if table is not None:
            alike = self._like_first(table)
            with pa.OSFile(str(self._part(place)), "wb") as file, pa.ipc.new_file(file, alike.schema) as writer:
                writer.write_table(alike)
        if history is not None:
            history.to_parquet(self._history(place))
        self.state.parts.append(0 if table is None else table.num_rows)
        self.state.position, self.state.tally = dict(after), tally
        self.state.rows, self.state.flagged = tally["rows"], self.state.flagged + flagged
        self.save()
        self._history(place - 1).unlink(missing_ok=True)

    def history(self) -> pd.DataFrame | None:
        """Return the rows that stand before the next chunk."""
        file = self._history(len(self.state.parts) - 1)
        return pd.read_parquet(file) if file.is_file() else None

    def part(self, place: int) -> Any:
        """Return the rows and answers of a finished chunk."""
        with pa.OSFile(str(self._part(place))) as file:
            return pa.ipc.open_file(file).read_all()

    def filled(self) -> list[int]:
        """Return the numbers of the parts that have rows."""
        return [place for place, rows in enumerate(self.state.parts) if rows]

    def bad_files(self) -> list[Path]:
        """Return the files of rows kept out, in order, without column names; also those of chunks that were not finished."""
        return [file for place in range(max(len(self.state.parts), self._looked_at)) if (file := self._bad(place)).is_file()]

    def _like_first(self, table: Any) -> Any:
        """Return the table in the types of the first part: what had no values then is text."""
        first = next(iter(self.filled()), None)
        schema = _with_texts(table.schema) if first is None else self._schema(first)
        for name in table.column_names:
            try:
                table.column(name).cast(schema.field(name).type)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError, KeyError) as error:
                raise DataError("batch.column_changes", column=name) from error
        return table.cast(schema)

    def _schema(self, place: int) -> Any:
        with pa.OSFile(str(self._part(place))) as file:
            return pa.ipc.open_file(file).schema

    def _part(self, place: int) -> Path:
        return self.folder / f"part-{place:06d}.arrow"

    def _history(self, place: int) -> Path:
        return self.folder / f"history-{place:06d}.parquet"

    def _bad(self, place: int) -> Path:
        return self.folder / f"kept-out-{place:06d}.csv"


def texts_of(schema: Any) -> list[str] | bool:
    """Return the columns that are worth a dictionary; for measured numbers one costs time and space."""
    return [field.name for field in schema if pa.types.is_string(field.type) and "prediction_id" not in field.name] or False


def _with_texts(schema: Any) -> Any:
    return pa.schema([pa.field(field.name, pa.string()) if pa.types.is_null(field.type) else field for field in schema])


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None

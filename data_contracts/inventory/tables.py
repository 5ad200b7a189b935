"""Parquet files, JSON, spreadsheets and frames on the workbench, each column in a type that a contract knows."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from data_contracts.inventory.found import Said
from data_contracts.inventory.workbench import Table, Workbench, literal, quoted
from leitstand.contract import ColumnType
from leitstand.errors import SourceError

MOST_COLUMNS = 2000
LARGEST_JSON_OBJECT = 16 << 20
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "HUGEINT", "UHUGEINT")


def load_parquet(bench: Workbench, files: Sequence[Path]) -> Table:
    """Put Parquet files with the same columns on the workbench; errors as in ``load_json``."""
    names = ", ".join(literal(str(file)) for file in files)
    return _load(bench, f"read_parquet([{names}])", files[0])


def load_json(bench: Workbench, files: Sequence[Path]) -> Table:
    """Put JSON files on the workbench: an array of records, records line by line, or one record a file.

    Raises
    ------
    SourceError
        If they cannot be read as records.
    """
    names = ", ".join(literal(str(file)) for file in files)
    options = f"maximum_object_size={LARGEST_JSON_OBJECT}, union_by_name=true, sample_size=20480"
    return _load(bench, f"read_json([{names}], {options})", files[0])


def load_frames(bench: Workbench, frames: Iterable[pd.DataFrame], rows: int | None = None, most: int | None = None) -> Table:
    """Put frames with the same columns on the workbench, one after the other.

    Parameters
    ----------
    rows : of the whole source, if that is known
    most : stop after so many rows

    Raises
    ------
    SourceError
        If there is no row.
    """
    read, types, schema = 0, {}, None
    for frame in frames:
        if read == 0:
            types = {str(name): _frame_type(frame[name]) for name in frame.columns}
        if len(frame) == 0:
            continue
        arrow = _to_arrow(frame, types)
        if schema is not None and arrow.schema != schema:
            arrow = arrow.cast(schema)
        schema = arrow.schema
        bench.keep(arrow, append=read > 0)
        read += len(frame)
        if most is not None and read >= most:
            break
    notes = () if rows is None or rows <= read else (Said("inventory.note_part", {"rows": rows, "read": read}),)
    if read == 0:
        raise SourceError("inventory.no_rows", columns=len(types))
    return Table(types, frozenset(), read, max(rows or 0, read), notes)


def _load(bench: Workbench, source: str, path: Path) -> Table:
    try:
        described = bench.rows(f"DESCRIBE SELECT * FROM {source}")
        if len(described) > MOST_COLUMNS:
            raise SourceError("inventory.too_wide", path=path, columns=len(described), most=MOST_COLUMNS)
        types = {name: _type(kind) for name, kind, *_ in described}
        chosen = [f"{_cast(quoted(name), kind)} AS c{place}" for place, (name, kind, *_) in enumerate(described)]
        bench.connection.execute(f"CREATE TABLE t AS SELECT {', '.join(chosen)} FROM {source}")
    except (duckdb.Error, UnicodeDecodeError) as error:
        raise SourceError("inventory.unreadable", path=path, detail=first_line(error)) from error
    [rows] = bench.one("SELECT count(*) FROM t")
    if rows == 0:
        raise SourceError("inventory.no_rows", columns=len(types))
    return Table(types, frozenset(), rows, rows)


def first_line(error: BaseException) -> str:
    """Return what an error says, in one short line."""
    return " ".join(str(error).split())[:200]


def _type(kind: str) -> ColumnType:
    if kind.endswith("]"):
        return "string"
    if kind == "BOOLEAN":
        return "boolean"
    if kind in _NUMBERS:
        return "integer"
    if kind in ("FLOAT", "DOUBLE") or kind.startswith("DECIMAL"):
        return "number"
    if kind == "DATE":
        return "date"
    return "timestamp" if kind.startswith("TIMESTAMP") else "string"


def _cast(column: str, kind: str) -> str:
    made = _type(kind)
    if made in ("number", "integer"):
        return f"CAST({column} AS {'DOUBLE' if made == 'number' or kind in ('HUGEINT', 'UHUGEINT', 'UBIGINT') else 'BIGINT'})"
    if made in ("date", "timestamp"):
        return f"CAST({column} AS TIMESTAMP)"
    return column if made == "boolean" or kind == "VARCHAR" else f"CAST({column} AS VARCHAR)"


def _frame_type(values: pd.Series) -> ColumnType:
    """Return the type of a column; what a database's driver hands over as objects by what these are."""
    kind = pd.api.types.infer_dtype(values, skipna=True) if values.dtype == object else ""
    if pd.api.types.is_bool_dtype(values.dtype) or kind == "boolean":
        return "boolean"
    if pd.api.types.is_integer_dtype(values.dtype) or kind == "integer":
        return "integer"
    if pd.api.types.is_numeric_dtype(values.dtype) or kind in ("decimal", "floating", "mixed-integer-float"):
        return "number"
    return "timestamp" if pd.api.types.is_datetime64_any_dtype(values.dtype) or kind in ("date", "datetime") else "string"


def _to_arrow(frame: pd.DataFrame, types: dict[str, ColumnType]) -> pa.Table:
    """Return the columns under their names in the database; a value that its column's type cannot hold is missing."""
    arrays = []
    for place, kind in enumerate(types.values()):
        values = frame.iloc[:, place]
        if kind in ("integer", "number"):
            numbers = pd.to_numeric(values, errors="coerce")
            arrays.append(pa.array(numbers.to_numpy(dtype=np.float64, na_value=np.nan), from_pandas=True))
        elif kind == "timestamp":
            arrays.append(pa.array(_times(values), pa.timestamp("us")))
        elif kind == "boolean":
            arrays.append(pa.array([None if _gone(value) else bool(value) for value in values], pa.bool_()))
        else:
            arrays.append(pa.array([None if _gone(value) else str(value) for value in values], pa.string()))
    return pa.table(arrays, names=[f"c{place}" for place in range(len(arrays))])


def _times(values: pd.Series) -> list[datetime | None]:
    """Return times without zone (those with one in UTC); None where there is none, or none that pandas can hold (the year 9999)."""
    made = pd.to_datetime(values, errors="coerce", utc=True).dt.tz_localize(None)
    return [None if pd.isna(value) else value.to_pydatetime(warn=False) for value in made]


def _gone(value: object) -> bool:
    return value is None or value is pd.NaT or (isinstance(value, float) and value != value)

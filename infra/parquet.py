"""Tables as Parquet whose bytes depend on nothing but the table: the same frame gives the same file, byte for byte.

Two things would get in the way and are taken out: the versions of pandas and pyarrow that pyarrow notes in the file's metadata, and the
index. (The name of the Parquet writer itself stays; another pyarrow may therefore name the same content anew.) Numbers are written without
dictionaries, which for measured values cost three times the time and make the file larger (100,000 × 30: 0.22 s, 29 MB; without 0.07 s, 23 MB).
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from leitstand.errors import SourceError

_FILES = b"leitstand.file_columns"


def write_parquet(frame: pd.DataFrame, path: Path, *, file_columns: Sequence[str] = ()) -> None:
    """Write the frame without its index; ``file_columns`` are noted as holding paths.

    Raises
    ------
    SourceError
        If a column mixes types that no table column can hold, such as texts and numbers.
    OSError
        If the file cannot be written.
    """
    table = _table(frame)
    table = table.replace_schema_metadata(
        _plain_metadata(table.schema.metadata) | {_FILES: json.dumps(list(file_columns)).encode()}
    )
    texts = [field.name for field in table.schema if _repeats(field.type)]
    pq.write_table(table, path, compression="zstd", use_dictionary=texts or False, row_group_size=1 << 20)


def read_parquet(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Return the frame with the types it was written with, and its columns of paths."""
    table = pq.read_table(path)
    columns: list[str] = json.loads((table.schema.metadata or {}).get(_FILES, b"[]"))
    return table.to_pandas(), columns


def _table(frame: pd.DataFrame) -> Any:
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        for name in frame.columns:
            try:
                pa.Array.from_pandas(frame[name])
            except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
                kinds = sorted({type(value).__name__ for value in frame[name].dropna().head(10_000)})
                raise SourceError("infra.snapshot_types", column=name, types=", ".join(kinds)) from error
        raise


def _plain_metadata(metadata: dict[bytes, bytes]) -> dict[bytes, bytes]:
    pandas = json.loads(metadata[b"pandas"])
    kept = {key: value for key, value in pandas.items() if key not in ("creator", "pandas_version", "attributes")}
    return {b"pandas": json.dumps(kept, sort_keys=True).encode()}


def _repeats(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind))

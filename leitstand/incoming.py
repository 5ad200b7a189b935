"""How new rows reach a project: files in a watched folder, rows of a database table, rows sent to the service."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from leitstand.contract import Frozen


class Incoming(Frozen):
    """Where new rows come from; at least one of ``folder``, ``database`` and ``api``. Rows are in the contract's columns.

    Parameters
    ----------
    folder : watched for CSV, Parquet and Excel files, and folders with a ``manifest``; relative to the working folder
    settle_seconds : a file that changed more recently is still being written and left alone
    order : of two files that hold the same key the newer one counts: by when it was ``modified``, or by the date in its ``name``
        (``2026-03-01``, ``20260301T1430`` …; a file without one by when it was modified)
    when_taken : whether taken files stay or are deleted; those that are held back always stay
    manifest, delimiter, encoding, decimal, header, sheet : how to read a file, as in a source
    database, table, query : as in a source; asked for the rows since the last ones
    key, time : column of the table that grows with every new row: a number, or a time
    overlap_keys, overlap_hours : how far behind the last ``key`` or ``time`` to look again for rows that came late
    api : whether the service takes rows at ``POST /{project}/data``
    most_times_usual : a delivery with so many times the usual rows is held back until a person has looked
    """

    folder: Path | None = None
    settle_seconds: float = Field(default=5, ge=0)
    order: Literal["modified", "name"] = "modified"
    when_taken: Literal["keep", "delete"] = "keep"
    manifest: str = "manifest.csv"
    delimiter: str | None = None
    encoding: str | None = None
    decimal: Literal[".", ","] | None = None
    header: bool | None = None
    sheet: str | int | None = None
    database: str | None = None
    table: str | None = None
    query: str | None = None
    key: str | None = None
    time: str | None = None
    overlap_keys: int = Field(default=1000, ge=0)
    overlap_hours: float = Field(default=24, ge=0)
    api: bool = False
    most_times_usual: float = Field(default=10, gt=1)

    @model_validator(mode="after")
    def _from_somewhere(self) -> Self:
        if self.folder is None and self.database is None and not self.api:
            raise ValueError("data come from at least one of folder, database, api: true")
        named = [name for name in ("table", "query", "key", "time") if getattr(self, name) is not None]
        if self.database is None and named:
            raise ValueError(f"{', '.join(named)} without a database")
        if self.database is not None and (self.table is None) == (self.query is None):
            raise ValueError("a database has exactly one of table and query")
        if self.database is not None and (self.key is None) == (self.time is None):
            raise ValueError("a database has exactly one of key and time: the column that grows with every new row")
        return self

"""One DuckDB database on disk that a data set is read into once, so that every question after that is a scan of packed columns.

A second parse of a large text file would cost more than all questions together. Nothing is loaded from a network: the extensions for CSV,
JSON and Parquet come with the package, and any other is refused.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from data_contracts.inventory.found import Said
from leitstand.contract import ColumnType

MEMORY = "700MB"
"""What DuckDB may take; the process needs about as much again for Python, Arrow and what DuckDB does not count."""


@dataclass(frozen=True)
class Table:
    """A data set inside the database, in the table ``t``: a column ``c0``, ``c1`` … for each name, and ``b0`` … where values may be invalid.

    Parameters
    ----------
    types : of the columns, by name, in order
    unsure : columns that have a ``b`` column, true where the value was not of the type
    read : rows in ``t``
    rows : of the whole data set; more than ``read`` where only a part was read
    """

    types: dict[str, ColumnType]
    unsure: frozenset[str]
    read: int
    rows: int
    notes: tuple[Said, ...] = ()

    def column(self, name: str) -> str:
        """Return the column's name in the database."""
        return f"c{list(self.types).index(name)}"

    def bad(self, name: str) -> str:
        """Return the name of the column that marks invalid values."""
        return f"b{list(self.types).index(name)}"


class Workbench:
    """The database; one table at a time.

    Parameters
    ----------
    scratch : folder for it, and for what does not fit into memory
    """

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY,
            "temp_directory": str(scratch / "spill"),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        self.connection = duckdb.connect(str(scratch / "inventory.duckdb"), config=settings)

    def close(self) -> None:
        """Close the database."""
        self.connection.close()

    @contextmanager
    def clean(self) -> Iterator[None]:
        """Drop the table when the block is left, however that happens."""
        try:
            yield
        finally:
            self.connection.execute("DROP TABLE IF EXISTS t")

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        found: list[tuple[Any, ...]] = self.connection.execute(query, list(parameters)).fetchall()
        return found

    def one(self, query: str) -> tuple[Any, ...]:
        """Return the one row of a query."""
        return self.rows(query)[0]

    def arrow(self, query: str) -> pa.Table:
        """Return the rows of a query as an Arrow table."""
        return self.connection.sql(query).to_arrow_table()

    def keep(self, arrow: pa.Table, *, append: bool = False) -> None:
        """Make the table ``t`` of an Arrow table, or put its rows below those that are there."""
        self.connection.register("arrived", arrow)
        try:
            self.connection.execute(
                "INSERT INTO t SELECT * FROM arrived" if append else "CREATE TABLE t AS SELECT * FROM arrived"
            )
        finally:
            self.connection.unregister("arrived")


def quoted(name: str) -> str:
    """Return an identifier as SQL takes it."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """Return a text as SQL takes it."""
    return "'" + value.replace("'", "''") + "'"

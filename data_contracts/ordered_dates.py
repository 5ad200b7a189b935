"""Dates with slashes in a table that is read in chunks: ``01/02/2024`` means in every chunk what the whole table says that it means."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa

from data_contracts import numerals
from data_contracts.chunks import Chunk, Position, Stream
from data_contracts.dates import SlashOrder, has_slashes, slash_order
from data_contracts.quick_check import one_array
from leitstand.contract import Contract


class OrderedDates:
    """A stream whose chunks say what stands first in dates with slashes.

    That is found out once for each column that has such: the first chunk of the source in which a day is larger than 12 says it.

    Parameters
    ----------
    contract : says which columns hold dates
    """

    def __init__(self, stream: Stream, contract: Contract) -> None:
        self.names = stream.names
        self._stream = stream
        self._dates = [column.name for column in contract.columns if column.is_time]
        self._known: dict[str, SlashOrder | None] = {}

    def chunks(self, position: Position | None = None, only: list[str] | None = None) -> Iterator[Chunk]:
        """Yield the rows from a position on; with ``only``, of these columns."""
        for chunk in self._stream.chunks(position, only):
            for name in self._dates:
                if name not in self._known and has_slashes(_texts(chunk.table, name)):
                    self._known[name] = self._found(name)
            yield replace(chunk, slashes={name: order for name, order in self._known.items() if order is not None})

    def _found(self, name: str) -> SlashOrder | None:
        orders = (slash_order(_texts(chunk.table, name)) for chunk in self._stream.chunks(only=[name]))
        return next((order for order in orders if order is not None), None)


def _texts(table: Any, name: str) -> Any:
    """Return a column's texts; none where it is missing or has another type."""
    array = one_array(table.column(name)) if name in table.column_names else pa.nulls(0, pa.string())
    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        return pa.nulls(0, pa.string())
    return numerals.tidy(array, numerals.MISSING_NUMBERS)

"""Values that must be unique in a table that is too large to be held: which of them stand twice, found in a pass of its own.

Of every value only a hash of 64 bits is kept: 8 bytes a row, 80 MB for ten million. Equal values have equal hashes, so none is missed; that
two different ones among ten million are taken for equal has a chance of 3 in a million. A contract without key or unique columns costs nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from data_contracts.broken import Rule
from data_contracts.chunks import Chunk, Stream
from data_contracts.parsing import parse
from data_contracts.quick_check import quick_check, to_table
from leitstand.contract import Contract

Key = tuple[str, ...]


@dataclass(frozen=True)
class Duplicates:
    """The hashes that stand twice, by the columns that must not hold a value twice."""

    contract: Contract
    twice: Mapping[Key, np.ndarray]

    def rows(self, chunk: Chunk) -> dict[Key, np.ndarray]:
        """Return for each key which rows of the chunk, shape (n,) bool, hold a value that stands elsewhere too."""
        if not any(len(hashes) for hashes in self.twice.values()):
            return {}
        columns = key_columns(chunk, self.contract)
        found = {}
        for key, twice in self.twice.items():
            hashes, present = _hashes(columns, key)
            mask = np.zeros(len(present), dtype=bool)
            mask[present] = np.isin(hashes, twice)
            found[key] = mask
        return {key: mask for key, mask in found.items() if mask.any()}


def keys(contract: Contract) -> dict[Key, Rule]:
    """Return the columns whose values together must be unique, and the rule that says so."""
    made: dict[Key, Rule] = {(column.name,): "unique" for column in contract.columns if column.unique}
    if contract.primary_key:
        made[tuple(contract.primary_key)] = "primary_key"
    return made


def find_duplicates(stream: Stream, contract: Contract) -> Duplicates:
    """Return what stands twice; reads the key columns of the whole source if there are any."""
    wanted = keys(contract)
    if not wanted:
        return Duplicates(contract, {})
    only = [name for name in contract.names if any(name in key for key in wanted)]
    found: dict[Key, list[np.ndarray]] = {key: [] for key in wanted}
    for chunk in stream.chunks(only=only):
        columns = key_columns(chunk, contract)
        for key, hashes in found.items():
            hashes.append(_hashes(columns, key)[0])
    return Duplicates(contract, {key: _repeated(hashes) for key, hashes in found.items()})


def key_columns(chunk: Chunk, contract: Contract) -> Any:
    """Return the key columns of a chunk in the contract's types."""
    part = contract.only([name for key in keys(contract) for name in key])
    made = quick_check(chunk.table, part, chunk.decimals, chunk.slashes)
    if made.clean.all():
        return made.table
    return to_table(parse(chunk.doubtful(np.arange(chunk.table.num_rows)), part)[0], part)


def _hashes(columns: Any, key: Key) -> tuple[np.ndarray, np.ndarray]:
    """Return the hashes of rows without a missing value, and which rows these are, shape (n,) bool."""
    arrays = [columns.column(name).combine_chunks() for name in key]
    present = np.logical_and.reduce([np.asarray(array.is_valid()) for array in arrays])
    values = {name: _plain(array.filter(present)) for name, array in zip(key, arrays, strict=True)}
    return pd.util.hash_pandas_object(pd.DataFrame(values), index=False).to_numpy(), present


def _plain(array: Any) -> np.ndarray:
    values: np.ndarray = array.to_numpy(zero_copy_only=False)
    return values + 0.0 if values.dtype == np.float64 else values  # -0.0 is 0.0


def _repeated(hashes: Iterable[np.ndarray]) -> np.ndarray:
    every = np.concatenate([np.empty(0, dtype=np.uint64), *hashes])
    every.sort()
    return np.unique(every[1:][every[1:] == every[:-1]])

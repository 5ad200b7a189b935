"""A chunk of a table that is too large to be read at once."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd

from data_contracts.dates import SlashOrder
from data_contracts.numerals import Decimal

Position = Mapping[str, Any]
"""Where reading goes on, as JSON can hold it."""


@dataclass(frozen=True)
class Chunk:
    """Some rows of a source.

    Parameters
    ----------
    table : pa.Table, the columns in the types that the source has
    first_row : 0-based number of the first row in the source
    after : where reading goes on after these rows
    share : of the source that has been read with these rows, 0 to 1; None where that is not known
    most_rows : the source cannot have more rows than this; None where that is not known
    raw : returns chosen rows as they came, for the check and the quarantine
    decimals : the decimal mark of columns of texts, where known
    slashes : what stands first in dates with slashes, by column, where known
    """

    table: Any
    first_row: int
    after: Position
    share: float | None
    most_rows: int | None
    raw: Callable[[np.ndarray], pd.DataFrame]
    decimals: Mapping[str, Decimal | None] | None = None
    slashes: Mapping[str, SlashOrder] = field(default_factory=dict)

    def doubtful(self, rows: np.ndarray) -> pd.DataFrame:
        """Return chosen rows as they came, with what the whole source says of how numbers and dates are written, for ``parse``."""
        frame = self.raw(rows)
        frame.attrs |= {"decimals": self.decimals, "slashes": self.slashes}
        return frame


class Stream(Protocol):
    """A source that is read in chunks, from its beginning or from where an earlier chunk ended.

    Parameters
    ----------
    names : of the columns
    """

    names: list[str]

    def chunks(self, position: Position | None = None, only: list[str] | None = None) -> Iterator[Chunk]:
        """Yield the rows from a position on; with ``only``, of these columns alone."""
        ...

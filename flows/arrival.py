"""A delivery that nobody has taken yet, wherever it came from."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from flows.workspace import Desk
from infra.deliveries import Kind, SeenFile
from leitstand.errors import DataError, StateError


class Changing(Exception):
    """A file was written to while it was read; the next pass will find it whole."""


@dataclass(frozen=True)
class Arrival:
    """A delivery that nobody has taken yet.

    Parameters
    ----------
    read : returns its rows; raises SourceError, or Changing
    keep : puts a copy of it into a folder, so that nothing is lost while a person decides
    number : the one it has already, where a person let it in
    rows_in_order : later rows may correct earlier ones of the same key, as in requests and in tables that log changes
    bookmark : returns place and value to be noted with it, given which of its rows came in
    received : places of the requests it is made of
    parts : what it is taken apart into where it would be held back as a whole
    """

    kind: Kind
    name: str
    sha256: str
    moment: datetime
    modified: datetime
    read: Callable[[], pd.DataFrame]
    keep: Callable[[Path], None]
    number: int | None = None
    rows_in_order: bool = False
    bookmark: Callable[[np.ndarray | bool], tuple[str, str]] | None = None
    received: tuple[int, ...] = ()
    parts: "tuple[Arrival, ...]" = ()
    path: Path | None = None

    @property
    def place(self) -> tuple[datetime, datetime, str]:
        """What arrivals are ordered by, the newest last."""
        return self.moment, self.modified, self.sha256


@dataclass
class Found:
    """What a look at all places found.

    Parameters
    ----------
    files : every settled file of the watched folder; None where none was looked at
    duplicates : names of files whose content was delivered before under another name, and that were not seen before
    missed : place to the reason why it could not be looked at; the next pass tries again
    taken : files of deliveries that were taken
    """

    arrivals: list[Arrival] = field(default_factory=list)
    files: dict[str, SeenFile] | None = None
    duplicates: list[str] = field(default_factory=list)
    missed: dict[str, DataError | StateError] = field(default_factory=dict)
    taken: list[Path] = field(default_factory=list)


def held_folder(desk: Desk, sha256: str) -> Path:
    """Return where the copy of a delivery that is held back lies."""
    return desk.settings.root / "held" / desk.project.name / sha256

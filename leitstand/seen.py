"""Knowing rows again: a champion must not be compared on rows that it learned from."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from leitstand.dataset import Dataset

KEY, LEARNED = "key", "learned"


@dataclass(frozen=True)
class KnownRows:
    """The rows of the data version that a model was made from, by ``row_keys``.

    Parameters
    ----------
    learned : those it was trained on
    every : those and its hold-out
    """

    learned: np.ndarray
    every: np.ndarray


def row_keys(part: Dataset) -> np.ndarray:
    """Return a number for each row's content but its target, the same in every data version; a label that was corrected changes no key.

    Returns
    -------
    shape (n,), unsigned 64 bits
    """
    columns: Iterable[str] = sorted(name for name in part.frame.columns if name != part.project.spec.data.target)
    frame = part.frame[list(columns)]
    plain = frame.assign(**{name: frame[name].astype(str) for name in frame.columns if frame[name].dtype == object})
    keys: np.ndarray = pd.util.hash_pandas_object(plain, index=False).to_numpy()
    return keys


def known_rows(training: Dataset, holdout: Dataset) -> pd.DataFrame:
    """Return the rows of both sides of a split as they are kept with a run."""
    keys = np.concatenate([row_keys(training), row_keys(holdout)])
    return pd.DataFrame({KEY: keys, LEARNED: np.arange(len(keys)) < len(training)})


def from_frame(kept: pd.DataFrame) -> KnownRows:
    """Return what ``known_rows`` made."""
    return KnownRows(kept.loc[kept[LEARNED], KEY].to_numpy(), kept[KEY].to_numpy())

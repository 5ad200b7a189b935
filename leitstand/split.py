"""Keeping the hold-out apart without leaking.

A leak is a hold-out row that training has seen in disguise: a duplicate, a row of the same patient or batch, or a later neighbour in time.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold, TimeSeriesSplit

from leitstand.errors import NotEnoughData
from leitstand.spec import Split

FEWEST_HELD = 30  # of the newest rows: fewer say nothing about a new world


def holdout_mask(
    split: Split, features: pd.DataFrame, target: np.ndarray, groups: np.ndarray | None, discrete: bool, fresh: int = 0
) -> np.ndarray:
    """Return which rows are held out.

    Under ``stratified`` and ``group`` the choice hangs on the hash of a row's content or of its group, so a row or group stays on its
    side when data are added, and exact duplicates are never parted. Under ``time`` the last rows are held out; where the newest ``fresh`` of
    them come from a changed world, at most half of those, for a model must have seen that world to be judged on it.

    Parameters
    ----------
    features : shape (n, …), in time order where there is one
    target : shape (n,), no value missing
    groups : shape (n,); needed for ``group``
    fresh : how many of the newest rows come from after a change; 0 where nothing is known to have changed
    discrete : whether the target has classes, each to keep its share

    Returns
    -------
    shape (n,), bool

    Raises
    ------
    NotEnoughData
        If one side would be empty.
    """
    rows = len(features)
    if split.strategy == "time":
        held = max(1, round(rows * split.holdout))
        if fresh:
            held = min(held, max(FEWEST_HELD, fresh // 2))
        mask = np.arange(rows) >= rows - held
    elif split.strategy == "group":
        mask = _lowest_groups(_hash(pd.DataFrame({"group": groups}), split.seed), split.holdout)
    else:
        mask = _lowest_hashes(_hash(features, split.seed), target if discrete else np.zeros(rows), split.holdout)
    if mask.all() or not mask.any():
        raise NotEnoughData("errors.split_empty", strategy=split.strategy, rows=rows)
    return mask


def training_mask(split: Split, holdout: np.ndarray) -> np.ndarray:
    """Return which rows may be trained on: all that are not held out, less the gap before the hold-out under ``time``."""
    training = ~holdout
    if split.strategy == "time" and split.gap_rows:
        first = int(np.flatnonzero(holdout)[0])
        training[max(0, first - split.gap_rows) : first] = False
    return training


def folds(
    split: Split, features: pd.DataFrame, target: np.ndarray, groups: np.ndarray | None, discrete: bool
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (training positions, validation positions) of the cross-validation on the training part.

    Under ``time`` validation is always later than training, under ``stratified`` exact duplicates are never parted. Fewer folds than asked for
    when a class or the groups do not suffice.
    """
    if split.strategy == "stratified":
        yield from _folds_of_distinct(split, features, target, discrete)
        return
    count = _fold_count(split, target, groups, discrete)
    if split.strategy == "time":
        yield from TimeSeriesSplit(count, gap=split.gap_rows).split(features)
        return
    chooser = StratifiedGroupKFold(count) if discrete else GroupKFold(count)
    yield from chooser.split(features, target.astype(str) if discrete else target, groups)


def _folds_of_distinct(
    split: Split, features: pd.DataFrame, target: np.ndarray, discrete: bool
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield folds of the distinct rows, each with its duplicates; by class where every class has rows of its own that suffice."""
    _, first, place = np.unique(_hash(features, split.seed), return_index=True, return_inverse=True)
    order = np.argsort(first)  # as the rows stand
    distinct, place = first[order], np.argsort(order)[place.reshape(-1)]
    if len(distinct) < 2:
        raise NotEnoughData("errors.too_few_folds", strategy=split.strategy)
    chooser: KFold | StratifiedKFold = KFold(min(split.folds, len(distinct)), shuffle=True, random_state=split.seed)
    classes = target[distinct].astype(str)
    by_class = discrete and (len(distinct) == len(target) or np.unique(classes, return_counts=True)[1].min() > 1)
    if by_class:
        chooser = StratifiedKFold(_fold_count(split, classes, None, discrete), shuffle=True, random_state=split.seed)
    for inside, outside in chooser.split(distinct.reshape(-1, 1), classes if by_class else None):
        yield np.flatnonzero(np.isin(place, inside)), np.flatnonzero(np.isin(place, outside))


def _fold_count(split: Split, target: np.ndarray, groups: np.ndarray | None, discrete: bool) -> int:
    most = split.folds
    if split.strategy == "group" and groups is not None:
        most = min(most, len(pd.unique(groups)))
    if discrete and split.strategy != "time":
        most = min(most, int(pd.Series(target).value_counts().min()))
    if most < 2:
        raise NotEnoughData("errors.too_few_folds", strategy=split.strategy)
    return most


def _hash(frame: pd.DataFrame, seed: int) -> np.ndarray:
    as_text = frame.assign(**{name: frame[name].astype(str) for name in frame.columns if frame[name].dtype == object})
    hashed: np.ndarray = pd.util.hash_pandas_object(as_text, index=False, hash_key=f"leitstand{seed:07d}"[:16]).to_numpy()
    return hashed


def _lowest_groups(hashes: np.ndarray, share: float) -> np.ndarray:
    """Return the rows of the groups with the lowest hashes, as many whole groups as make up about ``share`` of the rows."""
    _, inverse, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    before = counts.cumsum() - counts
    chosen = before + counts / 2 < share * len(hashes)
    chosen[0] = True
    if chosen.all():
        chosen[-1] = False
    mask: np.ndarray = chosen[inverse.reshape(-1)]
    return mask


def _lowest_hashes(hashes: np.ndarray, strata: np.ndarray, share: float) -> np.ndarray:
    """Return, for every stratum, the rows with the lowest hashes; equal rows get the same answer."""
    mask = np.zeros(len(hashes), dtype=bool)
    codes, _ = pd.factorize(strata)
    for code in np.unique(codes):
        inside = np.flatnonzero(codes == code)
        ordered = np.sort(hashes[inside])
        limit = ordered[min(len(ordered) - 1, max(0, round(share * len(ordered)) - 1))]
        mask[inside] = hashes[inside] <= limit
    twin = np.isin(hashes, hashes[mask])  # equal inputs with another class follow their twins
    return mask | twin

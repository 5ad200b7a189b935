import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leitstand.errors import NotEnoughData
from leitstand.spec import Split
from leitstand.split import folds, holdout_mask, training_mask

STRATIFIED, TIME, GROUP = Split(), Split(strategy="time", gap_rows=3), Split(strategy="group")


def table(rows: int, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    generator = np.random.default_rng(seed)
    return pd.DataFrame({"a": generator.random(rows), "b": generator.choice(["x", "y"], rows)}), generator.integers(0, 2, rows)


@given(rows=st.integers(40, 300), seed=st.integers(0, 100))
@settings(max_examples=30, deadline=None)
def test_split_never_leaks_future_rows(rows: int, seed: int) -> None:
    features, target = table(rows, seed)
    held = holdout_mask(TIME, features, target, None, discrete=True)
    training = training_mask(TIME, held)
    assert np.flatnonzero(training).max() + TIME.gap_rows < np.flatnonzero(held).min()
    for inside, outside in folds(TIME, features, target, None, discrete=True):
        assert inside.max() + TIME.gap_rows < outside.min()


@given(groups=st.lists(st.integers(0, 12), min_size=60, max_size=60))
@settings(max_examples=30, deadline=None)
def test_a_group_never_stands_on_both_sides(groups: list[int]) -> None:
    if len(set(groups)) < 3:
        return
    features, _ = table(60)
    names = np.asarray([f"g{one}" for one in groups])
    held = holdout_mask(GROUP, features, np.zeros(60), names, discrete=False)
    assert not set(names[held]) & set(names[~held])
    rest = names[~held]
    if len(set(rest)) < 2:
        return
    for inside, outside in folds(GROUP, features[~held], np.zeros(len(rest)), rest, discrete=False):
        assert not set(rest[inside]) & set(rest[outside])


@given(seed=st.integers(0, 50), more=st.integers(1, 200))
@settings(max_examples=30, deadline=None)
def test_hardly_any_row_changes_sides_when_rows_are_added(seed: int, more: int) -> None:
    features, target = table(400, seed)
    larger = pd.concat([features, table(more, seed + 1000)[0]], ignore_index=True)
    new_target = np.concatenate([target, np.zeros(more, dtype=int)])
    before = holdout_mask(STRATIFIED, features, target, None, discrete=False)
    after = holdout_mask(STRATIFIED, larger, new_target, None, discrete=False)[:400]
    assert np.mean(before != after) < 0.05


def test_exact_duplicates_stay_together() -> None:
    features, target = table(100)
    doubled = pd.concat([features, features], ignore_index=True)
    held = holdout_mask(STRATIFIED, doubled, np.concatenate([target, 1 - target]), None, discrete=True)
    assert (held[:100] == held[100:]).all()


def test_every_class_keeps_its_share() -> None:
    features, _ = table(1000)
    target = np.where(np.arange(1000) < 100, "rare", "common")
    held = holdout_mask(STRATIFIED, features, target, None, discrete=True)
    assert held[:100].sum() == pytest.approx(20, abs=1)
    assert held[100:].sum() == pytest.approx(180, abs=1)


def test_another_seed_holds_out_other_rows() -> None:
    features, target = table(500)
    one = holdout_mask(Split(seed=0), features, target, None, discrete=True)
    other = holdout_mask(Split(seed=1), features, target, None, discrete=True)
    assert 0.1 < np.mean(one & other) / 0.2 < 0.4


def test_one_group_alone_cannot_be_split() -> None:
    features, _ = table(50)
    with pytest.raises(NotEnoughData, match="leaves no rows on one side"):
        holdout_mask(GROUP, features, np.zeros(50), np.full(50, "only"), discrete=False)


def test_folds_are_fewer_when_a_class_is_rare() -> None:
    features, _ = table(60)
    target = np.array([1] * 3 + [0] * 57)
    assert len(list(folds(STRATIFIED, features, target, None, discrete=True))) == 3


@pytest.mark.parametrize("discrete", [True, False])
def test_duplicates_are_never_parted_by_the_folds(discrete: bool) -> None:
    features, target = table(60)
    again = np.tile(np.arange(60), 4)
    found = list(folds(STRATIFIED, features.iloc[again].reset_index(drop=True), target[again], None, discrete))
    assert len(found) == STRATIFIED.folds
    assert sorted(np.concatenate([outside for _, outside in found])) == list(range(240))
    for inside, outside in found:
        assert not set(again[inside]) & set(again[outside])


def test_few_distinct_rows_still_make_folds() -> None:
    features = pd.DataFrame({"a": ["x", "y", "z"] * 40})
    target = np.array([0, 0, 1] * 40)
    found = list(folds(STRATIFIED, features, target, None, discrete=True))
    assert len(found) == 3
    assert sorted(np.concatenate([outside for _, outside in found])) == list(range(120))

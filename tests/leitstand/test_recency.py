"""After a change: the hold-out leaves rows of the new world to learn from, and old rows are left out where they only disturb."""

import numpy as np
import pandas as pd
import pytest
from builders import project
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

from leitstand.dataset import Dataset, make_dataset, training_and_holdout
from leitstand.recency import trained
from leitstand.spec import Split
from leitstand.split import FEWEST_HELD, holdout_mask

OLD, NEW = 600, 200


def dataset(slope_now: float) -> Dataset:
    """Return 600 rows with quality = 2 * pressure, and 200 newer ones with another slope."""
    rng = np.random.default_rng(0)
    pressure = rng.normal(0, 1, OLD + NEW)
    slope = np.where(np.arange(OLD + NEW) < OLD, 2.0, slope_now)
    frame = pd.DataFrame({"pressure": pressure, "quality": slope * pressure + rng.normal(0, 0.1, OLD + NEW)})
    line = {"candidates": lambda features, parameters: {"line": LinearRegression()}}
    ordered = {"sources": {"data": {"file": "parts.csv"}}, "target": "quality", "ordered": True}
    return make_dataset(project(frame, line, task="regression", data=ordered, split={"strategy": "time"}), frame)


@pytest.mark.parametrize(("slope", "recent"), [(-1.0, True), (2.0, False)])
def test_only_rows_since_the_change_are_learned_from_where_the_old_ones_disturb(slope: float, recent: bool) -> None:
    part, held = training_and_holdout(dataset(slope), NEW)
    made = trained(part, len(held), "v", False, NEW)
    assert made.model.card.recent is recent
    assert made.model.card.rows == (NEW - len(held) if recent else len(part))
    error = np.abs(made.model.answer(held.features).value - held.target).mean()
    assert error < 0.15, "the noise alone has 0.08"


def test_without_a_known_change_all_rows_are_learned_from() -> None:
    part, held = training_and_holdout(dataset(-1.0))
    made = trained(part, len(held), "v", False)
    assert len(held) == round(0.2 * (OLD + NEW))
    assert (made.model.card.rows, made.model.card.fresh_rows, made.model.card.recent) == (len(part), 0, False)


@given(rows=st.integers(100, 2000), fresh=st.integers(1, 2000), share=st.floats(0.05, 0.5))
def test_the_hold_out_is_the_newest_rows_and_leaves_half_of_the_new_world(rows: int, fresh: int, share: float) -> None:
    fresh = min(fresh, rows)
    frame = pd.DataFrame({"x": np.arange(rows)})
    held = holdout_mask(Split(strategy="time", holdout=share), frame, np.zeros(rows), None, False, fresh)
    assert held[-held.sum() :].all(), "only the newest"
    assert held.sum() <= max(1, round(rows * share))
    assert held.sum() <= max(FEWEST_HELD, fresh // 2)

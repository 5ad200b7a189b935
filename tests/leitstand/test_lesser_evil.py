"""A challenger that misses goals replaces a champion only where that one misses them too and is certainly worse."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from builders import project
from sklearn.linear_model import LinearRegression

from leitstand.dataset import Dataset, make_dataset, training_and_holdout
from leitstand.judging import Champion, Judgement, judge
from leitstand.lesser_evil import is_lesser_evil
from leitstand.training import train


def dataset(slope: float) -> Dataset:
    rng = np.random.default_rng(0)
    pressure = rng.normal(0, 1, 400)
    frame = pd.DataFrame({"pressure": pressure, "quality": slope * pressure + rng.normal(0, 1, 400)})
    line = {"candidates": lambda features, parameters: {"line": LinearRegression()}}
    return make_dataset(project(frame, line, task="regression", success=[{"metric": "mae", "at_most": 0.1}]), frame)


@pytest.fixture(scope="module")
def after_a_change() -> Judgement:
    """The champion knows another world; the challenger has learned this one, whose noise lets nobody reach the goal."""
    old, (part, holdout) = dataset(-2.0), training_and_holdout(dataset(2.0))
    champion = Champion(train(old, "old", synthetic=False).model, same_data=False)
    return judge(train(part, "new", synthetic=False).model, part, holdout, champion)


def test_it_replaces_one_that_is_certainly_worse_and_misses_the_same_goal(after_a_change: Judgement) -> None:
    assert [gate.name for gate in after_a_change.gates if not gate.passed] == ["criterion:mae"]
    assert is_lesser_evil(after_a_change)


def test_a_goal_that_the_champion_reaches_is_no_excuse(after_a_change: Judgement) -> None:
    assert not is_lesser_evil(replace(after_a_change, champion_metrics={"mae": 0.05}))


def test_without_certainty_the_champion_stays(after_a_change: Judgement) -> None:
    gain = after_a_change.champion_gain
    assert gain is not None
    assert not is_lesser_evil(replace(after_a_change, champion_gain=replace(gain, low=-0.01)))
    assert not is_lesser_evil(replace(after_a_change, champion_gain=None))


def test_the_rule_without_learning_must_not_be_certainly_better(after_a_change: Judgement) -> None:
    beaten = replace(after_a_change.baseline_gain, value=-0.2, low=-0.3, high=-0.1)
    assert not is_lesser_evil(replace(after_a_change, baseline_gain=beaten))


@pytest.mark.parametrize("name", ["stability", "latency", "trust", "champion", "champion_slice:line=L1"])
def test_what_concerns_the_challenger_alone_is_never_excused(after_a_change: Judgement, name: str) -> None:
    failed = after_a_change.gates[0].model_copy(update={"name": name})
    assert not is_lesser_evil(replace(after_a_change, gates=(*after_a_change.gates, failed)))

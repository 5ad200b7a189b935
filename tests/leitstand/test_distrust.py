"""Labels that cannot be right are noticed, however good a challenger looks on them."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from builders import project
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from leitstand.dataset import Dataset, make_dataset, training_and_holdout
from leitstand.judging import Champion, Judgement, judge
from leitstand.model import TrainedModel
from leitstand.pipelines import encode
from leitstand.seen import from_frame, known_rows
from leitstand.training import train

PERIOD, PERIODS = 150, 10


def ridge(features: pd.DataFrame, parameters: Any) -> dict[str, Any]:
    return {"ridge": make_pipeline(encode(features, scale=True), Ridge())}


def stream(seed: int = 0, poisoned: tuple[int, ...] = (), turned: int | None = None) -> pd.DataFrame:
    """Ten periods of a measurement; in the poisoned ones labels are shuffled, from ``turned`` on the relation is another."""
    generator = np.random.default_rng(seed)
    rows = PERIOD * PERIODS
    frame = pd.DataFrame(generator.normal(size=(rows, 3)), columns=["a", "b", "c"])
    slope = np.where(np.arange(rows) < (PERIODS if turned is None else turned) * PERIOD, 2.0, -2.0)
    frame["y"] = slope * frame["a"] + frame["b"] + generator.normal(0, 0.5, rows)
    for number in poisoned:
        inside = slice(number * PERIOD, (number + 1) * PERIOD)
        frame.loc[frame.index[inside], "y"] = generator.permutation(frame["y"].to_numpy()[inside])
    return frame


def sides(frame: pd.DataFrame, strategy: str = "time") -> tuple[Dataset, Dataset]:
    sections: dict[str, Any] = {
        "data": {"target": "y", "ordered": strategy == "time"},
        "split": {"strategy": strategy, "holdout": 0.3},
    }
    made = project(frame, {"candidates": ridge}, task="regression", gates={"champion_tolerance": 0.05}, **sections)
    return training_and_holdout(make_dataset(made, frame))


def fitted(part: Dataset) -> TrainedModel:
    return train(part, "v", synthetic=False).model


def trust(judgement: Judgement) -> bool:
    return next(one.passed for one in judgement.gates if one.name == "trust")


@pytest.mark.parametrize("seed", range(3))
def test_a_period_of_shuffled_labels_in_the_holdout_is_distrusted(seed: int) -> None:
    champion = fitted(sides(stream(seed))[0])
    part, holdout = sides(stream(seed, poisoned=(8,)))
    judgement = judge(fitted(part), part, holdout, Champion(champion, same_data=False))
    assert not trust(judgement)
    inside = [PERIOD <= int(one.start) <= 2 * PERIOD for one in judgement.distrusted]
    assert all(inside), judgement.distrusted


@pytest.mark.parametrize("seed", range(3))
def test_a_challenger_that_learned_from_shuffled_labels_gains_nothing_by_them(seed: int) -> None:
    """On shuffled labels who answers near the mean loses least, so the comparison alone would let it through."""
    champion = fitted(sides(stream(seed))[0])
    part, holdout = sides(stream(seed, poisoned=tuple(range(3, 10))))
    judgement = judge(fitted(part), part, holdout, Champion(champion, same_data=False))
    assert next(one.passed for one in judgement.gates if one.name == "champion")
    assert not trust(judgement)
    assert not judgement.passed


@pytest.mark.parametrize("seed", range(3))
def test_a_clean_holdout_is_trusted(seed: int) -> None:
    champion = fitted(sides(stream(seed + 50))[0])
    part, holdout = sides(stream(seed))
    assert trust(judge(fitted(part), part, holdout, Champion(champion, same_data=False)))


def test_a_change_that_the_challenger_has_learned_is_trusted() -> None:
    champion = fitted(sides(stream(0))[0])
    part, holdout = sides(stream(0, turned=2))
    judgement = judge(fitted(part), part, holdout, Champion(champion, same_data=False))
    assert trust(judgement)
    assert judgement.champion_gain is not None
    assert judgement.champion_gain.low > 0


def test_without_an_order_the_rows_that_came_later_are_in_question() -> None:
    before = stream(0).iloc[: 8 * PERIOD]
    known_part, known_holdout = sides(before, "stratified")
    champion = Champion(fitted(known_part), same_data=False, known=from_frame(known_rows(known_part, known_holdout)))
    for poisoned, trusted in (((), True), ((8, 9), False)):
        part, holdout = sides(stream(0, poisoned), "stratified")
        judgement = judge(fitted(part), part, holdout, champion)
        assert trust(judgement) == trusted
        assert judgement.learned_rows <= 0.2 * len(holdout), (
            "a row keeps its side when data are added, but for a few at the border"
        )

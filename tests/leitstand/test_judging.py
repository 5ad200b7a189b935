from typing import Any

import numpy as np
import pandas as pd
import pytest
from builders import parts, project
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from leitstand.bootstrap import Estimate
from leitstand.dataset import Dataset, make_dataset, training_and_holdout
from leitstand.errors import UnknownName
from leitstand.gates import champion_gate
from leitstand.judging import Champion, judge
from leitstand.pipelines import encode
from leitstand.seen import from_frame, known_rows, row_keys
from leitstand.spec import Gates
from leitstand.training import train


def trees(features: pd.DataFrame, parameters: Any) -> dict[str, Any]:
    return {"tree": make_pipeline(encode(features, scale=False), DecisionTreeClassifier(random_state=0))}


def judged(rows: int = 400, champion_of: Dataset | None = None, **changes: object) -> tuple[object, Dataset]:
    dataset = make_dataset(project(parts(rows), **changes), parts(rows))
    part, holdout = training_and_holdout(dataset)
    model = train(part, "v", synthetic=False).model
    champion = Champion(train(champion_of, "v", synthetic=False).model, same_data=False) if champion_of else None
    return judge(model, part, holdout, champion), part


def gate(judgement: object, name: str) -> object:
    return next(one for one in judgement.gates if one.name == name)  # type: ignore[attr-defined]


def test_a_model_that_learned_something_beats_the_baseline() -> None:
    judgement, _ = judged()
    assert gate(judgement, "baseline").passed  # type: ignore[attr-defined]
    assert judgement.baseline_gain.low > 0  # type: ignore[attr-defined]


def test_a_model_on_shuffled_labels_does_not_pass() -> None:
    shuffled = parts(400)
    shuffled["quality"] = np.random.default_rng(0).permutation(shuffled["quality"])
    dataset = make_dataset(project(shuffled), shuffled)
    part, holdout = training_and_holdout(dataset)
    judgement = judge(train(part, "v", synthetic=False).model, part, holdout)
    assert not gate(judgement, "baseline").passed  # type: ignore[attr-defined]
    assert not judgement.passed


def test_a_rule_as_good_as_the_model_shows_that_the_problem_needs_no_ai() -> None:
    def known_limits(frame: pd.DataFrame, parameters: object) -> np.ndarray:
        return np.where((frame["pressure"] - 50) / 5 + (frame["temperature"] - 200) / 10 > 0.8, "bad", "good")

    def one_limit(frame: pd.DataFrame, parameters: object) -> np.ndarray:
        return np.where(frame["pressure"] > 60, "bad", "good")

    found = {}
    for rule in (known_limits, one_limit):
        made = project(parts(400), {"baseline": rule}, training={"metric": "accuracy"})
        part, holdout = training_and_holdout(make_dataset(made, parts(400)))
        judgement = judge(train(part, "v", synthetic=False).model, part, holdout)
        assert judgement.baseline == "project_rule"
        found[rule.__name__] = (gate(judgement, "needs_ai").passed, judgement.passed)  # type: ignore[attr-defined]
    assert found == {"known_limits": (False, False), "one_limit": (True, True)}


def test_a_criterion_out_of_reach_stops_the_model() -> None:
    judgement, _ = judged(success=[{"metric": "recall", "at_least": 1.1}])
    assert not gate(judgement, "criterion:recall").passed  # type: ignore[attr-defined]


def test_a_criterion_on_an_unknown_metric_is_named() -> None:
    with pytest.raises(UnknownName, match="Did you mean: recall"):
        judged(success=[{"metric": "recal", "at_least": 0.5}])


def test_a_champion_that_knows_little_is_beaten() -> None:
    _, part = judged()
    few = part.take(np.arange(len(part)) < 40)
    judgement, _ = judged(champion_of=few)
    assert gate(judgement, "champion").passed  # type: ignore[attr-defined]


def test_slices_are_judged_and_can_stop_a_model() -> None:
    judgement, _ = judged(data={"slices": ["material"]}, gates={"slice_floor": 1e-9})
    assert {one.value for one in judgement.slices} == {"PE", "PP"}  # type: ignore[attr-defined]
    assert not all(one.passed for one in judgement.gates if one.name.startswith("slice:"))  # type: ignore[attr-defined]


def test_the_columns_that_matter_rank_first() -> None:
    judgement, _ = judged(rows=1000)
    assert set(list(judgement.importance)[:2]) == {"pressure", "temperature"}  # type: ignore[attr-defined]


def test_every_figure_has_an_interval_around_it() -> None:
    judgement, _ = judged()
    for name, found in judgement.metrics.items():  # type: ignore[attr-defined]
        assert found.low <= found.value <= found.high, name


def test_a_champion_is_compared_only_on_rows_it_has_not_learned_from() -> None:
    dataset = make_dataset(project(parts(400)), parts(400))
    part, holdout = training_and_holdout(dataset)
    model = train(part, "v", synthetic=False).model
    half = holdout.take(np.arange(len(holdout)) % 2 == 0)
    learned = from_frame(known_rows(half, part))
    judgement = judge(model, part, holdout, Champion(model, same_data=False, known=learned))
    assert (judgement.learned_rows, judgement.compared_rows) == (len(half), len(holdout) - len(half))
    everything = from_frame(known_rows(holdout, part))
    judgement = judge(model, part, holdout, Champion(model, same_data=False, known=everything))
    assert (judgement.learned_rows, judgement.compared_rows) == (len(holdout), len(holdout)), "marked, where nothing else is left"


def test_a_row_is_known_again_among_others_and_with_a_corrected_label() -> None:
    frame = parts(200)
    whole = make_dataset(project(frame), frame)
    corrected = frame.iloc[::-1].assign(quality="good")
    corrected.loc[corrected.index[:20], "quality"] = "bad"
    again = make_dataset(project(frame), corrected)
    assert sorted(row_keys(whole)) == sorted(row_keys(again))
    assert not np.isin(row_keys(make_dataset(project(frame), parts(200, seed=1))), row_keys(whole)).any()


def test_a_challenger_far_behind_the_champion_in_one_slice_does_not_pass() -> None:
    frame = parts(1500)
    flipped = frame.copy()
    pe = flipped["material"] == "PE"
    flipped.loc[pe, "quality"] = np.where(flipped.loc[pe, "quality"] == "bad", "good", "bad")
    sections = {
        "data": {"slices": ["material"]},
        "gates": {"slice_floor": 0.1, "champion_tolerance": 1.0},
        "functions": {"candidates": trees},
    }
    part, holdout = training_and_holdout(make_dataset(project(frame, **sections), frame))
    wrong, _ = training_and_holdout(make_dataset(project(frame, **sections), flipped))
    champion = Champion(train(part, "v", synthetic=False).model, same_data=False)
    judgement = judge(train(wrong, "v", synthetic=False).model, part, holdout, champion)
    assert not gate(judgement, "champion_slice:material=PE").passed  # type: ignore[attr-defined]
    assert gate(judgement, "champion_slice:material=PP").passed  # type: ignore[attr-defined]


def test_a_model_that_hangs_on_the_last_digit_is_unsteady() -> None:
    steady, _ = judged()
    assert gate(steady, "stability").passed  # type: ignore[attr-defined]
    frame = parts(600)
    frame["pressure"] = np.random.default_rng(1).uniform(0, 1000, 600)
    frame["quality"] = np.where((frame["pressure"] // 10) % 2 == 0, "good", "bad")
    part, holdout = training_and_holdout(make_dataset(project(frame, functions={"candidates": trees}), frame))
    judgement = judge(train(part, "v", synthetic=False).model, part, holdout)
    assert judgement.instability > 0.2
    assert not gate(judgement, "stability").passed  # type: ignore[attr-defined]


def test_a_challenger_that_ranks_no_better_passes_where_the_champion_answers_wrong() -> None:
    """An offset of a sensor leaves the champion's order as it was, and turns most of its answers round."""
    old, moved = parts(2000), parts(400, seed=3).assign(pressure=lambda frame: frame["pressure"] + 15)
    linear = {
        "candidates": lambda features, parameters: {"linear": make_pipeline(encode(features, scale=True), LogisticRegression())}
    }
    champion = Champion(train(make_dataset(project(old, linear), old), "v", synthetic=False).model, same_data=False)
    made = project(moved, linear, training={"metric": "roc_auc"})
    part, holdout = training_and_holdout(make_dataset(made, moved))
    few = make_dataset(made, moved.iloc[:80])
    judgement = judge(train(few, "v", synthetic=False).model, part, holdout, champion)
    assert judgement.champion_gain is not None
    assert judgement.champion_gain.value < 0 <= judgement.champion_gain.high
    assert (found := gate(judgement, "champion")).passed  # type: ignore[attr-defined]
    assert found.value > 0.2  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("gain", "of_answers", "passed"),
    [
        (Estimate(-0.01, -0.03, 0.01), Estimate(0.3, 0.2, 0.4), True),
        (Estimate(-0.01, -0.03, 0.01), Estimate(0.1, -0.1, 0.3), False),
        (Estimate(-0.1, -0.2, -0.01), Estimate(0.3, 0.2, 0.4), False),
        (Estimate(-0.01, -0.03, 0.01), None, False),
    ],
)
def test_answers_count_only_where_they_are_certainly_better_and_the_order_not_certainly_worse(
    gain: Estimate, of_answers: Estimate | None, passed: bool
) -> None:
    assert champion_gate(gain, Gates(), False, of_answers).passed == passed
    assert not champion_gate(gain, Gates(), True, of_answers).passed, "on the champion's own data nothing has moved"

import numpy as np
import pytest
from builders import parts, project

from leitstand.dataset import Dataset, make_dataset, training_and_holdout
from leitstand.errors import UnknownName
from leitstand.judging import Champion, judge
from leitstand.training import train


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

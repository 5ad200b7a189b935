import json

import numpy as np
import pytest

from leitstand.rule import Rule


def kept(rule: Rule) -> Rule:
    """Return a rule as it comes back from a file."""
    return Rule.model_validate_json(rule.model_dump_json())


def test_without_a_rule_of_its_own_a_classification_answers_with_the_shares_of_training() -> None:
    rule = kept(Rule(task="classification", classes=("bad", "good"), positive="bad", shares=(0.25, 0.75)))
    answers = rule.answer(2)
    assert answers.value.tolist() == ["good", "good"]
    assert answers.probabilities is not None
    assert answers.score is not None
    assert answers.probabilities.tolist() == [[0.25, 0.75]] * 2
    assert answers.score.tolist() == [0.25, 0.25]


def test_the_projects_own_rule_names_the_class() -> None:
    rule = kept(Rule(task="classification", own=True, classes=(0, 1), positive=1, shares=(0.5, 0.5)))
    answers = rule.answer(2, np.array([1, 0]))
    assert answers.value.tolist() == [1, 0]
    assert answers.score is not None
    assert answers.score.tolist() == [1.0, 0.0]


def test_a_number_that_the_own_rule_leaves_open_is_filled() -> None:
    rule = kept(Rule(task="regression", own=True, value=9.0, fill=5.0))
    assert rule.answer(3, np.array([1.0, np.nan, np.inf])).value.tolist() == [1.0, 5.0, 5.0]
    assert rule.answer(2).value.tolist() == [9.0, 9.0]


def test_anomalies_are_told_by_the_threshold_of_training_or_never() -> None:
    rule = kept(Rule(task="anomaly", own=True, threshold=2.0))
    assert rule.answer(3, np.array([1.0, 2.0, 2.5])).value.tolist() == [False, False, True]
    assert rule.answer(2).value.tolist() == [False, False]
    assert not kept(Rule(task="anomaly")).answer(2, np.array([1e9, 1e9])).value.any()


def test_a_rule_takes_nothing_that_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="more"):
        Rule.model_validate_json(json.dumps({"task": "anomaly", "more": 1}))

"""Every candidate of every project that comes with Leitstand is explained."""

from collections.abc import Callable

import numpy as np
import pytest

from leitstand.contract import Contract
from leitstand.explanation import Explainer
from leitstand.model import TrainedModel
from leitstand.nearest import Examples
from leitstand.texts import LANGUAGES
from leitstand.wording import in_words
from tests.projects.conftest import NAMES, Case

PATIENT = 600.0
METHODS = {
    "acoustic_maintenance": {"pca_residual": "permutation_shap", "nearest_normal": "permutation_shap"},
    "cell_diagnostics": dict.fromkeys(("logistic_regression", "support_vectors", "gradient_boosting"), "permutation_shap"),
    "virtual_sensor": {"ridge": "linear_shap", "gradient_boosting": "tree_shap", "support_vectors": "permutation_shap"},
}


def fitted(case: Case) -> dict[str, TrainedModel]:
    part, card = case.training_part, case.training.model.card
    learned = part.take(~part.target) if card.task == "anomaly" else part
    target = None if card.task == "anomaly" else learned.target
    candidates = case.project.candidates(part.features)
    return {
        name: TrainedModel(estimator.fit(learned.features, target), card.model_copy(update={"candidate": name}))
        for name, estimator in candidates.items()
    }


def columns(contract: Contract, features: list[str]) -> set[str]:
    """The contract's columns that show in the features, and the features that show none."""
    return {next((name for name in contract.names if feature == name or feature.startswith((f"{name}_lag", f"{name}_mean"))), feature)
            for feature in features}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_contributions_of_every_candidate_add_up_and_are_told(case: Callable[[str], Case], name: str) -> None:
    one = case(name)
    look_back = one.project.spec.data.history_rows
    rows = one.holdout.frame.tail(look_back + 2)
    methods = {}
    for candidate, model in fitted(one).items():
        found = Explainer(model, one.project, one.holdout.features).explain(rows, seconds=PATIENT, history=look_back)
        assert len(found) == 2
        for each in found:
            together = each.base + sum(part.contribution for part in each.contributions)
            assert together == pytest.approx(each.prediction, rel=1e-9)
            assert {part.column for part in each.contributions} == columns(
                one.project.input_contract, list(model.card.feature_names)
            )
            assert all(3 <= len(in_words(each, one.project, language)) <= 5 for language in LANGUAGES)
        answers = model.predict(one.project, rows)
        expected = answers.value if answers.score is None else answers.score
        assert [each.prediction for each in found] == pytest.approx(np.asarray(expected[look_back:], dtype=float))
        methods[candidate] = found[0].method
    assert methods == METHODS[name]


@pytest.mark.parametrize("name", ["cell_diagnostics", "virtual_sensor"])
def test_the_nearest_example_of_a_training_row_is_that_row(case: Callable[[str], Case], name: str) -> None:
    one = case(name)
    part = one.training_part.take(np.arange(0, len(one.training_part), 7))
    project = one.project
    reference = part.frame[project.input_contract.names].assign(label=part.target)
    (found,) = Examples(one.training.model, project, reference).nearest(part.features.iloc[[5]], 3)
    assert found[0].distance == pytest.approx(0, abs=1e-9)
    secret = {column.name for column in project.contract.columns if column.personal_data != "none"}
    assert not secret & set(found[0].values)
    assert (found[0].label is None) == (project.spec.data.target in secret)

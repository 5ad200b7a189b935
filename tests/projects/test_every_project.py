"""What holds for every project that comes with Leitstand."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_contracts.checking import check
from leitstand.leaks import refuse_leaks
from leitstand.model_file import load_model, save_model
from tests.projects.conftest import NAMES, Case, shipped

Cases = Callable[[str], Case]


def digest(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_writes_the_same_bytes(name, tmp_path):
    sample = shipped(name).sample()
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        sample.write(tmp_path / folder, seed=7)
    assert digest(tmp_path / "first") == digest(tmp_path / "second")


@pytest.mark.parametrize("name", NAMES)
def test_another_seed_writes_other_data_unless_they_are_real(name, tmp_path):
    sample = shipped(name).sample()
    for seed in (1, 2):
        (tmp_path / str(seed)).mkdir()
        sample.write(tmp_path / str(seed), seed=seed)
    assert (digest(tmp_path / "1") != digest(tmp_path / "2")) == sample.SYNTHETIC


@pytest.mark.parametrize("name", NAMES)
def test_the_sample_keeps_every_rule_of_its_contract(case: Cases, name):
    found = check(case(name).frame, case(name).project.contract)
    assert found.passed, [rule.describe("en") for rule in found.broken]
    assert found.extra == ()
    assert not any(column.guesses for column in case(name).project.contract.columns)


@pytest.mark.parametrize("name", NAMES)
def test_no_column_gives_the_target_away(case: Cases, name):
    refuse_leaks(case(name).training_part)


@pytest.mark.parametrize("name", NAMES)
def test_every_gate_lets_the_pilot_through(case: Cases, name):
    refused = [gate for gate in case(name).judgement.gates if not gate.passed and gate.name != "latency"]
    assert not refused


@pytest.mark.parametrize("name", NAMES)
def test_today_s_rule_is_the_baseline_and_the_model_beats_it(case: Cases, name):
    judgement = case(name).judgement
    assert judgement.baseline == "project_rule"
    assert judgement.baseline_gain.low > case(name).project.spec.gates.minimum_improvement


@pytest.mark.parametrize("name", NAMES)
def test_every_candidate_can_be_stored_and_answers_alike_after_loading(case: Cases, name, tmp_path):
    one = case(name)
    inputs = one.training_part.features
    normal = ~one.training_part.target if one.project.spec.task == "anomaly" else np.ones(len(inputs), dtype=bool)
    for candidate, estimator in one.project.candidates(inputs).items():
        fitted = estimator.fit(inputs[normal], None if one.project.spec.task == "anomaly" else one.training_part.target)
        model = type(one.training.model)(fitted, one.training.model.card.model_copy(update={"candidate": candidate}))
        loaded = load_model(tmp_path / candidate, save_model(model, tmp_path / candidate))
        np.testing.assert_array_equal(loaded.answer(one.holdout.features).value, model.answer(one.holdout.features).value)


@pytest.mark.parametrize("name", NAMES)
def test_one_row_alone_is_answered_as_among_others(case: Cases, name):
    one = case(name)
    if one.project.spec.data.history_rows:
        pytest.skip("a row of a time series needs its history; tested there")
    among = one.training.model.predict(one.project, one.holdout.frame.head(5))
    alone = one.training.model.predict(one.project, one.holdout.frame.iloc[[3]])
    assert alone.value[0] == among.value[3]
    assert alone.score is not None
    assert alone.score[0] == pytest.approx(among.score[3], rel=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_advice_is_plain_data_in_both_languages(case: Cases, name):
    one = case(name)
    rows = one.holdout.frame.head(20)
    advice = one.project.advise(rows, one.training.model.predict(one.project, rows))
    assert len(advice) == len(rows)
    for each in json.loads(json.dumps(advice, allow_nan=False)):
        assert each is None or set(each["message"]) == {"de", "en"}

"""What is loaded when the history names a challenger, a pause or a model that cannot be loaded."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from own_stage import copied, row, second_version

from infra.history import History, Kind
from infra.registry import Registry
from infra.releases import MODEL_FOLDER, RELEASE_FILE, Releases
from infra.settings import Settings
from leitstand.errors import LeitstandError, StateError, TamperedModel
from leitstand.model_file import MODEL_FILE
from serving import loading
from serving.batch_model import champion_for_batch
from serving.endpoint import Endpoint
from serving.loading import Champions
from serving.rollout import takes
from serving.told import state_of

RULE = '''
import numpy as np


def baseline(frame, parameters):
    """Say what the radius says."""
    assert frame["diagnosis"].isna().all()
    return np.where(frame["mean radius"] > 15, "malignant", "benign").astype(object)
'''


@pytest.fixture(scope="module")
def two(stage: Any, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A stage on which cells has two versions, the first of them the champion."""
    folder = tmp_path_factory.mktemp("standby")
    settings, registry = copied(stage, folder), None
    registry = Registry(settings)
    assert second_version(stage, settings, registry, folder / "model") == 2
    registry.close()
    return settings


def say(settings: Settings, *entries: tuple[Kind, int], share: float = 0.5) -> None:
    history = History(settings.database("history"))
    for kind, version in entries:
        evidence = {"share": share} if kind == "canary" else {}
        history.append("cells", kind, version, who="Ada", why=f"{kind} it", evidence=evidence)
    history.close()


def policy(settings: Settings, fallback: str, **more: str) -> None:
    """Write into project.yaml what is to answer in place of the model."""
    file = settings.workspace / "projects" / "cells" / "project.yaml"
    spec = yaml.safe_load(file.read_text(encoding="utf-8"))
    spec["when_it_errs"] = {"fallback": fallback, **more}
    file.write_text(yaml.safe_dump(spec, allow_unicode=True), encoding="utf-8")


@pytest.fixture
def champions(two: Settings) -> Any:
    say(two, ("resume", 1), ("promote", 1))
    policy(two, "person", contact="Ada")
    made = Champions(["cells"], two, compiling=False)
    yield made
    made.stop()


def found(champions: Champions) -> Endpoint:
    one = champions.endpoints["cells"]
    assert isinstance(one, Endpoint), one
    return one


def answers(stage: Any, endpoint: Endpoint) -> dict[str, Any]:
    (answered,) = endpoint.answer([endpoint.read(json.dumps({"rows": [row(stage, "cells")]}).encode())])
    told: dict[str, Any] = json.loads(answered.body)
    return told


def spoiled(settings: Settings, version: int) -> Path:
    """Change one byte of a release's model; return the file."""
    releases = Releases(settings)
    file = releases.folder("cells", version) / MODEL_FOLDER / MODEL_FILE
    releases.close()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    return file


def test_a_challenger_stands_beside_the_champion_and_is_not_loaded_again_when_it_is_promoted(
    two: Settings, champions: Champions
) -> None:
    say(two, ("shadow", 2))
    champions.look()
    trial = found(champions).rollout
    assert trial is not None
    assert (found(champions).version, trial.endpoint.version, trial.mode) == (1, 2, "shadow")
    say(two, ("canary", 2), share=0.25)
    champions.look()
    canary = found(champions).rollout
    assert canary is not None
    assert canary.endpoint is trial.endpoint
    assert (canary.mode, canary.share) == ("canary", 0.25)
    say(two, ("promote", 2))
    champions.look()
    assert found(champions) is trial.endpoint
    assert found(champions).rollout is None
    say(two, ("rollback", 1))
    champions.look()
    assert (found(champions).version, found(champions).role) == (1, "champion")


def test_a_challenger_that_is_withdrawn_answers_no_more(two: Settings, champions: Champions) -> None:
    say(two, ("canary", 2), ("withdraw", 2))
    champions.look()
    assert found(champions).rollout is None


def test_a_challenger_that_cannot_be_loaded_leaves_the_champion_alone(two: Settings, champions: Champions) -> None:
    file = spoiled(two, 2)
    try:
        say(two, ("shadow", 2))
        champions.look()
        assert (found(champions).version, found(champions).rollout) == (1, None)
    finally:
        assert spoiled(two, 2) == file


def test_what_could_not_be_loaded_is_tried_again(two: Settings, champions: Champions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "AGAIN_SECONDS", 0.0)
    spoiled(two, 2)
    say(two, ("shadow", 2))
    champions.look()
    assert found(champions).rollout is None
    spoiled(two, 2)  # the byte is as it was
    champions.look()
    assert found(champions).rollout is not None


def test_a_champion_that_cannot_be_loaded_leaves_the_one_before_which_says_so(
    stage: Any, two: Settings, champions: Champions
) -> None:
    spoiled(two, 2)
    try:
        say(two, ("promote", 2))
        champions.look()
        assert (found(champions).version, found(champions).role) == (1, "fallback")
        assert answers(stage, found(champions))["predictions"][0]["flags"] == [{"name": "fallback_used", "columns": []}]
        fresh = Champions(["cells"], two, compiling=False)
        assert isinstance(fresh.endpoints["cells"], TamperedModel)  # nothing was loaded before, and a person decides
        fresh.stop()
    finally:
        spoiled(two, 2)


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_paused_project_says_that_a_person_decides_and_keeps_its_model(
    two: Settings, champions: Champions, language: Any
) -> None:
    before = found(champions)
    say(two, ("pause", 1))
    champions.look()
    refusal = found(champions).refusal
    assert found(champions) is before
    assert isinstance(refusal, LeitstandError)
    said = refusal.render(language)
    assert "pause it." in said
    assert {"en": "a person decides. Contact: Ada", "de": "ein Mensch entscheidet. Ansprechpartner: Ada"}[language] in said
    state = state_of(champions.endpoints, language, bool)  # no 503: the service does what it was told
    assert (state["status"], state["projects"]["cells"]["ready"]) == ("degraded", False)
    say(two, ("resume", 1))
    champions.look()
    assert found(champions).refusal is None


def test_a_paused_project_answers_no_batch(two: Settings, champions: Champions) -> None:
    assert champion_for_batch("cells", two)[0].version == 1
    say(two, ("pause", 1))
    with pytest.raises(StateError, match=r"has been paused since .*pause it.*leitstand resume cells"):
        champion_for_batch("cells", two)


def test_a_paused_project_answers_with_the_last_good_model_where_it_wants_that(
    stage: Any, two: Settings, champions: Champions
) -> None:
    policy(two, "last_good")
    say(two, ("promote", 2), ("pause", 2))
    champions.look()
    told = answers(stage, found(champions))
    assert (told["model"]["version"], found(champions).role) == (1, "fallback")
    assert told["predictions"][0]["flags"] == [{"name": "fallback_used", "columns": []}]
    say(two, ("resume", 2))
    champions.look()
    assert (found(champions).version, found(champions).role) == (2, "champion")


def test_a_paused_project_answers_with_the_baseline_where_it_wants_that(stage: Any, two: Settings, champions: Champions) -> None:
    policy(two, "baseline")
    say(two, ("pause", 1))
    champions.look()
    told = answers(stage, found(champions))
    shares = stage.frames["cells"]["diagnosis"].value_counts(normalize=True)
    assert told["model"]["version"] == 0
    assert told["predictions"][0]["probabilities"] == pytest.approx({name: shares[name] for name in ("benign", "malignant")})
    assert told["predictions"][0]["flags"] == [{"name": "fallback_used", "columns": []}]
    state = state_of(champions.endpoints, "en", bool)
    assert state["projects"]["cells"] == {"ready": True, "detail": None, "fallback": True}


def test_the_baseline_answers_even_when_the_model_s_files_were_changed(stage: Any, two: Settings, champions: Champions) -> None:
    policy(two, "baseline")
    spoiled(two, 1)
    try:
        fresh = Champions(["cells"], two, compiling=False)
        assert answers(stage, found(fresh))["model"]["version"] == 0
        fresh.stop()
    finally:
        spoiled(two, 1)


def test_the_project_s_own_rule_is_asked_with_a_target_that_nobody_knows(stage: Any, two: Settings, champions: Champions) -> None:
    policy(two, "baseline")
    model = two.workspace / "projects" / "cells" / "model.py"
    releases = Releases(two)
    file = releases.folder("cells", 1) / RELEASE_FILE
    releases.close()
    before = file.read_text(encoding="utf-8")
    try:
        model.write_text(RULE, encoding="utf-8")
        file.write_text(before.replace('"own": false', '"own": true'), encoding="utf-8")
        say(two, ("pause", 1))
        champions.look()
        radius = row(stage, "cells")["mean radius"]
        expected = "malignant" if radius > 15 else "benign"
        assert answers(stage, found(champions))["predictions"][0]["prediction"] == expected
    finally:
        model.unlink()
        file.write_text(before, encoding="utf-8")


def test_releases_without_a_baseline_leave_the_decision_to_a_person(
    two: Settings, champions: Champions, caplog: pytest.LogCaptureFixture
) -> None:
    policy(two, "baseline")
    releases = Releases(two)
    files = [releases.folder("cells", version) / RELEASE_FILE for version in (1, 2)]
    releases.close()
    before = [file.read_text(encoding="utf-8") for file in files]
    try:
        for file, content in zip(files, before, strict=True):
            file.write_text(json.dumps({**json.loads(content), "rule": None}), encoding="utf-8")
        say(two, ("promote", 2), ("promote", 1), ("pause", 1))
        champions.look()
        assert found(champions).refusal is not None
        assert caplog.text.count("holds no baseline") == 2
    finally:
        for file, content in zip(files, before, strict=True):
            file.write_text(content, encoding="utf-8")


def test_the_share_of_a_canary_is_kept_stable_and_drawn_anew_for_each_version() -> None:
    ids = [f"{number:032x}" for number in range(10_000)]
    first, again, other = ({id_ for id_ in ids if takes(id_, version, 0.2)} for version in (2, 2, 3))
    assert first == again
    assert len(first) == pytest.approx(2000, abs=200)
    assert len(first & other) == pytest.approx(400, abs=120)
    assert {id_ for id_ in ids if takes(id_, 2, 0.1)} < first  # a growing share keeps those it had
    assert not any(takes(id_, 2, 0.0) for id_ in ids)

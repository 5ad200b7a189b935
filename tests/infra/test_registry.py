import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import text

from infra.mlflow_client import open_client
from infra.registry import CHAMPION, ModelVersion, Registry
from infra.releases import Releases
from infra.settings import Settings, load_settings
from infra.tracking import Tracker
from leitstand.errors import ModelError, StateError, TamperedModel, UnknownName
from leitstand.model import TrainedModel
from leitstand.model_file import MODEL_FILE, save_model

from .conftest import INPUTS

Run = Callable[..., "subprocess.Popen[str]"]
TAGS = {"data_version": "d" * 32, "code_version": "none", "lock_hash": "l" * 64}


@pytest.fixture
def registered(small_model: TrainedModel, tmp_path: Path) -> Callable[..., ModelVersion]:
    """Train-and-register in one call, as often as wanted."""

    def register(settings: Settings, project: str = "demo") -> ModelVersion:
        tracker = Tracker(settings)
        run_id = tracker.start(project, "x", {}, {})
        sha256 = save_model(small_model, tmp_path / "model")
        tracker.log_model(run_id, tmp_path / "model", inputs=INPUTS, requirements=[])
        return Registry(settings).register(project, run_id, sha256, TAGS)

    return register


Register = Callable[..., ModelVersion]


def alias(settings: Settings, project: str = "demo") -> int | None:
    found = open_client(settings).get_registered_model(project).aliases.get(CHAMPION)
    return None if found is None else int(found)


def set_alias(settings: Settings, version: int) -> None:
    open_client(settings).set_registered_model_alias("demo", CHAMPION, str(version))


def test_a_registered_model_answers_as_before(any_settings: Settings, registered: Register, small_model: TrainedModel) -> None:
    version = registered(any_settings)
    registry = Registry(any_settings)
    assert (version.project, version.version, version.alias, version.data_version) == ("demo", 1, None, "d" * 32)
    assert TAGS.items() <= version.tags.items()
    assert [found.version for found in registry.versions("demo")] == [1]
    frame = pd.DataFrame({"a": [-2.0, 2.0], "b": [0.0, 0.0]})
    assert registry.fetch(version).answer(frame).value.tolist() == small_model.answer(frame).value.tolist() == ["no", "yes"]


def test_registering_the_same_run_again_changes_nothing(settings: Settings, registered: Register) -> None:
    version = registered(settings)
    registry = Registry(settings)
    assert registry.register("demo", version.run_id, version.sha256, TAGS) == version
    assert len(registry.versions("demo")) == 1


def test_a_project_without_models_has_no_versions_and_no_champion(settings: Settings) -> None:
    registry = Registry(settings)
    assert registry.versions("demo") == []
    assert registry.champion("demo") is None
    assert registry.history("demo") == []


def test_promotion_moves_the_champion_and_is_noted(any_settings: Settings, registered: Register) -> None:
    registry = Registry(any_settings)
    for number in (1, 2):
        registered(any_settings)
        registry.promote("demo", number, who="anna", why=f"better {number}", evidence={"roc_auc": 0.9})
    champion = registry.champion("demo")
    assert champion is not None
    assert (champion.version, champion.alias) == (2, CHAMPION)
    assert [found.alias for found in registry.versions("demo")] == [None, CHAMPION]
    assert [(entry.from_version, entry.to_version, entry.who) for entry in registry.history("demo")] == [
        (None, 1, "anna"),
        (1, 2, "anna"),
    ]


def test_rollback_goes_back_step_by_step_and_to_a_version(settings: Settings, registered: Register) -> None:
    registry = Registry(settings)
    for number in (1, 2, 3):
        registered(settings)
        registry.promote("demo", number, who="anna", why="better")
    assert registry.rollback("demo", who="ben", why="worse in production").to_version == 2
    assert registry.rollback("demo", who="ben", why="still worse").to_version == 1
    with pytest.raises(StateError, match="demo has no earlier champion to go back to"):
        registry.rollback("demo", who="ben", why="once more")
    assert registry.rollback("demo", version=3, who="ben", why="it was the sensor").to_version == 3
    assert alias(settings) == 3
    assert [entry.kind for entry in registry.history("demo")] == ["promote"] * 3 + ["rollback"] * 3


def test_an_unknown_version_is_named_and_the_champion_stays(settings: Settings, registered: Register) -> None:
    registry = Registry(settings)
    registered(settings)
    registry.promote("demo", 1, who="anna", why="first")
    with pytest.raises(UnknownName, match=r"no model version '7'\. Known: 1"):
        registry.promote("demo", 7, who="anna", why="typing error")
    assert alias(settings) == 1
    assert len(registry.history("demo")) == 1


def test_a_run_without_a_model_cannot_be_registered(settings: Settings) -> None:
    run_id = Tracker(settings).start("demo", "x", {}, {})
    with pytest.raises(ModelError, match=f"run {run_id} has no stored model"):
        Registry(settings).register("demo", run_id, "0" * 64, TAGS)
    assert Registry(settings).versions("demo") == []


def test_files_that_arrived_changed_are_not_registered(settings: Settings, small_model: TrainedModel, tmp_path: Path) -> None:
    tracker = Tracker(settings)
    run_id = tracker.start("demo", "x", {}, {})
    save_model(small_model, tmp_path / "model")
    tracker.log_model(run_id, tmp_path / "model", inputs=INPUTS, requirements=[])
    with pytest.raises(TamperedModel, match=r"not the one that was registered: expected SHA-256 000000000000…"):
        Registry(settings).register("demo", run_id, "0" * 64, TAGS)
    assert Registry(settings).versions("demo") == []


@pytest.mark.parametrize("harm", ["changed", "removed"])
def test_a_tampered_model_is_neither_loaded_nor_promoted(settings: Settings, registered: Register, harm: str) -> None:
    registry = Registry(settings)
    registered(settings)
    registry.promote("demo", 1, who="anna", why="first")
    file = Path(registered(settings).location) / MODEL_FILE
    if harm == "changed":
        file.write_bytes(file.read_bytes() + b" ")
    else:
        file.unlink()
    with pytest.raises(TamperedModel, match=r"not the one that was registered|is missing"):
        registry.fetch(registry.version("demo", 2))
    with pytest.raises(TamperedModel, match=r"not the one that was registered|is missing"):
        registry.promote("demo", 2, who="mallory", why="please")
    assert alias(settings) == 1
    assert [entry.to_version for entry in registry.history("demo")] == [1]


@pytest.mark.parametrize("moved_to", [1, 3])
def test_an_alias_moved_by_hand_is_set_right(settings: Settings, registered: Register, moved_to: int) -> None:
    registry = Registry(settings)
    for _ in range(3):
        registered(settings)
    for number in (1, 2):
        registry.promote("demo", number, who="anna", why="better")
    set_alias(settings, moved_to)
    champion = registry.champion("demo")
    assert champion is not None
    assert champion.version == alias(settings) == 2


def test_an_alias_that_no_promotion_stands_behind_makes_no_champion(settings: Settings, registered: Register) -> None:
    registered(settings)
    set_alias(settings, 1)
    assert Registry(settings).champion("demo") is None


def test_nothing_is_promoted_on_a_history_that_was_changed(settings: Settings, registered: Register) -> None:
    registry = Registry(settings)
    for number in (1, 2):
        registered(settings)
        registry.promote("demo", number, who="anna", why="better")
    with registry._history._database.writing() as connection:
        connection.execute(text("UPDATE leitstand_promotions SET who = 'mallory' WHERE number = 1"))
    for attempt in (
        lambda: registry.promote("demo", 1, who="anna", why="again"),
        lambda: registry.rollback("demo", who="anna", why="again"),
        lambda: registry.history("demo"),
    ):
        with pytest.raises(StateError, match=r"changed from outside: entry 1 is not"):
            attempt()
    assert alias(settings) == 2


def test_a_champion_that_mlflow_lost_is_named(settings: Settings, registered: Register) -> None:
    registry = Registry(settings)
    registered(settings)
    registry.promote("demo", 1, who="anna", why="first")
    open_client(settings).delete_model_version("demo", "1")
    with pytest.raises(StateError, match="Version 1 is the champion of demo, but MLflow no longer has it"):
        registry.champion("demo")


def test_models_of_a_store_elsewhere_are_fetched_once_and_checked(
    tmp_path: Path, mlflow_database: Path, registered: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(home=tmp_path / "home", workspace=tmp_path, artifacts_url=str(tmp_path / "share"))
    version = registered(settings)
    assert version.location.startswith(str(tmp_path / "share" / "artifacts" / "demo"))
    registry = Registry(settings)
    monkeypatch.setattr("infra.registered.local_folder", lambda location: None)  # as for s3://: not on this file system
    kept = registry.model_folder(version)
    assert kept == settings.root / "cache" / "models" / version.sha256
    (kept / MODEL_FILE).write_bytes(b"changed in the cache")
    assert registry.fetch(version).card.candidate == "logistic"
    (Path(version.location) / MODEL_FILE).write_bytes(b"changed in the store")
    (kept / MODEL_FILE).write_bytes(b"changed in the cache")
    with pytest.raises(TamperedModel, match="not the one that was registered"):
        registry.fetch(version)


@pytest.fixture
def reigning(settings: Settings, registered: Register) -> Registry:
    """Version 1 in charge, version 2 registered."""
    registry = Registry(settings)
    registered(settings)
    registry.promote("demo", 1, who="anna", why="first")
    registered(settings)
    return registry


def test_a_trial_begins_once_and_ends_with_withdrawal_or_promotion(reigning: Registry, settings: Settings) -> None:
    for _ in range(2):  # a pass that was killed after the note begins it again
        entry = reigning.begin_trial("demo", 2, "canary", 0.2, who="anna", why="try", evidence={"gain": 0.1})
    assert (entry.kind, entry.from_version, entry.to_version, entry.evidence) == ("canary", 1, 2, {"gain": 0.1, "share": 0.2})
    assert Releases(settings).has("demo", 2)
    champion = reigning.champion("demo")
    assert champion is not None
    assert champion.version == alias(settings) == 1
    assert reigning.withdraw("demo", who="anna", why="worse").to_version == 2
    reigning.begin_trial("demo", 2, "shadow", 0.0, who="anna", why="again")
    reigning.promote("demo", 2, who="anna", why="as good")
    assert [one.kind for one in reigning.history("demo")] == ["promote", "canary", "withdraw", "shadow", "promote"]
    standing = reigning.standing("demo")
    assert standing is not None
    assert (standing.champion, standing.challenger) == (2, None)


def test_a_trial_needs_a_champion_and_somebody_else_to_try(reigning: Registry, registered: Register, settings: Settings) -> None:
    with pytest.raises(StateError, match="Version 1 is the champion of demo already"):
        reigning.begin_trial("demo", 1, "shadow", 0.0, who="anna", why="try")
    with pytest.raises(StateError, match="No challenger of demo is on trial"):
        reigning.withdraw("demo", who="anna", why="worse")
    reigning.begin_trial("demo", 2, "shadow", 0.0, who="anna", why="try")
    registered(settings)
    with pytest.raises(StateError, match=r"Version 3 of demo cannot go on trial: version 2 is"):
        reigning.begin_trial("demo", 3, "shadow", 0.0, who="anna", why="try")
    with pytest.raises(StateError, match="No model is in charge of other yet"):
        reigning.begin_trial("other", 1, "shadow", 0.0, who="anna", why="try")


def test_a_pause_holds_until_somebody_resumes(reigning: Registry) -> None:
    with pytest.raises(StateError, match="demo is not paused"):
        reigning.resume("demo", who="anna", why="?")
    reigning.pause("demo", who="anna", why="sensor dead")
    with pytest.raises(StateError, match=r"demo is paused already, since .* UTC: sensor dead"):
        reigning.pause("demo", who="anna", why="again")
    reigning.promote("demo", 2, who="anna", why="better")
    standing = reigning.standing("demo")
    assert standing is not None
    assert (standing.paused, standing.champion, standing.why) == (True, 2, "sensor dead")
    reigning.resume("demo", who="anna", why="sensor changed")
    assert [(one.kind, one.to_version) for one in reigning.history("demo")[1:]] == [("pause", 1), ("promote", 2), ("resume", 2)]


PROMOTER = """
    import os, signal, sys
    from pathlib import Path
    from infra.settings import calm_tools, load_settings
    calm_tools()
    from mlflow import MlflowClient
    from infra.history import History
    from infra.registry import Registry
    from infra.tracking import Tracker
    from leitstand.contract import Column, Contract

    def die(*arguments, **options):
        os.kill(os.getpid(), signal.SIGKILL)

    def after(real):
        return lambda *arguments, **options: die(real(*arguments, **options))

    places = {
        "upload": (MlflowClient, "log_model_artifact", after),
        "uploaded": (MlflowClient, "finalize_logged_model", after),
        "version": (MlflowClient, "create_model_version", lambda real: die),
        "registered": (MlflowClient, "create_model_version", after),
        "noted": (History, "append", after),
        "aliased": (MlflowClient, "set_registered_model_alias", after),
        "published": (Registry, "publish", after),
        "tried": (History, "append", after),
        "withdrawn": (History, "append", after),
        "paused": (History, "append", after),
        "returned": (History, "append", after),
    }

    acts = {
        "published": lambda registry: registry.begin_trial("demo", 3, "canary", 0.1, who="anna", why="try"),
        "tried": lambda registry: registry.begin_trial("demo", 3, "canary", 0.1, who="anna", why="try"),
        "withdrawn": lambda registry: registry.withdraw("demo", who="anna", why="worse"),
        "paused": lambda registry: registry.pause("demo", who="anna", why="broken"),
        "returned": lambda registry: registry.rollback("demo", who="anna", why="worse"),
    }

    def promote(home, folder, sha256, stop):
        owner, name, deadly = places[stop]
        setattr(owner, name, deadly(getattr(owner, name)))
        settings = load_settings(home=Path(home))
        if stop in acts:
            return acts[stop](Registry(settings))
        inputs = Contract(id="d", table="d", columns=(Column(name="a", type="number"), Column(name="b", type="number")))
        tracker, registry = Tracker(settings), Registry(settings)
        run_id = tracker.start("demo", "second", {}, {})
        tracker.log_model(run_id, Path(folder), inputs=inputs, requirements=[])
        version = registry.register("demo", run_id, sha256, {})
        registry.promote("demo", version.version, who="anna", why="better")

    for line in sys.stdin:  # a child for each: importing MLflow anew takes seconds
        child = os.fork()
        if child == 0:
            promote(*sys.argv[1:], line.strip())
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def test_kill_9_between_any_two_steps_leaves_a_whole_champion(
    settings: Settings, registered: Register, run_python: Run, small_model: TrainedModel, tmp_path: Path
) -> None:
    registered(settings)
    registry = Registry(settings)
    registry.promote("demo", 1, who="anna", why="first")
    process = run_python(
        PROMOTER, settings.home, tmp_path / "model", save_model(small_model, tmp_path / "model"), stdin=subprocess.PIPE
    )
    versions = champion = 1
    for stop, registers, promotes in (
        ("upload", 0, False),
        ("uploaded", 0, False),
        ("version", 0, False),
        ("registered", 1, False),
        ("noted", 1, True),
        ("aliased", 1, True),
    ):
        print(stop, file=process.stdin, flush=True)
        assert process.stdout.readline() == "-9\n", process.communicate()[1]
        versions += registers
        before, champion = champion, versions if promotes else champion
        assert alias(settings) == (before if stop == "noted" else champion), stop
        found = registry.champion("demo")
        assert found is not None
        assert (found.version, alias(settings), len(registry.versions("demo"))) == (champion, champion, versions), stop
        assert registry.fetch(found).card.candidate == "logistic"
        assert registry.history("demo")[-1].to_version == champion
    for stop, entries, challenger, paused in (
        ("published", 3, None, False),
        ("tried", 4, 3, False),
        ("withdrawn", 5, None, False),
        ("paused", 6, None, True),
        ("returned", 7, None, True),
    ):
        print(stop, file=process.stdin, flush=True)
        assert process.stdout.readline() == "-9\n", process.communicate()[1]
        standing, found = registry.standing("demo"), registry.champion("demo")
        assert found is not None
        assert standing is not None
        assert (standing.challenger, standing.paused, len(registry.history("demo"))) == (challenger, paused, entries), stop
        assert standing.champion == found.version == alias(settings), stop
    assert registered(settings).version == versions + 1  # and the next run succeeds
    registry.promote("demo", versions + 1, who="anna", why="next")
    assert alias(settings) == versions + 1

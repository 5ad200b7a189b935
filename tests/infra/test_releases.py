"""A promotion publishes all that a service needs, before the history names it."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from infra.registry import Registry
from infra.releases import HOLDOUT_FILE, MODEL_FOLDER, REFERENCE_FILE, Releases
from infra.settings import Settings
from infra.tracking import Tracker
from leitstand.errors import ModelError, TamperedModel
from leitstand.model import TrainedModel
from leitstand.model_file import MODEL_FILE, load_model, save_model

from .conftest import INPUTS


def registered(settings: Settings, model: TrainedModel, folder: Path, project: str = "demo") -> int:
    tracker = Tracker(settings)
    run_id = tracker.start(project, "x", {}, {})
    sha256 = save_model(model, folder / "model")
    tracker.log_model(run_id, folder / "model", inputs=INPUTS, requirements=[])
    tracker.log_metrics(run_id, {"mae": 2.0})
    (folder / "run").mkdir(exist_ok=True)
    for name in (REFERENCE_FILE, HOLDOUT_FILE):
        pd.DataFrame({"a": [1.0]}).to_parquet(folder / "run" / name)
    tracker.log_file(run_id, folder / "run", "run")
    return Registry(settings).register(project, run_id, sha256, {"data_version": "d" * 32}).version


def test_a_promotion_leaves_a_release_that_answers_as_the_model(settings: Settings, small_model: TrainedModel, tmp_path: Path):
    version = registered(settings, small_model, tmp_path)
    releases = Releases(settings)
    assert releases.champions() == {}
    assert not releases.has("demo", version)
    Registry(settings).promote("demo", version, who="w", why="y")
    assert releases.champions() == {"demo": version}
    release, folder = releases.read("demo", version), releases.folder("demo", version)
    assert (release.version, release.data_version, release.metrics["mae"]) == (version, "d" * 32, 2.0)
    frame = pd.DataFrame({"a": [-2.0, 2.0], "b": [0.0, 0.0]})
    loaded = load_model(folder / MODEL_FOLDER, release.sha256)
    assert loaded.answer(frame).value.tolist() == small_model.answer(frame).value.tolist()
    assert pd.read_parquet(folder / REFERENCE_FILE).equals(pd.read_parquet(folder / HOLDOUT_FILE))
    assert [path.name for path in folder.parent.iterdir()] == [str(version)]


def test_the_champions_of_all_projects_are_read_at_once(settings: Settings, small_model: TrainedModel, tmp_path: Path):
    registry = Registry(settings)
    for project, promotions in {"one": (1, 2), "two": (1,)}.items():
        for number in promotions:
            registered(settings, small_model, tmp_path, project)
            registry.promote(project, number, who="w", why="y")
    registry.rollback("one", who="w", why="y")
    assert Releases(settings).champions() == {"one": 1, "two": 1}


def test_a_changed_release_is_made_anew_from_the_registry(settings: Settings, small_model: TrainedModel, tmp_path: Path):
    registry = Registry(settings)
    version = registry.version("demo", registered(settings, small_model, tmp_path))
    file = registry.publish(version) / MODEL_FOLDER / MODEL_FILE
    file.write_bytes(b"other")
    with pytest.raises(TamperedModel, match="demo"):
        load_model(file.parent, version.sha256)
    load_model(registry.publish(version) / MODEL_FOLDER, version.sha256)


def test_a_missing_release_says_how_to_publish_it(settings: Settings, small_model: TrainedModel, tmp_path: Path):
    version = registered(settings, small_model, tmp_path)
    with pytest.raises(ModelError, match="leitstand promote"):
        Releases(settings).read("demo", version)
    Registry(settings).promote("demo", version, who="w", why="y")
    shutil.rmtree(Releases(settings).folder("demo", version))
    Registry(settings).publish(Registry(settings).version("demo", version))
    assert Releases(settings).read("demo", version).version == version

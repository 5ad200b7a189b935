"""A stage of one's own: a copy of the trained one, whose keys, champions and files a test may change."""

import shutil
from pathlib import Path
from typing import Any

from infra.registry import Registry
from infra.releases import HOLDOUT_FILE, REFERENCE_FILE, Releases
from infra.settings import Settings
from infra.tracking import Tracker
from leitstand.model import TrainedModel
from leitstand.model_file import save_model


def copied(stage: Any, folder: Path) -> Settings:
    """Return the settings of a copy of the stage, with nothing in its log and rows to explain answers with."""
    kept_out = shutil.ignore_patterns("predictions.db*", "keys.db*", "logs", "bentoml")
    shutil.copytree(stage.settings.root, folder / "home", ignore=kept_out)
    shutil.copytree(stage.settings.workspace, folder / "workspace")
    settings = Settings(home=folder / "home", workspace=folder / "workspace")
    releases = Releases(settings)
    for name, version in stage.versions.items():
        release, frame = releases.folder(name, version.version), stage.frames[name]
        files = [column.name for column in stage.projects[name].input_contract.columns if column.type == "file"]
        frame.drop(columns=files).to_parquet(release / REFERENCE_FILE)
        if files:
            stage.projects[name].features(frame).astype(float).to_parquet(release / HOLDOUT_FILE)
    releases.close()
    return settings


def second_version(stage: Any, settings: Settings, registry: Registry, folder: Path, name: str = "cells") -> int:
    """Register and publish a project's champion once more, with another card."""
    model = stage.models[name]
    again = TrainedModel(model.estimator, model.card.model_copy(update={"candidate": "second"}))
    sha256, tracker = save_model(again, folder), Tracker(settings)
    run = tracker.start(name, "train", {}, {})
    tracker.log_model(run, folder, inputs=stage.projects[name].input_contract, requirements=["scikit-learn"])
    tracker.finish(run)
    version = registry.register(name, run, sha256, {"data_version": "d0c6"})
    registry.publish(version)
    return version.version


def row(stage: Any, name: str, place: int = 0) -> dict[str, Any]:
    """Return one row of a project as a request holds it."""
    from serving.client import as_rows

    return as_rows(stage.frames[name].iloc[[place]], stage.projects[name].input_contract)[0]

"""A stage of one's own: a copy of the trained one, whose keys, champions and files a test may change."""

import shutil
from pathlib import Path
from typing import Any

from infra.releases import HOLDOUT_FILE, REFERENCE_FILE, Releases
from infra.settings import Settings


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


def row(stage: Any, name: str, place: int = 0) -> dict[str, Any]:
    """Return one row of a project as a request holds it."""
    from serving.client import as_rows

    return as_rows(stage.frames[name].iloc[[place]], stage.projects[name].input_contract)[0]

"""Publishing a registered version as a release: one folder with all that a service needs of it."""

import shutil
import sys
import tempfile
from pathlib import Path

from infra.releases import HOLDOUT_FILE, MODEL_FOLDER, REFERENCE_FILE, RELEASE_FILE, Release
from infra.tracking import Tracker
from leitstand.errors import TamperedModel
from leitstand.model_file import CARD_FILE, MODEL_FILE, digest, load_card

RUN_FOLDER = "run"


def publish(release: Release, model: Path, tracker: Tracker, folder: Path) -> None:
    """Make the folder of a release, whole or not at all; one that is there already stays.

    Parameters
    ----------
    model : folder with the files of the registered version
    folder : where the release is to lie; its parent is made

    Raises
    ------
    TamperedModel
        If the files are not the registered ones.
    ModelError
        If the model's card cannot be read.
    StateError
        If MLflow cannot be reached, or the disk cannot be written.
    """
    if (folder / RELEASE_FILE).is_file() and _has_hash(folder / MODEL_FOLDER, release.sha256):
        return
    card = load_card(model, release.sha256)
    release = release.model_copy(update={"rule": card.rule, "synthetic": card.synthetic})
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-") as scratch:
        fresh = Path(scratch) / "release"
        (fresh / MODEL_FOLDER).mkdir(parents=True)
        for name in (MODEL_FILE, CARD_FILE):
            shutil.copyfile(model / name, fresh / MODEL_FOLDER / name)
        held = tracker.artifacts(release.run_id, RUN_FOLDER)
        for name in (REFERENCE_FILE, HOLDOUT_FILE):
            if f"{RUN_FOLDER}/{name}" in held:
                shutil.copyfile(tracker.fetch_file(release.run_id, f"{RUN_FOLDER}/{name}", Path(scratch)), fresh / name)
        (fresh / RELEASE_FILE).write_text(release.model_dump_json(indent=2), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)  # of another content: somebody changed it
        fresh.rename(folder)


def _has_hash(folder: Path, sha256: str) -> bool:
    try:
        return digest(folder) == sha256
    except TamperedModel:
        return False


def main(project: str, version: str) -> None:
    """Publish a version on this machine: ``python -m infra.publishing PROJECT VERSION``."""
    from infra.registry import Registry  # which itself publishes
    from infra.settings import calm_tools, load_settings

    calm_tools()
    registry = Registry(load_settings())
    registry.publish(registry.version(project, int(version)))


if __name__ == "__main__":
    main(*sys.argv[1:])

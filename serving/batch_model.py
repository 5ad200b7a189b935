"""The champion as a batch uses it: straight from its release, compiled where that was done, on all cores."""

import os

from infra.releases import COMPILED_FOLDER, MODEL_FOLDER, Release, Releases
from infra.settings import Settings
from leitstand.errors import StateError
from leitstand.model import TrainedModel
from leitstand.model_file import load_card, load_model
from serving.compiled import load_compiled


def champion_for_batch(project: str, settings: Settings) -> tuple[Release, TrainedModel]:
    """Return the release in charge of a project and its model; no model registry is needed where the release is on this machine.

    Raises
    ------
    StateError
        If the project has no champion yet.
    TamperedModel
        If a file is missing or changed.
    """
    releases = Releases(settings)
    try:
        version = releases.champions().get(project)
        if version is None:
            raise StateError("flows.no_champion", project=project)
        if not releases.has(project, version):
            from serving.loading import fetch_release

            fetch_release(project, version)
        release, folder = releases.read(project, version), releases.folder(project, version)
    finally:
        releases.close()
    card = load_card(folder / MODEL_FOLDER, release.sha256)
    compiled = load_compiled(folder / COMPILED_FOLDER, release.sha256, threads=os.cpu_count() or 1)
    return release, load_model(folder / MODEL_FOLDER, release.sha256) if compiled is None else TrainedModel(compiled, card)

"""Registered model versions and their files.

A version is registered only after its files were read back with the right hash, so a process killed at any point leaves at worst files that
nobody points at, or a version that nobody put in charge.
"""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from infra.locks import hold
from infra.mlflow_client import is_missing, local_folder, mlflow_errors, open_client
from infra.publishing import publish
from infra.releases import Release, Releases
from infra.settings import Settings
from infra.tracking import MODEL_TAG, Tracker
from leitstand.errors import ModelError, TamperedModel, UnknownName
from leitstand.model import TrainedModel
from leitstand.model_file import digest, load_model

CHAMPION = "champion"
LOCK_WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class ModelVersion:
    """One registered model.

    Parameters
    ----------
    version : 1, 2, … within the project
    sha256 : of the stored model, checked at every load
    data_version : content hash of the snapshot it was trained on
    alias : ``champion`` or None
    location : folder or address of its files
    """

    project: str
    version: int
    run_id: str
    sha256: str
    data_version: str
    alias: str | None
    created: datetime
    tags: Mapping[str, str]
    location: str


class Models:
    """The model versions of all projects, whoever is in charge."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tracker = Tracker(settings)
        self._releases = Releases(settings)

    @cached_property
    def _client(self) -> MlflowClient:
        return open_client(self._settings)

    def close(self) -> None:
        """Close the connections to the databases."""
        self._releases.close()

    def register(self, project: str, run_id: str, sha256: str, tags: Mapping[str, str]) -> ModelVersion:
        """Make the model that ``Tracker.log_model`` stored for the run a version of the project; the same run and hash again changes nothing.

        Parameters
        ----------
        sha256 : as ``save_model`` returned it; the stored files are read back and compared with it first
        tags : ``data_version``, ``code_version``, ``lock_hash`` and whatever else is to stand with the version

        Raises
        ------
        TamperedModel
            If what was stored is not what was saved.
        ModelError
            If the run has no model.
        StateError
            If MLflow's database or server cannot be reached or written.
        """
        with self._locked(project), mlflow_errors(self._settings):
            for version in self.versions(project):
                if version.run_id == run_id and version.sha256 == sha256:
                    return version
            model_id = self._client.get_run(run_id).data.tags.get(MODEL_TAG)
            if model_id is None:
                raise ModelError("infra.run_without_model", run=run_id)
            location = self._client.get_logged_model(model_id).artifact_location
            self._check_stored(location, sha256)
            self._ensure_registered(project)
            kept = {**tags, "sha256": sha256, MODEL_TAG: model_id}
            made = self._client.create_model_version(
                project, location, run_id, kept, model_id=model_id
            )  # a server asks for the id
            return _version(made, None)

    def versions(self, project: str) -> list[ModelVersion]:
        """Return all versions of the project, oldest first; empty before the first."""
        with mlflow_errors(self._settings):
            aliases = self._aliases(project)
            found = self._client.search_model_versions(f"name = '{project}'", max_results=10_000)
            return sorted((_version(made, aliases) for made in found), key=lambda version: version.version)

    def version(self, project: str, number: int) -> ModelVersion:
        """Return one version.

        Raises
        ------
        UnknownName
            If there is none of that number.
        """
        with mlflow_errors(self._settings):
            try:
                return _version(self._client.get_model_version(project, str(number)), self._aliases(project))
            except MlflowException as error:
                if not is_missing(error):
                    raise
        raise UnknownName("version", str(number), [str(version.version) for version in self.versions(project)])

    def fetch(self, version: ModelVersion) -> TrainedModel:
        """Return the model of a version, its hash checked before it is loaded.

        Raises
        ------
        TamperedModel
            If a file is missing or changed.
        StateError
            If the files cannot be fetched.
        """
        return load_model(self.model_folder(version), version.sha256)

    def model_folder(self, version: ModelVersion) -> Path:
        """Return a folder with the files of a version; those of a remote store are kept in the state folder under their hash."""
        here = local_folder(version.location)
        if here is not None:
            return here
        with mlflow_errors(self._settings):
            kept = self._settings.folder("cache", "models") / version.sha256
            if kept.exists() and _has_hash(kept, version.sha256):
                return kept
            with tempfile.TemporaryDirectory(dir=kept.parent) as fresh:
                fetched = self._tracker.fetch_model(version.location, Path(fresh))
                shutil.rmtree(kept, ignore_errors=True)
                fetched.replace(kept) if fetched != Path(fresh) else shutil.copytree(fresh, kept)
        return kept

    def publish(self, version: ModelVersion) -> Path:
        """Return the release folder of a version, made where it is missing.

        Raises
        ------
        TamperedModel
            If the files are not the registered ones.
        StateError
            If MLflow cannot be reached, or the disk cannot be written.
        """
        folder = self._releases.folder(version.project, version.version)
        with mlflow_errors(self._settings):
            release = Release(
                project=version.project,
                version=version.version,
                run_id=version.run_id,
                sha256=version.sha256,
                data_version=version.data_version,
                created=version.created,
                metrics=dict(self._tracker.run(version.run_id).metrics),
            )
            publish(release, self.model_folder(version), self._tracker, folder)
        return folder

    def _aliases(self, project: str) -> dict[str, int]:
        try:
            return {alias: int(number) for alias, number in self._client.get_registered_model(project).aliases.items()}
        except MlflowException as error:
            if is_missing(error):
                return {}
            raise

    def _ensure_registered(self, project: str) -> None:
        try:
            self._client.get_registered_model(project)
        except MlflowException as error:
            if not is_missing(error):
                raise
            self._client.create_registered_model(project)

    def _check_stored(self, location: str, sha256: str) -> None:
        here = local_folder(location)
        with tempfile.TemporaryDirectory() as fresh:
            stored = here if here is not None else self._tracker.fetch_model(location, Path(fresh))
            found = digest(stored)
        if found != sha256:
            raise TamperedModel("errors.model_hash", path=location, expected=sha256[:12], found=found[:12])

    def _locked(self, project: str) -> Any:
        return hold(self._settings, f"registry-{project}", wait_seconds=LOCK_WAIT_SECONDS)


def _has_hash(folder: Path, sha256: str) -> bool:
    try:
        return digest(folder) == sha256
    except TamperedModel:
        return False


def _version(made: Any, aliases: Mapping[str, int] | None) -> ModelVersion:
    number = int(made.version)
    named = [alias for alias, target in (aliases or {}).items() if target == number]
    return ModelVersion(
        project=made.name,
        version=number,
        run_id=made.run_id,
        sha256=made.tags.get("sha256", ""),
        data_version=made.tags.get("data_version", ""),
        alias=named[0] if named else None,
        created=datetime.fromtimestamp(made.creation_timestamp / 1000, UTC),
        tags=dict(made.tags),
        location=made.source,
    )

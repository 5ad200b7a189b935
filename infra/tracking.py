"""Runs in MLflow: parameters, metrics, files and the model, always with an explicit run id.

MLflow's fluent interface keeps its active run per thread, and Prefect runs tasks in threads; so nothing here uses it.
"""

import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import LoggedModelOutput, Metric, Param, ViewType
from mlflow.exceptions import MlflowException

from infra.mlflow_client import artifacts_location, is_missing, mlflow_errors, open_client, tracking_url
from infra.model_description import write_description
from infra.settings import Settings
from leitstand.contract import Contract
from leitstand.errors import UnknownName
from leitstand.model import ModelCard
from leitstand.model_file import CARD_FILE, MODEL_FILE, digest

Status = Literal["FINISHED", "FAILED", "KILLED"]
MODEL_TAG = "leitstand.model_id"
_LONGEST = 5000  # characters of a parameter or tag; MLflow refuses longer ones


@dataclass(frozen=True)
class Run:
    """What MLflow holds about one run; times aware, UTC; ``ended`` is None while it runs."""

    id: str
    project: str
    name: str
    status: str
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    started: datetime
    ended: datetime | None


class Tracker:
    """The runs of all projects; a project is an MLflow experiment of its name."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def _client(self) -> MlflowClient:
        return open_client(self._settings)

    def start(self, project: str, name: str, parameters: Mapping[str, object], tags: Mapping[str, object]) -> str:
        """Open a run and return its id. Values may be anything with a text form; over-long ones are cut.

        Raises
        ------
        StateError
            As all methods here: if MLflow's database or server cannot be reached or written.
        """
        client = self._client
        with mlflow_errors(self._settings):
            experiment = self._experiment(client, project)
            run = client.create_run(experiment, run_name=name, tags={key: _cut(value) for key, value in tags.items()})
            client.log_batch(run.info.run_id, params=[Param(_name(key), _cut(value)) for key, value in parameters.items()])
        return str(run.info.run_id)

    def _experiment(self, client: MlflowClient, project: str) -> str:
        found = client.get_experiment_by_name(project)
        if found is None:
            try:
                return str(client.create_experiment(project, artifact_location=artifacts_location(self._settings, project)))
            except MlflowException:  # another process was faster
                found = client.get_experiment_by_name(project)
                if found is None:
                    raise
        if found.lifecycle_stage == "deleted":
            client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    def log_metrics(self, run_id: str, metrics: Mapping[str, float], *, step: int = 0) -> None:
        """Add metrics to the run; characters that MLflow does not take in a name become ``_``."""
        now = int(time.time() * 1000)
        with mlflow_errors(self._settings):
            self._client.log_batch(
                run_id, metrics=[Metric(_name(key), float(value), now, step) for key, value in metrics.items()]
            )

    def log_tags(self, run_id: str, tags: Mapping[str, object]) -> None:
        """Set tags of the run."""
        with mlflow_errors(self._settings):
            for key, value in tags.items():
                self._client.set_tag(run_id, key, _cut(value))

    def log_file(self, run_id: str, path: Path, artifact_path: str | None = None) -> None:
        """Add a file, or a folder with all it holds, to the run's artifacts, below ``artifact_path``."""
        with mlflow_errors(self._settings):
            log = self._client.log_artifacts if path.is_dir() else self._client.log_artifact
            log(run_id, str(path), artifact_path)

    def fetch_file(self, run_id: str, artifact_path: str, folder: Path) -> Path:
        """Copy an artifact of the run into ``folder`` (which must exist) and return where it is."""
        with mlflow_errors(self._settings):
            return Path(self._client.download_artifacts(run_id, artifact_path, str(folder)))

    def artifacts(self, run_id: str, folder: str) -> set[str]:
        """Return the paths of the run's artifacts in one folder; empty where there is none."""
        with mlflow_errors(self._settings):
            return {str(file.path) for file in self._client.list_artifacts(run_id, folder)}

    def log_model(self, run_id: str, folder: Path, *, inputs: Contract, requirements: Sequence[str]) -> str:
        """Store the model that ``leitstand.model_file.save_model`` wrote into ``folder`` and return its MLflow id.

        Parameters
        ----------
        inputs : what a row that the model answers for looks like
        requirements : lines of a requirements file, told so that MLflow does not spend seconds on guessing them
        """
        card = ModelCard.model_validate_json((folder / CARD_FILE).read_text(encoding="utf-8"))
        sha256, client = digest(folder), self._client
        with mlflow_errors(self._settings), tempfile.TemporaryDirectory() as extra:
            experiment = client.get_run(run_id).info.experiment_id
            tags = {"sha256": sha256, "data_version": card.data_version}
            model_id = client.create_logged_model(experiment, card.candidate, run_id, tags, model_type=card.task).model_id
            write_description(
                Path(extra), inputs=inputs, card=card, sha256=sha256, run_id=run_id, model_id=model_id, requirements=requirements
            )
            for path in (folder / MODEL_FILE, folder / CARD_FILE, Path(extra) / "MLmodel", Path(extra) / "requirements.txt"):
                client.log_model_artifact(model_id, str(path))
            client.finalize_logged_model(model_id, "READY")
            client.log_outputs(run_id, [LoggedModelOutput(model_id, 0)])
            client.set_tag(run_id, MODEL_TAG, model_id)
        return str(model_id)

    def fetch_model(self, location: str, folder: Path) -> Path:
        """Copy the artifacts at an address into ``folder`` and return where they are."""
        with mlflow_errors(self._settings):
            return Path(
                download_artifacts(artifact_uri=location, dst_path=str(folder), tracking_uri=tracking_url(self._settings))
            )

    def finish(self, run_id: str, status: Status = "FINISHED") -> None:
        """Close the run."""
        with mlflow_errors(self._settings):
            self._client.set_terminated(run_id, status)

    def run(self, run_id: str) -> Run:
        """Return one run.

        Raises
        ------
        UnknownName
            If there is none of that id; names similar ids.
        """
        with mlflow_errors(self._settings):
            try:
                return self._run(self._client.get_run(run_id))
            except MlflowException as error:
                if not is_missing(error) and error.error_code != "INVALID_PARAMETER_VALUE":
                    raise
        raise UnknownName("run", run_id, self._known_ids())

    def runs(self, project: str, *, limit: int = 100) -> list[Run]:
        """Return the newest runs of the project, newest first; empty for a project that never ran."""
        with mlflow_errors(self._settings):
            experiment = self._client.get_experiment_by_name(project)
            if experiment is None:
                return []
            found = self._client.search_runs(
                [experiment.experiment_id], max_results=limit, order_by=["attributes.start_time DESC"]
            )
            return [self._run(run) for run in found]

    def close_abandoned(self, project: str) -> list[str]:
        """Mark the runs that a killed process left open as KILLED and return their ids. Call while holding the project's lock."""
        with mlflow_errors(self._settings):
            experiment = self._client.get_experiment_by_name(project)
            if experiment is None:
                return []
            found = self._client.search_runs([experiment.experiment_id], "attributes.status = 'RUNNING'")
            for run in found:
                self._client.set_terminated(run.info.run_id, "KILLED")
            return [run.info.run_id for run in found]

    def _known_ids(self) -> list[str]:
        with mlflow_errors(self._settings):
            experiments = [
                experiment.experiment_id for experiment in self._client.search_experiments(view_type=ViewType.ACTIVE_ONLY)
            ]
            return [run.info.run_id for run in self._client.search_runs(experiments, max_results=100)]

    def _run(self, run: Any) -> Run:
        info = run.info
        return Run(
            id=info.run_id,
            project=self._client.get_experiment(info.experiment_id).name,
            name=info.run_name,
            status=info.status,
            parameters=dict(run.data.params),
            metrics=dict(run.data.metrics),
            tags={key: value for key, value in run.data.tags.items() if not key.startswith("mlflow.")},
            started=datetime.fromtimestamp(info.start_time / 1000, UTC),
            ended=datetime.fromtimestamp(info.end_time / 1000, UTC) if info.end_time else None,
        )


def _cut(value: object) -> str:
    shown = str(value)
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"


def _name(key: str) -> str:
    return re.sub(r"[^\w.\-/ ]", "_", key)[:250]

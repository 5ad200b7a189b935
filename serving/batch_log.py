"""What stays known of a batch: each prediction in the log, or the job with its range of ids in a small file."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from data_contracts.odcs_text import write_atomically
from infra.prediction_entries import LoggedPrediction, plain
from infra.prediction_log import PredictionLog
from infra.releases import Release
from leitstand.now import now
from leitstand.project import Project
from serving.answers import fingerprint
from serving.batch_answers import conformed, id_column
from serving.batch_job import BatchJob

LogMode = Literal["all", "ids", "none"]
ALL_UP_TO_ROWS = 100_000
"""How many rows are logged one by one unless somebody says otherwise: a minute of the log's time, some 100 MB."""
_AT_A_TIME = 2_000  # rows in one transaction, so that a running service never waits long
Pseudonymise = Callable[[dict[str, Any]], dict[str, Any]]


def write_log(job: BatchJob, project: Project, version: int, log: PredictionLog, pseudonymise: Pseudonymise) -> None:
    """Write every prediction of the job to the log; rows that an earlier run has written are not written again.

    Raises
    ------
    StateError
        If the log cannot be written.
    """
    state, known = job.state, set[str]()
    if state.logging_since is not None:  # a run was killed while it wrote this part
        since = datetime.fromisoformat(state.logging_since)
        known = set(log.read(project.name, model_version=version, since=since)["id"])
    while state.logged < len(state.parts):
        state.logging_since = state.logging_since or now().isoformat()
        job.save()
        if state.parts[state.logged]:
            rows = _rows(job.part(state.logged), project, job.ids, pseudonymise)
            rows = [row for row in rows if row.id not in known]
            for start in range(0, len(rows), _AT_A_TIME):
                log.write(project.name, version, rows[start : start + _AT_A_TIME])
        state.logged, state.logging_since, known = state.logged + 1, None, set()
        job.save()


def write_manifest(folder: Path, job: BatchJob, project: Project, release: Release, told: Mapping[str, Any]) -> Path:
    """Note the job and its range of ids, by which labels can be joined from the output later; the same job gives the same file."""
    state = job.state
    document = {
        "project": project.name,
        "model_version": release.version,
        "model_sha256": release.sha256,
        "data_version": release.data_version,
        "contract": {"id": project.contract.id, "version": project.contract.version},
        **told,
        "rows": sum(state.parts),
        "flagged": state.flagged,
        "quarantined": state.rows - sum(state.parts),
        "ids": {
            "first": f"{job.ids}{1:08x}",
            "last": f"{job.ids}{state.rows:08x}",
            "end": "number of the row in the source, hexadecimal",
        },
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    path = folder / f"{job.ids}.json"
    write_atomically(json.dumps(document, ensure_ascii=False, indent=2), path)
    return path


def _rows(part: Any, project: Project, job: str, pseudonymise: Pseudonymise) -> list[LoggedPrediction]:
    own = part.column_names[
        part.column_names.index(id_column(part.column_names)) :
    ]  # the answers stand behind the data's columns
    answers = {name.removeprefix("leitstand_"): part.column(name).to_pylist() for name in own}
    chances = {name.removeprefix("probability_"): values for name, values in answers.items() if name.startswith("probability_")}
    nothing: list[Any] = [None] * part.num_rows
    made = []
    for i, row in enumerate(conformed(part, project.input_contract).to_dict("records")):
        inputs = {str(name): fingerprint(value) if isinstance(value, bytes) else plain(value) for name, value in row.items()}
        made.append(
            LoggedPrediction(
                inputs=pseudonymise(inputs),
                prediction=answers["prediction"][i],
                score=answers.get("score", nothing)[i],
                probabilities={name: values[i] for name, values in chances.items()} or None,
                lower=answers.get("lower", nothing)[i],
                upper=answers.get("upper", nothing)[i],
                flags=tuple(answers["flags"][i]),
                client="batch",
                request_id=job,
                id=answers["prediction_id"][i],
            )
        )
    return made

"""Training a run again from its own data version, and comparing every figure."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flows.registration import CONTRACT_FILE, FRESH_ROWS, SPEC_FILE, run_metrics
from flows.stage import stage
from flows.workspace import Desk
from infra.code_version import code_version
from leitstand.contract import Contract
from leitstand.dataset import make_dataset, training_and_holdout
from leitstand.judging import judge
from leitstand.project import Project
from leitstand.recency import trained
from leitstand.spec import parse_spec

TOLERANCE = 1e-9  # on the same platform; other processors may round sums differently
NOT_COMPARED = ("latency_ms", "champion_")  # time, and a rival that may have gone since


@dataclass(frozen=True)
class Reproduction:
    """Figures of a run, then and now.

    Parameters
    ----------
    differences : metric to (then, now), only those further apart than 1e-9
    changed : what is not as it was then: ``code``, ``lock``, ``platform``
    """

    run_id: str
    data_version: str
    compared: int
    differences: dict[str, tuple[float, float]]
    changed: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether every figure came out again."""
        return not self.differences


@stage("reproduce")
def reproduce(desk: Desk, run_id: str) -> Reproduction:
    """Fetch the run's data version, train and judge as project.yaml said then, and compare.

    Raises
    ------
    UnknownName
        If there is no such run or data version.
    """
    run = desk.tracker.run(run_id)
    project = project_then(desk, run_id)
    desk.report("M4", "fetch data")
    dataset = make_dataset(project, desk.snapshots.load(project.name, run.tags["data_version"]))
    fresh = int(run.parameters.get(FRESH_ROWS, 0))
    training_part, holdout = training_and_holdout(dataset, fresh)
    training = trained(
        training_part, len(holdout), run.tags["data_version"], False, fresh, lambda name: desk.report("M4", f"train {name}")
    )
    desk.report("M4", "judge")
    now = run_metrics(judge(training.model, training_part, holdout), training)
    compared = {name: value for name, value in run.metrics.items() if not name.startswith(NOT_COMPARED)}
    differences = {
        name: (value, now.get(name, float("nan")))
        for name, value in compared.items()
        if not abs(value - now.get(name, float("nan"))) <= TOLERANCE * max(1.0, abs(value))
    }
    return Reproduction(run_id, run.tags["data_version"], len(compared), differences, changed_since(desk, run.tags))


def project_then(desk: Desk, run_id: str) -> Project:
    """Return the project with the decisions and the contract of a run, and today's functions.

    Raises
    ------
    StateError
        If the run's files are gone.
    """
    with tempfile.TemporaryDirectory() as scratch:
        spec_file = desk.tracker.fetch_file(run_id, f"run/{SPEC_FILE}", Path(scratch))
        contract_file = desk.tracker.fetch_file(run_id, f"run/{CONTRACT_FILE}", Path(scratch))
        spec = parse_spec(json.loads(spec_file.read_text(encoding="utf-8")), spec_file)
        contract = Contract.model_validate_json(contract_file.read_text(encoding="utf-8"))
    return Project(spec, contract, desk.project.folder, desk.project.functions)


def changed_since(desk: Desk, tags: Mapping[str, str]) -> tuple[str, ...]:
    """Return what is not as it was when a run with these tags was made."""
    code = code_version(desk.settings)
    now = {"code": str(code), "lock": code.lock_hash}
    before = {"code": tags.get("code_version"), "lock": tags.get("lock_hash")}
    return tuple(name for name, value in now.items() if value != before[name])

"""The ground that one policy of a time-lapse stands on: a workspace and a state folder of its own, with the project as the stream needs it."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from data_contracts.odcs import write_contract
from flows.simulation.stream import Stream
from flows.yaml_file import plain, write_yaml, yaml_with_comments
from infra.settings import Settings
from leitstand.contract import Contract
from leitstand.project import Project

FIRST, INCOMING = "first.parquet", "incoming"
FEWEST_WATCHED = 30


@dataclass(frozen=True)
class Ground:
    """Where one policy works.

    Parameters
    ----------
    incoming : watched folder that deliveries come into
    clock : file of the shared clock
    """

    settings: Settings
    incoming: Path
    clock: Path


def lay(folder: Path, project: Project, stream: Stream, settings: Settings) -> Ground:
    """Make the workspace of a policy below an empty folder."""
    workspace, state = folder / "workspace", folder / "state"
    home = workspace / "projects" / project.name
    shutil.copytree(project.folder, home, ignore=shutil.ignore_patterns("__pycache__"))
    incoming = workspace / INCOMING
    incoming.mkdir()
    content = plain(yaml_with_comments().load((home / "project.yaml").read_text(encoding="utf-8")))
    write_yaml(_as_stream(content, project, stream), home / "project.yaml")
    (workspace / "data_contracts").mkdir()
    write_contract(project.contract, workspace / "data_contracts" / project.spec.contract_file)
    as_delivered(stream.first, project.contract).to_parquet(workspace / FIRST, index=False)
    clock = folder / "clock"
    own = settings.model_copy(
        update={"home": state, "workspace": workspace, "clock": clock, "database_url": None, "mlflow_url": None}
    )
    own.__dict__.pop("root", None)  # worked out from the home before
    return Ground(own, incoming, clock)


def as_delivered(rows: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Return conformed rows with the types that their contract names, as a delivery has them."""
    typed = {}
    for column in contract.columns:
        if column.name in rows.columns and column.type in ("integer", "boolean"):
            typed[column.name] = rows[column.name].astype("Int64" if column.type == "integer" else "boolean")
    return rows.assign(**typed)


def _as_stream(content: dict[str, Any], project: Project, stream: Stream) -> dict[str, Any]:
    """Return project.yaml for a stream: rows come into a folder, the newest are judged on, a window is a period, nobody is asked."""
    data = content["data"] | {"sources": {"data": {"file": FIRST}}, "incoming": {"folder": INCOMING, "settle_seconds": 0}}
    if project.spec.data.time is None:
        data["ordered"] = True
    size = min(len(period.rows) for period in stream.periods)
    monitoring = content.get("monitoring", {})
    watched = max(10, min(project.spec.monitoring.minimum_rows, size * 3 // 4))
    labels = max(10, min(project.spec.monitoring.minimum_labels, size // 2))
    return content | {
        "data": data,
        "split": content.get("split", {}) | {"strategy": "time"},
        "training": content.get("training", {}) | {"learning_curve": False},
        "monitoring": monitoring | {"window_hours": stream.hours, "minimum_rows": watched, "minimum_labels": labels},
        "maintenance": content.get("maintenance", {}) | {"promote": "automatic", "schedule": None, "rollout": "direct"},
    }

"""A small project with a watched folder, its state folder on SQLite, and deliveries to drop into it."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from data_contracts.odcs import write_contract
from flows.workspace import Desk, open_project
from infra.settings import Settings, load_settings
from leitstand.contract import Column, Contract

START = datetime(2026, 1, 1, tzinfo=UTC)
COLUMNS = (
    Column(name="time", type="timestamp", required=True, primary_key_position=1),
    Column(name="line", type="string", required=True, primary_key_position=2),
    Column(name="pressure", type="number", minimum=0, maximum=100),
    Column(name="count", type="integer"),
    Column(name="good", type="boolean"),
    Column(name="hardness", type="number"),
)


def rows(first: int, count: int, **columns: Any) -> pd.DataFrame:
    """Rows of two lines from hour ``first`` on, the same for the same hours."""
    hours = np.repeat(np.arange(first, first + (count + 1) // 2), 2)[:count]
    frame = pd.DataFrame(
        {
            "time": [f"{START + timedelta(hours=int(hour)):%Y-%m-%d %H:%M}" for hour in hours],
            "line": np.where(np.arange(count) % 2, "B", "A"),
            "pressure": 40 + hours % 17 + 0.5,
            "count": hours % 5,
            "good": hours % 3 > 0,
            "hardness": 70 + hours % 11 + 0.25,
        }
    )
    return frame.assign(**columns)


class Plant:
    """A project ``parts`` and the places where its data come from."""

    def __init__(self, folder: Path, database_url: str | None = None) -> None:
        self.folder, self.work = folder, folder / "work"
        self.incoming = self.work / "incoming"
        self.incoming.mkdir(parents=True)
        self.settings: Settings = load_settings(
            home=folder / "home", workspace=self.work, database_url=database_url, artifacts_url=None, mlflow_url=None
        )
        self.sent = 0

    def project(
        self, *, key: bool = True, extra: str = "refuse", model: str = "", first: pd.DataFrame | None = None, **data: Any
    ) -> None:
        columns = COLUMNS if key else tuple(one.model_copy(update={"primary_key_position": None}) for one in COLUMNS)
        contract = Contract(id="parts", table="parts", columns=columns, time_column="time", extra_columns=extra)
        (self.work / "data_contracts").mkdir(exist_ok=True)
        write_contract(contract, self.work / "data_contracts" / "parts.odcs.yaml")
        home = self.work / "projects" / "parts"
        home.mkdir(parents=True, exist_ok=True)
        content = {
            "project": "parts",
            "title": {"de": "Teile", "en": "Parts"},
            "task": "regression",
            "owner": {"name": "Ada"},
            "key_figure": {"name": {"de": "Ausschuss", "en": "Scrap"}, "unit": "%"},
            "data": {
                "sources": {"main": {"file": "first.csv"}},
                "target": "hardness",
                "time": "time",
                "series": "line",
                "incoming": {"folder": "incoming", "settle_seconds": 0},
                **data,
            },
            "split": {"strategy": "time"},
        }
        (home / "project.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        if model:
            (home / "model.py").write_text(model, encoding="utf-8")
        (rows(0, 60) if first is None else first).to_csv(self.work / "first.csv", index=False)

    def drop(self, frame: pd.DataFrame, name: str, *, at: int | None = None) -> Path:
        """Put a delivery into the watched folder, modified so many hours after the beginning of the year."""
        path = self.incoming / name
        frame.to_csv(path, index=False)
        self.sent += 1
        moment = (START + timedelta(days=300, hours=self.sent if at is None else at)).timestamp()
        os.utime(path, (moment, moment))
        return path

    @property
    def desk(self) -> Desk:
        return Desk(open_project("parts", self.settings), self.settings)

    def ingest(self, dry_run: bool = False) -> Any:
        from flows.ingest import ingest

        return ingest.fn(self.desk, dry_run)

    def table(self) -> pd.DataFrame:
        """The table that deliveries have made."""
        from flows.grown import current

        desk = self.desk
        found = current(desk)
        assert found is not None
        return desk.snapshots.load("parts", found.version)


@pytest.fixture
def new_plant(tmp_path: Path) -> Callable[..., Plant]:
    return lambda **options: Plant(tmp_path / f"plant{len(list(tmp_path.iterdir()))}", **options)


@pytest.fixture
def plant(new_plant: Callable[..., Plant]) -> Plant:
    made = new_plant()
    made.project()
    return made


@pytest.fixture(scope="session")
def delivered() -> Callable[..., pd.DataFrame]:
    """``delivered(first_hour, count, **columns)`` makes the rows of a delivery."""
    return rows

"""What the tests of infra share: settings on SQLite and on PostgreSQL, a small trained model, and processes that are killed."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from infra.mlflow_client import open_client
from infra.settings import Settings, calm_tools, load_settings
from leitstand.contract import Column, Contract
from leitstand.model import ModelCard, TrainedModel

calm_tools()

INPUTS = Contract(id="demo", table="demo", columns=tuple(Column(name=name, type="number") for name in "ab"))


@pytest.fixture
def new_settings(tmp_path: Path) -> Settings:
    """State in a folder that does not exist yet, all databases SQLite."""
    return load_settings(home=tmp_path / "home", workspace=tmp_path, database_url=None, artifacts_url=None, mlflow_url=None)


@pytest.fixture(scope="session")
def mlflow_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database without runs: making its tables takes seconds, copying it none."""
    settings = load_settings(home=tmp_path_factory.mktemp("mlflow"), database_url=None, mlflow_url=None)
    open_client(settings)
    copied_database(settings.root / "mlflow.db", settings.root / "copy.db")
    return settings.root / "copy.db"


@pytest.fixture
def settings(new_settings: Settings, mlflow_database: Path) -> Settings:
    """State in a folder of the test, all databases SQLite."""
    copied_database(mlflow_database, new_settings.folder() / "mlflow.db")
    return new_settings


def copied_database(source: Path, target: Path) -> None:
    """Copy a SQLite database with all that still stands in its log."""
    with contextlib.closing(sqlite3.connect(source)) as old, contextlib.closing(sqlite3.connect(target)) as new:
        old.backup(new)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def any_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings on SQLite, and once more on PostgreSQL."""
    url = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else None
    return load_settings(home=tmp_path / "home", workspace=tmp_path, database_url=url, artifacts_url=None, mlflow_url=None)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def any_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database on SQLite, and once more on PostgreSQL."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgresql_url")
        return url
    return f"sqlite:///{tmp_path / 'state' / 'test.db'}"


@pytest.fixture(scope="session")
def small_model() -> TrainedModel:
    """A classifier of two numbers."""
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["a", "b"])
    target = np.where(frame["a"] > 0, "yes", "no")
    card = ModelCard(
        project="demo",
        task="classification",
        candidate="logistic",
        target="y",
        feature_names=("a", "b"),
        classes=("no", "yes"),
        positive="yes",
        data_version="d" * 32,
    )
    return TrainedModel(LogisticRegression().fit(frame, target), card)


@pytest.fixture
def run_python() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start Python on a piece of code in a process of its own; what is still running at the end of the test is killed."""
    started: list[subprocess.Popen[str]] = []

    def run(code: str, *arguments: object, **options: object) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            **options,  # type: ignore[call-overload]
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()

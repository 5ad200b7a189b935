"""A plant with four sensors, a product and a note in words; predictions of a number; all from seeded noise."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from leitstand.contract import Column, Contract
from leitstand.project import Project
from leitstand.spec import ProjectSpec

WORDS = ("motor", "warm", "ruhig", "laut", "neu", "alt")


def make_project(task: str = "regression", **data: Any) -> Project:
    columns = (
        Column(name="batch", type="string", unique=True),
        Column(name="time", type="timestamp"),
        Column(name="temperature", type="number", unit="°C", minimum=0, maximum=200),
        Column(name="pressure", type="number", unit="bar"),
        Column(name="residue", type="number", unit="g"),
        Column(name="stage", type="integer", allowed=(1, 2, 3)),
        Column(name="product", type="string"),
        Column(name="note", type="string"),
        Column(name="cooled", type="boolean"),
        Column(name="recording", type="file", media_type="audio/wav"),
        Column(name="quality", type="number" if task == "regression" else "string"),
    )
    content = {
        "project": "plant",
        "title": {"de": "Anlage", "en": "Plant"},
        "task": task,
        "owner": {"name": "Erika Muster"},
        "key_figure": {"name": {"de": "Ausschuss", "en": "Scrap"}, "unit": "%"},
        "data": {"sources": {"line": {"sample": "line.csv"}}, "target": "quality", "time": "time"} | data,
    }
    contract = Contract(id="plant", table="plant", columns=columns)
    return Project(ProjectSpec.model_validate(content), contract, Path(), ModuleType("plant"))


def make_rows(rows: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    temperature = rng.normal(80, 5, rows)
    return pd.DataFrame(
        {
            "batch": [f"B-{seed}-{i}" for i in range(rows)],
            "time": pd.date_range("2026-01-01", periods=rows, freq="h", tz="UTC") + pd.Timedelta(days=100 * seed),
            "temperature": temperature,
            "pressure": rng.gamma(2, 3, rows),
            "residue": rng.normal(1e-5, 1e-6, rows),
            "stage": rng.choice([1, 2, 3], rows),
            "product": rng.choice(["A", "B", "C"], rows, p=[0.6, 0.3, 0.1]),
            "note": [" ".join(rng.choice(WORDS, 3)) + f" {rng.integers(10**6)}" for _ in range(rows)],
            "cooled": rng.random(rows) < 0.3,
            "recording": [f"/recordings/{seed}/{i}.wav" for i in range(rows)],
            "prediction": temperature / 10 + rng.normal(0, 0.1, rows),
        }
    )


@pytest.fixture
def plant() -> Callable[..., Project]:
    """Return how to make the project, of any task."""
    return make_project


@pytest.fixture
def rows() -> Callable[..., pd.DataFrame]:
    """Return how to make rows."""
    return make_rows


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def reference() -> pd.DataFrame:
    return make_rows(600)


@pytest.fixture
def window() -> pd.DataFrame:
    return make_rows(300, seed=1)

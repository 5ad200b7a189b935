"""Small projects for the tests of the core."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from leitstand.contract import Column, Contract
from leitstand.project import Project
from leitstand.spec import ProjectSpec, parse_spec


def spec(**changes: Any) -> ProjectSpec:
    content: dict[str, Any] = {
        "project": "parts",
        "title": {"de": "Teile", "en": "Parts"},
        "task": "classification",
        "owner": {"name": "Ada"},
        "key_figure": {"name": {"de": "Ausschuss", "en": "Scrap"}, "unit": "%"},
        "data": {"sources": {"parts": {"file": "parts.csv"}}, "target": "quality"},
    }
    for key, value in changes.items():
        content[key] = content[key] | value if isinstance(content.get(key), dict) else value
    return parse_spec(content, Path("project.yaml"))


def contract(frame: pd.DataFrame) -> Contract:
    kinds = {"f": "number", "i": "integer", "b": "boolean", "M": "timestamp"}
    columns = tuple(Column(name=str(name), type=kinds.get(frame[name].dtype.kind, "string")) for name in frame)  # type: ignore[arg-type]
    return Contract(id="parts", table="parts", columns=columns)


def project(frame: pd.DataFrame, functions: dict[str, Any] | None = None, **changes: Any) -> Project:
    module = ModuleType("parts")
    module.__dict__.update(functions or {})
    return Project(spec(**changes), contract(frame), Path(), module)


def parts(rows: int = 200, seed: int = 0) -> pd.DataFrame:
    """Two numbers and a material; quality is bad where pressure and temperature are both high, with some noise."""
    generator = np.random.default_rng(seed)
    pressure, temperature = generator.normal(50, 5, rows), generator.normal(200, 10, rows)
    risk = (pressure - 50) / 5 + (temperature - 200) / 10 + generator.normal(0, 0.5, rows)
    return pd.DataFrame(
        {
            "pressure": pressure,
            "temperature": temperature,
            "material": generator.choice(["PE", "PP"], rows),
            "quality": np.where(risk > 0.8, "bad", "good"),
        }
    )

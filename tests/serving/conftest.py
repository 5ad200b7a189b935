"""Small real projects, trained, registered and served once: classes, a number with history, anomalies in files, and two that cannot be served."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.datasets import load_breast_cancer

from data_contracts.odcs import write_contract
from infra.prediction_log import PredictionLog
from infra.registry import ModelVersion, Registry
from infra.releases import MODEL_FOLDER, REFERENCE_FILE, Releases
from infra.settings import Settings
from infra.tracking import Tracker
from leitstand.conforming import conform
from leitstand.contract import Bilingual, Column, Contract
from leitstand.model import ModelCard, TrainedModel
from leitstand.model_file import MODEL_FILE, save_model
from leitstand.project import Project, load
from leitstand.rule import Rule
from serving.launch import Service, start_service

CELLS = Contract(
    id="cells",
    table="cells",
    columns=(
        Column(name="mean radius", type="number", unit="µm", required=True, minimum=0, maximum=50,
               description=Bilingual(en="Mean radius of the nuclei", de="Mittlerer Radius der Kerne")),
        Column(name="mean texture", type="number", required=True, minimum=0, maximum=100),
        Column(name="mean area", type="number", minimum=0),
        Column(name="lab", type="string", allowed=("north", "south")),
        Column(name="diagnosis", type="string", required=True, allowed=("malignant", "benign")),
    ),
)  # fmt: skip
LINE = Contract(
    id="line",
    table="line",
    time_column="time",
    columns=(
        Column(name="time", type="timestamp", required=True),
        Column(name="machine", type="string", required=True, pattern="[A-Z]{2}-[0-9]+", max_length=10),
        Column(name="temperature", type="number", unit="°C", required=True, minimum=-20, maximum=400),
        Column(name="cycles", type="integer", minimum=0),
        Column(name="oiled", type="boolean"),
        Column(name="built", type="date"),
        Column(name="viscosity", type="number", unit="Pa·s", minimum=0),
    ),
)
SOUNDS = Contract(
    id="sounds",
    table="sounds",
    columns=(
        Column(name="recording", type="file", required=True, media_type="application/octet-stream", max_bytes=64),
        Column(name="state", type="string", required=True, allowed=("normal", "worn")),
    ),
)
LINE_MODEL = '''
def features(frame, parameters):
    """Temperature now and before, per machine."""
    before = frame.groupby("machine")["temperature"].shift(1)
    return frame[["temperature", "cycles"]].assign(before=before)


def advise(frame, predictions, parameters):
    return [{"action": "cool", "kelvin": value - 10} if value > 10 else None for value in predictions.value]
'''
SOUNDS_MODEL = '''
import pandas as pd

from leitstand.errors import SourceError


def features(frame, parameters):
    """Mean and spread of the bytes."""
    levels = [pd.Series(list(content)) for content in frame["recording"]]
    if any(level.empty for level in levels):
        raise SourceError("errors.file_missing", path="recording")
    return pd.DataFrame({"mean": [x.mean() for x in levels], "spread": [x.max() - x.min() for x in levels]}, index=frame.index)
'''
NUMBERS = Contract(
    id="numbers",
    table="numbers",
    columns=(
        Column(name="a", type="number", required=True),
        Column(name="b", type="integer"),
        Column(name="c", type="boolean"),
        Column(name="y", type="number"),
    ),
)
FAULTY = Contract(
    id="faulty",
    table="faulty",
    columns=(Column(name="mode", type="string", required=True), Column(name="y", type="number")),
)
FAULTY_MODEL = '''
import time


def features(frame, parameters):
    """Fail in the ways that a request can name."""
    mode = frame["mode"].iloc[0]
    if mode == "raise":
        raise RuntimeError(f"the secret was {mode}")
    if mode == "sleep":
        time.sleep(2)
    return frame[["mode"]].assign(length=frame["mode"].str.len())
'''


@dataclass(frozen=True)
class Stage:
    """A workspace with trained, registered and promoted projects."""

    settings: Settings
    projects: dict[str, Project]
    models: dict[str, TrainedModel]
    versions: dict[str, ModelVersion]
    frames: dict[str, pd.DataFrame]

    @property
    def log(self) -> PredictionLog:
        return PredictionLog(self.settings.database("predictions"))


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    root = tmp_path_factory.mktemp("serving")
    settings = Settings(home=root / "home", workspace=root / "workspace")
    faulty = pd.DataFrame({"mode": ["a", "bb"] * 20, "y": [1.0, 2.0] * 20})
    frames = {"cells": cells(), "line": line(), "sounds": sounds(), "faulty": faulty, "numbers": numbers()}
    projects = {
        "cells": make(
            settings, CELLS, "classification", {"target": "diagnosis", "positive": "malignant"}, serving={"max_rows": 200}
        ),
        "line": make(
            settings,
            LINE,
            "regression",
            {"target": "viscosity", "time": "time", "history_rows": 1, "series": "machine"},
            LINE_MODEL,
            serving={"max_rows": 50, "max_body_mb": 0.1},
        ),
        "sounds": make(settings, SOUNDS, "anomaly", {"target": "state", "normal": "normal"}, SOUNDS_MODEL),
        "numbers": make(settings, NUMBERS, "regression", {"target": "y"}),
        "faulty": make(settings, FAULTY, "regression", {"target": "y"}, FAULTY_MODEL, serving={"timeout_seconds": 0.5}),
    }
    models = {name: train(project, frames[name]) for name, project in projects.items()}
    versions = {name: register(settings, projects[name], models[name], root / "models" / name) for name in models}
    tamper(settings, root / "models" / "tampered", models["cells"])
    make(settings, CELLS.model_copy(update={"id": "untrained"}), "classification", {"target": "diagnosis"})
    relapse(settings, root / "models" / "relapsed", models["cells"])
    crash(settings)
    return Stage(settings, projects, models, versions, frames)


@pytest.fixture(scope="session")
def service(stage: Stage) -> Iterator[Service]:
    with start_service(["cells", "line", "sounds", "faulty", "tampered", "untrained"], stage.settings) as running:
        yield running


@pytest.fixture(scope="session")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A workspace with small models under the names of the projects that the documents ask."""
    root = tmp_path_factory.mktemp("documented")
    settings = Settings(home=root / "home", workspace=root / "workspace")
    machine = Column(name="machine", type="string")
    clips = SOUNDS.model_copy(update={"id": "acoustic_maintenance", "columns": (*SOUNDS.columns, machine)})
    clip_data = {"target": "state", "normal": "normal"}
    project = make(settings, clips, "anomaly", clip_data, SOUNDS_MODEL)
    register(settings, project, train(project, sounds().assign(machine="M1")), root / "models" / project.name)
    for name in ("cell_diagnostics", "my_case"):
        project = make(settings, CELLS.model_copy(update={"id": name}), "classification", {"target": "diagnosis"})
        version = register(settings, project, train(project, cells()), root / "models" / name)
        cells().to_parquet(Releases(settings).folder(name, version.version) / REFERENCE_FILE)
    return settings


def tamper(settings: Settings, folder: Path, model: TrainedModel) -> None:
    """Promote a model and change one byte of its release afterwards."""
    project = make(settings, CELLS.model_copy(update={"id": "tampered"}), "classification", {"target": "diagnosis"})
    version = register(settings, project, named(model, "tampered"), folder)
    spoil(settings, version)


def relapse(settings: Settings, folder: Path, model: TrainedModel) -> None:
    """Promote two models of a project that wants the last good one, and spoil the second."""
    contract = CELLS.model_copy(update={"id": "relapsed"})
    project = make(settings, contract, "classification", {"target": "diagnosis"}, when_it_errs={"fallback": "last_good"})
    register(settings, project, named(model, "relapsed"), folder)
    spoil(settings, register(settings, project, named(model, "relapsed"), folder))


def named(model: TrainedModel, project: str) -> TrainedModel:
    return TrainedModel(model.estimator, model.card.model_copy(update={"project": project}))


def spoil(settings: Settings, version: ModelVersion) -> None:
    file = Releases(settings).folder(version.project, version.version) / MODEL_FOLDER / MODEL_FILE
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def crash(settings: Settings) -> None:
    """Promote a model whose project fails when its functions are loaded."""
    project = make(settings, NUMBERS.model_copy(update={"id": "crashing"}), "regression", {"target": "y"})
    register(settings, project, named(train(project, numbers()), "crashing"), settings.root / "crashing")
    (project.folder / "model.py").write_text("features = 1 / 0\n", encoding="utf-8")


def make(settings: Settings, contract: Contract, task: str, data: dict, model: str = "", **sections: object) -> Project:
    """Write a project and its contract into the workspace and load it."""
    name = contract.id
    folder = settings.workspace / "projects" / name
    folder.mkdir(parents=True)
    (settings.workspace / "data_contracts").mkdir(exist_ok=True)
    write_contract(contract, settings.workspace / "data_contracts" / f"{name}.odcs.yaml")
    spec = {
        "project": name,
        "title": {"de": f"Fall {name}", "en": f"Case {name}"},
        "task": task,
        "owner": {"name": "Ada"},
        "key_figure": {"name": {"de": "Fehler", "en": "Errors"}, "unit": "%"},
        "data": {"sources": {"main": {"file": "main.csv"}}, **data},
        **sections,
    }
    (folder / "project.yaml").write_text(yaml.safe_dump(spec, allow_unicode=True), encoding="utf-8")
    if model:
        (folder / "model.py").write_text(model, encoding="utf-8")
    return load(folder, contract)


def train(project: Project, frame: pd.DataFrame) -> TrainedModel:
    """Fit the project's first candidate."""
    settled = conform(frame, project.input_contract)
    features = project.features(settled)
    name, estimator = next(iter(project.candidates(features).items()))
    target = frame[project.spec.data.target]
    known = features[target.notna()]
    estimator.fit(known, target[target.notna()])
    numbers = [column.name for column in project.input_contract.columns if column.is_number]
    classes = tuple(estimator.classes_) if project.spec.task == "classification" else ()
    card = ModelCard(
        project=project.name,
        task=project.spec.task,
        candidate=name,
        target=project.spec.data.target,
        feature_names=tuple(features.columns),
        classes=classes,
        positive=project.spec.data.positive,
        threshold=1.5 if project.spec.task == "anomaly" else None,
        interval=2.5 if project.spec.task == "regression" else None,
        ranges={column: (float(settled[column].min()), float(settled[column].max())) for column in numbers},
        data_version="d0c5",
        synthetic=project.name != "cells",
        rule=Rule(
            task=project.spec.task,
            own=project.defines("baseline"),
            classes=classes,
            positive=project.spec.data.positive,
            shares=tuple(float((target == one).mean()) for one in classes),
            value=7.5,
        ),
    )
    return TrainedModel(estimator, card)


def register(settings: Settings, project: Project, model: TrainedModel, folder: Path) -> ModelVersion:
    """Store, register and promote the model."""
    sha256, name = save_model(model, folder), project.name
    tracker, registry = Tracker(settings), Registry(settings)
    run = tracker.start(name, "train", {}, {})
    tracker.log_model(run, folder, inputs=project.input_contract, requirements=["scikit-learn"])
    tracker.finish(run)
    version = registry.register(name, run, sha256, {"data_version": model.card.data_version})
    registry.promote(name, version.version, who="Ada", why="first")
    champion = registry.champion(name)
    assert champion is not None
    registry.close()
    return champion


def cells() -> pd.DataFrame:
    data = load_breast_cancer(as_frame=True)
    frame = data.frame[["mean radius", "mean texture", "mean area"]].copy()
    frame["lab"] = np.where(np.arange(len(frame)) % 3 == 0, "north", "south")
    frame["diagnosis"] = np.where(data.target == 0, "malignant", "benign")
    return frame


def numbers() -> pd.DataFrame:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"a": random.normal(0, 1, 300), "b": random.integers(0, 10, 300).astype(float), "c": random.random(300) > 0.5}
    )
    frame.loc[::9, "b"] = np.nan
    return frame.assign(y=2 * frame["a"] + frame["c"])


def line() -> pd.DataFrame:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"time": pd.date_range("2026-01-01", periods=300, freq="h"), "machine": np.where(np.arange(300) % 3, "AB-1", "AB-2")}
    )
    frame["temperature"] = random.normal(100, 30, 300).clip(0, 200)
    frame["cycles"] = random.integers(0, 1000, 300)
    frame["oiled"] = random.random(300) > 0.5
    frame["built"] = pd.Timestamp("2019-05-01")
    frame["viscosity"] = 0.1 * frame["temperature"] + 0.05 * frame.groupby("machine")["temperature"].shift(1).fillna(100)
    return frame


def sounds() -> pd.DataFrame:
    random = np.random.default_rng(0)
    recordings = [random.integers(100, 150, 40).astype(np.uint8).tobytes() for _ in range(60)]
    return pd.DataFrame({"recording": recordings, "state": "normal"})

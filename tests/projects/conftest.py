"""Each project on its built-in data, prepared and trained once for all tests that look at it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

import leitstand
from data_contracts.odcs import read_contract
from data_contracts.reading import read_source
from leitstand.dataset import Dataset, make_dataset, training_and_holdout
from leitstand.judging import Judgement, judge
from leitstand.project import Project, load
from leitstand.training import Training, train

ROOT = Path(leitstand.__file__).parent.parent
NAMES = ("acoustic_maintenance", "cell_diagnostics", "virtual_sensor")


@dataclass(frozen=True)
class Case:
    """A project, its prepared sample, and the model trained on it."""

    project: Project
    frame: pd.DataFrame
    training_part: Dataset
    holdout: Dataset
    training: Training
    judgement: Judgement


def shipped(name: str) -> Project:
    return load(ROOT / "projects" / name, read_contract(ROOT / "data_contracts" / f"{name}.odcs.yaml"))


def prepared(project: Project, samples: Path) -> pd.DataFrame:
    sources = project.spec.data.sources
    return project.prepare({name: read_source(source, base=ROOT, samples=samples) for name, source in sources.items()})


@pytest.fixture(scope="session")
def case(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Case]:
    made: dict[str, Case] = {}

    def make(name: str) -> Case:
        if name not in made:
            project, samples = shipped(name), tmp_path_factory.mktemp(name)
            project.sample().write(samples, seed=0)
            frame = prepared(project, samples)
            dataset = make_dataset(project, frame)
            training_part, holdout = training_and_holdout(dataset)
            training = train(training_part, "0", project.sample().SYNTHETIC)
            made[name] = Case(project, frame, training_part, holdout, training, judge(training.model, training_part, holdout))
        return made[name]

    return make

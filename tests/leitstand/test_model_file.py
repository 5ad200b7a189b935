from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from builders import parts, project
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

from leitstand.dataset import make_dataset
from leitstand.errors import ModelError, TamperedModel
from leitstand.model import ModelCard, TrainedModel
from leitstand.model_file import CARD_FILE, MODEL_FILE, load_model, save_model
from leitstand.pipelines import tabular_candidates
from leitstand.training import train


def mixed(rows: int = 120) -> pd.DataFrame:
    frame = parts(rows).assign(at=pd.date_range("2026-01-01", periods=rows, freq="h"))
    frame["note"] = [f"part {i} from line {i % 7}" for i in range(rows)]
    frame.loc[5, "pressure"] = np.nan
    return frame.astype({"material": object, "note": object})


@pytest.mark.parametrize(
    ("task", "name"),
    [(task, name) for task in ("classification", "regression", "anomaly") for name in tabular_candidates(task, mixed())],
)
def test_every_standard_candidate_answers_the_same_after_storing(task: str, name: str, tmp_path: Path) -> None:
    frame = mixed()
    features = frame.drop(columns="quality")
    estimator = tabular_candidates(task, features)[name].fit(features, frame["quality"] == "bad")
    classes = (False, True) if task == "classification" else ()
    card = ModelCard(
        project="parts", task=task, candidate=name, target="quality", feature_names=tuple(features),
        classes=classes, positive=True if classes else None,
    )  # fmt: skip
    model = TrainedModel(estimator, card)
    loaded = load_model(tmp_path, save_model(model, tmp_path))
    assert loaded.card == card
    assert np.array_equal(loaded.answer(features).value, model.answer(features).value)


@pytest.fixture
def stored(tmp_path: Path) -> tuple[Path, str]:
    functions = {
        "features": lambda frame, _: frame[["pressure"]],
        "candidates": lambda features, parameters: {"line": LogisticRegression()},
    }
    model = train(make_dataset(project(parts(), functions), parts()), "v", synthetic=False).model
    return tmp_path, save_model(model, tmp_path)


@pytest.mark.parametrize("name", [MODEL_FILE, CARD_FILE])
def test_one_changed_byte_is_found(stored: tuple[Path, str], name: str) -> None:
    folder, sha256 = stored
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(bytes(content))
    with pytest.raises(TamperedModel, match=f"expected SHA-256 {sha256[:12]}"):
        load_model(folder, sha256)


def test_a_missing_file_is_named(stored: tuple[Path, str]) -> None:
    folder, sha256 = stored
    (folder / CARD_FILE).unlink()
    with pytest.raises(TamperedModel, match=r"card\.json is missing"):
        load_model(folder, sha256)


class Foreign(BaseEstimator):
    """Not of our list."""


def test_a_foreign_type_is_neither_stored_nor_loaded(stored: tuple[Path, str]) -> None:
    folder, _ = stored
    card = ModelCard.model_validate_json((folder / CARD_FILE).read_text())
    with pytest.raises(ModelError, match=r"holds types that may not be loaded: .*Foreign"):
        save_model(TrainedModel(Foreign(), card), folder)
    skops.io.dump(Foreign(), folder / MODEL_FILE)
    from leitstand.model_file import digest

    with pytest.raises(ModelError, match=r"holds types that may not be loaded: .*Foreign"):
        load_model(folder, digest(folder))

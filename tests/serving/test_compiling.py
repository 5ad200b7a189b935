"""The compiled form answers as scikit-learn does, or is not used."""

import subprocess
import sys
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, PolynomialFeatures, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from threadpoolctl import threadpool_limits

from infra.releases import COMPILED_FOLDER, HOLDOUT_FILE, MODEL_FOLDER, RELEASE_FILE, Release
from leitstand.dataset import make_dataset, training_and_holdout
from leitstand.errors import DataError
from leitstand.model import ModelCard, TrainedModel
from leitstand.model_file import save_model
from leitstand.pipelines import tabular_candidates
from serving.compilation import Compilation
from serving.compiled import GRAPH_FILE, NOTE_FILE, load_compiled, read_compilation
from serving.compiling import compare, compile_model, probes
from serving.compiling.trees import rounded_down
from tests.projects.conftest import NAMES, prepared, shipped

SHA = "a" * 64
TASKS = ("classification", "three classes", "regression", "anomaly")


def table(rows: int = 900, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Numbers with gaps, categories with gaps and rare ones, dates with a gap; and a number that hangs on them."""
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame({f"n{i}": generator.normal(i, 1 + i, rows) for i in range(5)})
    frame.loc[generator.random(rows) < 0.1, "n3"] = np.nan
    for name, values in (("line", 3), ("supplier", 30)):
        chosen = pd.Series(generator.choice([f"{name} {k}" for k in range(values)], rows), dtype=object)
        frame[name] = chosen.where(generator.random(rows) > 0.05, None)
    frame.loc[7, "line"] = "seen once"
    frame["made"] = pd.date_range("2023-12-30 23:58:30", periods=rows, freq="7h13min")
    frame.loc[5, "made"] = pd.NaT
    target = frame["n0"] + 2 * (frame["n1"] > 1) + 0.3 * frame["n3"].fillna(0) + (frame["line"] == "line 1")
    return frame, target.to_numpy() + generator.normal(0, 0.3, rows)


def labels(task: str, number: np.ndarray) -> np.ndarray | None:
    if task == "classification":
        return np.where(number > np.quantile(number, 0.6), "bad", "good").astype(object)
    if task == "three classes":
        return np.digitize(number, np.quantile(number, [0.3, 0.8]))
    return number if task == "regression" else None


def fitted(estimator: Any, frame: pd.DataFrame, target: np.ndarray | None, task: str) -> TrainedModel:
    with warnings.catch_warnings(), threadpool_limits(1):  # as training does with few rows
        warnings.simplefilter("ignore", ConvergenceWarning)
        made = clone(estimator).fit(frame, target)
    kind: Any = "classification" if task == "three classes" else task
    classes = tuple(made.classes_.tolist()) if kind == "classification" else ()
    threshold = float(np.quantile(-made.score_samples(frame), 0.95)) if kind == "anomaly" else None
    card = ModelCard(
        project="parts", task=kind, candidate="it", target="y", feature_names=tuple(frame), classes=classes,
        positive=classes[0] if len(classes) == 2 else None, threshold=threshold,
    )  # fmt: skip
    return TrainedModel(made, card)


def compiled_of(model: TrainedModel, holdout: pd.DataFrame, folder: Path) -> tuple[Compilation, TrainedModel | None]:
    compilation = compile_model(model, holdout, folder / "compiled", SHA)
    loaded = load_compiled(folder / "compiled", SHA)
    return compilation, None if loaded is None else TrainedModel(loaded, model.card)


@pytest.mark.parametrize(
    ("task", "name"), [(task, name) for task in TASKS for name in tabular_candidates(task.replace("three classes", "classification"), table(50)[0])]
)  # fmt: skip
def test_every_standard_candidate_for_a_mixed_table_is_compiled(task: str, name: str, tmp_path: Path) -> None:
    frame, number = table()
    target = labels(task, number)
    candidates = tabular_candidates("classification" if task == "three classes" else task, frame)
    model = fitted(candidates[name], frame[:600], None if target is None else target[:600], task)

    compilation, compiled = compiled_of(model, frame[600:], tmp_path)

    assert compilation.reason == "matches"
    assert compilation.worst is not None
    assert compilation.worst < 1e-9
    assert compiled is not None
    later, _ = table(400, seed=1)  # with other rows and gaps, among them categories that were not seen
    later.loc[:20, "line"] = "new"
    assert compare(model, compiled, later) == (pytest.approx(0, abs=1e-9), 0)
    assert compiled.answer(later).value.tolist() == pytest.approx(model.answer(later).value.tolist())


@pytest.mark.parametrize("name", NAMES)
def test_every_candidate_of_every_project_is_compiled(name: str, tmp_path: Path) -> None:
    project = shipped(name)
    project.sample().write(tmp_path, seed=0)
    dataset = make_dataset(project, prepared(project, tmp_path))
    training, holdout = training_and_holdout(dataset)
    learned = training.take(~training.target) if project.spec.task == "anomaly" else training
    learned = learned.take(np.arange(min(len(learned), 600)))
    found = {}
    for candidate, estimator in project.candidates(dataset.features).items():
        target = None if project.spec.task == "anomaly" else learned.target
        model = fitted(estimator, learned.features, target, project.spec.task)
        found[candidate] = compiled_of(model, holdout.features, tmp_path / candidate)[0]

    assert {candidate: compilation.reason for candidate, compilation in found.items()} == dict.fromkeys(found, "matches")
    assert max(compilation.worst or 0 for compilation in found.values()) < 1e-9


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(PolynomialFeatures(2), StandardScaler(), LogisticRegression()),
        MLPClassifier((5,), max_iter=20, random_state=0),
        KNeighborsClassifier(),
        DecisionTreeClassifier(random_state=0),
        CalibratedClassifierCV(SVC(kernel="linear", random_state=0), cv=3),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
@pytest.mark.parametrize("task", ["classification", "three classes"])
def test_what_own_projects_may_bring_is_compiled(estimator: Any, task: str, tmp_path: Path) -> None:
    frame, number = table()
    numbers, target = frame[["n0", "n1", "n2"]], labels(task, number)
    model = fitted(estimator, numbers[:600], None if target is None else target[:600], task)

    assert compiled_of(model, numbers[600:], tmp_path)[0].reason == "matches"


@pytest.mark.parametrize(
    ("task", "estimator"),
    [
        ("regression", HistGradientBoostingRegressor(loss="poisson")),
        ("regression", GradientBoostingRegressor(random_state=0)),
        ("regression", DecisionTreeRegressor(random_state=0)),
        (
            "regression",
            make_pipeline(SimpleImputer(keep_empty_features=False), MinMaxScaler(), GaussianProcessRegressor(alpha=0.1)),
        ),
        ("anomaly", IsolationForest(n_estimators=50, max_features=0.5, random_state=0)),
    ],
    ids=lambda part: part if isinstance(part, str) else type(part).__name__,
)
def test_other_numbers_and_scores_are_compiled(task: str, estimator: Any, tmp_path: Path) -> None:
    frame, number = table()
    numbers, target = frame[["n0", "n1", "n2"]], labels(task, number - number.min())
    model = fitted(estimator, numbers[:600], None if target is None else target[:600], task)

    assert compiled_of(model, numbers[600:], tmp_path)[0].reason == "matches"


def test_passing_columns_on_costs_no_node(tmp_path: Path) -> None:
    frame, number = table()
    numbers = frame[["n0", "n1"]]
    model = fitted(tabular_candidates("regression", numbers)["gradient_boosting"], numbers, number, "regression")

    compiled_of(model, numbers, tmp_path)

    nodes = onnx.load(tmp_path / "compiled" / GRAPH_FILE).graph.node
    assert [node.op_type for node in nodes] == ["TreeEnsemble", "Add"]


def test_a_row_on_a_border_that_float32_cannot_tell_stays_on_its_side(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"x": 1 + generator.choice([0.0, 1e-9], 400)})  # one and the same number in float32
    model = fitted(HistGradientBoostingClassifier(), frame, frame["x"].to_numpy() > 1, "classification")

    compilation, compiled = compiled_of(model, frame, tmp_path)

    assert compilation.used
    assert compiled is not None
    assert np.array_equal(compiled.answer(frame).value, frame["x"].to_numpy() > 1)


def test_trees_without_a_split_are_compiled(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": np.arange(100.0)})
    model = fitted(HistGradientBoostingRegressor(min_samples_leaf=90), frame, frame["x"].to_numpy(), "regression")

    assert compiled_of(model, frame, tmp_path)[0].reason == "matches"


def test_a_compiled_form_that_answers_otherwise_is_not_used(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"x": generator.normal(size=600)})
    target = np.where(
        frame["x"] > 0, 1e6, 0
    )  # skl2onnx writes these trees in float32, whose sums have no digits left for the small value
    model = fitted(GradientBoostingRegressor(random_state=0), frame[:400], target[:400], "regression")

    compilation, compiled = compiled_of(model, frame[400:], tmp_path)

    assert (compilation.used, compilation.reason, compiled) == (False, "differs", None)
    assert compilation.worst is not None
    assert compilation.worst > 1e-5
    assert "is not used" in compilation.say("en")
    assert [path.name for path in (tmp_path / "compiled").iterdir()] == [NOTE_FILE]


def test_answers_of_two_models_differ_in_size_and_in_class() -> None:
    frame, number = table()
    numbers, target = frame[["n0", "n1"]], labels("classification", number)
    one, other = (fitted(LogisticRegression(C=c), numbers, target, "classification") for c in (1, 1e-3))

    worst, flipped = compare(one, other, numbers)

    assert worst == pytest.approx(np.abs(one.estimator.predict_proba(numbers) - other.estimator.predict_proba(numbers)).max())
    assert flipped == (one.estimator.predict(numbers) != other.estimator.predict(numbers)).sum() > 0


def encoded(encoder: Any) -> ColumnTransformer:
    return ColumnTransformer([("line", encoder, ["line"]), ("numbers", "passthrough", ["n0"])])


@pytest.mark.parametrize(
    ("estimator", "detail"),
    [
        (make_pipeline(encoded(OrdinalEncoder()), HistGradientBoostingRegressor()), "OrdinalEncoder that refuses unknown values"),
        (make_pipeline(encoded(make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())), Ridge()), "SimpleImputer"),
    ],
)  # fmt: skip
def test_a_step_that_cannot_be_compiled_is_named(estimator: Any, detail: str, tmp_path: Path) -> None:
    frame, number = table()
    inputs = frame[["n0", "line"]].dropna().reset_index(drop=True)
    model = fitted(estimator, inputs, number[: len(inputs)], "regression")

    compilation, _ = compiled_of(model, inputs, tmp_path)

    assert (compilation.used, compilation.reason, compilation.detail) == (False, "unsupported", detail)
    assert detail in compilation.say("de")


def test_free_text_stays_with_the_original(tmp_path: Path) -> None:
    frame, number = table()
    frame["note"] = [f"part {i} of line {i % 7}" for i in range(len(frame))]
    model = fitted(tabular_candidates("regression", frame)["ridge"], frame[:600], number[:600], "regression")

    compilation, compiled = compiled_of(model, frame[600:], tmp_path)

    assert compiled is None
    assert compilation.detail == "ShortText"
    assert compilation.say("en") == "There is no compiled model, the original answers: ShortText cannot be compiled."


def test_without_held_out_rows_nothing_is_used(tmp_path: Path) -> None:
    frame, number = table()
    model = fitted(Ridge(), frame[["n0"]], number, "regression")

    assert compiled_of(model, pd.DataFrame(), tmp_path)[0].reason == "unproven"


def test_compiling_anew_replaces_the_folder(tmp_path: Path) -> None:
    frame, number = table()
    model = fitted(Ridge(), frame[["n0"]], number, "regression")
    compiled_of(model, frame[["n0"]], tmp_path)
    assert (tmp_path / "compiled" / GRAPH_FILE).is_file()

    compiled_of(model, pd.DataFrame(), tmp_path)

    assert [path.name for path in tmp_path.rglob("*")] == ["compiled", NOTE_FILE]


def test_probes_have_gaps_and_unheard_of_texts_in_every_column() -> None:
    frame, _ = table()
    asked = probes(frame)

    assert asked.isna().any().all()
    assert (asked[["line", "supplier"]] == "never heard of").any().all()
    assert not frame.isin(["never heard of"]).any().any()
    assert asked.dtypes.equals(frame.dtypes)


finite = st.floats(-1e30, 1e30)


@given(arrays(np.float64, 5, elements=finite), arrays(np.float32, 5, elements=st.floats(-(2.0**99), 2.0**99, width=32)))
def test_a_threshold_rounded_down_divides_float32_alike(thresholds: np.ndarray, values: np.ndarray) -> None:
    values = np.concatenate([values, thresholds.astype(np.float32)])
    exact, rounded = (values[:, None].astype(np.float64) <= border[None, :] for border in (thresholds, rounded_down(thresholds)))

    assert np.array_equal(exact, rounded)


def release_in(folder: Path, model: TrainedModel, holdout: pd.DataFrame) -> str:
    sha256 = save_model(model, folder / MODEL_FOLDER)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    release = Release(project="parts", version=1, run_id="r", sha256=sha256, data_version="d", created=now)
    (folder / RELEASE_FILE).write_text(release.model_dump_json())
    holdout.to_parquet(folder / HOLDOUT_FILE)
    return sha256


def run(*folders: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "serving.compiling", *map(str, folders)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_release_is_compiled_in_a_process_of_its_own(tmp_path: Path) -> None:
    frame, number = table()
    model = fitted(tabular_candidates("regression", frame)["gradient_boosting"], frame[:600], number[:600], "regression")
    sha256 = release_in(tmp_path, model, frame[600:])

    ended = run(tmp_path)

    assert (ended.returncode, ended.stderr) == (0, "")
    compilation = read_compilation(tmp_path / COMPILED_FOLDER)
    assert compilation is not None
    assert ended.stdout == f"parts version 1: {compilation.say('en')}\n"
    compiled = load_compiled(tmp_path / COMPILED_FOLDER, sha256)
    assert compiled is not None
    assert compiled.predict(frame) == pytest.approx(model.estimator.predict(frame))


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("estimator", [GradientBoostingRegressor(n_estimators=5), RandomForestRegressor(n_estimators=5)])
def test_what_the_original_refuses_the_compiled_form_refuses(tmp_path: Path, estimator: Any) -> None:
    frame, number = table()
    inputs = frame[["n0", "n1"]].fillna(0.0)
    model = fitted(estimator, inputs[:600], number[:600], "regression")
    compilation = compile_model(model, inputs[600:], tmp_path / "compiled", "a" * 64)
    assert compilation.used
    compiled = TrainedModel(load_compiled(tmp_path / "compiled", "a" * 64), model.card)
    for odd in (np.nan, 1e39, -1e39):
        row = inputs[600:601].assign(n1=odd)
        refused = []
        for one in (model, compiled):
            try:
                one.answer(row)
                refused.append(False)
            except (ValueError, DataError):
                refused.append(True)
        assert refused[0] == refused[1], odd
    assert compiled.answer(inputs[600:]).value == pytest.approx(model.answer(inputs[600:]).value)


def test_one_broken_release_does_not_keep_the_next_from_being_compiled(tmp_path: Path) -> None:
    frame, number = table()
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        folder.mkdir()
    release_in(whole, fitted(Ridge(), frame[["n0"]], number, "regression"), frame[["n0"]])

    ended = run(broken, whole)

    assert ended.returncode == 1
    assert str(broken) in ended.stderr
    assert read_compilation(whole / COMPILED_FOLDER) is not None


def test_a_changed_model_is_not_compiled(tmp_path: Path) -> None:
    frame, number = table()
    release_in(tmp_path, fitted(Ridge(), frame[["n0"]], number, "regression"), frame[["n0"]])
    card = tmp_path / MODEL_FOLDER / "card.json"
    card.write_text(card.read_text().replace("parts", "party"))

    ended = run(tmp_path)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert "is not the one that was registered" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / COMPILED_FOLDER).exists()

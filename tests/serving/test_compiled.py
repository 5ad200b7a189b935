"""Loading a compiled model, and what it takes."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from leitstand.errors import DataError, ModelError, TamperedModel
from leitstand.estimators import DateParts
from leitstand.model import ModelCard, TrainedModel
from leitstand.pipelines import tabular_candidates
from serving.compiled import GRAPH_FILE, NOTE_FILE, ROWS_AT_ONCE, CompiledEstimator, date_parts, load_compiled
from serving.compiling import compile_model

SHA = "a" * 64


def numbers(rows: int = 700) -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(0).normal(size=(rows, 3)), columns=["a", "b", "c"])


def compile_into(folder: Path, frame: pd.DataFrame, candidate: str) -> LogisticRegression:
    target = np.where(frame["a"] > 0, "high", "low")
    estimator = tabular_candidates("classification", frame)[candidate].fit(frame, target)
    card = ModelCard(
        project="p", task="classification", candidate=candidate, target="y", feature_names=tuple(frame), classes=("high", "low")
    )
    assert compile_model(TrainedModel(estimator, card), frame, folder, SHA).used
    return estimator


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    compile_into(tmp_path / "compiled", numbers(), "logistic_regression")
    return tmp_path / "compiled"


def loaded(folder: Path) -> CompiledEstimator:
    compiled = load_compiled(folder, SHA)
    assert compiled is not None
    return compiled


@pytest.mark.parametrize("candidate", ["logistic_regression", "gradient_boosting"])
def test_array_frame_and_mapping_get_the_answers_of_the_original(candidate: str, tmp_path: Path) -> None:
    frame = numbers()
    estimator = compile_into(tmp_path / "compiled", frame, candidate)
    compiled = loaded(tmp_path / "compiled")
    expected = estimator.predict_proba(frame)

    forms = {
        "array": frame.to_numpy(),
        "other memory order": np.asfortranarray(frame.to_numpy()),
        "frame": frame,
        "other column order": frame[["c", "a", "b"]].assign(more="text"),
        "mapping": {name: frame[name].tolist() for name in ("b", "a", "c")},
    }
    for name, form in forms.items():
        assert compiled.predict_proba(form) == pytest.approx(expected, abs=1e-12), name
    assert compiled.predict(frame).tolist() == estimator.predict(frame).tolist()
    assert compiled.classes_.tolist() == estimator.classes_.tolist()


@pytest.mark.parametrize("rows", [0, 1, ROWS_AT_ONCE, ROWS_AT_ONCE + 1, 2 * ROWS_AT_ONCE])
def test_many_rows_get_the_answers_of_each_alone(folder: Path, rows: int) -> None:
    compiled, inputs = loaded(folder), numbers().to_numpy()[:rows]
    alone = [compiled.predict_proba(inputs[i : i + 1])[0] for i in range(rows)]

    assert compiled.predict_proba(inputs) == pytest.approx(np.array(alone).reshape(rows, 2), abs=1e-12)


def test_threads_do_not_get_into_each_others_way(folder: Path) -> None:
    compiled, inputs = loaded(folder), numbers().to_numpy()
    expected = compiled.predict_proba(inputs)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: compiled.predict_proba(inputs[i : i + 5]), range(600)))

    assert all(np.allclose(answer, expected[i : i + 5], rtol=0, atol=1e-12) for i, answer in enumerate(answers))


def test_texts_stand_for_themselves_whether_known_unknown_or_missing(tmp_path: Path) -> None:
    frame = numbers().assign(line=np.tile(["A", "B", None, "A", "C", "B", "A"], 100))
    estimator = compile_into(tmp_path / "compiled", frame, "logistic_regression")
    rows = frame.head(4).assign(line=["B", "new", None, "A"])

    mapping = {name: rows[name].tolist() for name in rows} | {"line": ["B", "new", float("nan"), "A"]}

    assert loaded(tmp_path / "compiled").predict_proba(mapping) == pytest.approx(estimator.predict_proba(rows), abs=1e-12)


def test_an_array_of_another_shape_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"an array must be of shape \(n, 3\)"):
        loaded(folder).predict_proba(np.zeros((1, 4)))
    compile_into(tmp_path / "texts", numbers().assign(line="A"), "logistic_regression")
    with pytest.raises(ValueError, match="inputs numbers only"):
        loaded(tmp_path / "texts").predict_proba(np.zeros((1, 4)))


def test_a_row_without_an_answer_is_refused(folder: Path) -> None:
    with pytest.raises(DataError, match="too large to compute with"):
        loaded(folder).predict_proba(np.array([[1.0, np.inf, -np.inf]]))


def test_a_model_answers_only_as_its_kind_does(folder: Path) -> None:
    with pytest.raises(AttributeError, match="answers with probabilities, not with score"):
        loaded(folder).score_samples(numbers())


def test_one_changed_byte_of_the_graph_is_found(folder: Path) -> None:
    content = bytearray((folder / GRAPH_FILE).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / GRAPH_FILE).write_bytes(bytes(content))
    with pytest.raises(TamperedModel, match=r"model\.onnx is not the one that was compared with the original"):
        load_compiled(folder, SHA)


def test_a_missing_graph_is_found(folder: Path) -> None:
    (folder / GRAPH_FILE).unlink()
    with pytest.raises(TamperedModel, match=r"model\.onnx is missing"):
        load_compiled(folder, SHA)


def test_the_compiled_form_of_another_model_is_not_loaded(folder: Path) -> None:
    with pytest.raises(TamperedModel, match="was made from another model: expected SHA-256 bbbbbbbbbbbb"):
        load_compiled(folder, "b" * 64)


def test_a_broken_note_is_named(folder: Path) -> None:
    (folder / NOTE_FILE).write_text("{}")
    with pytest.raises(ModelError, match=r"compiled\.json cannot be read"):
        load_compiled(folder, SHA)


def test_without_a_compiled_form_there_is_nothing_to_load(tmp_path: Path) -> None:
    assert load_compiled(tmp_path / "nothing", SHA) is None


moments = st.datetimes(pd.Timestamp("1900-01-01").to_pydatetime(), pd.Timestamp("2200-01-01").to_pydatetime())


@given(st.lists(st.none() | moments, min_size=1, max_size=20))
def test_dates_are_taken_apart_as_the_estimator_does(values: list[pd.Timestamp | None]) -> None:
    column = pd.DataFrame({"at": pd.Series(values, dtype="datetime64[ns]")})

    expected = DateParts().fit_transform(column)

    assert np.array_equal(date_parts(values), expected, equal_nan=True)
    assert np.array_equal(date_parts(column["at"]), expected, equal_nan=True)

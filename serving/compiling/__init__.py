"""Making the compiled form of a model, and proving that it answers as the original does.

Runs in a child process of its own (``python -m serving.compiling``) or when a model is packaged: it needs scikit-learn, onnx and
now and then skl2onnx, none of which the service has to hold. See docs/decisions/0016.
"""

import hashlib
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from leitstand.errors import DataError
from leitstand.model import TrainedModel
from leitstand.prediction import Predictions
from serving.compilation import Compilation, Input
from serving.compiled import GRAPH_FILE, NOTE_FILE, CompiledEstimator
from serving.compiling.graph import Graph, Unsupported
from serving.compiling.steps import values_of_texts, write

TOLERANCE = 1e-5
PROBES = 200  # rows of the hold-out that are tried again with gaps and unheard-of texts
GAPS = 0.1  # share of their values
OUTPUTS: dict[str, Literal["probabilities", "value", "score"]] = {
    "classification": "probabilities",
    "regression": "value",
    "anomaly": "score",
}


def compile_model(model: TrainedModel, holdout: pd.DataFrame, folder: Path, model_sha256: str) -> Compilation:
    """Write the compiled form of a model into ``folder``, whole or not at all, and say whether it may be used.

    Parameters
    ----------
    holdout : model inputs of rows that the model has not learned from; they decide
    folder : replaced if it exists; its parent is made
    model_sha256 : of the original, as the registry noted it

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    graph, compilation = _compiled(model, holdout, model_sha256)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-") as scratch:
        fresh = Path(scratch) / "compiled"
        fresh.mkdir()
        if compilation.used:
            (fresh / GRAPH_FILE).write_bytes(graph)
        (fresh / NOTE_FILE).write_text(compilation.model_dump_json(indent=2), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    return compilation


def _compiled(model: TrainedModel, holdout: pd.DataFrame, model_sha256: str) -> tuple[bytes, Compilation]:
    unused = Compilation(model_sha256=model_sha256, used=False, reason="unproven")
    if holdout.empty:
        return b"", unused
    holdout = holdout[list(model.card.feature_names)]
    try:
        inputs = describe_inputs(model, holdout)
        graph = write_graph(model, inputs)
    except Unsupported as error:
        return b"", unused.model_copy(update={"reason": "unsupported", "detail": str(error)})
    described = Compilation(
        model_sha256=model_sha256,
        onnx_sha256=hashlib.sha256(graph).hexdigest(),
        used=True,
        reason="matches",
        inputs=inputs,
        output=OUTPUTS[model.card.task],
        classes=tuple(np.asarray(getattr(model.estimator, "classes_", ())).tolist()),
    )
    try:
        compiled = TrainedModel(CompiledEstimator(graph, described), model.card)
    except Exception as error:  # ONNX Runtime's errors have no base of their own
        detail = f"{type(model.estimator).__name__} ({type(error).__name__} of ONNX Runtime)"
        return b"", unused.model_copy(update={"reason": "unsupported", "detail": detail})
    worst, flipped = compare(model, compiled, holdout)
    gaps = probes(holdout)
    if _answers(model, gaps):
        found = compare(model, compiled, gaps)
        worst, flipped = max(worst, found[0]), flipped + found[1]
    if worst <= TOLERANCE and flipped == 0:
        refused = {"no_gaps": _refused_gaps(model, holdout), "most": _most(model, holdout)}
        return graph, described.model_copy(update={"rows": len(holdout), "worst": worst, **refused})
    shown = worst if np.isfinite(worst) else None
    return b"", unused.model_copy(update={"reason": "differs", "rows": len(holdout), "worst": shown, "flipped": flipped})


def _refused_gaps(model: TrainedModel, inputs: pd.DataFrame) -> tuple[str, ...]:
    """Return the numbers and dates without which the model refuses a row that it takes otherwise."""
    row = inputs[inputs.notna().all(axis=1)].head(1)
    if row.empty or not _answers(model, row):
        return ()
    able = [name for name in inputs if not pd.api.types.is_object_dtype(inputs[name])]
    return tuple(str(name) for name in able if not _answers(model, row.assign(**{str(name): row[name].where(row[name].isna())})))


def _most(model: TrainedModel, inputs: pd.DataFrame) -> float | None:
    """Return the largest number that the model takes: that of float32 where it computes with such, None for any."""
    row, largest = inputs.head(1), float(np.finfo(np.float32).max)
    numbers = [str(name) for name in inputs.select_dtypes("number")]
    if not numbers or not _answers(model, row) or _answers(model, row.assign(**dict.fromkeys(numbers, 10 * largest))):
        return None
    return largest


def describe_inputs(model: TrainedModel, inputs: pd.DataFrame) -> tuple[Input, ...]:
    """Return what kind each model input is, and which texts the model knows.

    Raises
    ------
    Unsupported
        If a column is encoded twice.
    """
    known = values_of_texts(model.estimator)
    described = []
    for place, (name, column) in enumerate(inputs.items()):
        if pd.api.types.is_datetime64_any_dtype(column):
            described.append(Input(name=str(name), kind="date"))
        elif pd.api.types.is_numeric_dtype(column):
            described.append(Input(name=str(name), kind="number"))
        else:
            described.append(Input(name=str(name), kind="text", values=known.get(place, ())))
    return tuple(described)


def write_graph(model: TrainedModel, inputs: Sequence[Input]) -> bytes:
    """Return the content of ``model.onnx``.

    Raises
    ------
    Unsupported
        If a step of the model cannot be written.
    """
    graph = Graph(inputs)
    answer = write(graph, model.estimator, graph.input)
    expected = len(model.estimator.classes_) if model.card.task == "classification" else 1
    if answer.width != expected:
        raise Unsupported(type(model.estimator).__name__)
    return graph.content(answer)


def compare(original: TrainedModel, compiled: TrainedModel, inputs: pd.DataFrame) -> tuple[float, int]:
    """Return the largest difference as ``Compilation.worst`` counts it, and how many rows got another class or side of the threshold."""
    expected = original.answer(inputs)
    try:
        found = compiled.answer(inputs)
    except DataError:  # no answer where the original has one
        return np.inf, len(inputs)
    flipped = 0 if original.card.task == "regression" else int((expected.value != found.value).sum())
    return _worst(expected, found), flipped


def _worst(expected: Predictions, found: Predictions) -> float:
    if expected.probabilities is not None and found.probabilities is not None:
        return float(np.abs(expected.probabilities - found.probabilities).max())
    if expected.score is not None and found.score is not None:
        scale = np.maximum(np.abs(expected.score), min(abs(expected.threshold or 0.0), 1e300))
        return float((np.abs(expected.score - found.score) / np.maximum(scale, 1e-300)).max())
    return float((np.abs(expected.value - found.value) / np.maximum(1.0, np.abs(expected.value))).max())


def probes(inputs: pd.DataFrame) -> pd.DataFrame:
    """Return some of the rows with gaps and unheard-of texts: what the hold-out may lack and requests will have."""
    generator = np.random.default_rng(0)
    rows = inputs.iloc[generator.permutation(len(inputs))[:PROBES]].reset_index(drop=True)
    for name in rows.columns:
        gone = generator.random(len(rows)) < GAPS
        numeric = pd.api.types.is_numeric_dtype(rows[name]) or pd.api.types.is_datetime64_any_dtype(rows[name])
        if numeric:
            rows[name] = rows[name].mask(gone)
        else:
            strange = generator.random(len(rows)) < GAPS
            rows[name] = rows[name].astype(object).mask(strange, "never heard of").where(~gone, None)
    return rows


def _answers(model: TrainedModel, inputs: pd.DataFrame) -> bool:
    """Return whether the original takes such rows at all."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):  # absurd values are part of the trial
            warnings.simplefilter("ignore")
            model.answer(inputs)
    except ValueError:
        return False
    return True

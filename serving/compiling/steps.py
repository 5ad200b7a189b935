"""Each step of a fitted pipeline as nodes of a graph.

What the platform's own candidates are made of is written by us, in float64 and with the step's own figures; any other step by skl2onnx.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from onnx import TensorProto
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from leitstand.estimators import DateParts, NearestNormal, PcaResidual
from serving.compiling import models, trees
from serving.compiling.foreign import by_skl2onnx
from serving.compiling.graph import Graph, Unsupported, Wire

Writer = Callable[[Graph, Any, Wire], Wire]
UNHEARD = "\x00"  # a text that no table holds


def write(graph: Graph, step: Any, wire: Wire) -> Wire:
    """Write a fitted step and return what comes out of it: for a classifier probabilities, for a detector ``score_samples``.

    Raises
    ------
    Unsupported
        If the step cannot be written.
    """
    kind = type(step)
    if step == "passthrough" or step is None or (kind is FunctionTransformer and step.func is None):
        return wire
    if kind in OF_INPUTS:
        return OF_INPUTS[kind](graph, step, wire)
    if any(column.kind != "number" for column in wire.inputs):
        raise Unsupported(kind.__name__)
    return OF_NUMBERS.get(kind, by_skl2onnx)(graph, step, wire)


def _pipeline(graph: Graph, pipeline: Any, wire: Wire) -> Wire:
    for _, step in pipeline.steps:
        wire = write(graph, step, wire)
    return wire


def _column_transformer(graph: Graph, transformer: Any, wire: Wire) -> Wire:
    places = transformer._transformer_to_input_indices
    weights = transformer.transformer_weights or {}
    parts = []
    for name, step, _ in transformer.transformers_:
        if len(places[name]) == 0 or (isinstance(step, str) and step == "drop"):
            continue
        if weights.get(name, 1) != 1:
            raise Unsupported("ColumnTransformer with weights")
        part = write(graph, step, graph.columns(wire, [int(place) for place in places[name]]))
        if any(column.kind != "number" for column in part.inputs):
            raise Unsupported("a text or date that is passed through")
        parts.append(part)
    return parts[0] if len(parts) == 1 else graph.beside(parts)


def _scaled_target(graph: Graph, model: Any, wire: Wire) -> Wire:
    """Write the numbers of a regression that learned a standardised target."""
    scaler = model.transformer_
    if type(scaler) is not StandardScaler or not (scaler.with_mean and scaler.with_std):
        raise Unsupported(f"{type(model).__name__} with {type(scaler).__name__}")
    return graph.affine(write(graph, model.regressor_, wire), np.reshape(scaler.scale_, (1, 1)), scaler.mean_)


def _date_parts(graph: Graph, step: Any, wire: Wire) -> Wire:
    if any(column.kind != "date" for column in wire.inputs):
        raise Unsupported("DateParts of what are no dates")
    return Wire(wire.name, wire.width)  # the four parts stand in the matrix already


def _ordinal_encoder(graph: Graph, encoder: Any, wire: Wire) -> Wire:
    tables = _tables(encoder, wire, [1] * len(wire.inputs))
    codes = _codes(graph, tables, wire)
    flat = np.concatenate([table[:, 0] for table in tables])
    return Wire(graph.add("Gather", graph.constant(flat), codes), wire.width)


def _one_hot_encoder(graph: Graph, encoder: Any, wire: Wire) -> Wire:
    widths = [int(width) for width in encoder._n_features_outs]
    tables = _tables(encoder, wire, widths)
    codes = _codes(graph, tables, wire)
    whole, row, column = np.zeros((sum(map(len, tables)), sum(widths))), 0, 0
    for table in tables:
        whole[row : row + len(table), column : column + table.shape[1]] = table
        row, column = row + len(table), column + table.shape[1]
    picked = graph.add("Gather", graph.constant(whole), codes)  # shape (n, columns, width): each row speaks of its own column
    return Wire(graph.add("ReduceSum", picked, graph.constant([1], np.int64), keepdims=0), sum(widths))


def _codes(graph: Graph, tables: list[np.ndarray], wire: Wire) -> str:
    """Write the places of the texts in all tables put one below the other, shape (n, columns)."""
    starts = np.cumsum([0, *(len(table) for table in tables[:-1])])
    return graph.cast(graph.add("Add", wire.name, graph.constant([starts])), TensorProto.INT64)


def _tables(encoder: Any, wire: Wire, widths: list[int]) -> list[np.ndarray]:
    """Return for each column what the encoder makes of no text, an unknown one, and each known one: shape (2 + values, width)."""
    if not wire.inputs or any(column.kind != "text" for column in wire.inputs):
        raise Unsupported(f"{type(encoder).__name__} of what are no texts")
    if encoder.handle_unknown in ("error", "warn"):
        raise Unsupported(f"{type(encoder).__name__} that refuses unknown values")
    names, ends = [column.name for column in wire.inputs], np.cumsum(widths)
    tables = []
    for place, column in enumerate(wire.inputs):
        rows = [None, UNHEARD, *column.values]
        frame = pd.DataFrame({name: [None] * len(rows) for name in names}, dtype=object)
        frame[column.name] = pd.Series(rows, dtype=object)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a value is unknown
            made = encoder.transform(frame if hasattr(encoder, "feature_names_in_") else frame.to_numpy())
        made = np.asarray(made.toarray() if hasattr(made, "toarray") else made, dtype=np.float64)
        tables.append(made[:, ends[place] - widths[place] : ends[place]])
    return tables


def _imputer(graph: Graph, imputer: Any, wire: Wire) -> Wire:
    if imputer.missing_values is not np.nan and imputer.missing_values == imputer.missing_values:
        raise Unsupported("SimpleImputer of a value that stands for missing")
    fill = np.asarray(imputer.statistics_, dtype=np.float64)
    kept = np.arange(wire.width) if imputer.keep_empty_features else np.flatnonzero(~np.isnan(fill))
    numbers = graph.columns(Wire(wire.name, wire.width), kept.tolist())
    missing = graph.add("IsNaN", numbers.name)
    filled = Wire(graph.add("Where", missing, graph.constant([fill[kept]]), numbers.name), numbers.width)
    if imputer.indicator_ is None or len(imputer.indicator_.features_) == 0:
        return filled
    seen = graph.columns(Wire(wire.name, wire.width), imputer.indicator_.features_.tolist())
    told = Wire(graph.cast(graph.add("IsNaN", seen.name), TensorProto.DOUBLE), seen.width)
    return graph.beside([filled, told])


def _scaler(graph: Graph, scaler: Any, wire: Wire) -> Wire:
    name = wire.name
    if scaler.with_mean:
        name = graph.add("Sub", name, graph.constant([scaler.mean_]))
    if scaler.with_std:
        name = graph.add("Div", name, graph.constant([scaler.scale_]))
    return Wire(name, wire.width)


OF_INPUTS: dict[type, Writer] = {
    Pipeline: _pipeline,
    ColumnTransformer: _column_transformer,
    DateParts: _date_parts,
    OneHotEncoder: _one_hot_encoder,
    OrdinalEncoder: _ordinal_encoder,
    TransformedTargetRegressor: _scaled_target,
}
OF_NUMBERS: dict[type, Writer] = {
    SimpleImputer: _imputer,
    StandardScaler: _scaler,
    LogisticRegression: models.linear_classifier,
    LinearRegression: models.linear_regressor,
    Ridge: models.linear_regressor,
    RidgeCV: models.linear_regressor,
    SVR: models.kernel_regressor,
    CalibratedClassifierCV: models.calibrated_classifier,
    PcaResidual: models.pca_residual,
    NearestNormal: models.nearest_normal,
    HistGradientBoostingClassifier: trees.boosted_classifier,
    HistGradientBoostingRegressor: trees.boosted_regressor,
    RandomForestClassifier: trees.forest_classifier,
    ExtraTreesClassifier: trees.forest_classifier,
    DecisionTreeClassifier: trees.forest_classifier,
    RandomForestRegressor: trees.forest_regressor,
    ExtraTreesRegressor: trees.forest_regressor,
    DecisionTreeRegressor: trees.forest_regressor,
    IsolationForest: trees.isolation_forest,
}
"""Writers by exact type: a subclass may answer differently."""


def values_of_texts(estimator: Any) -> dict[int, tuple[str, ...]]:
    """Return the texts that the encoders of a pipeline's first step know, by the place of their column among the model's inputs.

    Raises
    ------
    Unsupported
        If a column is encoded twice.
    """
    if isinstance(estimator, TransformedTargetRegressor):
        return values_of_texts(estimator.regressor_)
    first = estimator.steps[0][1] if isinstance(estimator, Pipeline) else estimator
    known: dict[int, tuple[str, ...]] = {}
    for name, step, _ in first.transformers_ if isinstance(first, ColumnTransformer) else []:
        if not isinstance(step, OneHotEncoder | OrdinalEncoder):
            continue
        for place, values in zip(first._transformer_to_input_indices[name], step.categories_, strict=True):
            if int(place) in known:
                raise Unsupported("a column that is encoded twice")
            known[int(place)] = tuple(value for value in values if isinstance(value, str))
    return known

"""Where the numbers that an estimator sees come from: which column of the contract stands behind which encoded column.

Every transformer of scikit-learn can name its output columns after its input columns. Here it is asked with marks in place of names, so that
``a_b`` of a column ``a`` and ``a`` of a column ``a_b`` cannot be mixed up. A name proves no independence, as of an imputer that looks at the
neighbours; ``separable`` puts it to the test.
"""

import copy
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from leitstand.mixing import gathered

Transform = Callable[[pd.DataFrame], np.ndarray]
MARK = re.compile("\x00(\\d+)\x00")
EARLIER = re.compile(r"(.+)_(?:lag|mean)_\d+")  # as leitstand.timeseries names what looks back


def contract_column(name: str, columns: Collection[str]) -> str:
    """Return the column of the contract that a model input was made from; the input's own name where that cannot be told."""
    if name in columns:
        return name
    found = EARLIER.fullmatch(name)
    while found is not None:  # a mean of a lag has two endings
        if found[1] in columns:
            return found[1]
        found = EARLIER.fullmatch(found[1])
    return name


def encoded_origins(transformer: Any, names: Sequence[str]) -> list[str] | None:
    """Return for each output column of a fitted transformer the input it is made from; None where one is made from several.

    Parameters
    ----------
    names : of the inputs' origins, in the order of the transformer's input columns
    """
    if isinstance(transformer, Pipeline):
        known: list[str] | None = list(names)
        for _, step in transformer.steps:
            if known is None:
                return None
            known = known if step in (None, "passthrough") else encoded_origins(step, known)
        return known
    if isinstance(transformer, ColumnTransformer):
        return _of_columns(transformer, names)
    return _of_marks(transformer, names)


def _of_columns(transformer: ColumnTransformer, names: Sequence[str]) -> list[str] | None:
    places = {name: i for i, name in enumerate(getattr(transformer, "feature_names_in_", []))}
    origins: dict[int, str] = {}
    for label, step, columns in transformer.transformers_:
        part = transformer.output_indices_[label]
        if part.start == part.stop:
            continue
        chosen = [columns] if isinstance(columns, str | int) else list(columns)
        inputs = [places.get(name) if isinstance(name, str) else int(name) for name in chosen]
        if any(isinstance(name, bool | np.bool_) for name in chosen) or any(i is None for i in inputs):
            return None
        known = encoded_origins(step, [names[i] for i in inputs if i is not None])
        if known is None:
            return None
        origins |= dict(zip(range(part.start, part.stop), known, strict=True))
    return [origins[i] for i in sorted(origins)]


def _of_marks(transformer: Any, names: Sequence[str]) -> list[str] | None:
    marks = np.asarray([f"\x00{i}\x00" for i in range(len(names))], dtype=object)
    marked = copy.copy(transformer)
    if hasattr(marked, "feature_names_in_"):
        marked.feature_names_in_ = marks
    try:
        named = marked.get_feature_names_out(marks)
    except (AttributeError, ValueError):
        return None
    behind = [{names[int(mark)] for mark in MARK.findall(str(name))} for name in named]
    return [next(iter(origin)) for origin in behind] if all(len(origin) == 1 for origin in behind) else None


def separable(transform: Transform, inputs: pd.DataFrame, origins: Sequence[str]) -> bool:
    """Say whether mixing rows before encoding and after it is the same, so that encoded columns may be mixed in place of inputs.

    Parameters
    ----------
    transform : encodes a data frame
    inputs : shape (n, n_inputs), some rows to try it on
    origins : of each encoded column, a column name of ``inputs``
    """
    rows = np.random.default_rng(0).integers(0, len(inputs), inputs.shape)
    mixed = transform(gathered(inputs, rows))
    place = {name: i for i, name in enumerate(inputs.columns)}
    expected = np.take_along_axis(transform(inputs), rows[:, [place[name] for name in origins]], axis=0)
    return bool(np.allclose(mixed, expected, rtol=1e-9, atol=0, equal_nan=True))

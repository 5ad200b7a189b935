"""Sensible scikit-learn pipelines for any table: numbers, categories, dates and short texts, missing values included."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import SVC

from leitstand.estimators import DateParts, NearestNormal, PcaResidual, ShortText

MAX_CATEGORIES = 50  # more distinct values than this in a text column make it free text or an identifier
SMALL_ROWS = 20_000  # the kernel machine's time grows with the square of the rows, the forest's size with the rows


def tabular_candidates(task: str, features: pd.DataFrame) -> dict[str, Any]:
    """Return the candidates for a table, the simple one first: in doubt training takes that.

    Parameters
    ----------
    task : ``classification``, ``regression`` or ``anomaly``
    features : shape (n_rows, n_features), conformed (see ``leitstand.contract.conform``); only kinds and row count are looked at
    """
    scaled, trees = encode(features, scale=True), encode(features, scale=False)
    small = len(features) <= SMALL_ROWS
    if task == "classification":
        candidates: dict[str, Any] = {"logistic_regression": make_pipeline(scaled, LogisticRegression(max_iter=2000))}
        if small:
            machine = CalibratedClassifierCV(SVC(C=10), ensemble=False)
            candidates["support_vectors"] = make_pipeline(scaled, machine)
            candidates["random_forest"] = make_pipeline(trees, RandomForestClassifier(300, random_state=0))
        candidates["gradient_boosting"] = make_pipeline(trees, HistGradientBoostingClassifier(random_state=0))
        return candidates
    if task == "regression":
        candidates = {"ridge": make_pipeline(scaled, RidgeCV(np.logspace(-3, 3, 13)))}
        if small:
            candidates["random_forest"] = make_pipeline(trees, RandomForestRegressor(200, random_state=0))
        candidates["gradient_boosting"] = make_pipeline(trees, HistGradientBoostingRegressor(random_state=0))
        return candidates
    return {
        "pca_residual": make_pipeline(scaled, PcaResidual()),
        "nearest_normal": make_pipeline(scaled, NearestNormal()),
        "isolation_forest": make_pipeline(trees, IsolationForest(n_estimators=200, random_state=0)),
    }


def encode(features: pd.DataFrame, scale: bool) -> ColumnTransformer:
    """Return an unfitted transformer of a frame into numbers without gaps (``scale``) or for trees (gaps kept).

    Parameters
    ----------
    features : decides by dtype and number of distinct values which columns are numbers, dates, categories and texts
    scale : whether distances matter to what comes next: then numbers are standardised and categories one-hot encoded
    """
    numbers = list(features.select_dtypes("number").columns)
    dates = list(features.select_dtypes("datetime").columns)
    texts = list(features.select_dtypes("object").columns)
    distinct = {name: features[name].nunique() for name in texts}
    categories = [name for name in texts if distinct[name] <= MAX_CATEGORIES]
    free = [name for name in texts if distinct[name] > MAX_CATEGORIES]
    steps: list[tuple[str, Any, list[str]]] = []
    if numbers:
        steps.append(("numbers", _filled(StandardScaler()) if scale else "passthrough", numbers))
    if dates:
        steps.append(("dates", _filled(DateParts(), StandardScaler()) if scale else DateParts(), dates))
    if categories and scale:
        steps.append(("categories", OneHotEncoder(handle_unknown="ignore", min_frequency=2, sparse_output=False), categories))
    if categories and not scale:
        ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan)
        steps.append(("categories", ordinal, categories))
    steps += [(f"text_{name}", ShortText(), [name]) for name in free]
    return ColumnTransformer(steps, verbose_feature_names_out=False, sparse_threshold=0.0)


def _filled(*then: Any) -> Pipeline:
    first, rest = ([then[0]], list(then[1:])) if isinstance(then[0], DateParts) else ([], list(then))
    return make_pipeline(*first, SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True), *rest)

"""Cell diagnostics: which samples hold malignant cells, and which of them a person should look at first."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from leitstand.pipelines import encode
from leitstand.prediction import Predictions
from leitstand.texts import LANGUAGES, text


def candidates(features: pd.DataFrame, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the estimators to compare, from simple to flexible.

    The columns are strongly correlated (radius, perimeter, area), so the linear model is regularised more than by default. Balanced
    weights make a missed malignant sample, the rarer class, count for more: 2 % more recall here for 3 % less precision.
    """
    scaled, trees = encode(features, scale=True), encode(features, scale=False)
    booster = HistGradientBoostingClassifier(learning_rate=0.05, random_state=0)
    return {
        "logistic_regression": make_pipeline(scaled, LogisticRegression(C=0.3, class_weight="balanced", max_iter=2000)),
        "support_vectors": make_pipeline(scaled, CalibratedClassifierCV(SVC(C=3), ensemble=False)),
        "gradient_boosting": make_pipeline(trees, booster),
    }


def baseline(frame: pd.DataFrame, parameters: Mapping[str, Any]) -> np.ndarray | None:
    """Return today's rule of thumb: a sample with large nuclei is suspicious.

    The limit is a constant in project.yaml, set without looking at any diagnosis. None where the data have no such column or classes.
    """
    column = parameters.get("size_rule_column")
    if column not in frame.columns or not {"suspicious", "unsuspicious"} <= parameters.keys():
        return None
    large = frame[column] > parameters["size_rule_limit"]
    return np.where(large, parameters["suspicious"], parameters["unsuspicious"]).astype(object)


def advise(frame: pd.DataFrame, predictions: Predictions, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return for each sample who looks at it, and when: ``priority`` 1 comes first.

    An answer below the confidence floor is a person's to give: ``decide``, priority 1. A clearly malignant sample is to be confirmed:
    ``confirm``, priority 2. The rest is looked at in the ordinary course: ``routine``, priority 3. No sample is closed without a person.
    """
    if predictions.probabilities is None:
        raise ValueError("a classification answers with probabilities")
    confidence = predictions.probabilities.max(axis=1)
    unsure = confidence < parameters["confidence_floor"]
    suspicious = predictions.value == predictions.positive
    actions = np.select([unsure, suspicious], ["decide", "confirm"], "routine")
    priorities = {"decide": 1, "confirm": 2, "routine": 3}
    return [
        {
            "action": str(action),
            "priority": priorities[action],
            "confidence": round(float(sure), 4),
            "message": {language: text(f"projects.cell_{action}", language) for language in LANGUAGES},
        }
        for action, sure in zip(actions, confidence, strict=True)
    ]

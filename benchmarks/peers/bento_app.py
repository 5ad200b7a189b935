"""BentoML with the scikit-learn model, as its tutorial writes a service: a data frame in, an array out."""

import os
from pathlib import Path

import bentoml
import joblib
import numpy as np
import pandas as pd


@bentoml.service(workers=1)
class Peer:
    """Answers for the model."""

    def __init__(self) -> None:
        self.model = joblib.load(Path(os.environ["MODEL_FOLDER"]) / "model.joblib")

    @bentoml.api
    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """Return the probabilities."""
        return np.asarray(self.model.predict_proba(rows))

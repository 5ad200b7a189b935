"""FastAPI with the scikit-learn model: typed rows, no log."""

import os
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel, create_model

app = FastAPI()
model = joblib.load(Path(os.environ["MODEL_FOLDER"]) / "model.joblib")
Row: Any = create_model("Row", **{f"sensor_{i:02d}": (float, ...) for i in range(30)})  # type: ignore[call-overload]


class Request(BaseModel):
    """The rows."""

    rows: list[Row]


@app.post("/predict")
def predict(request: Request) -> dict[str, Any]:
    """Return classes and probabilities."""
    frame = pd.DataFrame([row.model_dump() for row in request.rows])
    chances = model.predict_proba(frame)
    return {"predictions": chances.argmax(axis=1).tolist(), "probabilities": chances.tolist()}

"""Virtual sensor: process data that are there every few minutes tell what the lab finds a few times a day."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from leitstand.pipelines import encode
from leitstand.timeseries import in_time_order, join_lab_samples, lagged, last_known, rolling_means, stretches

Parameters = Mapping[str, Any]
SVM_MOST_ROWS = 8000  # lab samples; the time of the smooth curve grows with their square


def prepare(tables: Mapping[str, pd.DataFrame], parameters: Parameters) -> pd.DataFrame:
    """Return the process rows with the lab value of ``horizon_minutes`` later, where there is one.

    One table alone is taken as it is: it holds the target already, each value in the row it is to be predicted from.
    """
    if len(tables) == 1:
        return next(iter(tables.values()))
    process = tables["process"]
    return join_lab_samples(
        process,
        tables["lab"],
        time=parameters["time"],
        sampled_at=parameters["sampled_at"],
        value=parameters["target"],
        by=parameters["series"] if parameters["series"] in process.columns else None,
        horizon_minutes=parameters["horizon_minutes"],
        tolerance_minutes=parameters["tolerance_minutes"],
    )


def features(frame: pd.DataFrame, parameters: Parameters) -> pd.DataFrame:
    """Return every reading and category as it is and as it was, and the readings' means over the last rows of the same line.

    A row's features hang on that row and earlier ones only, whatever the order of the rows.
    """
    times, line = _column(frame, parameters["time"]), _column(frame, parameters["series"])
    order = in_time_order(times, len(frame))
    past = frame.iloc[order]
    numbers, categories = past.select_dtypes("number"), past.select_dtypes("object")
    stretch = stretches(
        None if line is None else line.iloc[order],
        None if times is None else times.iloc[order],
        parameters["max_gap_minutes"],
        len(frame),
    )
    lags = [int(lag) for lag in parameters["lags"]]
    means = rolling_means(numbers, [int(window) for window in parameters["windows"]], stretch)
    made = pd.concat([numbers, lagged(numbers, lags, stretch), means, categories, lagged(categories, lags, stretch)], axis=1)
    return made.iloc[np.argsort(order, kind="stable")]


def candidates(features: pd.DataFrame, parameters: Parameters) -> dict[str, Any]:
    """Return the estimators to compare: a straight line, a smooth curve, and trees."""
    scaled, trees = encode(features, scale=True), encode(features, scale=False)
    booster = HistGradientBoostingRegressor(learning_rate=0.05, max_iter=300, min_samples_leaf=10, random_state=0)
    chosen: dict[str, Any] = {
        "ridge": make_pipeline(scaled, RidgeCV(np.logspace(-2, 4, 13))),
        "gradient_boosting": make_pipeline(trees, booster),
    }
    if len(features) <= SVM_MOST_ROWS:
        smooth = TransformedTargetRegressor(SVR(C=30, epsilon=0.02, gamma=0.002), transformer=StandardScaler())
        chosen["support_vectors"] = make_pipeline(scaled, smooth)
    return chosen


def baseline(frame: pd.DataFrame, parameters: Parameters) -> np.ndarray:
    """Return what is known without a model: the newest lab value of the line's product, else of the product, else of any.

    A lab value belongs to the row it is to be predicted from. It is known once the horizon has passed and the lab has measured it, so a
    row is given values of strictly earlier rows only (``lab_rows`` earlier where no column tells the time). The first rows, before any
    lab value, get NaN.

    Parameters
    ----------
    frame : all rows in time order, sparse target included
    """
    times = _column(frame, parameters["time"])
    if times is None:
        clock, delay = np.arange(len(frame), dtype=float), float(parameters["lab_rows"])
    else:
        clock = (times - times.min()).dt.total_seconds().to_numpy() / 60
        delay = parameters["horizon_minutes"] + parameters["lab_minutes"]
    line, product = (_labels(frame, parameters.get(name)) for name in ("series", "product"))
    answer = np.full(len(frame), np.nan)
    for by in (line + "\n" + product, product, np.full(len(frame), "")):
        known = last_known(frame[str(parameters["target"])], clock, delay, by)
        answer = np.where(np.isnan(answer), known, answer)
    return answer


def _column(frame: pd.DataFrame, name: str | None) -> pd.Series | None:
    return frame[name] if name is not None and name in frame.columns else None


def _labels(frame: pd.DataFrame, name: str | None) -> np.ndarray:
    values = _column(frame, name)
    return np.full(len(frame), "", dtype=object) if values is None else values.astype(str).to_numpy(dtype=object)

"""Acoustic maintenance: how far a recording is from what the machine sounds like when all is well, and when that will be too far."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import theilslopes
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from leitstand.estimators import NearestNormal, PcaResidual
from leitstand.prediction import Predictions
from leitstand.signals import describe_recordings
from leitstand.texts import LANGUAGES, text
from leitstand.timeseries import in_time_order

Parameters = Mapping[str, Any]


def features(frame: pd.DataFrame, parameters: Parameters) -> pd.DataFrame:
    """Return what each recording sounds like, whatever its volume; hours and mould are no inputs, so that only the sound decides.

    Raises
    ------
    DataError
        If a recording cannot be read, or the sample rates do not fit.
    """
    recordings = frame[str(parameters["files"][0])]
    described = describe_recordings(
        recordings, int(parameters["bands"]), float(parameters["low_hz"]), float(parameters["high_hz"])
    )
    return described.set_index(frame.index)


def candidates(features: pd.DataFrame, parameters: Parameters) -> dict[str, Any]:
    """Return the detectors to compare; all learn from normal recordings only."""
    return {
        "pca_residual": make_pipeline(StandardScaler(), PcaResidual(explained=0.9)),
        "nearest_normal": make_pipeline(StandardScaler(), NearestNormal(neighbours=3)),
    }


def baseline(frame: pd.DataFrame, parameters: Parameters) -> np.ndarray | None:
    """Return today's rule as a score: hours since greasing. None where nobody noted them; a single gap counts as the median."""
    hours = _hours(frame, parameters)
    return None if np.isnan(hours).all() else np.where(np.isnan(hours), np.nanmedian(hours), hours)


def advise(frame: pd.DataFrame, predictions: Predictions, parameters: Parameters) -> list[dict[str, Any]]:
    """Return for each recording the wear and when to grease.

    ``wear_indicator`` is score over threshold: 1 and more is an alarm. The window is in hours of operation from the recording on. Where
    earlier clips of the same mould since its last greasing are among the rows, it is the time at which their trend crosses the
    threshold, earliest and latest (``basis: trend``). Otherwise, or without a rising trend, it is what today's rule leaves
    (``basis: rule``). An alarm means now (``basis: alarm``).
    """
    if predictions.score is None or not predictions.threshold:
        raise ValueError("a detector answers with a score and a threshold above 0")
    wear = np.maximum(predictions.score / predictions.threshold, 1e-6)
    hours = _hours(frame, parameters)
    earlier = _earlier_clips(frame, hours, parameters)
    return [_advice(wear[row], hours[row], hours[earlier[row]], wear[earlier[row]], parameters) for row in range(len(frame))]


def crossing_window(hours: np.ndarray, wear: np.ndarray) -> tuple[float, float] | None:
    """Return in how many hours, counted from the last clip, the wear crosses 1: earliest and latest.

    The logarithm of the wear is drawn out with both ends of the 80 % interval of the Theil–Sen slope (Sen, JASA 63, 1968), which one
    odd clip cannot turn: earliest from the last clip where it is above the trend, latest from the trend.

    Parameters
    ----------
    hours, wear : shape (n,), n at least 3, hours rising

    Returns
    -------
    None where even the middle slope does not rise; latest is infinite where the lower slope does not.
    """
    if len(np.unique(hours)) < 3:
        return None
    slope, intercept, low, high = theilslopes(np.log(wear), hours, alpha=0.8)
    if not slope > 0:
        return None
    trend, heard = intercept + slope * hours[-1], np.log(wear[-1])
    earliest = max(0.0, -max(trend, heard)) / max(slope, high)
    return earliest, (max(0.0, -trend) / low if low > 0 else np.inf)


def _advice(wear: float, hour: float, hours: np.ndarray, wears: np.ndarray, parameters: Parameters) -> dict[str, Any]:
    basis, earliest, latest = _window(wear, hour, hours, wears, parameters)
    known = basis != "unknown"
    return {
        "wear_indicator": round(float(wear), 3),
        "basis": basis,
        "earliest_hours": round(float(earliest), 1) if known else None,
        "latest_hours": round(float(latest), 1) if known else None,
        "message": {
            language: text(f"projects.grease_{basis}", language, earliest=f"{earliest:.0f}", latest=f"{latest:.0f}")
            for language in LANGUAGES
        },
    }


def _window(wear: float, hour: float, hours: np.ndarray, wears: np.ndarray, parameters: Parameters) -> tuple[str, float, float]:
    if wear > 1:
        return "alarm", 0.0, 0.0
    by_rule = [max(0.0, parameters[name] - hour) for name in ("rule_earliest_hours", "rule_latest_hours")]
    trend = crossing_window(hours, wears) if len(hours) >= parameters["trend_fewest_clips"] else None
    longest = parameters["rule_latest_hours"]  # nobody plans further ahead than from one greasing to the next
    if trend is not None and trend[0] <= longest:
        return "trend", trend[0], min(trend[1], longest)
    return ("rule" if np.isfinite(hour) else "unknown", *by_rule)


def _hours(frame: pd.DataFrame, parameters: Parameters) -> np.ndarray:
    name = parameters.get("hours")
    return frame[name].to_numpy(dtype=float) if name in frame.columns else np.full(len(frame), np.nan)


def _earlier_clips(frame: pd.DataFrame, hours: np.ndarray, parameters: Parameters) -> list[np.ndarray]:
    """Return for each row the positions of its mould's last clips since the greasing, itself included, oldest first."""
    machine = parameters.get("machine")
    times = frame[str(parameters["time"])] if parameters["time"] in frame.columns else None
    moulds = frame[machine].astype(str).to_numpy() if machine in frame.columns else np.arange(len(frame)).astype(str)
    since: dict[str, list[int]] = {}
    clips: list[np.ndarray] = [np.array([], dtype=int)] * len(frame)
    for row in in_time_order(times, len(frame)):
        past = since.setdefault(moulds[row], [])
        if past and not hours[row] >= hours[past[-1]]:  # fewer hours than before: greased in between; unknown hours: no trend
            past.clear()
        past.append(int(row))
        clips[row] = np.asarray(past[-int(parameters["trend_clips"]) :])
    return clips

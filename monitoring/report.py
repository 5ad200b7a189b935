"""One look at a model in use: what came in and went out lately, against what it was trained and shown on."""

import warnings
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset, DataSummaryPreset

from leitstand.conforming import conform
from leitstand.contract import Column, Contract
from leitstand.now import now as current_time
from leitstand.project import Project
from monitoring.drift import CATEGORIES, NUMBERS, Watched, drift, evidently_columns, register_statistics, watch, watched_inputs
from monitoring.page import write_page
from monitoring.performance import performance
from monitoring.quality import quality_faults
from monitoring.result import ColumnDrift, MonitoringResult

MOST_ROWS_DRAWN = 10_000  # a picture of a distribution does not change with more rows, its time does


def monitor(
    project: Project,
    reference: pd.DataFrame,
    window: pd.DataFrame,
    *,
    reference_metrics: Mapping[str, float],
    model_version: int | None = None,
    synthetic: bool = False,
    html: Path | None = None,
) -> MonitoringResult:
    """Compare a window of predictions with the reference.

    Parameters
    ----------
    reference, window : columns of the project's input contract (missing ones count as missing values) and ``prediction``; optional
        ``score``, ``lower``, ``upper``, ``probability_<class>``, ``label`` (missing where the truth is unknown) and ``time``
    synthetic : whether the model was trained on built-in synthetic data
    reference_metrics : the metrics on the hold-out, by name
    html : where to write a page with pictures; takes several seconds, so only when somebody will look at it

    Raises
    ------
    StateError
        If the page cannot be written.
    """
    settings = project.spec.monitoring
    contract = _as_logged(project.input_contract)
    before, now = conform(reference, contract), conform(window, contract)
    enough = min(len(before), len(now)) >= settings.minimum_rows
    inputs = watched_inputs(contract, before, now) if enough else []
    answers = _answers(project, reference, window) if enough else []
    moved = sorted((drift(column, settings.threshold) for column in inputs), key=_strength)
    answered = tuple(drift(column, settings.threshold) for column in answers)
    share = sum(column.drifted for column in moved) / len(moved) if moved else 0.0
    truth = performance(project, window, reference_metrics)
    faults = quality_faults(contract, before, now) + ([truth.fault] if truth.fault else [])
    start, end = _span(window)
    result = MonitoringResult(
        project=project.name,
        model_version=model_version,
        synthetic=synthetic,
        time=current_time(),
        window_start=start,
        window_end=end,
        window_rows=len(now),
        reference_rows=len(before),
        minimum_rows=settings.minimum_rows,
        enough=enough,
        columns=tuple(moved),
        drifted_share=share,
        drifted_share_limit=settings.drifted_share,
        input_drift=bool(moved) and share >= settings.drifted_share,
        answers=answered,
        prediction_drift=any(column.drifted for column in answered),
        quality=tuple(faults),
        labelled_rows=truth.rows,
        minimum_labels=settings.minimum_labels,
        label_coverage=truth.rows / len(now) if len(now) else 0.0,
        metric=truth.metric,
        metrics=truth.metrics,
        reference_metrics=dict(reference_metrics),
        performance_drop=truth.drop,
    )
    if html is not None:
        write_page(html, result, _pictures([*answers, *inputs], settings.threshold, settings.drifted_share))
    return result


def _as_logged(contract: Contract) -> Contract:
    """Return the contract of what can be watched: without files, and with pseudonyms, which only show that there is a value, as texts."""
    kept = [
        Column(name=column.name, type="string", required=column.required, pseudonymise=True)
        if column.is_pseudonymised
        else column
        for column in contract.columns
        if column.type != "file"
    ]
    return contract.model_copy(update={"columns": tuple(kept)})


def _strength(column: ColumnDrift) -> tuple[bool, float]:
    return not column.drifted, -(column.effect if column.effect is not None else float("inf"))


def _answers(project: Project, reference: pd.DataFrame, window: pd.DataFrame) -> list[Watched]:
    names = [name for name in ("prediction", "score") if name in reference.columns and name in window.columns]
    numbers = {"score"} | ({"prediction"} if project.spec.task == "regression" else set())
    watched = [watch(name, reference[name], window[name], name in numbers) for name in names]
    return [column for column in watched if len(column.reference) and len(column.window)]


def _span(window: pd.DataFrame) -> tuple[datetime | None, datetime | None]:
    if window.empty or "time" not in window.columns or not isinstance(window["time"].dtype, pd.DatetimeTZDtype):
        return None, None
    return window["time"].min().to_pydatetime(), window["time"].max().to_pydatetime()


def _pictures(columns: Sequence[Watched], threshold: float, share: float) -> str | None:
    """Return Evidently's report as an HTML document, or None where there is nothing to draw."""
    numbers, categories = evidently_columns(columns)
    if not numbers and not categories:
        return None
    register_statistics()
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=categories)
    drawn = [column for column in columns if column.name in {*numbers, *categories}]
    before = Dataset.from_pandas(_side({column.name: column.reference for column in drawn}), definition)
    now = Dataset.from_pandas(_side({column.name: column.window for column in drawn}), definition)
    report = Report(
        [
            DataDriftPreset(num_method=NUMBERS, cat_method=CATEGORIES, threshold=threshold, drift_share=share),
            DataSummaryPreset(),
        ]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas, numpy and plotly about how Evidently calls them while drawing
        return str(report.run(now, before).get_html_str(as_iframe=False))


def _side(columns: Mapping[str, pd.Series]) -> pd.DataFrame:
    return pd.DataFrame({name: _drawable(values) for name, values in columns.items()})


def _drawable(values: pd.Series) -> pd.Series:
    sampled = values.sample(min(len(values), MOST_ROWS_DRAWN), random_state=0).reset_index(drop=True)
    if pd.api.types.is_numeric_dtype(sampled):
        return sampled
    return sampled.str.replace("<", "‹")  # Evidently puts values into a script element as they are: "</script>" would end it

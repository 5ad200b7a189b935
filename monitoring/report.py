"""One look at a model in use: what came in and went out lately, against what it was trained and shown on."""

import warnings
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset, DataSummaryPreset

from leitstand.basis import Basis
from leitstand.now import now as current_time
from leitstand.project import Project
from monitoring.comparing import Compared, compare
from monitoring.drift import CATEGORIES, NUMBERS, evidently_columns, register_statistics
from monitoring.estimating import estimate
from monitoring.page import write_page
from monitoring.performance import Performance, performance
from monitoring.quality import quality_faults
from monitoring.result import Labels, MonitoringResult, QualityFault

MOST_ROWS_DRAWN = 10_000  # a picture of a distribution does not change with more rows, its time does
NEVER = float("inf")  # as threshold of a column whose move chance explains: the page must not call it drifted


def monitor(
    project: Project,
    reference: pd.DataFrame,
    window: pd.DataFrame,
    *,
    reference_metrics: Mapping[str, float],
    basis: Basis | None = None,
    labelled: pd.DataFrame | None = None,
    labels: Labels | None = None,
    span: tuple[datetime | None, datetime | None] | None = None,
    labels_start: datetime | None = None,
    model_version: int | None = None,
    synthetic: bool = False,
    html: Path | None = None,
) -> MonitoringResult:
    """Compare a window of predictions with the reference.

    Parameters
    ----------
    reference, window : columns of the project's input contract (missing ones count as missing values) and ``prediction``; optional
        ``score``, ``lower``, ``upper``, ``probability_<class>``, ``label`` (missing where the truth is unknown) and ``time``; in time order.
        The reference may have ``_time`` besides
    reference_metrics : the metrics on the hold-out, by name
    basis : what else the training knew
    labelled : the predictions that performance is judged by, as the window; by default those of the window that have a label
    labels : how much of the truth has come back; by default counted in the window, with every prediction old enough
    span : begin and end of the window; by default those of its rows
    labels_start : since when the labels of ``labelled`` came
    synthetic : whether the model was trained on built-in synthetic data
    html : where to write a page with pictures; takes several seconds, so only when somebody will look at it

    Raises
    ------
    StateError
        If the page cannot be written.
    """
    known = basis or Basis()
    compared = compare(project, reference, window, known)
    truth = performance(project, window if labelled is None else labelled, reference_metrics)
    own = truth if labelled is None else performance(project, window, reference_metrics)
    guess, no_guess = estimate(project, window, reference_metrics, known.calibration_error)
    start, end = span or _span(window)
    settings = project.spec.monitoring
    result = MonitoringResult(
        project=project.name,
        model_version=model_version,
        synthetic=synthetic,
        time=current_time(),
        window_start=start,
        window_end=end,
        labels_start=labels_start,
        window_rows=len(compared.now),
        reference_rows=len(compared.before),
        minimum_rows=settings.minimum_rows,
        enough=compared.enough,
        columns=compared.inputs,
        drifted_share=compared.share,
        drifted_share_limit=settings.drifted_share,
        drifted_weight=compared.weight,
        season=settings.season,
        season_known=compared.season_known,
        input_drift=bool(compared.inputs) and max(compared.share, compared.weight or 0.0) >= settings.drifted_share,
        answers=compared.answers,
        prediction_drift=any(column.drifted for column in compared.answers),
        quality=_faults(compared, known, truth),
        labelled_rows=truth.rows,
        minimum_labels=settings.minimum_labels,
        label_coverage=labels.coverage if labels is not None else truth.rows / max(1, len(window)),
        labels=labels,
        metric=truth.metric,
        metrics=truth.metrics,
        metric_low=truth.interval.low if truth.interval else None,
        metric_high=truth.interval.high if truth.interval else None,
        reference_metrics=dict(reference_metrics),
        performance_drop=truth.drop,
        within_noise=truth.within_noise,
        vouched=truth.drop is False and own.drop is False,
        estimate=guess,
        no_estimate=no_guess,
    )
    if html is not None:
        write_page(html, result, _pictures(compared, settings.threshold, settings.drifted_share))
    return result


def _faults(compared: Compared, basis: Basis, truth: Performance) -> tuple[QualityFault, ...]:
    found = quality_faults(compared.contract, compared.before, compared.now, basis.longest_runs)
    return (*found, truth.fault) if truth.fault else tuple(found)


def _span(window: pd.DataFrame) -> tuple[datetime | None, datetime | None]:
    if window.empty or "time" not in window.columns or not isinstance(window["time"].dtype, pd.DatetimeTZDtype):
        return None, None
    return window["time"].min().to_pydatetime(), window["time"].max().to_pydatetime()


def _pictures(compared: Compared, threshold: float, share: float) -> str | None:
    """Return Evidently's report as an HTML document, or None where there is nothing to draw."""
    numbers, categories = evidently_columns(compared.watched)
    if not numbers and not categories:
        return None
    register_statistics()
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=categories)
    drawn = [column for column in compared.watched if column.name in {*numbers, *categories}]
    before = Dataset.from_pandas(_side({column.name: column.reference for column in drawn}), definition)
    now = Dataset.from_pandas(_side({column.name: column.window for column in drawn}), definition)
    steady = {column.name: NEVER for column in (*compared.inputs, *compared.answers) if not column.drifted}
    drift = DataDriftPreset(
        num_method=NUMBERS, cat_method=CATEGORIES, threshold=threshold, drift_share=share, per_column_threshold=steady
    )
    report = Report([drift, DataSummaryPreset()])
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

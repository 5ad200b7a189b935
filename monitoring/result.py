"""What one look at a model in use found, in a form that is stored, compared and told in words."""

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from leitstand.figures import figure, percent
from leitstand.season import Season
from leitstand.texts import Language, text

Fault = Literal["missing", "constant", "frozen", "out_of_range", "not_allowed", "unusable_label"]
NoEstimate = Literal["task", "probabilities", "calibration"]
MOST_NAMED = 5


class Finding(BaseModel):
    """Base of what is found: immutable; keys of a later version are ignored, so that old and new results stay readable."""

    model_config = ConfigDict(frozen=True)


class ColumnDrift(Finding):
    """How far one column has moved from the reference.

    Parameters
    ----------
    kind : ``text`` compares the words that occur
    method : ``wasserstein`` (distance in standard deviations of the reference) or ``jensenshannon`` (distance, 0 to 0.83)
    effect : in the method's unit; None where the window holds no value at all
    chance : p-value, corrected for all columns that were asked together; None in results from before it was kept
    weight : share of the model's importance that the column carries, 0 to 1; None where it is unknown
    drifted : the effect reaches the threshold and is more than chance; also when the window holds no value at all
    """

    name: str
    kind: Literal["number", "category", "text"]
    method: Literal["wasserstein", "jensenshannon"]
    effect: float | None
    chance: float | None = None
    weight: float | None = None
    drifted: bool


class Estimated(Finding):
    """How well the model probably answers, from its own probabilities and without a label: an estimate, never a measurement.

    Parameters
    ----------
    low, high : 95 % interval of what drawing rows and labels does
    drop : worse than the hold-out by more than tolerance and calibration error together, and more than chance
    """

    metric: str
    value: float
    low: float
    high: float
    drop: bool


class Labels(Finding):
    """How much of the truth has come back.

    Parameters
    ----------
    old_rows : predictions of the window that are old enough to have a label
    labelled_rows : those of them that have one
    usual : share that had one at earlier looks, 0 to 1; None before there are some
    delay_hours : what is old enough
    late : far fewer than usual have one
    """

    old_rows: int
    labelled_rows: int
    usual: float | None = None
    delay_hours: float = 0.0
    late: bool = False

    @property
    def coverage(self) -> float:
        """Share of the predictions that are old enough whose truth is known, 0 to 1."""
        return self.labelled_rows / self.old_rows if self.old_rows else 0.0


class QualityFault(Finding):
    """One thing that is wrong with the data of one column.

    Parameters
    ----------
    rows, total : rows concerned, and rows looked at
    examples : at most five values, as text
    breaks : whether the sensor or the export behind the column is broken, and not only single values are odd
    """

    column: str
    fault: Fault
    rows: int
    total: int
    examples: tuple[str, ...] = ()
    breaks: bool = False

    def summary(self, language: Language) -> str:
        """Return the fault in one sentence."""
        shown = ", ".join(self.examples)
        return text(
            f"monitoring.fault_{self.fault}", language, column=self.column, rows=self.rows, total=self.total, examples=shown
        )


class MonitoringResult(Finding):
    """What monitoring found in one window of predictions.

    Parameters
    ----------
    synthetic : whether the model was trained on built-in synthetic data
    time : when it was computed, UTC
    enough : whether window and reference have at least ``minimum_rows``; without that there is no verdict on drift
    columns : watched inputs, those that moved most first; empty when there are not enough rows
    drifted_share, drifted_share_limit : 0 to 1, of the watched inputs
    answers : the predictions, and their score where the model gives one
    labels_start : since when the labels came that performance is judged by; None where it was the window's own
    season, season_known : what the window was compared by, and whether the reference has rows of that season; without them there is no
        verdict on drift
    drifted_weight : share of the model's importance that the drifted inputs carry, 0 to 1; None where it is unknown of one of them
    labelled_rows, label_coverage : predictions whose truth is known: how many, and which share of those that are old enough
    labels : how much of the truth has come back, against what is usual
    metric : by which performance is judged; None where no metric is known on both sides
    metric_low, metric_high : its 95 % interval; None without enough labels
    performance_drop : worse than the hold-out by more than the tolerance, and more than chance; None without enough labels
    within_noise : worse by more than the tolerance, but chance explains it
    vouched : no drop, and none either where the answers of this window alone are judged: labels of older ones say nothing about rows that moved
    estimate : of the same metric without labels; None where there is none, and ``no_estimate`` says why
    """

    project: str
    model_version: int | None
    synthetic: bool = False
    time: AwareDatetime
    window_start: datetime | None
    window_end: datetime | None
    labels_start: datetime | None = None
    window_rows: int
    reference_rows: int
    minimum_rows: int
    enough: bool
    columns: tuple[ColumnDrift, ...]
    drifted_share: float
    drifted_share_limit: float
    drifted_weight: float | None = None
    season: Season = "none"
    season_known: bool = True
    input_drift: bool
    answers: tuple[ColumnDrift, ...]
    prediction_drift: bool
    quality: tuple[QualityFault, ...]
    labelled_rows: int
    minimum_labels: int
    label_coverage: float
    labels: Labels | None = None
    metric: str | None
    metrics: dict[str, float]
    reference_metrics: dict[str, float]
    metric_low: float | None = None
    metric_high: float | None = None
    performance_drop: bool | None
    within_noise: bool = False
    vouched: bool = False
    estimate: Estimated | None = None
    no_estimate: NoEstimate | None = None

    @property
    def drifted(self) -> list[str]:
        """The names of the inputs that drifted, the strongest first."""
        return [column.name for column in self.columns if column.drifted]

    @property
    def broken(self) -> tuple[str, ...]:
        """The names of the inputs whose sensor or export looks broken."""
        return tuple(sorted({fault.column for fault in self.quality if fault.breaks}))

    @property
    def calm(self) -> bool:
        """Whether nothing was found that anybody should look at."""
        late = self.labels is not None and self.labels.late
        return not (self.input_drift or self.prediction_drift or self.quality or self.performance_drop or late)

    def summary(self, language: Language) -> str:
        """Return what was found in a few sentences."""
        return " ".join(self.sentences(language))

    def sentences(self, language: Language) -> list[str]:
        """Return what was found, one statement each: extent, inputs, answers, data quality, performance."""
        extent = text("monitoring.extent", language, rows=self.window_rows, reference=self.reference_rows)
        warning = [text("monitoring.synthetic", language)] if self.synthetic else []
        return [
            *warning,
            extent,
            *self._drift(language),
            *(fault.summary(language) for fault in self.quality),
            *self._labels(language),
            self._performance(language),
            *self._estimated(language),
        ]

    def _drift(self, language: Language) -> list[str]:
        if not self.enough:
            return [text("monitoring.not_enough", language, needed=self.minimum_rows)]
        if not self.season_known:
            return [text("monitoring.season_unknown", language)]
        told = []
        if self.columns:
            key = "monitoring.input_drift" if self.input_drift else "monitoring.no_input_drift"
            limit = percent(self.drifted_share_limit, language)
            told.append(text(key, language, count=len(self.drifted), total=len(self.columns), limit=limit))
        if self.drifted:
            told.append(text("monitoring.drifted_columns", language, names=self._named(self.drifted, language)))
        if self.drifted and self.drifted_weight is not None:
            told.append(text("monitoring.drifted_weight", language, weight=percent(self.drifted_weight, language)))
        if self.answers:
            told.append(text(f"monitoring.{'answer_drift' if self.prediction_drift else 'no_answer_drift'}", language))
        return told

    def _named(self, names: list[str], language: Language) -> str:
        more = len(names) - MOST_NAMED
        shown = ", ".join(names[:MOST_NAMED])
        return shown if more <= 0 else text("monitoring.and_more", language, names=shown, count=more)

    def _labels(self, language: Language) -> list[str]:
        labels = self.labels
        if labels is None or not labels.old_rows:
            return []
        values = {"share": percent(labels.coverage, language), "hours": figure(labels.delay_hours, language)}
        if labels.late and labels.usual is not None:
            return [text("monitoring.labels_late", language, usual=percent(labels.usual, language), **values)]
        key = "label_coverage" if labels.delay_hours else "label_coverage_at_once"
        return [text(f"monitoring.{key}", language, **values)] if labels.labelled_rows else []

    def _performance(self, language: Language) -> str:
        if self.performance_drop is None or self.metric is None:
            return text("monitoring.few_labels", language, rows=self.labelled_rows, needed=self.minimum_labels)
        key = "performance_drop" if self.performance_drop else "within_noise" if self.within_noise else "no_performance_drop"
        shown = {"value": self.metrics[self.metric], "reference": self.reference_metrics[self.metric]}
        shown |= {"low": self.metric_low if self.metric_low is not None else shown["value"]}
        shown |= {"high": self.metric_high if self.metric_high is not None else shown["value"]}
        figures = {name: figure(value, language) for name, value in shown.items()}
        return text(f"monitoring.{key}", language, metric=self.metric, rows=self.labelled_rows, **figures)

    def _estimated(self, language: Language) -> list[str]:
        found = self.estimate
        if found is None or self.performance_drop is not None:  # the truth is better than any estimate
            return []
        shown = {"value": found.value, "low": found.low, "high": found.high, "reference": self.reference_metrics[found.metric]}
        figures = {name: figure(value, language) for name, value in shown.items()}
        return [text(f"monitoring.{'estimated_drop' if found.drop else 'estimated'}", language, metric=found.metric, **figures)]

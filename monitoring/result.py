"""What one look at a model in use found, in a form that is stored, compared and told in words."""

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from leitstand.texts import Language, text

Fault = Literal["missing", "constant", "out_of_range", "not_allowed", "unusable_label"]
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
    drifted : the effect reaches the threshold and is more than chance; also when the window holds no value at all
    """

    name: str
    kind: Literal["number", "category", "text"]
    method: Literal["wasserstein", "jensenshannon"]
    effect: float | None
    drifted: bool


class QualityFault(Finding):
    """One thing that is wrong with the data of one column.

    Parameters
    ----------
    rows, total : rows concerned, and rows looked at
    examples : at most five values, as text
    """

    column: str
    fault: Fault
    rows: int
    total: int
    examples: tuple[str, ...] = ()

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
    labelled_rows, label_coverage : predictions whose truth is known: how many, and which share of the window
    metric : by which performance is judged; None where no metric is known on both sides
    performance_drop : worse than the hold-out by more than the tolerance, and more than chance; None without enough labels
    """

    project: str
    model_version: int | None
    synthetic: bool = False
    time: AwareDatetime
    window_start: datetime | None
    window_end: datetime | None
    window_rows: int
    reference_rows: int
    minimum_rows: int
    enough: bool
    columns: tuple[ColumnDrift, ...]
    drifted_share: float
    drifted_share_limit: float
    input_drift: bool
    answers: tuple[ColumnDrift, ...]
    prediction_drift: bool
    quality: tuple[QualityFault, ...]
    labelled_rows: int
    minimum_labels: int
    label_coverage: float
    metric: str | None
    metrics: dict[str, float]
    reference_metrics: dict[str, float]
    performance_drop: bool | None

    @property
    def drifted(self) -> list[str]:
        """The names of the inputs that drifted, the strongest first."""
        return [column.name for column in self.columns if column.drifted]

    @property
    def calm(self) -> bool:
        """Whether nothing was found that anybody should look at."""
        return not (self.input_drift or self.prediction_drift or self.quality or self.performance_drop)

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
            self._performance(language),
        ]

    def _drift(self, language: Language) -> list[str]:
        if not self.enough:
            return [text("monitoring.not_enough", language, needed=self.minimum_rows)]
        told = []
        if self.columns:
            key = "monitoring.input_drift" if self.input_drift else "monitoring.no_input_drift"
            limit = percent(self.drifted_share_limit, language)
            told.append(text(key, language, count=len(self.drifted), total=len(self.columns), limit=limit))
        if self.drifted:
            told.append(text("monitoring.drifted_columns", language, names=self._named(self.drifted, language)))
        if self.answers:
            told.append(text(f"monitoring.{'answer_drift' if self.prediction_drift else 'no_answer_drift'}", language))
        return told

    def _named(self, names: list[str], language: Language) -> str:
        more = len(names) - MOST_NAMED
        shown = ", ".join(names[:MOST_NAMED])
        return shown if more <= 0 else text("monitoring.and_more", language, names=shown, count=more)

    def _performance(self, language: Language) -> str:
        if self.performance_drop is None or self.metric is None:
            return text("monitoring.few_labels", language, rows=self.labelled_rows, needed=self.minimum_labels)
        return text(
            "monitoring.performance_drop" if self.performance_drop else "monitoring.no_performance_drop",
            language,
            metric=self.metric,
            value=number(self.metrics[self.metric], language),
            reference=number(self.reference_metrics[self.metric], language),
            rows=self.labelled_rows,
        )


def number(value: float, language: Language) -> str:
    """Return a figure with three significant digits and the decimal sign of the language."""
    shown = f"{value:.3g}"
    return shown.replace(".", ",") if language == "de" else shown


def percent(share: float, language: Language) -> str:
    """Return a share from 0 to 1 as a whole percentage, set as the language sets it."""
    return f"{100 * share:.0f} %" if language == "de" else f"{100 * share:.0f}%"

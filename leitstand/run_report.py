"""The document that a run leaves: what ``leitstand run --json`` prints. ``docs/run.schema.json`` is made from these models."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from leitstand.benefit import BusinessCase
from leitstand.decision import Decision
from leitstand.gates import Gate
from leitstand.milestones import Milestone


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Interval(_Part):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


class BrokenRuleReport(_Part):
    """A contract rule that rows broke, with at most five examples."""

    column: str
    rule: str
    rows: int
    examples: tuple[str, ...] = ()


class DataReport(_Part):
    """What went in.

    Parameters
    ----------
    version : content hash of the snapshot
    created : whether this run made that version, or found it there already
    synthetic : whether it is built-in synthetic data
    extra : columns that the contract does not know and that were left out
    """

    version: str
    created: bool
    rows: int
    accepted: int
    quarantined: int
    quarantine_file: str | None
    broken: tuple[BrokenRuleReport, ...]
    sources: dict[str, str]
    synthetic: bool
    extra: tuple[str, ...] = ()


class CandidateReport(_Part):
    """One candidate's cross-validation."""

    name: str
    value: float | None
    seconds: float


class SliceReport(_Part):
    """The primary metric on one slice of the hold-out."""

    column: str
    value: str
    rows: int
    metric: float


class LearningCurveReport(_Part):
    """How the metric grows with the training rows."""

    rows: tuple[int, ...]
    values: tuple[float, ...]
    more_data_helps: bool


class ModelReport(_Part):
    """The trained model.

    Parameters
    ----------
    version : in the registry
    alias : ``champion`` if this run promoted it
    metric : name of the primary metric
    metrics : on the hold-out
    """

    name: str
    version: int
    alias: str | None
    candidate: str
    run_id: str
    sha256: str
    metric: str
    metrics: dict[str, float]
    intervals: dict[str, Interval]
    baseline: str
    baseline_metrics: dict[str, float]
    champion_metrics: dict[str, float] | None
    gain_over_baseline: Interval
    gain_over_champion: Interval | None
    training_rows: int
    holdout_rows: int
    candidates: tuple[CandidateReport, ...]
    slices: tuple[SliceReport, ...]
    importance: dict[str, float]
    learning_curve: LearningCurveReport | None
    latency_ms: float
    code_version: str
    lock_sha256: str


class BenefitReport(_Part):
    """The business case: promised before training, measured after it."""

    promised: BusinessCase
    measured: BusinessCase


class ServiceReport(_Part):
    """What the service was asked and answered in this run."""

    url: str
    requests: int
    rows: int
    labels: int
    median_ms: float


class RunReport(_Part):
    """One run of a project, from data to decision."""

    project: str
    task: str
    data: DataReport
    model: ModelReport
    gates: tuple[Gate, ...]
    milestones: tuple[Milestone, ...]
    benefit: BenefitReport | None = None
    service: ServiceReport | None = None
    monitoring: dict[str, Any] | None = None
    decision: Decision | None = None
    seconds: float

"""What a company decides about a use case: the content of ``project.yaml``, closed and checked.

Every section that has a sensible default may be left out; an unknown key is an error. ``load_spec`` names the line's key, what was
expected and what was found.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from leitstand.assumptions import Benefit
from leitstand.contract import Bilingual, Frozen
from leitstand.errors import ProjectError
from leitstand.incoming import Incoming
from leitstand.policy import Maintenance, Monitoring, WhenItErrs
from leitstand.privacy import Privacy
from leitstand.risk import Risk
from leitstand.texts import Language

TaskName = Literal["classification", "regression", "anomaly"]
YesNo = Annotated[str, BeforeValidator(lambda value: {True: "yes", False: "no"}[value] if isinstance(value, bool) else value)]
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
SLUG = re.compile(r"[a-z][a-z0-9_]{0,62}")


class Owner(Frozen):
    """Who answers for the project.

    Parameters
    ----------
    language : of messages to them; that of the settings where unset
    """

    name: str
    email: str | None = None
    deputy: str | None = None
    language: Language | None = None


class KeyFigure(Frozen):
    """The figure the project is to improve, as it stands today."""

    name: Bilingual
    unit: str
    today: float | None = None
    source: str | None = None


class Source(Frozen):
    """Where one table comes from: exactly one of ``sample``, ``file``, ``folder`` and ``database``.

    Parameters
    ----------
    sample : file name among the built-in sample data that ``sample.py`` writes
    file : CSV, Parquet or Excel; relative to the working folder
    folder : folder of files (sound, images …) described by ``manifest``, a table inside it with one row per file
    database : SQLAlchemy URL, or ``env:NAME`` for the environment variable that holds it (so that no password stands in a file)
    table, query : one of the two, with ``database``
    delimiter, encoding, decimal, header, sheet : how to read a file; found out from the file where left out. ``header: false`` says
        that the first line holds data already; the columns are then named column_1, column_2 …
    """

    sample: str | None = None
    file: Path | None = None
    folder: Path | None = None
    manifest: str = "manifest.csv"
    database: str | None = None
    table: str | None = None
    query: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    decimal: Literal[".", ","] | None = None
    header: bool | None = None
    sheet: str | int | None = None

    @model_validator(mode="after")
    def _exactly_one_place(self) -> Self:
        places = [name for name in ("sample", "file", "folder", "database") if getattr(self, name) is not None]
        if len(places) != 1:
            raise ValueError(f"a source has exactly one of sample, file, folder, database; found {places or 'none'}")
        if self.database is not None and (self.table is None) == (self.query is None):
            raise ValueError("a database source has exactly one of table and query")
        return self


class Data(Frozen):
    """Which data the project learns from, and what the columns mean to it.

    Parameters
    ----------
    sources : tables by name; with several, ``prepare`` in model.py joins them to the one frame that the contract describes
    contract : file name in data_contracts/; by default ``<project>.odcs.yaml``
    target : the column to predict; rows without a value are not learned from (labels may be sparse)
    positive : of two classes the one that matters; for anomaly the value(s) other than ``normal`` count as anomalous
    normal : for anomaly, the target's value that means normal
    time : column that orders the rows
    ordered : the rows are in time order though no column tells the time
    group : rows of one group (batch, patient, machine) never stand on both sides of a split
    drop : columns that are in the data and must not be learned from (identifiers, leaks)
    checked : columns that a person has checked to be known before the answer, though they look like a leak
    slices : columns whose values are judged one by one
    history_rows : how many earlier rows (of the same ``series``) the features of one row look at
    series : column that names the series a row belongs to, for features that look back
    incoming : where new rows come from; the sources are then the first delivery, and every later one makes the next data version
    history_days : only rows this much older than the newest one are learned from; None for all
    most_rows : only so many of the newest rows are learned from; None for all
    """

    sources: dict[str, Source] = Field(min_length=1)
    contract: str | None = None
    target: str
    positive: str | int | float | bool | None = None
    normal: str | int | float | bool | None = None
    time: str | None = None
    ordered: bool = False
    group: str | None = None
    drop: tuple[str, ...] = ()
    checked: tuple[str, ...] = ()
    slices: tuple[str, ...] = ()
    history_rows: int = Field(default=0, ge=0)
    series: str | None = None
    incoming: Incoming | None = None
    history_days: float | None = Field(default=None, gt=0)
    most_rows: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _history_has_its_column(self) -> Self:
        if self.history_days is not None and self.time is None:
            raise ValueError("data.history_days needs data.time")
        return self


class Split(Frozen):
    """How the hold-out is kept apart from training.

    Parameters
    ----------
    strategy : ``time`` keeps the newest rows apart, ``group`` whole groups, ``stratified`` a share of every class (or, for numbers, of
        all rows) chosen by the hash of the row, so that a row never changes sides when data are added
    holdout : share of the labelled rows, 0 to 0.5
    folds : of the cross-validation on the training part
    gap_rows : rows left out between training and hold-out under ``time``
    """

    strategy: Literal["stratified", "time", "group"] = "stratified"
    holdout: float = Field(default=0.2, gt=0, le=0.5)
    folds: int = Field(default=5, ge=2, le=20)
    gap_rows: int = Field(default=0, ge=0)
    seed: int = Field(default=0, ge=0)


class Training(Frozen):
    """How candidates are compared.

    Parameters
    ----------
    metric : the metric that picks the candidate; by default the task's own
    learning_curve : whether to find out if more data would help
    calibrate : whether the probabilities of a classification are calibrated where that certainly makes them better
    confidence : nominal coverage of prediction intervals, 0.5 to 0.99
    max_false_alarm_rate : for anomaly: share of normal rows that may raise an alarm; sets the threshold
    """

    metric: str | None = None
    learning_curve: bool = True
    importance: bool = True
    calibrate: bool = True
    confidence: float = Field(default=0.9, ge=0.5, le=0.99)
    max_false_alarm_rate: float = Field(default=0.05, gt=0, lt=1)


class Criterion(Frozen):
    """One success criterion on the hold-out: a metric and the value it has to reach."""

    metric: str
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("a criterion has exactly one of at_least and at_most")
        return self


class Gates(Frozen):
    """What a model must show before it is promoted.

    Parameters
    ----------
    minimum_improvement : the challenger must beat baseline and champion by more than this, in the metric's unit
    champion_tolerance : with new data a challenger may be worse than the champion by at most this and still replace it (0: never)
    max_latency_ms : of one row, the fastest of 15
    slice_floor : the primary metric of every slice with enough rows may be at most this much worse than over all rows, and not with certainty
        worse by this much than the champion's there; None for no gate
    max_instability : how much the answers may change when number columns get noise of 1 % of their standard deviation: the share of changed
        classes or alarms, for numbers the mean change in standard deviations of the answers
    """

    minimum_improvement: float = Field(default=0.0, ge=0)
    champion_tolerance: float = Field(default=0.0, ge=0)
    max_latency_ms: float = Field(default=200.0, gt=0)
    slice_floor: float | None = Field(default=None, gt=0)
    max_instability: float = Field(default=0.05, gt=0)


class Sourcing(Frozen):
    """Make, buy or cooperate, and why.

    Parameters
    ----------
    answers : to the questions of the decision path (``leitstand/sourcing.yaml``), by the names there
    """

    decision: Literal["make", "buy", "cooperate"]
    strategy: Literal["activating", "pragmatic", "adaptive", "consolidating"]
    reason: Bilingual
    answers: dict[str, YesNo] = Field(default_factory=dict)


class Serving(Frozen):
    """Limits of the prediction service.

    Parameters
    ----------
    confidence_floor : of a classification: an answer whose likeliest class has a smaller probability is flagged, 0 to 1
    log_days : how long predictions stay in the log; None for ever. ``leitstand log prune`` deletes older ones
    requests_per_second, requests_per_minute, rows_per_minute : of one client; None for no limit. They hold for each worker process
    """

    confidence_floor: float | None = Field(default=None, gt=0, lt=1)
    max_rows: int = Field(default=1000, ge=1)
    max_body_mb: float = Field(default=20, gt=0)
    timeout_seconds: float = Field(default=30, gt=0)
    log_days: int | None = Field(default=None, ge=1, le=36_500)
    requests_per_second: int | None = Field(default=None, ge=1)
    requests_per_minute: int | None = Field(default=None, ge=1)
    rows_per_minute: int | None = Field(default=None, ge=1)


class ProjectSpec(Frozen):
    """The whole of ``project.yaml``."""

    project: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    title: Bilingual
    task: TaskName
    owner: Owner
    key_figure: KeyFigure
    data: Data
    split: Split = Split()
    training: Training = Training()
    success: tuple[Criterion, ...] = ()
    gates: Gates = Gates()
    benefit: Benefit | None = None
    sourcing: Sourcing | None = None
    risk: Risk | None = None
    privacy: Privacy | None = None
    serving: Serving = Serving()
    monitoring: Monitoring = Monitoring()
    maintenance: Maintenance = Maintenance()
    when_it_errs: WhenItErrs = WhenItErrs()
    parameters: dict[str, float | int | str | bool | list[float] | list[str]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _split_has_its_column(self) -> Self:
        if self.split.strategy == "time" and self.data.time is None and not self.data.ordered:
            raise ValueError("split.strategy 'time' needs data.time, or data.ordered: true")
        if self.split.strategy == "group" and self.data.group is None:
            raise ValueError("split.strategy 'group' needs data.group")
        if self.task == "anomaly" and self.data.normal is None:
            raise ValueError("task 'anomaly' needs data.normal: the target's value that means normal")
        if self.task == "regression" and self.benefit is not None and self.benefit.tells_kinds_apart:
            raise ValueError("benefit: a number is neither missed nor a false alarm; give one figure where task is 'regression'")
        if self.task != "regression" and self.benefit is not None:
            for key in ("errors_today", "expected_error"):
                if isinstance(share := getattr(self.benefit, key), float) and share > 1:
                    raise ValueError(f"benefit.{key}: {share:g} is a share of all decisions and at most 1; 5 % is 0.05")
        return self

    @property
    def contract_file(self) -> str:
        """File name of the contract in data_contracts/."""
        return self.data.contract or f"{self.project}.odcs.yaml"

    @property
    def not_learned(self) -> set[str]:
        """Columns of the contract that are never features: the target, the group, and what is dropped."""
        return {self.data.target, *self.data.drop} | ({self.data.group} if self.data.group else set())


def load_spec(path: Path) -> ProjectSpec:
    """Read and check a ``project.yaml``.

    Raises
    ------
    ProjectError
        If the file is missing, is no YAML, or breaks the specification; names the key, the expectation and the finding.
    """
    return parse_spec(read_yaml(path), path)


def parse_spec(content: Any, path: Path) -> ProjectSpec:
    """Check the parsed content of a ``project.yaml``; ``path`` is named in errors.

    Raises
    ------
    ProjectError
        As ``load_spec`` does.
    """
    try:
        return ProjectSpec.model_validate(content)
    except ValidationError as error:
        raise ProjectError("errors.spec_invalid", path=path, problems=describe(error)) from error


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML file.

    Raises
    ------
    ProjectError
        If it is missing or is no YAML.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - safe, in C where there is a compiler
    except FileNotFoundError as error:
        raise ProjectError("errors.file_missing", path=path) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        detail = " ".join(str(error).split())
        raise ProjectError("errors.yaml_broken", path=path, detail=detail) from error


def describe(error: ValidationError, most: int = 5) -> str:
    """Return the first ``most`` problems of a pydantic error in one line: where, what, what was found."""
    parts = []
    for problem in error.errors()[:most]:
        where = ".".join(str(part) for part in problem["loc"]) or "document"
        found = problem["input"]
        shown = f" (found {str(found)[:60]!r})" if not isinstance(found, dict | list) else ""
        parts.append(f"{where}: {problem['msg']}{shown}")
    more = error.error_count() - most
    return "; ".join(parts) + (f"; and {more} more" if more > 0 else "")

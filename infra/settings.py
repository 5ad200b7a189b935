"""The only place that reads the environment, and the one place that switches every tool's telemetry off."""

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

import leitstand
from leitstand import now
from leitstand.errors import UsageError
from leitstand.spec import describe
from leitstand.texts import Language

NO_TELEMETRY = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",  # MLflow takes the word, not "1"
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
    "BENTOML_DO_NOT_TRACK": "True",
    "DVC_NO_ANALYTICS": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "SCARF_NO_ANALYTICS": "true",
}
QUIET = {
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",  # the default of 20 s is too short on two cores
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",  # the command line says what went wrong, without a traceback
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # stdout is for the one JSON document
    # How long OpenMP threads spin: long makes small trainings 50 times slower on busy cores, not at all 4 times slower on idle ones.
    "GOMP_SPINCOUNT": "10000",
    "TQDM_DISABLE": "1",  # the command line has progress bars of its own
}


class Settings(BaseSettings):
    """Where the state lives and how the tools are set; every field is an environment variable ``LEITSTAND_<NAME>``.

    Parameters
    ----------
    home : the state folder
    workspace : the folder with the company's own ``projects/`` and ``data_contracts/``
    database_url : SQLAlchemy URL of PostgreSQL for MLflow, Prefect and the prediction log; SQLite files in ``home`` where unset
    artifacts_url : network folder or ``s3://…`` for artifacts and data versions; folders in ``home`` where unset
    mlflow_url : of a running MLflow server; the client works straight on the database where unset
    prefect_url : of the Prefect server, used when it answers; a temporary one is started otherwise
    language : of everything a person reads
    real_data : folder of public data sets, for tests and benchmarks
    clock : file with the time that a time-lapse has reached; the machine's clock where unset
    worker_runs : scheduled runs at the same time; each may use all cores and the memory of a training
    run_minutes : after which the worker ends a scheduled run
    warm_commands : whether commands are carried out by the worker of ``leitstand up``, which has everything imported
    """

    model_config = SettingsConfigDict(env_prefix="LEITSTAND_", frozen=True, extra="ignore", env_ignore_empty=True)

    home: Path = Path(".leitstand")
    workspace: Path = Field(default_factory=Path.cwd)
    database_url: SecretStr | None = None
    artifacts_url: str | None = None
    mlflow_url: str | None = None
    prefect_url: str = "http://127.0.0.1:4200/api"
    language: Language = "en"
    real_data: Path | None = None
    clock: Path | None = None
    worker_runs: int = Field(default=1, ge=1, le=64)
    run_minutes: float = Field(default=360, gt=0)
    warm_commands: bool = True

    @cached_property
    def root(self) -> Path:
        """The state folder, absolute. It is made when something is first written."""
        return self.home.expanduser().resolve()

    @property
    def roots(self) -> tuple[Path, ...]:
        """Folders that hold ``projects/`` and ``data_contracts/``: the company's own first, then those that come with Leitstand."""
        shipped = Path(leitstand.__file__).parent.parent
        own = self.workspace.resolve()
        return (own,) if own == shipped else (own, shipped)

    def database(self, name: str) -> str:
        """Return the SQLAlchemy URL of one of our databases: ``mlflow``, ``prefect``, ``predictions``, ``history`` or ``keys``.

        With ``database_url`` all share that database (MLflow in a schema of its own: it and Prefect both have a table ``alembic_version``);
        otherwise each is a SQLite file.
        """
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.root / f'{name}.db'}"

    def environment(self) -> dict[str, str]:
        """Return these settings as the variables that give a child process the same ones, wherever it runs."""
        own = {f"LEITSTAND_{name.upper()}": _plain(value) for name, value in self.model_dump().items()}
        return own | {"LEITSTAND_HOME": str(self.root), "LEITSTAND_WORKSPACE": str(self.workspace.resolve())}

    def folder(self, *parts: str) -> Path:
        """Return a folder below the state folder, made if missing.

        Raises
        ------
        OSError
            If it cannot be made: full or read-only disk.
        """
        path = self.root.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True)
        return path


def _plain(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return "" if value is None else str(value)


def load_settings(**overrides: Any) -> Settings:
    """Return the settings of the environment, with ``overrides`` on top.

    Raises
    ------
    UsageError
        If a variable has a value that cannot be.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise UsageError("errors.settings_invalid", problems=describe(error)) from error


def read_variable(name: str) -> str | None:
    """Return an environment variable that a project names (for a URL with a password), or None if it is unset or empty."""
    return os.environ.get(name) or None


def child_environment(own: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a child process: that of this process with ``own`` on top."""
    return {**os.environ, **own}


def set_variables(own: Mapping[str, str]) -> None:
    """Set variables for this process and its children: the settings of a tool that is not imported yet."""
    os.environ.update(own)


def replace_environment(variables: Mapping[str, str]) -> None:
    """Give this process the variables of another in place of its own."""
    os.environ.clear()
    os.environ.update({name: value for name, value in variables.items() if name})  # one without a name can be had, but not be set


def calm_tools() -> None:
    """Switch off all telemetry and all chatter of the tools, for this process and its children. Call before importing any of them."""
    for name, value in NO_TELEMETRY.items():
        os.environ[name] = value
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)


def follow_clock(settings: Settings) -> None:
    """Let this process follow the clock that the settings name."""
    now.follow(None if settings.clock is None else now.clock_in(settings.clock))


def telemetry_left_on() -> list[str]:
    """Return the switches of telemetry that are not off in this process; ``calm_tools`` leaves none."""
    return [name for name, value in NO_TELEMETRY.items() if os.environ.get(name) != value]

"""The way to MLflow: straight on its database, or through a running server; and its errors in our words."""

import logging
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from infra.databases import database_error, open_engine, parse_url, shown_url, writing
from infra.disk import disk_error
from infra.locks import hold
from infra.settings import Settings
from leitstand.errors import Busy, StateError

SCHEMA = "mlflow"
"""PostgreSQL schema of MLflow's tables: MLflow and Prefect both keep their state of migration in a table ``alembic_version``."""

FIRST_USE_WAIT_SECONDS = 120.0
# it logs with a traceback what ``mlflow_errors`` raises in our words
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)


def tracking_url(settings: Settings) -> str:
    """Return where MLflow keeps its records: the running server's address, or the URL of the database (with its password)."""
    if settings.mlflow_url is not None:
        return settings.mlflow_url
    url = parse_url(settings.database("mlflow"))
    if url.get_backend_name() == "postgresql":
        url = url.update_query_dict({"options": f"-csearch_path={SCHEMA}"})
    if url.get_backend_name() == "sqlite":
        url = url.update_query_dict({"timeout": "30"})  # its default of 5 s is short when several projects train at once
    return url.render_as_string(hide_password=False)


def artifacts_location(settings: Settings, project: str) -> str | None:
    """Return the folder or address below which a project's artifacts lie; None lets a running server decide."""
    if settings.mlflow_url is not None:
        return None
    if settings.artifacts_url is not None:
        return f"{settings.artifacts_url.rstrip('/')}/artifacts/{project}"
    return str(settings.root / "artifacts" / project)


def open_client(settings: Settings) -> MlflowClient:
    """Return a client; on first use MLflow's tables are made, by one process at a time.

    Raises
    ------
    StateError
        If the database or the server cannot be reached, or holds tables of another MLflow version.
    """
    url = tracking_url(settings)
    with mlflow_errors(settings):
        if settings.mlflow_url is not None:
            return MlflowClient(url)
        _prepare_database(settings)
        return MlflowClient(url)


def _prepare_database(settings: Settings) -> None:
    url = parse_url(settings.database("mlflow"))
    if url.get_backend_name() == "sqlite":
        _make_sqlite(settings, Path(str(url.database)))
        return
    with hold(settings, "mlflow-first-use", wait_seconds=FIRST_USE_WAIT_SECONDS):
        engine = open_engine(settings.database("mlflow"))
        try:
            with writing(engine) as connection:
                connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        finally:
            engine.dispose()
        MlflowClient(tracking_url(settings)).search_experiments(max_results=1)


def _make_sqlite(settings: Settings, path: Path) -> None:
    """Make the file aside and move it into place when it is whole: MLflow cannot go on with tables that a killed process left half made."""
    if path.exists():
        return
    with hold(settings, "mlflow-first-use", wait_seconds=FIRST_USE_WAIT_SECONDS):
        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".mlflow-", dir=path.parent) as folder:
            fresh, whole = Path(folder) / "fresh.db", Path(folder) / "whole.db"
            MlflowClient(f"sqlite:///{fresh}").search_experiments(max_results=1)
            with closing(sqlite3.connect(fresh)) as made, closing(sqlite3.connect(whole)) as copy:
                made.backup(copy)
                copy.execute("PRAGMA journal_mode=WAL")  # stays with the file
            whole.replace(path)


def local_folder(location: str) -> Path | None:
    """Return the folder that an artifact location means, or None if it is not on this file system."""
    return Path(local_file_uri_to_path(location)) if is_local_uri(location) else None


def is_missing(error: MlflowException) -> bool:
    """Whether the error says that a run, version or alias does not exist."""
    return bool(error.error_code == ErrorCode.Name(RESOURCE_DOES_NOT_EXIST))


@contextmanager
def mlflow_errors(settings: Settings) -> Iterator[None]:
    """Turn MLflow's errors into ours.

    Raises
    ------
    Busy
        If its database stayed locked.
    StateError
        If it cannot be reached, read or written, or holds tables of another MLflow version.
    """
    where = settings.mlflow_url or shown_url(settings.database("mlflow"))
    try:
        yield
    except MlflowException as error:
        detail = str(error.message).strip().split("\n")[0][:300]
        if "database is locked" in detail:
            raise Busy("infra.database_locked", url=where) from error
        if "disk is full" in detail:
            raise StateError("infra.database_full", url=where) from error
        if "out-of-date database schema" in detail:
            raise StateError("infra.mlflow_schema", url=where) from error
        raise StateError("infra.mlflow_failed", url=where, detail=detail) from error
    except DBAPIError as error:  # MLflow lets some through, those of its start above all
        raise database_error(error, where) from error
    except OSError as error:
        raise disk_error(error.filename or where, error) from error

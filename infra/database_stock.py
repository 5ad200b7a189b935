"""What tables a database has, with the keys it declares; nothing is read from them here."""

from dataclasses import dataclass

from sqlalchemy import inspect
from sqlalchemy.exc import SQLAlchemyError

from infra.databases import shown_url
from infra.tables import connected, engine_of, url_of
from leitstand.errors import SourceError

OWN_SCHEMAS = frozenset(("information_schema", "pg_catalog", "pg_toast", "mysql", "performance_schema", "sys"))


@dataclass(frozen=True)
class TableStock:
    """One table or view.

    Parameters
    ----------
    name : with its schema where that is not the usual one
    foreign_keys : column, table and column that it points to
    """

    name: str
    primary_key: tuple[str, ...]
    foreign_keys: tuple[tuple[str, str, str], ...]


def list_tables(database: str) -> list[TableStock]:
    """Return the tables and views of all schemas but the database's own.

    Parameters
    ----------
    database : SQLAlchemy URL, or ``env:NAME``

    Raises
    ------
    SourceError
        If the URL is wrong, its driver is missing, or the database cannot be reached. No message holds the password.
    """
    url = url_of(database)
    engine = engine_of(url)
    try:
        with connected(engine) as connection:
            found = inspect(connection)
            usual = found.default_schema_name
            made = []
            for schema in found.get_schema_names():
                other = (
                    url.get_backend_name() in ("mysql", "mariadb") and schema != usual
                )  # a schema is a database of its own there
                if schema in OWN_SCHEMAS or schema.startswith("pg_temp") or other:
                    continue
                for table in sorted([*found.get_table_names(schema), *found.get_view_names(schema)]):
                    name = table if schema == usual else f"{schema}.{table}"
                    key = tuple(found.get_pk_constraint(table, schema).get("constrained_columns") or ())
                    made.append(TableStock(name, key, _foreign_keys(found.get_foreign_keys(table, schema), usual)))
            return made
    except SQLAlchemyError as error:
        raise SourceError("infra.source_unreachable", url=shown_url(url), detail=str(error).split("\n")[0]) from error
    finally:
        engine.dispose()


def shown(database: str) -> str:
    """Return the database as it may be shown: the URL without password, or the name of its variable."""
    return database if database.startswith("env:") else shown_url(database)


def _foreign_keys(keys: list, usual: str | None) -> tuple[tuple[str, str, str], ...]:  # type: ignore[type-arg]
    made = []
    for key in keys:
        if len(key["constrained_columns"]) == 1 == len(key["referred_columns"]):
            schema = key.get("referred_schema")
            table = key["referred_table"] if schema in (None, usual) else f"{schema}.{key['referred_table']}"
            made.append((key["constrained_columns"][0], table, key["referred_columns"][0]))
    return tuple(made)

"""A company's own database: reading a table or a query in portions, never writing; and writing answers to a table, all of them or none."""

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    MetaData,
    Table,
    TextClause,
    create_engine,
    func,
    inspect,
    literal_column,
    make_url,
    select,
    text,
)
from sqlalchemy import column as sql_column
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, NoSuchTableError, SQLAlchemyError

from infra.databases import shown_url
from infra.settings import read_variable
from leitstand.contract import EXACT_INTEGERS
from leitstand.errors import SourceError
from leitstand.spec import Source

CHUNK_ROWS = 50_000
_VARIABLE = "env:"


def read_database(source: Source, *, chunk_rows: int = CHUNK_ROWS) -> pd.DataFrame:
    """Return the rows of the source's table or query.

    Parameters
    ----------
    source : with ``database`` and one of ``table`` (``schema.table`` for another schema) and ``query``
    chunk_rows : how many rows are fetched at a time

    Raises
    ------
    SourceError
        If the URL is wrong, the database cannot be reached, has no such table (did you mean), refuses the right, or the query is wrong.
        No message holds the password.
    """
    chunks = list(stream_database(source, chunk_rows=chunk_rows))
    return pd.concat(_alike(chunks), ignore_index=True) if len(chunks) > 1 else chunks[0]


def stream_database(source: Source, *, chunk_rows: int = CHUNK_ROWS) -> Iterator[pd.DataFrame]:
    """Yield the rows of the source's table or query, so many at a time; one empty frame where there are none. Errors as in ``read_database``."""
    url = url_of(source.database or "")
    engine = engine_of(url)
    try:
        with connected(engine) as connection:
            try:
                statement = (
                    _query(source.query) if source.query is not None else select(_table(connection, source.table or "", url))
                )
                with connection.execute(statement) as result:
                    names = list(result.keys())
                    _refuse_twice(names, url)
                    rows = result.fetchmany(chunk_rows)
                    yield _frame(rows, names)
                    while rows := result.fetchmany(chunk_rows):
                        yield _frame(rows, names)
            except SQLAlchemyError as error:
                raise _refused(error, source, shown_url(url)) from error
    finally:
        engine.dispose()


def read_since(source: Source, column: str, since: object | None) -> pd.DataFrame:
    """Return the rows of the source's table or query whose ``column`` is at least ``since`` (all for None), in the order of that column.

    Raises
    ------
    SourceError
        As in ``read_database``; also if there is no such column.
    """
    url = url_of(source.database or "")
    engine = engine_of(url)
    try:
        with connected(engine) as connection:
            try:
                if source.table is not None:
                    rows: FromClause = _table(connection, source.table, url)
                    if column not in rows.c:
                        raise SourceError(
                            "infra.column_missing", url=shown_url(url), column=column, known=", ".join(rows.c.keys())
                        )
                    place: ColumnElement[Any] = rows.c[column]
                    statement = select(rows)
                else:
                    place = sql_column(column)
                    statement = select(literal_column("*")).select_from(
                        text(f"({_query(source.query or '').text}) AS leitstand_rows")
                    )
                if since is not None:
                    statement = statement.where(place >= since)
                with connection.execute(statement.order_by(place)) as result:
                    names = list(result.keys())
                    _refuse_twice(names, url)
                    return _frame(list(result), names)
            except SQLAlchemyError as error:
                raise _refused(error, source, shown_url(url)) from error
    finally:
        engine.dispose()


def _alike(chunks: list[pd.DataFrame]) -> list[pd.DataFrame]:
    """Return the chunks so that joining them rounds nothing: whole numbers beside large ones stay Python's where a gap made them floats."""
    for name in chunks[0].columns:
        kinds = {chunk[name].dtype for chunk in chunks}
        large = any(chunk[name].abs().max() >= EXACT_INTEGERS for chunk in chunks if chunk[name].dtype == np.int64)
        if np.dtype("float64") not in kinds or not (large or np.dtype(object) in kinds):
            continue
        for chunk in chunks:
            values = chunk[name]
            if values.dtype == np.float64 and (values.isna() | (values == np.floor(values))).all():
                whole = [None if value != value else int(value) for value in values.tolist()]
                chunk[name] = pd.Series(whole, dtype=object)
    return chunks


def _frame(rows: Sequence[Any], names: list[str]) -> pd.DataFrame:
    """Return the rows as a frame; whole numbers that it would round, because some are missing, stay Python's."""
    frame = pd.DataFrame.from_records(rows, columns=names, coerce_float=True)
    for place, kind in enumerate(frame.dtypes):
        if kind == np.float64 and frame.iloc[:, place].abs().max() >= EXACT_INTEGERS:
            values = [row[place] for row in rows]
            if all(value is None or isinstance(value, int) for value in values):
                frame[names[place]] = pd.Series(values, dtype=object)
    return frame


def count_rows(source: Source) -> int | None:
    """Return how many rows the source's table has; None for a query, which may take as long to count as to read. Errors as in ``read_database``."""
    if source.table is None:
        return None
    url = url_of(source.database or "")
    engine = engine_of(url)
    try:
        with connected(engine) as connection:
            try:
                return connection.scalar(select(func.count()).select_from(_table(connection, source.table, url)))
            except SQLAlchemyError as error:
                raise _refused(error, source, shown_url(url)) from error
    finally:
        engine.dispose()


def table_columns(database: str, table: str) -> list[str] | None:
    """Return the columns of a table that answers are to be written to, or None where there is no such table yet.

    Raises
    ------
    SourceError
        If the URL is wrong or the database cannot be reached.
    """
    engine = engine_of(url_of(database))
    try:
        with connected(engine, read_only=False) as connection:
            schema, _, bare = table.rpartition(".")
            tables = inspect(connection)
            return (
                [column["name"] for column in tables.get_columns(bare, schema or None)]
                if tables.has_table(bare, schema or None)
                else None
            )
    finally:
        engine.dispose()


def write_frames(database: str, table: str, frames: Iterable[pd.DataFrame], *, once: str) -> None:
    """Append all frames to a table in one transaction; a table that is missing is made.

    Parameters
    ----------
    once : column of ids; a table that holds the first of them has got these frames already, and nothing is written

    Raises
    ------
    SourceError
        If the database cannot be reached, or refuses; nothing is written then.
    """
    url = url_of(database)
    engine = engine_of(url)
    schema, _, bare = table.rpartition(".")
    try:
        with connected(engine, read_only=False) as connection, connection.begin():
            for place, frame in enumerate(frames):
                if place == 0 and _holds(connection, bare, schema or None, once, frame[once].iloc[0]):
                    return
                frame.to_sql(bare, connection, schema=schema or None, if_exists="append", index=False, chunksize=1000)
    except SQLAlchemyError as error:
        raise SourceError("batch.table_refused", table=table, url=shown_url(url), detail=_detail(error)) from error
    finally:
        engine.dispose()


def _holds(connection: Connection, table: str, schema: str | None, column: str, value: str) -> bool:
    if not inspect(connection).has_table(table, schema):
        return False
    there = Table(table, MetaData(), schema=schema, autoload_with=connection)
    return (
        column in there.c
        and connection.execute(select(there.c[column]).where(there.c[column] == value).limit(1)).first() is not None
    )


def _refuse_twice(names: Sequence[str], url: URL) -> None:
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SourceError("infra.query_columns_twice", url=shown_url(url), columns=", ".join(twice[:5]))


@contextmanager
def connected(engine: Engine, *, read_only: bool = True) -> Iterator[Connection]:
    """Open a connection; with ``read_only`` one that the database itself keeps from writing, where it can."""
    try:
        connection = engine.connect()
    except SQLAlchemyError as error:
        raise SourceError("infra.source_unreachable", url=shown_url(engine.url), detail=_detail(error)) from error
    with connection:
        if not read_only:
            yield connection
            return
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA query_only = ON")
        yield connection.execution_options(stream_results=True, postgresql_readonly=True)


def url_of(database: str) -> URL:
    """Return the URL of a company's database, with the driver that comes with Leitstand where it names none.

    Raises
    ------
    SourceError
        If it is none, its variable is not set, or its file does not exist.
    """
    if database.startswith(_VARIABLE):
        name = database.removeprefix(_VARIABLE)
        value = read_variable(name)
        if not value:
            raise SourceError("infra.source_variable", name=name)
        database = value
    try:
        url = make_url(database)
    except (ArgumentError, ValueError):
        raise SourceError("infra.source_url") from None  # the cause would show the password
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername in ("mysql", "mariadb"):
        url = url.set(drivername=f"{url.drivername}+pymysql")
    is_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    if is_file and not Path(str(url.database)).is_file():  # SQLite would make an empty one
        raise SourceError("infra.source_file", path=url.database)
    return url


def engine_of(url: URL) -> Engine:
    """Return an engine; nothing is opened yet.

    Raises
    ------
    SourceError
        If the driver is not installed.
    """
    try:
        return create_engine(url)
    except (NoSuchModuleError, ImportError) as error:
        raise SourceError("infra.source_driver", url=shown_url(url), driver=url.drivername) from error


def _query(query: str) -> TextClause:
    bare = re.sub(r"(--[^\n]*\n|/\*.*?\*/|\s)+", " ", query + "\n", flags=re.DOTALL).strip()
    start = bare.split(" ")[0].lower().strip("(")
    if start not in ("select", "with", "values", "table"):
        raise SourceError("infra.query_not_reading", start=bare[:20])
    return text(query.strip().rstrip(";").replace(":", r"\:"))  # a colon is the query's own, never a parameter of ours


def _table(connection: Connection, name: str, url: URL) -> Table:
    schema, _, bare = name.rpartition(".")
    try:
        return Table(bare, MetaData(), schema=schema or None, autoload_with=connection)
    except NoSuchTableError as error:
        tables = inspect(connection)
        known = sorted([*tables.get_table_names(schema or None), *tables.get_view_names(schema or None)])
        close = difflib.get_close_matches(bare, known, n=3, cutoff=0.5)
        key = "infra.table_missing_close" if close else "infra.table_missing"
        raise SourceError(key, url=shown_url(url), table=name, known=", ".join(close or known[:20]) or "–") from error


def _refused(error: SQLAlchemyError, source: Source, url: str) -> SourceError:
    detail = _detail(error)
    if "denied" in detail.lower() or "not authorized" in detail.lower():
        return SourceError("infra.table_rights", what=f"'{source.table or 'query'}'", url=url, detail=detail)
    if source.query is not None:
        return SourceError("infra.query_failed", url=url, detail=detail)
    return SourceError("infra.table_failed", table=source.table, url=url, detail=detail)


def _detail(error: SQLAlchemyError) -> str:
    return str(error.orig if isinstance(error, DBAPIError) else error).strip().split("\n")[0]

"""What a batch reads: the rows as a stream, and a fingerprint by which a changed source is told from the same."""

import hashlib
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pandas as pd

from data_contracts.chunks import Stream
from data_contracts.ordered_dates import OrderedDates
from data_contracts.streaming import FrameStream, open_stream
from infra.databases import shown_url
from infra.tables import count_rows, read_database, stream_database
from leitstand.errors import UsageError
from leitstand.project import Project
from leitstand.spec import Source
from serving.batch_output import is_database

HEAD_BYTES = 1 << 20


def source_of(data: str, table: str | None = None, query: str | None = None) -> Source:
    """Return the source that a person named.

    Raises
    ------
    UsageError
        If there is nothing at that path, or a database comes without exactly one of table and query.
    """
    if is_database(data):
        if (table is None) == (query is None):
            raise UsageError("batch.table_or_query")
        return Source(database=data, table=table, query=query)
    if table is not None or query is not None:
        raise UsageError("batch.no_database", data=data)
    path = Path(data).expanduser()
    if not path.exists():
        raise UsageError("flows.data_missing", path=path)
    return Source(folder=path.resolve()) if path.is_dir() else Source(file=path.resolve())


def open_input(project: Project, source: Source, chunk_rows: int) -> Stream:
    """Return the rows to be predicted.

    A ``prepare`` of the project that takes one table as it is does not stand in the way; one that changes it gets all rows at once.

    Raises
    ------
    SourceError
        If the source cannot be read.
    """
    return OrderedDates(_prepared(project, source, chunk_rows), project.input_contract)


def _prepared(project: Project, source: Source, chunk_rows: int) -> Stream:
    stream = _open(project, source, chunk_rows)
    if not project.defines("prepare") or _leaves_alone(project, stream):
        return stream
    if source.database is not None:
        frame = read_database(source)
    else:
        from data_contracts.reading import read_source

        frame = read_source(source, base=Path(), contract=project.contract)
    return FrameStream.of(project.prepare({"data": frame}).reset_index(drop=True), chunk_rows)


def fingerprint(source: Source) -> dict[str, Any]:
    """Return what tells a source from another, or from itself after a change; of a database only its name, the rows tell the rest."""
    if source.database is not None:
        place = source.database if source.database.startswith("env:") else shown_url(source.database)
        return {"database": place, "table": source.table, "query": source.query}
    path = source.file if source.folder is None else source.folder / source.manifest
    if path is None or not path.is_file():
        return {"path": str(path)}
    status = path.stat()
    with path.open("rb") as file:
        head = hashlib.sha256(file.read(HEAD_BYTES)).hexdigest()
    return {"path": str(path), "bytes": status.st_size, "changed": status.st_mtime_ns, "head": head}


def _open(project: Project, source: Source, chunk_rows: int) -> Stream:
    if source.database is None:
        return open_stream(source, project.input_contract, chunk_rows=chunk_rows)

    def frames() -> Generator[pd.DataFrame]:
        yield from stream_database(source, chunk_rows=chunk_rows)

    return FrameStream(frames, count_rows(source))


def _leaves_alone(project: Project, stream: Stream) -> bool:
    head = next(stream.chunks(), None)
    if head is None:
        return True
    frame = head.table.slice(0, 100).to_pandas()
    try:
        return project.prepare({"data": frame}) is frame
    except Exception:
        return False  # it says so itself when it gets the whole table

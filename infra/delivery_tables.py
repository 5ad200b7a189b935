"""The tables of deliveries: what came, how far a database was read, which files were seen, and rows that the service received.

They stand in the database of the history, beside the list of data versions, so that one transaction notes a version and all that went into it.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text

from infra.databases import UtcTime

metadata = MetaData()
DELIVERIES = Table(
    "leitstand_deliveries",
    metadata,
    Column("project", String(63), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(10), nullable=False),
    Column("name", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("moment", UtcTime, nullable=False),
    Column("modified", UtcTime, nullable=False),
    Column("time", UtcTime, nullable=False),
    Column("state", String(10), nullable=False),
    Column("fault", String(20)),
    Column("message", Text),
    Column("rows", Integer, nullable=False, default=0),
    Column("accepted", Integer, nullable=False, default=0),
    Column("quarantined", Integer, nullable=False, default=0),
    Column("added", Integer, nullable=False, default=0),
    Column("corrected", Integer, nullable=False, default=0),
    Column("unchanged", Integer, nullable=False, default=0),
    Column("outdated", Integer, nullable=False, default=0),
    Column("late", Integer, nullable=False, default=0),
    Column("labelled", Integer, nullable=False, default=0),
    Column("quarantine_file", Text),
    Column("version", String(32)),
    Column("decided_by", Text),
    Column("decided", UtcTime),
    Index("leitstand_deliveries_content", "project", "sha256", unique=True),
)
FILES = Table(
    "leitstand_watched_files",
    metadata,
    Column("project", String(63), primary_key=True),
    Column("name", String(500), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("modified_ns", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
)
BOOKMARKS = Table(
    "leitstand_bookmarks",
    metadata,
    Column("project", String(63), primary_key=True),
    Column("place", String(80), primary_key=True),
    Column("value", Text, nullable=False),
)
RECEIVED = Table(
    "leitstand_received",
    metadata,
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("project", String(63), nullable=False),
    Column("id", String(64), nullable=False),
    Column("client", String(200), nullable=False),
    Column("time", UtcTime, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("content", Text),
    Column("delivery", Integer),
    Index("leitstand_received_id", "project", "id", unique=True),
)

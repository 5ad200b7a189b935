"""API keys: one per client, with rights per project, an end, and rotation without a gap.

A key reads ``lk_<id>_<secret>``: the id is public and names the key in lists and logs, the secret is 32 random bytes. Only the SHA-256 of the whole
is stored. A slow hash with a salt is for secrets that can be guessed; NIST SP 800-63B (section 5.1.2.2) asks for an approved one-way function
alone from 112 bits of entropy on, and these have 256.
"""

import hashlib
import re
import secrets
import string
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, get_args

from sqlalchemy import JSON, Column, Connection, Date, Index, Integer, String, Table, func, insert, select, update

from infra.audit import metadata, note
from infra.databases import LOCK_WAIT_SECONDS, Database, UtcTime
from leitstand.errors import UnknownName, UsageError

Right = Literal["read", "predict", "feedback", "data", "admin"]
RIGHTS: tuple[Right, ...] = get_args(Right)
EVERY_PROJECT = "*"
GRACE_HOURS = 24.0
ID_LENGTH, SECRET_BYTES = 8, 32
_ID_LETTERS = string.ascii_lowercase + string.digits  # no underscore: it ends the id
_ID = re.compile(rf"(?:lk_)?([a-z0-9]{{{ID_LENGTH}}})(?:_.*)?", re.DOTALL)
_CLIENT = re.compile(r"\w[\w .@-]{0,59}")

_keys = Table(
    "leitstand_api_keys",
    metadata,
    Column("id", String(ID_LENGTH), primary_key=True),
    Column("client", String(60), nullable=False),
    Column("rights", JSON, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("old_digest", String(64)),
    Column("old_until", UtcTime),
    Column("created", UtcTime, nullable=False),
    Column("expires", UtcTime),
    Column("revoked", UtcTime),
    Column("rotated", UtcTime),
    Column("last_used", Date),
    Column("per_minute", Integer),
    Column("rows_per_minute", Integer),
)
_unrevoked = _keys.c.revoked.is_(None)
Index("leitstand_api_keys_client", _keys.c.client, unique=True, sqlite_where=_unrevoked, postgresql_where=_unrevoked)


@dataclass(frozen=True)
class ApiKey:
    """One client's key, without its secret.

    Parameters
    ----------
    id : 8 letters and digits
    rights : by project; ``*`` stands for every project
    digest : SHA-256 of the whole key, hexadecimal
    old_digest, old_until : of the key before the last rotation, and until when it is good
    last_used : day, UTC
    per_minute, rows_per_minute : limits for this client in place of the projects' own
    """

    id: str
    client: str
    rights: Mapping[str, tuple[Right, ...]]
    created: datetime
    expires: datetime | None = None
    revoked: datetime | None = None
    rotated: datetime | None = None
    last_used: date | None = None
    per_minute: int | None = None
    rows_per_minute: int | None = None
    digest: str = field(default="", repr=False)
    old_digest: str | None = field(default=None, repr=False)
    old_until: datetime | None = None

    def state(self, now: datetime) -> Literal["active", "expired", "revoked"]:
        """Return whether the key opens anything at ``now``, and if not, why."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "active"


@dataclass(frozen=True)
class NewKey:
    """A key and its full text, which exists nowhere else and is never shown again."""

    key: ApiKey
    text: str = field(repr=False)


class KeyStore:
    """The keys in one database (SQLite or PostgreSQL); tables are made on first use. Every change is noted in the audit log beside them.

    Parameters
    ----------
    wait_seconds : how long to wait for a locked SQLite file
    """

    def __init__(self, url: str, *, wait_seconds: float = LOCK_WAIT_SECONDS) -> None:
        self._database = Database(url, metadata, wait_seconds=wait_seconds)

    def close(self) -> None:
        """Close all connections; the next call opens new ones."""
        self._database.close()

    def create(
        self,
        client: str,
        projects: Sequence[str],
        rights: Collection[str],
        *,
        who: str,
        days: float | None = None,
        per_minute: int | None = None,
        rows_per_minute: int | None = None,
    ) -> NewKey:
        """Make a key for a client; no two keys that are not revoked have the same client, so that a name in a log means one key.

        Parameters
        ----------
        projects : names, or ``*``; every right holds for all of them
        days : until it expires; None for never

        Raises
        ------
        UsageError
            If the client's name or a figure cannot be, a right is unknown, or the client has a key already.
        StateError
            If the database cannot be written.
        """
        _check(client, projects, rights, days, per_minute, rows_per_minute)
        now, wanted = datetime.now(UTC), [right for right in RIGHTS if right in rights]
        id_ = "".join(secrets.choice(_ID_LETTERS) for _ in range(ID_LENGTH))
        text, digest = _new_text(id_)
        row = {
            "id": id_,
            "client": client,
            "rights": dict.fromkeys(projects, wanted),
            "digest": digest,
            "created": now,
            "expires": None if days is None else now + timedelta(days=days),
            "per_minute": per_minute,
            "rows_per_minute": rows_per_minute,
        }
        with self._database.writing() as connection:
            _let_be_unique(connection, client)
            connection.execute(insert(_keys), [row])
            made = _read(connection, id_)
            expires = made.expires.isoformat() if made.expires else None
            note(connection, "key_created", id_, who=who, client=client, rights=row["rights"], expires=expires)
        return NewKey(made, text)

    def read(self) -> list[ApiKey]:
        """Return all keys, oldest first, also those that are expired or revoked."""
        with self._database.reading() as connection:
            return [_key(row) for row in connection.execute(select(_keys).order_by(_keys.c.created, _keys.c.id)).mappings()]

    def has_any(self) -> bool:
        """Return whether a key was ever made: from then on every request needs one, also when all are expired or revoked."""
        with self._database.reading() as connection:
            return bool(connection.scalar(select(func.count()).select_from(_keys)))

    def rotate(self, id_: str, *, who: str, grace_hours: float = GRACE_HOURS) -> NewKey:
        """Give a key a new secret; the one it had stays good for a while, one before that ends now.

        Raises
        ------
        UnknownName
            If there is no such key.
        UsageError
            If the key is revoked or expired, or the grace period cannot be.
        """
        if not 0 <= grace_hours <= 24 * 366:
            raise UsageError("keys.figure", name="--grace-hours", expected="0 … 8784", found=grace_hours)
        now = datetime.now(UTC)
        with self._database.writing() as connection:
            key = _read(connection, key_id(id_))
            if key.state(now) != "active":
                raise UsageError(f"keys.rotate_{key.state(now)}", id=key.id, client=key.client)
            text, digest = _new_text(key.id)
            until = now + timedelta(hours=grace_hours)
            _change(connection, key.id, digest=digest, old_digest=key.digest, old_until=until, rotated=now)
            note(connection, "key_rotated", key.id, who=who, client=key.client, old_until=until.isoformat())
            return NewKey(_read(connection, key.id), text)

    def revoke(self, id_: str, *, who: str) -> ApiKey:
        """End a key now; a revoked key stays so.

        Raises
        ------
        UnknownName
            If there is no such key.
        """
        with self._database.writing() as connection:
            key = _read(connection, key_id(id_))
            if key.revoked is None:
                _change(connection, key.id, revoked=datetime.now(UTC))
                note(connection, "key_revoked", key.id, who=who, client=key.client)
            return _read(connection, key.id)

    def note_used(self, ids: Collection[str], day: date) -> None:
        """Note that these keys were used on ``day``."""
        with self._database.writing() as connection:
            connection.execute(update(_keys).where(_keys.c.id.in_(sorted(ids))).values(last_used=day))


def key_id(shown: str) -> str:
    """Return the id in what a person calls a key by: the id, ``lk_<id>``, or the whole key, whose secret then goes no further."""
    found = _ID.fullmatch(shown.strip())
    return found.group(1) if found else shown.strip()[: ID_LENGTH + 3]


def _new_text(id_: str) -> tuple[str, str]:
    text = f"lk_{id_}_{secrets.token_urlsafe(SECRET_BYTES)}"
    return text, hashlib.sha256(text.encode("ascii")).hexdigest()


def _check(
    client: str,
    projects: Sequence[str],
    rights: Collection[str],
    days: float | None,
    per_minute: int | None,
    rows_per_minute: int | None,
) -> None:
    if not _CLIENT.fullmatch(client):
        raise UsageError("keys.client_illegal", found=repr(client[:60]))
    if not projects:
        raise UsageError("keys.project_missing")
    if not rights:
        raise UsageError("keys.right_missing_call", known=", ".join(RIGHTS))
    for right in rights:
        if right not in RIGHTS:
            raise UnknownName("right", right, RIGHTS)
    if days is not None and not 0 < days <= 36_600:
        raise UsageError("keys.figure", name="--days", expected="0 … 36600", found=days)
    for name, figure in (("--per-minute", per_minute), ("--rows-per-minute", rows_per_minute)):
        if figure is not None and not 1 <= figure < 2**31:
            raise UsageError("keys.figure", name=name, expected="1 …", found=figure)


def _let_be_unique(connection: Connection, client: str) -> None:
    found = connection.scalar(select(_keys.c.id).where(_keys.c.client == client, _unrevoked))
    if found is not None:
        raise UsageError("keys.client_has_one", client=client, id=found)


def _change(connection: Connection, id_: str, **values: Any) -> None:
    connection.execute(update(_keys).where(_keys.c.id == id_).values(**values))


def _read(connection: Connection, id_: str) -> ApiKey:
    row = connection.execute(select(_keys).where(_keys.c.id == id_)).mappings().first()
    if row is None:
        raise UnknownName("api_key", id_, connection.scalars(select(_keys.c.id)))
    return _key(row)


def _key(row: Mapping[Any, Any]) -> ApiKey:
    rights: dict[str, tuple[Right, ...]] = {project: tuple(given) for project, given in row["rights"].items()}
    return ApiKey(**{**row, "rights": rights})

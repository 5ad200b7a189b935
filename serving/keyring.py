"""All API keys in memory, in the form in which a request is checked against them in microseconds."""

import base64
import hashlib
import hmac
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from limits import RateLimitItem

from infra.api_keys import EVERY_PROJECT, ID_LENGTH, RIGHTS, ApiKey, Right
from infra.packaged import key_command
from serving.problems import Problem, saying
from serving.rates import requests_per_minute, rows_per_minute

KEY_START = b"lk_"
KEY_LENGTH = 55  # "lk_", 8 letters of the id, "_", 32 bytes in 43 letters


@dataclass(frozen=True, slots=True)
class Entry:
    """One key.

    Parameters
    ----------
    digest, old_digest : SHA-256 of the whole key, and of the one before the last rotation
    until, old_until : end of both, in seconds since 1970
    granted : (project, right); ``admin`` holds all rights
    minute, rows : the key's own limits
    """

    key: ApiKey
    digest: bytes
    old_digest: bytes
    until: float
    old_until: float
    granted: frozenset[tuple[str, Right]]
    minute: RateLimitItem | None = None
    rows: RateLimitItem | None = None

    def may(self, project: str, right: Right) -> bool:
        """Return whether the key has the right on the project, or on all."""
        return (project, right) in self.granted or (EVERY_PROJECT, right) in self.granted


_NOBODY = Entry(ApiKey("", "", {}, datetime.min), bytes(32), bytes(32), 0.0, 0.0, frozenset())


class KeyRing:
    """The keys as they were when they were read.

    Parameters
    ----------
    keys : all there are, also those that ended: as soon as there is one, requests need a key
    """

    def __init__(self, keys: Iterable[ApiKey]) -> None:
        entries = [_entry(key) for key in keys]
        self.required = bool(entries)
        self._by_id = {entry.key.id.encode("ascii"): entry for entry in entries}
        self._by_client = {entry.key.client: entry for entry in entries if entry.key.revoked is None}

    def of_client(self, client: str) -> Entry | None:
        """Return the one key of a client that is not revoked."""
        return self._by_client.get(client)

    def find(self, headers: Iterable[tuple[bytes, bytes]], now: float) -> Entry:
        """Return the key that a request shows.

        Every comparison takes the same time whatever is shown; an unknown id is compared with a key that nobody has.

        Parameters
        ----------
        headers : as ASGI gives them, names in small letters
        now : seconds since 1970

        Raises
        ------
        Problem
            401 ``key_missing``, or ``key_wrong`` if the key is unknown or over.
        """
        shown = _shown(headers)
        if shown is None:
            raise unauthorized("key_missing", "keys.missing")
        entry = self._by_id.get(shown[3 : 3 + ID_LENGTH], _NOBODY) if len(shown) == KEY_LENGTH else _NOBODY
        digest = hashlib.sha256(shown[: KEY_LENGTH + 1]).digest()  # of a longer one only so much that it is another
        is_new = hmac.compare_digest(digest, entry.digest)
        is_old = hmac.compare_digest(digest, entry.old_digest)
        if now < entry.until and (is_new or (is_old and now < entry.old_until)):
            return entry
        raise _ended(entry.key, now) if is_new or is_old else unauthorized("key_wrong", "keys.wrong")


def challenge(error: str | None = None) -> dict[str, str]:
    """Return the header that says which credentials are wanted (RFC 6750, section 3)."""
    return {"WWW-Authenticate": 'Bearer realm="leitstand"' + (f', error="{error}"' if error else "")}


def unauthorized(name: str, key: str, **values: object) -> Problem:
    """Return a refusal with status 401."""
    said = saying(key, command=key_command(), **values)
    return Problem(401, name, said, headers=challenge(None if name == "key_missing" else "invalid_token"))


def _entry(key: ApiKey) -> Entry:
    granted = {(project, right) for project, rights in key.rights.items() for right in (RIGHTS if "admin" in rights else rights)}
    expires = key.expires.timestamp() if key.expires else math.inf
    return Entry(
        key,
        digest=bytes.fromhex(key.digest),
        old_digest=bytes.fromhex(key.old_digest) if key.old_digest else bytes(32),
        until=0.0 if key.revoked else expires,
        old_until=key.old_until.timestamp() if key.old_until else 0.0,
        granted=frozenset(granted),
        minute=requests_per_minute(key.per_minute),
        rows=rows_per_minute(key.rows_per_minute),
    )


def _shown(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """Return the first key in the headers: a bearer token (RFC 6750, section 2.1), or ``X-API-Key``; otherwise what a browser was told."""
    told = None
    for name, value in headers:
        if name == b"authorization":
            if value[:7].lower() == b"bearer ":
                return value[7:].strip()
            if value[:6].lower() == b"basic ":
                told = _password(value[6:].strip())
        elif name == b"x-api-key":
            return value.strip()
    return told


def _password(credentials: bytes) -> bytes | None:
    """Return the key that is the password of Basic credentials (RFC 7617); None if they are not meant for us."""
    try:
        password = base64.b64decode(credentials, validate=True).partition(b":")[2].strip()
    except ValueError:
        return None
    return password if password.startswith(KEY_START) else None


def _ended(key: ApiKey, now: float) -> Problem:
    """Return the refusal of a key that was good once; only who has its secret gets to read this."""
    if key.revoked is not None:
        return unauthorized("key_wrong", "keys.revoked", day=key.revoked.date())
    if key.expires is not None and key.state(datetime.fromtimestamp(now, UTC)) == "expired":
        return unauthorized("key_wrong", "keys.expired", day=key.expires.date())
    return unauthorized("key_wrong", "keys.rotated", day=key.rotated.date() if key.rotated else "?")

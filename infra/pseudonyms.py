"""Pseudonyms for what the contract calls personal: the log can be watched and searched, and alone it names nobody.

A pseudonym is a keyed hash (HMAC-SHA-256, RFC 2104, cut to 128 bits) of the column's name and the value. Without the key nobody can try out
customer numbers until one fits, and the same value in two columns cannot be recognised as the same. The key stands in the state folder and
nowhere else; who has key and log can still search for a person, which the GDPR demands (Art. 15 and 17), so the log stays personal data.
"""

import hmac
import os
import secrets
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from infra.databases import LOCK_WAIT_SECONDS
from infra.disk import disk_error
from infra.locks import hold
from infra.settings import Settings
from leitstand.errors import StateError

KEY_BYTES = 32
PREFIX = "p:"


class Pseudonymiser:
    """Replaces the values of some columns.

    Parameters
    ----------
    key : secret; the same key gives the same pseudonyms
    columns : names of the columns whose values are replaced
    """

    def __init__(self, key: bytes, columns: Iterable[str]) -> None:
        self._key = key
        self.columns = tuple(columns)

    def inputs(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return the row with pseudonyms in its personal columns; the row itself where it has none. Missing values stay missing."""
        present = [name for name in self.columns if row.get(name) is not None]
        return row | {name: self.of(name, row[name]) for name in present} if present else row

    def of(self, column: str, value: object) -> str:
        """Return the pseudonym of one value; 7 and 7.0 have the same, true and 1, and a moment and its text in ISO 8601."""
        if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
            value = int(value)
        elif isinstance(value, datetime):
            value = value.isoformat()
        message = f"{column}\0{value}".encode("utf-8", "surrogatepass")
        return PREFIX + hmac.digest(self._key, message, "sha256")[:16].hex()


def key_file(settings: Settings) -> Path:
    """Return where the key stands. It must never leave with a package, a report or a backup that others get."""
    return settings.root / "keys" / "pseudonyms.key"


def read_key(settings: Settings) -> bytes | None:
    """Return the key, or None where none was made yet.

    Raises
    ------
    StateError
        If the file cannot be read, is no key, or can be read by other users.
    """
    path = key_file(settings)
    try:
        content = path.read_bytes()
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError("log.key_unreadable", path=path, detail=os.strerror(error.errno or 0)) from error
    if os.name == "posix" and mode & 0o077:
        raise StateError("log.key_open", path=path, mode=f"{mode & 0o777:o}")
    if len(content) != KEY_BYTES:
        raise StateError("log.key_wrong", path=path, expected=KEY_BYTES, found=len(content))
    return content


def make_key(settings: Settings) -> bytes:
    """Return the key; make it where there is none. Several processes may do so at once and get the same.

    Raises
    ------
    StateError
        As ``read_key`` does, or if the state folder cannot be written.
    """
    found = read_key(settings)
    if found is None:
        with hold(settings, "pseudonyms-key", wait_seconds=LOCK_WAIT_SECONDS):
            found = read_key(settings) or _made(key_file(settings))
    return found


def _made(path: Path) -> bytes:
    """Write a new key, whole or not at all, that nobody else may read."""
    key, draft = secrets.token_bytes(KEY_BYTES), path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())  # pseudonyms made with a key that a power cut takes would fit nothing afterwards
        draft.replace(path)
    except OSError as error:
        raise disk_error(path, error) from error
    return key


def pseudonymiser(settings: Settings, columns: Iterable[str]) -> Pseudonymiser:
    """Return what replaces the values of ``columns``; without any, no key is made.

    Raises
    ------
    StateError
        If the key cannot be read or made.
    """
    names = tuple(columns)
    return Pseudonymiser(make_key(settings) if names else b"", names)


def pseudonym_of(settings: Settings, column: str, value: object) -> str | None:
    """Return the pseudonym that a value has in the log, or None where no key was made, so that no pseudonym can be there.

    Raises
    ------
    StateError
        If the key cannot be read.
    """
    key = read_key(settings)
    return None if key is None else Pseudonymiser(key, (column,)).of(column, value)

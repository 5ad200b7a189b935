"""Who may ask for what, and how often: API keys, rights per project, rate limits, and the headers that every answer carries.

``Guard.admit`` stands on the hot path: it works on keys held in memory and never on the database. ``Guard.refresh`` reads them anew, in a thread.
"""

import hmac
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from threading import Event, Thread
from typing import NoReturn

from limits import RateLimitItem

from infra.api_keys import KeyStore, Right
from infra.packaged import key_command
from leitstand.errors import LeitstandError
from leitstand.spec import Serving
from leitstand.texts import messages
from serving.addresses import is_loopback, names_loopback, network
from serving.keyring import Entry, KeyRing, challenge, unauthorized
from serving.problems import Problem, clipped, saying
from serving.rates import PerMinute, Rates, requests_per_minute, requests_per_second, rows_per_minute

REFRESH_SECONDS = 2.0
FAILURES = PerMinute(20, namespace="failures")
"""Requests without a valid key that one address may send per minute until it is told to wait. 2²⁵⁶ secrets cannot be guessed anyway; this keeps the
log readable. A valid key is admitted all the same: behind a proxy one stranger could otherwise lock everybody out."""
MOST_COUNTERS = 10_000
LAUNCHER_HEADER, LAUNCHER_VARIABLE = b"x-leitstand-launcher", "LEITSTAND_LAUNCHER_WORD"
"""How the process that starts a service proves that it is the one: a word that it gives its child, and nobody else."""

SECURITY_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""For every answer (OWASP REST Security Cheat Sheet, "Security Headers")."""
DATA_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
ASK_IN_BROWSER = {"WWW-Authenticate": 'Basic realm="leitstand", charset="UTF-8"'}
"""Makes a browser ask for a key (RFC 7617). It then sends it by itself, also with what other sites make it ask; those can neither send JSON without
being asked first whether they may, nor read an answer."""
TLS_ONLY = (b"strict-transport-security", b"max-age=31536000")

logger = logging.getLogger("bentoml.leitstand")


def security_headers(*, tls: bool, page: bool = False) -> list[tuple[bytes, bytes]]:
    """Return the headers of every answer, as ASGI takes them.

    Parameters
    ----------
    tls : whether the service itself speaks TLS
    page : whether it is a page, which brings a content security policy of its own (with ``frame-ancestors 'none'`` in it too)
    """
    return [*SECURITY_HEADERS, *([] if page else [DATA_POLICY]), *([TLS_ONLY] if tls else [])]


@dataclass(frozen=True, slots=True)
class _Limits:
    """What one client may send to one project."""

    second: RateLimitItem | None = None
    minute: RateLimitItem | None = None
    rows: RateLimitItem | None = None


_UNLIMITED = _Limits()


class Guard:
    """Admits requests or refuses them. ``admit`` and ``charge`` are for one thread, ``refresh`` may run in another.

    Parameters
    ----------
    keys : read at once, so that a service whose keys cannot be read does not start
    projects : the serving section of every project
    launcher_word : secret of the process that started the service, which may know all that is served; empty for none
    clock : seconds since 1970

    Raises
    ------
    StateError
        If the keys cannot be read.
    """

    def __init__(
        self,
        keys: KeyStore,
        projects: Mapping[str, Serving],
        *,
        launcher_word: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._launcher_word, self._clock = keys, launcher_word.encode(), clock
        self._limits: dict[str, _Limits] = {}
        for name, serving in projects.items():
            self.limit(name, serving)
        self._clients, self._failures = Rates(MOST_COUNTERS), Rates(MOST_COUNTERS)
        self._used: set[str] = set()
        self._noted: dict[str, date] = {}
        self._ring = KeyRing(keys.read())
        self._stopped = Event()
        messages("keys")  # reading the catalogue takes milliseconds, which the first refusal must not cost

    @property
    def requires_key(self) -> bool:
        """Whether requests need a key: from the first key on that was ever made."""
        return self._ring.required

    def limit(self, project: str, serving: Serving) -> None:
        """Let these limits hold for a project from now on."""
        self._limits[project] = _Limits(
            requests_per_second(serving.requests_per_second),
            requests_per_minute(serving.requests_per_minute),
            rows_per_minute(serving.rows_per_minute),
        )

    def refresh(self) -> None:
        """Read the keys anew and note which were used today; takes milliseconds, so not for the event loop.

        While the database cannot be read the keys read last go on to hold.
        """
        try:
            self._ring = KeyRing(self._store.read())
            today = datetime.fromtimestamp(self._clock(), UTC).date()
            used, self._used = self._used, set()
            fresh = [id_ for id_ in used.copy() if self._noted.get(id_) != today]
            if fresh:
                self._store.note_used(fresh, today)
                self._noted |= dict.fromkeys(fresh, today)
        except LeitstandError as error:
            logger.warning("API keys not read anew, those read before go on to hold: %s", error)

    def follow(self) -> None:
        """Refresh again and again in a thread of its own: a revoked key must not live on while a model is loaded or another database is away."""

        def keep_fresh() -> None:
            while not self._stopped.wait(REFRESH_SECONDS):
                try:
                    self.refresh()
                except Exception as error:  # a thread that ended would let revoked keys live on
                    logger.error("API keys not read anew: %s", type(error).__name__)

        Thread(target=keep_fresh, name="api-keys", daemon=True).start()

    def stop(self) -> None:
        """Follow no more."""
        self._stopped.set()

    def admit_page(self, headers: Iterable[tuple[bytes, bytes]], client_host: str) -> Callable[[str], bool]:
        """Let a request have a page; return which projects its sender may see there.

        As long as there are no keys, that is everybody on this machine. With keys a browser asks for one, as the password of any user.

        Raises
        ------
        Problem
            401 ``key_missing`` or ``key_wrong``, 421 ``host_wrong``, 429 ``too_many``.
        """
        ring = self._ring
        if not ring.required:
            self._be_local(headers, client_host, "*")
            return lambda project: True
        try:
            entry = ring.find(headers, self._clock())
        except Problem as problem:
            problem.headers |= ASK_IN_BROWSER
            self._refuse(problem, client_host, "*")
        self._count(entry.key.client, "*", entry.minute)
        self._used.add(entry.key.id)
        return _known_to(entry)

    def known(self, headers: Iterable[tuple[bytes, bytes]], client_host: str) -> Callable[[str], bool]:
        """Return which projects the sender of a health check may know by name. Nobody is refused: whoever watches a service has no key as a rule."""
        shown = next((value for name, value in headers if name == LAUNCHER_HEADER), b"")
        if self._launcher_word and hmac.compare_digest(shown, self._launcher_word):
            return lambda project: True
        ring = self._ring
        if not ring.required:
            local = is_loopback(client_host) and all(names_loopback(value) for name, value in headers if name == b"host")
            return lambda project: local
        try:
            return _known_to(ring.find(headers, self._clock()))
        except Problem:
            return lambda project: False

    def admit(self, headers: Iterable[tuple[bytes, bytes]], client_host: str, project: str, right: Right) -> str:
        """Return the client's name for the log, or refuse the request.

        Parameters
        ----------
        headers : as ASGI gives them, names in small letters
        client_host : address of the other end; stands for the client's name as long as there are no keys
        project : name in the path, whether there is such a project or not; ``*`` for what belongs to the whole service

        Raises
        ------
        Problem
            401 ``key_missing`` or ``key_wrong``, 403 ``right_missing``, 421 ``host_wrong``, 429 ``too_many``.
        """
        ring = self._ring
        if not ring.required:
            self._be_local(headers, client_host, project)
            self._count(client_host, project, None)
            return client_host
        try:
            entry = ring.find(headers, self._clock())
        except Problem as problem:
            self._refuse(problem, client_host, project)
        if not entry.may(project, right):
            raise right_missing(right, project)
        self._count(entry.key.client, project, entry.minute)
        self._used.add(entry.key.id)
        return entry.key.client

    def charge(self, client: str, project: str, rows: int) -> None:
        """Count the rows of a request that was admitted.

        Parameters
        ----------
        client : as ``admit`` returned it

        Raises
        ------
        Problem
            429 ``too_many``; nothing is counted then.
        """
        entry = self._ring.of_client(client)
        own = entry.rows if entry else None
        item, names = own or self._limits.get(project, _UNLIMITED).rows, (client,) if own else (client, project)
        if item is not None and not self._clients.take(item, rows, *names):
            wait = self._clients.wait_seconds(item, *names)
            raise _too_many(item, wait, "keys.too_many_rows", limit=item.amount, rows=rows)

    def _count(self, client: str, project: str, own: RateLimitItem | None) -> None:
        """Count a request; a key's own limit per minute is over all projects and stands in place of the project's."""
        limits = self._limits.get(project, _UNLIMITED)
        if limits.second is not None and not self._clients.hit(limits.second, client, project):
            self._slow_down(limits.second, client, project)
        if own is not None:
            if not self._clients.hit(own, client):
                self._slow_down(own, client)
        elif limits.minute is not None and not self._clients.hit(limits.minute, client, project):
            self._slow_down(limits.minute, client, project)

    def _slow_down(self, item: RateLimitItem, *names: str) -> NoReturn:
        wait = self._clients.wait_seconds(item, *names)
        raise _too_many(item, wait, "keys.too_many_requests", limit=item.amount, seconds=item.get_expiry())

    def _refuse(self, problem: Problem, host: str, project: str) -> NoReturn:
        where = network(host)
        if not self._failures.hit(FAILURES, where):
            raise _too_many(FAILURES, self._failures.wait_seconds(FAILURES, where), "keys.too_many_failures") from problem
        logger.warning("Refused %s on %s: %s", ascii(host[:60]), ascii(clipped(project)), problem.name)
        raise problem

    def _be_local(self, headers: Iterable[tuple[bytes, bytes]], host: str, project: str) -> None:
        """Refuse what does not come from this machine, or comes under another name: a browser led here by a foreign page (DNS rebinding)."""
        if not is_loopback(host):
            self._refuse(unauthorized("key_missing", "keys.missing_remote"), host, project)
        for name, value in headers:
            if name == b"host" and not names_loopback(value):
                said = saying("keys.host_wrong", host=ascii(clipped(value.decode("latin-1")))[1:-1], command=key_command())
                raise Problem(421, "host_wrong", said)


def _known_to(entry: Entry) -> Callable[[str], bool]:
    return lambda project: entry.may(project, "read") or entry.may(project, "predict")


def right_missing(right: Right, project: str) -> Problem:
    """Return the refusal of a key that is valid, but not for this."""
    said = saying("keys.right_missing", right=right, project=ascii(clipped(project)), command=key_command())
    return Problem(403, "right_missing", said, headers=challenge("insufficient_scope"))


def _too_many(item: RateLimitItem, wait: int, key: str, **values: object) -> Problem:
    """Return the refusal with the header fields of draft-ietf-httpapi-ratelimit-headers-10."""
    headers = {
        "Retry-After": str(wait),
        "RateLimit-Policy": f'"{item.namespace}";q={item.amount};w={item.get_expiry()}',
        "RateLimit": f'"{item.namespace}";r=0;t={wait}',
    }
    return Problem(429, "too_many", saying(key, wait=wait, **values), headers=headers)

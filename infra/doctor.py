"""``leitstand doctor``: is this installation as it should be, and if not, what mends it."""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, create_engine

from infra.databases import clear_errors, open_engine, parse_url, shown_url
from infra.installation import lock_file, mismatches, uncompiled, writes_byte_code
from infra.machine import ClockWatch, free_bytes, is_ours, listener, port_is_taken, try_writing
from infra.settings import Settings, telemetry_left_on
from leitstand.errors import LeitstandError
from leitstand.texts import text

PORTS = {"prefect": 4200, "mlflow": 5000, "service": 3000}
PYTHONS = ((3, 11), (3, 13))
NEEDED_GB = 2
DATABASES = ("mlflow", "prefect", "predictions")
MOST_CLOCK_SECONDS = 5.0  # network shares round their times to 2 s
LAST_PLAUSIBLE_YEAR = 2100


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Parameters
    ----------
    name : what, stable across languages, such as ``packages`` or ``port_prefect``
    title, detail : what it is and what was found, in the language of the settings
    mend : what to do about it; empty where all is well
    """

    name: str
    title: str
    ok: bool
    detail: str
    mend: str = ""


def examine(settings: Settings, *, lock: Path | None = None) -> list[Finding]:
    """Look at everything that has kept Leitstand from working somewhere.

    Nothing is changed and nothing is left behind; databases that do not exist yet are not made.

    Parameters
    ----------
    lock : the lock to compare with; by default the one of this installation
    """
    clock = ClockWatch()
    doctor = _Doctor(settings)
    return [
        doctor.python(),
        doctor.packages(lock or lock_file()),
        doctor.byte_code(),
        *(doctor.port(name, number) for name, number in PORTS.items()),
        doctor.disk(),
        doctor.writing(),
        *doctor.databases(),
        doctor.telemetry(),
        doctor.clock(clock, lock or lock_file()),
    ]


class _Doctor:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def _say(self, key: str, /, **values: object) -> str:
        return text(f"doctor.{key}", self._settings.language, **values)

    def _well(self, name: str, key: str, /, **values: object) -> Finding:
        return Finding(name, self._say(f"title_{name}"), True, self._say(key, **values))

    def _ill(self, name: str, key: str, /, **values: object) -> Finding:
        return Finding(name, self._say(f"title_{name}"), False, self._say(key, **values), self._say(f"mend_{key}", **values))

    def python(self) -> Finding:
        found, (oldest, newest) = sys.version_info[:2], PYTHONS
        shown = ".".join(str(part) for part in sys.version_info[:3])
        well = oldest <= found <= newest
        return (self._well if well else self._ill)("python", "python" if well else "python_other", version=shown)

    def packages(self, lock: Path | None) -> Finding:
        if lock is None:
            return self._ill("packages", "no_lock")
        wrong = mismatches(lock)
        if not wrong:
            return self._well("packages", "packages")
        missing = self._say("missing")
        shown = "; ".join(f"{each.package} {each.found or missing} ({each.locked})" for each in wrong)
        return self._ill("packages", "packages_differ", names=shown)

    def byte_code(self) -> Finding:
        lacking = uncompiled()
        if lacking:
            return self._ill("byte_code", "not_compiled", names=", ".join(lacking))
        return self._well("byte_code", "compiled" if writes_byte_code() else "compiled_not_written")

    def port(self, name: str, number: int) -> Finding:
        if not port_is_taken(number):
            return self._well(f"port_{name}", "port_free", port=number)
        holder = listener(number)
        if holder is None:
            return self._ill(f"port_{name}", "port_taken_unknown", port=number)
        values = {"port": number, "name": holder.name(), "pid": holder.pid}
        if is_ours(holder):
            return self._well(f"port_{name}", "port_ours", **values)
        return self._ill(f"port_{name}", "port_taken", **values)

    def disk(self) -> Finding:
        root = self._settings.root
        free_gb = free_bytes(root) / 1e9
        shown = {"free": f"{free_gb:.1f}", "needed": NEEDED_GB, "path": root}
        return self._well("disk", "disk", **shown) if free_gb >= NEEDED_GB else self._ill("disk", "disk_full", **shown)

    def writing(self) -> Finding:
        root = self._settings.root
        try:
            if root.exists() and not root.is_dir():
                return self._ill("writing", "not_a_folder", path=root)
            try_writing(root)
        except OSError as error:
            return self._ill("writing", "not_writable", path=root, reason=error.strerror or str(error))
        return self._well("writing", "writable", path=root)

    def databases(self) -> Iterator[Finding]:
        for name in DATABASES:
            url = self._settings.database(name)
            shown = shown_url(url)
            if url.startswith("sqlite") and not (self._settings.root / f"{name}.db").exists():
                yield self._well(f"database_{name}", "database_later", url=shown)
                continue
            try:
                _reach(url)
            except LeitstandError as error:
                message = error.render(self._settings.language)
                yield Finding(
                    f"database_{name}", self._say(f"title_database_{name}"), False, message, self._say("mend_database", url=shown)
                )
            else:
                yield self._well(f"database_{name}", "database", url=shown)

    def telemetry(self) -> Finding:
        on = telemetry_left_on()
        return self._ill("telemetry", "telemetry_on", names=", ".join(on)) if on else self._well("telemetry", "telemetry_off")

    def clock(self, watch: ClockWatch, lock: Path | None) -> Finding:
        now = datetime.now(UTC)
        shown = f"{now:%Y-%m-%d %H:%M:%S} UTC"
        if now.year > LAST_PLAUSIBLE_YEAR or (lock is not None and lock.stat().st_mtime > time.time() + MOST_CLOCK_SECONDS):
            return self._ill("clock", "clock_wrong", time=shown)
        if abs(watch.drift_seconds()) > 1:
            return self._ill("clock", "clock_jumps", seconds=f"{watch.drift_seconds():.1f}")
        ahead = self._file_clock()
        if abs(ahead) > MOST_CLOCK_SECONDS:
            return self._ill("clock", "clock_of_files", seconds=f"{ahead:.0f}", path=self._settings.root)
        return self._well("clock", "clock", time=shown)

    def _file_clock(self) -> float:
        try:
            return try_writing(self._settings.root)
        except OSError:
            return 0.0  # is a finding of its own


def _reach(url: str) -> None:
    """Ask the database for an answer, SQLite also for the right to write; nothing is changed."""
    engine, questions = _patient(url)
    try:
        with clear_errors(engine.url), engine.connect() as connection:
            for question in questions:
                connection.exec_driver_sql(question)
    finally:
        engine.dispose()


def _patient(url: str) -> tuple[Engine, tuple[str, ...]]:
    """Return an engine that waits a few seconds only, and what to ask."""
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(parsed, connect_args={"timeout": 2, "isolation_level": None})
        return engine, ("BEGIN IMMEDIATE", "SELECT count(*) FROM sqlite_master", "ROLLBACK")
    limited = parsed.update_query_dict({"connect_timeout": "5"})
    return open_engine(limited.render_as_string(hide_password=False)), ("SELECT 1",)

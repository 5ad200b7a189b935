"""What time it is, from one place, so that a time-lapse can let it jump for everything that is kept, compared and decided."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

Clock = Callable[[], datetime]


def _machine() -> datetime:
    return datetime.now(UTC)


_clock: Clock = _machine


def now() -> datetime:
    """Return the time: aware, UTC; that of the machine unless ``follow`` named another clock."""
    return _clock()


def is_ahead(time: datetime) -> bool:
    """Return whether an aware time is still to come, as what was noted before the clock was set back."""
    return time > now()


def follow(clock: Clock | None) -> None:
    """Let this process follow another clock; None is the machine's again."""
    global _clock
    _clock = clock or _machine


def clock_in(file: Path) -> Clock:
    """Return a clock that several processes share: it shows what ``set_clock`` wrote last."""
    return lambda: datetime.fromisoformat(file.read_text(encoding="ascii"))


def set_clock(file: Path, time: datetime) -> None:
    """Set a shared clock; a reader sees the time before or the new one, never half of it.

    Parameters
    ----------
    time : aware
    """
    fresh = file.with_name(f"{file.name}.new")
    fresh.write_text(time.astimezone(UTC).isoformat(), encoding="ascii")
    fresh.replace(file)

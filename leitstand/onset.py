"""Since when the world is another: what tells the rows of today's world from those before."""

from collections.abc import Sequence
from datetime import datetime

from leitstand.findings import PERFORMANCE, Look, Signals


def onset(signals: Signals, looks: Sequence[Look]) -> datetime | None:
    """Return when the change began that shows now: the begin of the oldest look in unbroken succession that shows it too.

    Looks that had too few rows, or too few labels, to see it break no succession.

    Worse answers say best when the world changed; inputs move a little for many reasons. So they alone count where they show.

    Parameters
    ----------
    looks : earlier ones at the same champion, in any order

    Returns
    -------
    aware; None where nothing shows, or nobody knows when the window began
    """
    today = {PERFORMANCE} & set(signals.findings) or set(signals.findings)
    since = signals.start if today else None
    for look in sorted(looks, key=lambda one: one.end, reverse=True):
        if since is None:
            break
        if today & set(look.findings):
            if look.start is None:
                break
            since = min(since, look.start)
        elif look.judged if PERFORMANCE in today else look.enough:
            break
    return since

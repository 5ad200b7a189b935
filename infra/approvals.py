"""Challengers that wait for a person's word.

Nothing is kept here: a question is an entry ``ask`` of the history, and it is open as long as no later entry settles it. So whatever is killed
when, the list of questions, the registry and the history never disagree.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from infra.history import CROWNING, History, Promotion
from infra.registry import Registry
from infra.settings import Settings
from leitstand.errors import StateError


@dataclass(frozen=True)
class Approval:
    """A challenger that waits.

    Parameters
    ----------
    champion : the version it was judged against; None where there was none
    asked : aware, UTC
    why : why a person is asked
    evidence : gates, figures with intervals, slices
    """

    project: str
    version: int
    champion: int | None
    asked: datetime
    why: str
    evidence: Mapping[str, Any]


def pending(settings: Settings, project: str | None = None) -> list[Approval]:
    """Return the open question of each project, or of one.

    Raises
    ------
    StateError
        If a history was changed from outside, or its database cannot be reached.
    """
    history = History(settings.database("history"))
    try:
        projects = sorted(history.standing()) if project is None else [project]
        found = []
        for name in projects:
            history.verify(name)
            found.append(_open(history.read(name)))
        return [one for one in found if one is not None]
    finally:
        history.close()


def approve(registry: Registry, settings: Settings, project: str, version: int | None, *, who: str, why: str) -> Promotion:
    """Promote the challenger that waits.

    Parameters
    ----------
    version : to be sure which; the one that waits where None

    Raises
    ------
    StateError
        If none waits, another one does, or the champion it was judged against is no longer in charge.
    """
    asked = _wanted(settings, project, version)
    evidence = {**asked.evidence, "asked": asked.asked.isoformat(), "asked_why": asked.why}
    return registry.promote(project, asked.version, who=who, why=why, evidence=evidence)


def reject(registry: Registry, settings: Settings, project: str, version: int | None, *, who: str, why: str) -> Promotion:
    """Refuse the challenger that waits, and end its trial; errors as in ``approve``."""
    asked = _wanted(settings, project, version)
    entry = registry.reject(project, asked.version, who=who, why=why, evidence={"asked": asked.asked.isoformat()})
    standing = registry.standing(project)
    if standing is not None and standing.challenger == asked.version:
        registry.withdraw(project, who=who, why=why)
    return entry


def barred(entries: list[Promotion]) -> set[int]:
    """Return the versions that were taken back, withdrawn or rejected, and by nobody promoted since: never promoted by themselves again."""
    found: set[int] = set()
    for entry in entries:
        if entry.kind in ("withdraw", "reject"):
            found.add(entry.to_version)
        elif entry.kind == "rollback" and entry.from_version is not None:
            found.add(entry.from_version)
        if entry.kind in CROWNING:
            found.discard(entry.to_version)
    return found


def _open(entries: list[Promotion]) -> Approval | None:
    questions = [entry for entry in entries if entry.kind == "ask"]
    if not questions:
        return None
    last = questions[-1]
    later = entries[last.number :]
    if any(
        entry.kind in CROWNING or (entry.kind in ("reject", "withdraw") and entry.to_version == last.to_version)
        for entry in later
    ):
        return None
    return Approval(last.project, last.to_version, last.from_version, last.time, last.why, last.evidence)


def _wanted(settings: Settings, project: str, version: int | None) -> Approval:
    found = pending(settings, project)
    if found and version in (None, found[0].version):
        return found[0]
    if found:
        raise StateError("maintenance.other_waits", project=project, version=version, waiting=found[0].version)
    raise StateError("maintenance.none_waits", project=project, reason=_why_none(settings, project, version))


def _why_none(settings: Settings, project: str, version: int | None) -> str:
    """Return which entry settled the question last, in figures and names only."""
    history = History(settings.database("history"))
    try:
        entries = history.read(project)
    finally:
        history.close()
    asked = [entry for entry in entries if entry.kind == "ask" and version in (None, entry.to_version)]
    later = [entry for entry in entries[asked[-1].number :] if entry.kind in (*CROWNING, "reject", "withdraw")] if asked else []
    return ", ".join(f"{entry.time:%Y-%m-%d %H:%M} {entry.kind} {entry.to_version} ({entry.who})" for entry in later[:1]) or "–"

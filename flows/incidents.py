"""Reporting that a model or its maintenance went wrong: opening an incident, telling who has to know, and closing it when it is over."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from flows.notifying import announce_end, language_of, tell
from flows.workspace import Desk
from infra.history import History
from infra.incidents import Incidents
from leitstand.decision import Decision
from leitstand.incident import Incident, Kind, Severity, Statement
from leitstand.now import now

LEITSTAND = "leitstand"  # who acts where no person does
END_IS_NEWS = timedelta(days=7)


def report_incident(
    desk: Desk,
    kind: Kind,
    severity: Severity,
    what: Statement | Sequence[Statement],
    evidence: Mapping[str, Any] | None = None,
    *,
    model_version: int | None = None,
    who: str = LEITSTAND,
) -> Incident:
    """Open an incident, or continue the open one of this kind, and tell those who have to know and have not heard of it lately.

    A channel that fails is noted in the incident and tried again by ``follow_up``; it never stops the caller.

    Parameters
    ----------
    what : the sentences that say what happened, such as ``Statement.of("incidents.rolled_back", version=3)``
    evidence : figures and names that show it; what JSON does not know is kept as text
    model_version : by default the champion's

    Raises
    ------
    StateError
        If the database cannot be written. Nobody is told then.
    """
    said = (what,) if isinstance(what, Statement) else tuple(what)
    log = open_incidents(desk)
    try:
        version = _champion(desk) if model_version is None else model_version
        name = desk.project.name
        incident = log.report(name, kind, severity, said, who=who, evidence=evidence, model_version=version)
        return tell(desk, log, incident)
    finally:
        log.close_connections()


def settle_incident(desk: Desk, kind: Kind, why: Statement, *, who: str = LEITSTAND) -> Incident | None:
    """Close the open incident of a kind, because what it told of is over; None where there is none.

    Parameters
    ----------
    why : such as ``Statement.of("incidents.pass_ran_again")``; kept in the language of the project's owner
    """
    found = open_incident(desk, kind)
    if found is None:
        return None
    log = open_incidents(desk)
    try:
        return announce_end(desk, log, log.close(found.id, why.render(language_of(desk)), who=who))
    finally:
        log.close_connections()


def open_incident(desk: Desk, kind: Kind) -> Incident | None:
    """Return the open incident of a kind, None where there is none."""
    log = open_incidents(desk)
    try:
        return next((one for one in reversed(log.read(desk.project.name, open_only=True)) if one.kind == kind), None)
    finally:
        log.close_connections()


def follow_up(desk: Desk) -> list[Incident]:
    """Tell of the project's open incidents whom nobody could reach so far, remind of old ones, and return all that are open.

    Those who could not be told that an incident is over are tried again for some days.

    Every pass of the maintenance loop calls it.
    """
    log = open_incidents(desk)
    try:
        found = log.read(desk.project.name, open_only=True, closed_since=now() - END_IS_NEWS)
        for incident in found:
            if not incident.is_open:
                announce_end(desk, log, incident)
        return [tell(desk, log, incident) for incident in found if incident.is_open]
    finally:
        log.close_connections()


def said_by(decision: Decision) -> tuple[Statement, ...]:
    """Return the reasons of a decision as sentences of an incident."""
    return tuple(Statement.of_reason(one) for one in decision.reasons)


def open_incidents(desk: Desk) -> Incidents:
    """Return the incident log of the desk's settings."""
    return Incidents(desk.settings.database("history"))


def _champion(desk: Desk) -> int | None:
    history = History(desk.settings.database("history"))
    try:
        return history.current().get(desk.project.name)
    finally:
        history.close()

"""Who is told of an incident, over which channel, when, and in which words."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from flows.workspace import Desk
from infra.incidents import Incidents
from infra.settings import read_variable
from leitstand.incident import RANK, Incident, Severity, Statement
from leitstand.now import is_ahead, now
from leitstand.texts import Language, text

if TYPE_CHECKING:  # loads Apprise, which a pass that has nothing to tell does not need
    from infra.messages import Delivery, Weight

VARIABLE = "env:"
WEIGHTS: "dict[Severity, Weight]" = {"info": "info", "warning": "warning", "critical": "failure"}


@dataclass(frozen=True)
class Channel:
    """One address of ``when_it_errs.notify``.

    Parameters
    ----------
    name : as it may be shown; that of no other channel of the project
    address : None where the environment variable that holds it is not set
    """

    name: str
    address: str | None

    def deliver(self, title: str, body: str, severity: Severity) -> "Delivery":
        """Send a message."""
        from infra.messages import Delivery, send

        if self.address is None:
            return Delivery(Statement.of("incidents.channel_no_variable", name=self.name.removeprefix(VARIABLE)))
        return send(self.address, title, body, WEIGHTS[severity])


def channels(desk: Desk) -> list[Channel]:
    """Return the channels of the project, each with a name of its own."""
    if not desk.project.spec.when_it_errs.notify:
        return []
    from infra.messages import shown_address

    made: list[Channel] = []
    for given in desk.project.spec.when_it_errs.notify:
        address = read_variable(given.removeprefix(VARIABLE)) if given.startswith(VARIABLE) else given
        shown = given if address is None else shown_address(address)
        same = sum(one.name.partition(" #")[0] == shown for one in made)
        made.append(Channel(f"{shown} #{same + 1}" if same else shown, address))
    return made


def tell(desk: Desk, log: Incidents, incident: Incident) -> Incident:
    """Tell over every channel that has not told of the incident yet, or not lately, and return the incident with what became of it.

    In a time-lapse nobody is told.
    """
    if desk.settings.clock is not None:
        return incident
    title, body = message(desk, incident)
    for channel in channels(desk):
        if is_due(desk, incident, channel.name):
            done = channel.deliver(title, body, incident.severity)
            incident = log.told(incident, channel.name, incident.severity, done.problem)
    return incident


def is_due(desk: Desk, incident: Incident, channel: str) -> bool:
    """Return whether a channel has to tell: it never could, it got worse, or it was so long ago that a reminder is due."""
    reached = [one for one in incident.told if one.content["channel"] == channel and one.content["problem"] is None]
    if not reached:
        return True
    if RANK[reached[-1].content["severity"]] < RANK[incident.severity]:
        return True
    pause = timedelta(hours=desk.project.spec.when_it_errs.remind_hours)
    last = reached[-1].time
    return incident.severity != "info" and (is_ahead(last) or now() - last >= pause)


def announce_end(desk: Desk, log: Incidents, incident: Incident) -> Incident:
    """Tell those who heard of an incident, and have not heard so yet, that it is over."""
    if desk.settings.clock is not None:
        return incident
    language = language_of(desk)
    named = {"project": desk.project.name, "id": incident.id}
    title = text("incidents.mail_end_title", language, **named)
    body = text("incidents.mail_end", language, who=incident.closed_by, why=incident.why, **named)
    for channel in channels(desk):
        if _has_to_hear_the_end(incident, channel.name):
            done = channel.deliver(title, body, "info")
            incident = log.told(incident, channel.name, incident.severity, done.problem)
    return incident


def _has_to_hear_the_end(incident: Incident, channel: str) -> bool:
    reached = [
        one.event == "told" and (one.content["channel"], one.content["problem"]) == (channel, None) for one in incident.events
    ]
    end = next(place for place, one in enumerate(incident.events) if one.event == "closed")
    return any(reached[:end]) and not any(reached[end:])


def message(desk: Desk, incident: Incident) -> tuple[str, str]:
    """Return title and text of the message about an incident, in the language of the project's owner."""
    language = language_of(desk)
    kind = text(f"incidents.kind_{incident.kind}", language)
    severity = text(f"incidents.severity_{incident.severity}", language)
    title = text("incidents.mail_title", language, project=desk.project.name, kind=kind, severity=severity)
    return title, "\n".join(_lines(desk, incident, language))


def language_of(desk: Desk) -> Language:
    """Return the language of the project's owner; that of the settings where project.yaml names none."""
    return desk.project.spec.owner.language or desk.settings.language


def _lines(desk: Desk, incident: Incident, language: Language) -> Iterator[str]:
    spec = desk.project.spec
    yield spec.title.in_language(language)
    yield ""
    yield incident.describe(language)
    yield ""
    since = {"opened": f"{incident.opened:%Y-%m-%d %H:%M} UTC", "times": incident.times}
    yield text("incidents.mail_since" if incident.times == 1 else "incidents.mail_since_often", language, **since)
    if incident.model_version is not None:
        yield text("incidents.mail_model", language, version=incident.model_version)
    yield text(f"incidents.next_{incident.kind}", language, project=incident.project, id=incident.id)
    if spec.when_it_errs.procedure is not None:
        yield text("incidents.mail_procedure", language, procedure=spec.when_it_errs.procedure.in_language(language))
    if spec.when_it_errs.contact is not None:
        yield text("incidents.mail_contact", language, contact=spec.when_it_errs.contact)
    yield ""
    yield text("incidents.mail_commands", language, id=incident.id)

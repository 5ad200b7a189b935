"""Commands about what went wrong: incidents, and incidents show, open, note and close."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from flows.cli.app import Json, Name, app, call, emit, settings

if TYPE_CHECKING:
    from infra.incidents import Incidents
    from leitstand.incident import Incident, IncidentEvent


class _ListFirst(TyperGroup):
    """A group whose name alone, or with a project or an option behind it, is its command ``list``."""

    def parse_args(self, context: Any, arguments: list[str]) -> list[str]:
        """Put ``list`` in front of what is no command of the group."""
        if not arguments or (arguments[0] not in self.commands and arguments[0] not in ("-h", "--help")):
            arguments = ["list", *arguments]
        return super().parse_args(context, arguments)


incidents = typer.Typer(
    cls=_ListFirst,
    help="What went wrong, who was told, what was done: 'leitstand incidents [PROJECT] [--open]' lists them.",
    epilog="Examples: leitstand incidents --open   |   leitstand incidents virtual_sensor   |   leitstand incidents show virtual_sensor-3",
)
app.add_typer(incidents, name="incidents")
Id = Annotated[str, typer.Argument(help="Id of the incident, such as virtual_sensor-3.")]


@incidents.command("list", epilog="Example: leitstand incidents virtual_sensor --open")
def list_(
    project: Annotated[str | None, typer.Argument(help="Only those of this project.")] = None,
    open_only: Annotated[bool, typer.Option("--open", help="Only those that nobody has closed yet.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Make sure that nobody changed the log from outside.")] = False,
    json: Json = False,
) -> None:
    """List the incidents, oldest first."""
    from flows.cli.console import say, table
    from leitstand.folders import check_name, locate
    from leitstand.texts import text

    now, log = settings(), _log()
    found = log.read(project if project is None else check_name(project), open_only=open_only)
    if verify:
        of = [project] if project is not None else sorted({one.project for one in log.read()})
        say("incidents.verified", count=sum(log.verify(name) for name in of))
    if project is not None and not found:
        locate(project, now.roots)  # says what is wrong with the name
    if json:
        emit({"project": project, "incidents": [document(one) for one in found]})
        return
    if not found:
        say("incidents.none_open" if open_only else "incidents.none")
        return
    rows = [
        (one.id, *_kind(one), f"{one.opened:%Y-%m-%d %H:%M}", one.times, _state(one), one.describe(call.language))
        for one in found
    ]
    columns = [f"incidents.{name}" for name in ("id", "kind", "severity", "since", "times", "state", "what")]
    table(text("incidents.title", call.language), columns, rows)


@incidents.command(epilog="Example: leitstand incidents show virtual_sensor-3")
def show(id: Id, json: Json = False) -> None:
    """Show one incident: what happened, the evidence, who was told, what was done."""
    from flows.cli.console import console, say, table
    from leitstand.texts import text

    found = _log().get(id)
    if json:
        emit(document(found))
        return
    kind, severity = _kind(found)
    console().print(f"{found.id}: {kind} ({severity}), {_state(found)}", style="bold", markup=False, soft_wrap=True)
    console().print(found.describe(call.language), markup=False, soft_wrap=True)
    if found.model_version is not None:
        say("incidents.mail_model", version=found.model_version)
    if found.evidence:
        shown = ", ".join(f"{name} = {value}" for name, value in found.evidence.items())
        console().print(f"{text('incidents.evidence', call.language)}: {shown}", markup=False, soft_wrap=True)
    rows = [(f"{one.time:%Y-%m-%d %H:%M}", one.who, *_event(one)) for one in found.events]
    columns = [f"incidents.{name}" for name in ("time", "who", "event", "detail")]
    table(text("incidents.events", call.language), columns, rows)


@incidents.command(
    "open", epilog='Example: leitstand incidents open virtual_sensor "wrong answers since Monday" --severity critical'
)
def open_(
    project: Name,
    what: Annotated[str, typer.Argument(help="What happened, in a sentence.")],
    severity: Annotated[str, typer.Option(help="info, warning or critical.")] = "warning",
    json: Json = False,
) -> None:
    """Report that something is wrong; those whom project.yaml names are told."""
    from flows.cli.console import say
    from flows.incidents import report_incident
    from flows.workspace import Desk, current_user, open_project
    from leitstand.errors import UnknownName
    from leitstand.incident import RANK, Statement

    if severity not in RANK:
        raise UnknownName("severity", severity, RANK)
    now = settings()
    desk = Desk(open_project(project, now), now)
    said = Statement.of("incidents.said", text=_sentence(what))
    made = report_incident(desk, "reported", severity, said, who=current_user())
    if json:
        emit(document(made))
        return
    say("incidents.opened_line", id=made.id)
    reached = [one.content["channel"] for one in made.told if one.content["problem"] is None]
    if reached:
        say("incidents.told_line", channels=", ".join(reached))
    for one in made.told:
        if one.content["problem"] is not None:
            say("incidents.not_told_line", channel=one.content["channel"], detail=_problem(one))
    if not made.told:
        say("incidents.nobody_told")


@incidents.command(epilog='Example: leitstand incidents note virtual_sensor-3 "sensor 2 replaced"')
def note(id: Id, text: Annotated[str, typer.Argument(help="What was found out or done.")], json: Json = False) -> None:
    """Note what was found out or done."""
    from flows.cli.console import say
    from flows.workspace import current_user

    found = _log().note(id, _sentence(text), who=current_user())
    if json:
        emit(document(found))
    else:
        say("incidents.noted", id=found.id)


@incidents.command(
    epilog='Example: leitstand incidents close virtual_sensor-3 --why "the sensor was unplugged; plugged in again"'
)
def close(id: Id, why: Annotated[str, typer.Option("--why", help="The cause, and what mended it.")], json: Json = False) -> None:
    """Close an incident; those who were told of it hear that it is over."""
    from flows.cli.console import say
    from flows.notifying import announce_end
    from flows.workspace import Desk, current_user, open_project
    from leitstand.folders import find_projects

    now, log = settings(), _log()
    closed = log.close(id, _sentence(why), who=current_user())
    if closed.project in find_projects(now.roots):  # an incident outlives its project
        closed = announce_end(Desk(open_project(closed.project, now), now), log, closed)
    if json:
        emit(document(closed))
    else:
        say("incidents.closed_line", id=closed.id)


def document(incident: "Incident") -> dict[str, Any]:
    """Return an incident as JSON knows it, with its sentences in the language of the call."""
    made = incident.model_dump(mode="json", exclude={"what", "events"})
    events = [one.model_dump(mode="json") | {"detail": _event(one)[1]} for one in incident.events]
    return made | {"open": incident.is_open, "what": incident.describe(call.language), "events": events}


def _log() -> "Incidents":
    from infra.incidents import Incidents

    return Incidents(settings().database("history"))


def _sentence(given: str) -> str:
    from leitstand.errors import UsageError

    if not given.strip():
        raise UsageError("incidents.empty_text")
    return given.strip()


def _kind(incident: "Incident") -> tuple[str, str]:
    from leitstand.texts import text

    return text(f"incidents.kind_{incident.kind}", call.language), text(f"incidents.severity_{incident.severity}", call.language)


def _state(incident: "Incident") -> str:
    from leitstand.texts import text

    if incident.is_open:
        return text("incidents.state_open", call.language)
    return text("incidents.state_closed", call.language, who=incident.closed_by, why=incident.why)


def _event(event: "IncidentEvent") -> tuple[str, str]:
    """Return what an event is, and what it says, in the language of the call."""
    from leitstand.incident import Statement
    from leitstand.texts import text

    content = event.content
    if event.event in ("opened", "continued"):
        return text(f"incidents.event_{event.event}", call.language), " ".join(
            Statement.model_validate(one).render(call.language) for one in content["what"]
        )
    if event.event == "told":
        problem = content["problem"]
        name = text("incidents.event_told" if problem is None else "incidents.event_not_told", call.language)
        why = "" if problem is None else f" ({_problem(event)})"
        return name, content["channel"] + why
    return text(f"incidents.event_{event.event}", call.language), content["text" if event.event == "note" else "why"]


def _problem(event: "IncidentEvent") -> str:
    """Return why a channel could not tell."""
    from leitstand.incident import Statement

    return Statement.model_validate(event.content["problem"]).render(call.language)

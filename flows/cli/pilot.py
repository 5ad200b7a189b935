"""The command about the people and the risks of a pilot: roadmap pilot."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.app import Json, Name, call, emit, settings
from flows.cli.readiness import Ask
from flows.cli.roadmap import roadmap

if TYPE_CHECKING:
    from flows.pilot import PilotCheck
    from leitstand.pilot import Question
    from leitstand.spec import ProjectSpec

COLOURS = {"done": "green", "begun": "yellow", "open": "red"}


@roadmap.command(epilog="Examples: leitstand roadmap pilot my_line   |   leitstand roadmap pilot my_line --form")
def pilot(
    project: Name,
    ask: Ask = None,
    again: Annotated[bool, typer.Option("--again", help="Ask what is answered already, too.")] = False,
    form: Annotated[bool, typer.Option("--form", help="Only write pilot.yaml beside project.yaml, to be filled in.")] = False,
    json: Json = False,
) -> None:
    """The pilot checklist: people, roles, money, risks and the four change phases; what is open and what contradicts itself."""
    from flows.cli.asking import at_terminal
    from flows.cli.console import say
    from flows.pilot import is_own, pilot_check, require_own, write_form
    from leitstand.errors import UsageError
    from leitstand.folders import locate
    from leitstand.pilot import FILE, checklist
    from leitstand.spec import load_spec

    now = settings()
    folder = locate(project, now.roots)
    spec = load_spec(folder / "project.yaml")
    path = folder / FILE
    if form:
        require_own(folder, now.workspace)
        if path.exists():
            raise UsageError("pilot.form_exists", path=path)
        write_form(path, call.language)
        count = len(checklist().questions)
        if json:
            emit({"file": str(path), "questions": count})
        else:
            say("pilot.form_written", path=path, count=count)
        return
    if ask:
        require_own(folder, now.workspace)
    if ask or (ask is None and at_terminal() and not json and is_own(folder, now.workspace)):
        _ask(path, spec, again)
    found = pilot_check(folder, spec, call.language)
    if json:
        emit({"project": project, "file": str(path) if path.exists() else None, **_document(found)})
    else:
        _show(found, project)


def _ask(path: Path, spec: "ProjectSpec", again: bool) -> None:
    """Ask the open questions, or all of them; every answer is saved before the next question."""
    from flows.cli.console import console, say
    from flows.pilot import with_known, write_form
    from flows.readiness_file import save_answer
    from leitstand.pilot import checklist, contradictions, is_asked, read_answers

    if not path.exists():
        write_form(path, call.language)
    answers = with_known(read_answers(path, call.language), spec)
    before = {one.reason.en for one in contradictions(answers)}
    for section in checklist().sections:
        for question in section.questions:
            while (again or question.id not in answers) and is_asked(question, answers):
                console().print(f"\n[bold]{section.title.in_language(call.language)}[/]", highlight=False)
                given = _asked(question, answers.get(question.id))
                if given is None:
                    say("pilot.ask_stopped", path=path)
                    raise typer.Exit(0)
                tried = {**answers, question.id: question.parse(given)}
                clash = next((one for one in contradictions(tried) if one.reason.en not in before), None)
                if clash is None:
                    answers = tried
                    save_answer(path, question.id, float(given) if question.kind in ("eur", "months") else given)
                    break
                say("pilot.asked_contradiction", reason=clash.reason.in_language(call.language))


def _asked(question: "Question", now: Any) -> str | None:
    """Return what a person answers to one question; None where they stop."""
    from flows.cli.asking import choose, fill_in
    from leitstand.errors import ProjectError
    from leitstand.texts import text

    asked, prompt = question.ask.in_language(call.language), text("pilot.prompt", call.language)
    kept = None if now is None else str(now)
    options = question.options(call.language)
    if options:
        return choose(asked, options, prompt, kept)

    def accept(typed: str) -> str | None:
        try:
            return str(question.parse(typed))
        except ProjectError:
            return None

    return fill_in(asked, accept, prompt, text(f"pilot.form_{question.kind}", call.language), kept)


def _document(found: "PilotCheck") -> dict[str, Any]:
    said = [one.render(call.language) for one in found.disagreements]
    return found.document() | {"disagreements": said}


def _show(found: "PilotCheck", project: str) -> None:
    from flows.cli.console import console, say, table
    from leitstand.pilot import checklist
    from leitstand.texts import text

    titles = {section.id: section.title.in_language(call.language) for section in checklist().sections}
    rows = []
    for one in found.sections:
        status = f"[{COLOURS[one.status]}]{text(f'pilot.status_{one.status}', call.language)}[/]"
        rows.append((titles[one.id], one.milestone, status, ", ".join((*one.unanswered, *one.unsettled))))
    table(text("pilot.title", call.language), [f"pilot.{name}" for name in ("section", "milestone", "status", "open")], rows)
    for name, who in found.roles.items():
        if who is not None:
            console().print(f"{text(f'pilot.role_{name}', call.language)}: {who}", markup=False, highlight=False, soft_wrap=True)
    for said in found.disagreements:
        console().print(f"! {said.render(call.language)}", markup=False, soft_wrap=True)
    if found.missing("M4"):
        say("pilot.next", project=project, count=len(found.missing("M4")))
    else:
        say("pilot.complete")

"""Commands before there is a model: roadmap readiness."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.app import Json, call, emit, settings
from flows.cli.roadmap import roadmap

if TYPE_CHECKING:
    from leitstand.questionnaire import Questionnaire
    from leitstand.readiness import Profile

LIFTS_SHOWN = 5
Ask = Annotated[
    bool | None,
    typer.Option("--ask/--no-ask", help="Whether to ask on the terminal; by default where there is one and no --json."),
]


@roadmap.command(epilog="Examples: leitstand roadmap readiness   |   leitstand roadmap readiness --picture readiness.svg --json")
def readiness(
    ask: Ask = None,
    again: Annotated[bool, typer.Option("--again", help="Ask what is answered already, too.")] = False,
    form: Annotated[bool, typer.Option("--form", help="Only write readiness.yaml into the workspace, to be filled in.")] = False,
    picture: Annotated[Path | None, typer.Option(help="Draw the radar picture into this SVG file.")] = None,
    json: Json = False,
) -> None:
    """How ready is the company for AI: score, strategy, first steps, and what would lift it."""
    from flows.cli.asking import at_terminal
    from flows.cli.console import say
    from flows.readiness_file import write_form
    from leitstand.errors import UsageError
    from leitstand.questionnaire import FILE, questionnaire, read_answers, require_all
    from leitstand.readiness import profile

    if picture is not None and picture.suffix.lower() != ".svg":
        raise UsageError("readiness.picture_svg", path=picture)
    questions = questionnaire()
    path = settings().workspace / FILE
    if form:
        if path.exists():
            raise UsageError("readiness.form_exists", path=path)
        write_form(path, questions, call.language)
        count = len(questions.questions)
        if json:
            emit({"file": str(path), "questions": count})
        else:
            say("readiness.form_written", path=path, count=count)
        return
    if ask or (ask is None and at_terminal() and not json):
        _ask(path, questions, again)
    elif not path.exists():
        raise UsageError("readiness.no_answers", path=path)
    answers = read_answers(path, questions, call.language)
    require_all(answers, path, questions, call.language)
    found = profile(answers, questions)
    if picture is not None:
        from flows.radar import draw_radar

        draw_radar(found, questions, picture, call.language)
    if json:
        strategy = questions.strategy(found.strategy)
        steps = [step.in_language(call.language) for step in strategy.steps]
        emit(found.model_dump() | {"steps": steps, "picture": str(picture) if picture else None})
        return
    _show(found, questions)
    if picture is not None:
        say("readiness.picture_written", path=picture)


def _ask(path: Path, form: "Questionnaire", again: bool) -> None:
    """Ask the open questions, or all of them; every answer is saved before the next question."""
    from flows.cli.asking import choose
    from flows.cli.console import console, say
    from flows.readiness_file import save_answer, write_form
    from leitstand.questionnaire import read_answers
    from leitstand.texts import text

    if not path.exists():
        write_form(path, form, call.language)
    answers = read_answers(path, form, call.language)
    asked = [
        (dimension, question)
        for dimension in form.dimensions
        for question in dimension.questions
        if again or question.id not in answers
    ]
    if asked:
        say("readiness.ask_start", count=len(asked), path=path)
    for place, (dimension, question) in enumerate(asked, start=1):
        console().print(f"\n[bold]{place}/{len(asked)} {dimension.title.in_language(call.language)}[/]", highlight=False)
        options = {str(level): one.in_language(call.language) for level, one in enumerate(question.levels)}
        now = answers.get(question.id)
        chosen = choose(
            question.ask.in_language(call.language),
            options,
            text("readiness.ask_level", call.language),
            None if now is None else str(now),
        )
        if chosen is None:
            left = len(form.questions) - len(answers)
            say("readiness.ask_stopped", count=left)
            raise typer.Exit(0)
        answers[question.id] = int(chosen)
        save_answer(path, question.id, int(chosen))


def _show(found: "Profile", form: "Questionnaire") -> None:
    from flows.cli.console import console, say, table
    from flows.radar import shown
    from leitstand.texts import text

    language = call.language
    strategy = form.strategy(found.strategy)
    named = {"strategy": strategy.title.in_language(language), "company": strategy.company.in_language(language)}
    say("readiness.total", total=shown(found.total, language), **named)
    for one in found.contradictions:
        names = ", ".join(f"{name} {found.answers[name]}" for name in (*one.at_least, *one.at_most))
        say("readiness.contradiction", answers=names, reason=one.reason.in_language(language))
    rows = [
        (one.title.in_language(language), found.dimensions[one.id], one.weight, one.reason.in_language(language))
        for one in form.dimensions
    ]
    table("", [f"readiness.{column}" for column in ("dimension", "score", "weight", "why")], rows)
    say("readiness.steps")
    for number, step in enumerate(strategy.steps, start=1):
        console().print(f"  {number}. {step.in_language(language)}", soft_wrap=True, highlight=False)
    lifts = [
        (
            form.questions[lift.question].ask.in_language(language),
            f"{lift.level}: {form.questions[lift.question].levels[lift.level].in_language(language)}",
            f"+{shown(lift.gain, language)}",
            form.strategy(lift.strategy).title.in_language(language) if lift.strategy else None,
        )
        for lift in found.lifts[:LIFTS_SHOWN]
    ]
    if lifts:
        table(
            text("readiness.lifts", language),
            [f"readiness.{column}" for column in ("question", "next_level", "gain", "leads_to")],
            lifts,
        )
    if found.next is None:
        say("readiness.top")
        return
    steps = [text("readiness.way_step", language, question=one.question, now=one.now, level=one.level) for one in found.way]
    say("readiness.way", strategy=form.strategy(found.next).title.in_language(language), steps=", ".join(steps))

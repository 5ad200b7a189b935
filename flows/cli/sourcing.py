"""Commands before there is a model: roadmap sourcing."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.app import Json, Name, call, emit, settings
from flows.cli.readiness import Ask
from flows.cli.roadmap import roadmap

if TYPE_CHECKING:
    from leitstand.sourcing import DecisionPath, SourcingDecision
    from leitstand.spec import Sourcing


@roadmap.command(epilog="Example: leitstand roadmap sourcing my_line --save")
def sourcing(
    project: Name,
    ask: Ask = None,
    again: Annotated[bool, typer.Option("--again", help="Ask what is answered already, too.")] = False,
    save: Annotated[bool, typer.Option("--save", help="Write the answers into the project's project.yaml.")] = False,
    json: Json = False,
) -> None:
    """Make, buy or cooperate: where the decision path leads, why, and what would turn it."""
    from flows.cli.asking import at_terminal
    from flows.cli.console import say
    from flows.sourcing_file import refuse_to_save, save_answers
    from leitstand.folders import locate
    from leitstand.sourcing import check_answers, decide, decision_path
    from leitstand.spec import load_spec

    now = settings()
    folder = locate(project, now.roots)
    recorded = load_spec(folder / "project.yaml").sourcing
    path = decision_path()
    answers = dict(recorded.answers) if recorded else {}
    check_answers(path, answers, call.language)
    if save:
        refuse_to_save(folder, now.workspace, recorded)
    given = answers
    if ask or (ask is None and at_terminal() and not json):
        asked = _ask(path, answers, again)
        if asked is None:
            say("readiness.sourcing_stopped")
            return
        given = asked
    decision = decide(path, given, call.language)
    if save and given != answers:
        save_answers(folder / "project.yaml", given)
    if json:
        emit(_document(project, decision, recorded))
        return
    _show(path, decision, recorded)
    if given != answers:
        _tell_where(folder / "project.yaml", given, save)


def _ask(path: "DecisionPath", answers: dict[str, str], again: bool) -> dict[str, str] | None:
    """Return the answers with those that were asked for; None where the person stopped."""
    from flows.cli.asking import choose
    from leitstand.sourcing import next_question
    from leitstand.texts import text

    given = {} if again else dict(answers)
    while (name := next_question(path, given)) is not None:
        question = path.questions[name]
        options = {_typed(key): one.label.in_language(call.language) for key, one in question.answers.items()}
        prompt = text("readiness.sourcing_prompt", call.language)
        now = _typed(answers[name]) if name in answers else None
        chosen = choose(question.ask.in_language(call.language), options, prompt, now)
        if chosen is None:
            return None
        given[name] = next(key for key in question.answers if _typed(key) == chosen)
    return {**answers, **given}


def _typed(answer: str) -> str:
    """Return what is typed for an answer: yes and no in the call's language, others by their name."""
    from leitstand.texts import text

    return text(f"flows.{answer}", call.language) if answer in ("yes", "no") else answer


def _document(project: str, decision: "SourcingDecision", recorded: "Sourcing | None") -> dict[str, object]:
    return {
        "project": project,
        **decision.model_dump(),
        "decision": recorded.decision if recorded else None,
        "reason": recorded.reason.model_dump() if recorded else None,
        "agrees": recorded.decision == decision.result if recorded else None,
    }


def _show(path: "DecisionPath", decision: "SourcingDecision", recorded: "Sourcing | None") -> None:
    from flows.cli.console import say, table
    from leitstand.texts import text

    language = call.language
    steps = []
    for step in decision.steps:
        question = path.questions[step.question]
        answer = question.answers[step.answer].label
        steps.append(tuple(one.in_language(language) for one in (question.ask, answer, step.consequence)))
    table("", [f"readiness.{column}" for column in ("question", "sourcing_answer", "sourcing_consequence")], steps)
    result = text(f"readiness.sourcing_{decision.result}", language)
    say("readiness.sourcing_result", result=result)
    if recorded is None:
        say("readiness.sourcing_undecided")
    else:
        decided = {
            "decision": text(f"readiness.sourcing_{recorded.decision}", language),
            "reason": recorded.reason.in_language(language),
        }
        if recorded.decision == decision.result:
            say("readiness.sourcing_agrees", **decided)
        else:
            say("readiness.sourcing_differs", result=result, reasons=decision.reasons(language), **decided)
    turns = []
    for turn in decision.turns:
        question = path.questions[turn.question]
        leads = text("readiness.sourcing_or", language).join(text(f"readiness.sourcing_{one}", language) for one in turn.results)
        answer = question.answers[turn.answer].label
        turns.append((question.ask.in_language(language), answer.in_language(language), leads))
    if turns:
        columns = [f"readiness.{column}" for column in ("question", "sourcing_answer", "sourcing_leads")]
        table(text("readiness.sourcing_turns", language), columns, turns)
    else:
        say("readiness.sourcing_no_turns")


def _tell_where(file: Path, given: dict[str, str], saved: bool) -> None:
    from flows.cli.console import console, say

    if saved:
        say("readiness.sourcing_saved", path=file)
        return
    say("readiness.sourcing_enter")
    lines = ["sourcing:", "  answers:", *(f"    {name}: {answer}" for name, answer in given.items())]
    console().print("\n".join(lines), markup=False, highlight=False)

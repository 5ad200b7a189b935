"""The chapter on people: who has which role, what the pilot checklist says, how the change is led."""

from datetime import date

from flows.dossier.content import Block, Cell, Section
from flows.dossier.facts import Facts
from flows.dossier.telling import Teller
from flows.pilot import PilotCheck
from leitstand.pilot import Question, checklist


def people(facts: Facts, tell: Teller) -> list[Section]:
    """Return roles, the state of the checklist, and its answers."""
    found = facts.checklist
    if found is None:
        problem = facts.checklist_problem.render(tell.language) if facts.checklist_problem else "–"
        return [Section("people", tell("people"), [tell.note("bad", "people_problem", problem=problem)])]
    roles = [(Cell(tell(f"pilot.role_{name}"), strong=True), tell.given(who)) for name, who in found.roles.items()]
    blocks: list[Block] = [tell.say("people_intro"), tell.table(("role", "person"), roles, (0.4, 0.6)), _sections(found, tell)]
    blocks += [tell.note("bad", "disagreement", what=one.render(tell.language)) for one in found.disagreements]
    return [Section("people", tell("people"), blocks), *_answers(found, tell)]


def _sections(found: PilotCheck, tell: Teller) -> Block:
    titles = {one.id: one.title.in_language(tell.language) for one in checklist().sections}
    rows = []
    for one in found.sections:
        left = len(one.unanswered) + len(one.unsettled)
        status = Cell(tell(f"pilot.status_{one.status}"), strong=one.status == "done", missing=one.status == "open")
        rows.append((Cell(titles[one.id]), Cell(one.milestone), status, Cell(str(left) if left else "–")))
    return tell.table(("checklist_section", "milestone", "status", "still_open"), rows, (0.5, 0.16, 0.18, 0.16))


def _answers(found: PilotCheck, tell: Teller) -> list[Section]:
    """Return the answers as a part of the chapter; none where nobody has answered anything."""
    rows = [
        (Cell(question.ask.in_language(tell.language)), Cell(_shown(question, found, tell)))
        for name, question in checklist().questions.items()
        if name in found.answers
    ]
    if not rows:
        return []
    return [Section("answers", tell("answers_title"), [tell.table(("question", "answer"), rows, (0.5, 0.5))], level=2)]


def _shown(question: Question, found: PilotCheck, tell: Teller) -> str:
    given = found.answers[question.id]
    if isinstance(given, date):
        return tell.day(given)
    if isinstance(given, float):
        return tell.number(given, unit="EUR" if question.kind == "eur" else "").text
    return question.options(tell.language).get(str(given), str(given))

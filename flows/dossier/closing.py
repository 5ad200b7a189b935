"""Chapters 12 and 13: the bill of materials, and the list of evidence that every figure points to."""

from dataclasses import replace

from flows.dossier.content import Block, Cell, Section
from flows.dossier.facts import Facts
from flows.dossier.telling import Teller


def bill_of_materials(facts: Facts, tell: Teller, file: str) -> Section:
    """Return the libraries of the serving package.

    Parameters
    ----------
    file : name of the CycloneDX document
    """
    if facts.bom is None:
        problem = facts.bom_problem.render(tell.language) if facts.bom_problem else "–"
        return Section("sbom", tell("sbom"), [tell.note("bad", "sbom_problem", problem=problem)])
    parts = facts.bom.parts
    rows = [
        (
            Cell(part.pin.name),
            Cell(part.pin.version),
            Cell(part.licence) if part.licence else Cell(tell("licence_unknown"), missing=True),
        )
        for part in parts
    ]
    intro = tell.say("sbom_intro", count=len(parts), hashed=sum(part.hashed for part in parts), file=file)
    return Section("sbom", tell("sbom"), [intro, tell.table(("library", "library_version", "licence"), rows, (0.4, 0.2, 0.4))])


def evidence(facts: Facts, tell: Teller) -> Section:
    """Return every entry of evidence that this document points to, and the newest of each milestone."""
    cited = {record.number for record in facts.newest.values()} | ({facts.pilot.number} if facts.pilot else set())
    shown = [record for record in facts.records if record.number in cited]
    blocks: list[Block] = [tell.say("evidence_intro", count=len(facts.records))]
    if not shown:
        return Section("evidence", tell("evidence"), [tell.note("neutral", "no_run")])
    rows = [
        (
            Cell(f"{tell('source')}{record.number}", strong=True),
            Cell(f"{record.milestone} {tell(f'roadmap.verdict_{record.verdict}')}"),
            Cell(tell.time(record.time)),
            Cell(record.run_id or "–"),
            Cell(record.data_version or "–"),
            Cell("–" if record.model_version is None else str(record.model_version)),
        )
        for record in shown
    ]
    headings = ("number", "milestone", "shown_by", "run", "ev_data_version", "model_short")
    table = tell.table(headings, rows, (0.07, 0.17, 0.17, 0.25, 0.25, 0.09))
    anchors = tuple(f"evidence-{record.number}" for record in shown)
    return Section("evidence", tell("evidence"), [*blocks, replace(table, anchors=anchors)])

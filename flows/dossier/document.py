"""The dossier as a whole: its chapters in order."""

from flows.dossier.closing import bill_of_materials, evidence
from flows.dossier.content import Document
from flows.dossier.data_sheet import data_sheet
from flows.dossier.facts import Facts, newest_time
from flows.dossier.legal import ai_act, annex, gdpr
from flows.dossier.milestones import milestones
from flows.dossier.model_card import explanation, limits, model_card
from flows.dossier.operation import approvals, operation
from flows.dossier.people import people
from flows.dossier.summary import summary
from flows.dossier.telling import Teller
from leitstand.texts import Language


def document(facts: Facts, language: Language, bom_file: str) -> Document:
    """Return the dossier; equal facts give an equal document, for the day it is written does not stand in it.

    Parameters
    ----------
    bom_file : name of the CycloneDX document that lies beside it
    """
    tell = Teller(language)
    sections = (
        summary(facts, tell),
        *milestones(facts, tell),
        *model_card(facts, tell),
        *data_sheet(facts, tell),
        explanation(facts, tell),
        limits(facts, tell),
        *operation(facts, tell),
        *people(facts, tell),
        *ai_act(facts, tell),
        annex(facts, tell),
        gdpr(facts, tell),
        *approvals(facts, tell),
        bill_of_materials(facts, tell, bom_file),
        evidence(facts, tell),
    )
    project, time = facts.spec.project, newest_time(facts.records)
    lines = [
        tell("subtitle_project", project=project, time=tell.time(time)) if time else tell("subtitle_nothing", project=project)
    ]
    if facts.pilot is not None:
        run, data = (facts.pilot.run_id or "–")[:12], (facts.pilot.data_version or "–")[:12]
        lines.append(tell("subtitle_model", version=facts.pilot.model_version, data=data, run=run))
    return Document(
        language=language,
        title=tell("title", title=facts.spec.title.in_language(language)),
        subtitle=tuple(lines),
        sections=sections,
        words={word: tell(word) for word in ("contents", "page", "source")},
        footer=tell("footer", project=project),
    )

"""M3, strategy: make, buy or cooperate, and who answers for it?"""

from pathlib import Path
from time import perf_counter
from typing import Any

from flows.stage import stage
from flows.workspace import Desk
from leitstand.errors import LeitstandError
from leitstand.milestones import Milestone, milestone
from leitstand.questionnaire import FILE, read_answers, require_all
from leitstand.readiness import profile
from leitstand.sourcing import check_answers, decide, decision_path, next_question
from leitstand.spec import Sourcing
from leitstand.texts import Language


@stage("strategy")
def strategy(desk: Desk) -> Milestone:
    """M3: show the decision that project.yaml records and where the decision path leads, or say that the decision is missing."""
    started = perf_counter()
    desk.report("M3", "sourcing")
    sourcing, owner = desk.project.spec.sourcing, desk.project.spec.owner
    if sourcing is None:
        return milestone("M3", "open", perf_counter() - started, {"owner": owner.name}, ("sourcing",))
    evidence = {
        "decision": sourcing.decision,
        "strategy": sourcing.strategy,
        "reason_de": sourcing.reason.de,
        "reason_en": sourcing.reason.en,
        "owner": owner.name,
        **where_the_path_leads(sourcing, desk.settings.language),
        **how_ready(desk.settings.workspace / FILE, sourcing, desk.settings.language),
    }
    return milestone("M3", "passed", perf_counter() - started, evidence)


def where_the_path_leads(sourcing: Sourcing, language: Language = "en") -> dict[str, Any]:
    """Return what the answers to the decision path say beside the decision that a person took; nothing where there are none.

    Raises
    ------
    ProjectError
        If an answer belongs to no question of the path, or is none of its answers.
    """
    if not sourcing.answers:
        return {}
    path = decision_path()
    check_answers(path, sourcing.answers, language)
    unanswered = next_question(path, sourcing.answers)
    if unanswered is not None:
        return {"path_unanswered": unanswered}
    found = decide(path, sourcing.answers)
    return {
        "path_result": found.result,
        "path_agrees": found.result == sourcing.decision,
        "path_reasons_de": found.reasons("de"),
        "path_reasons_en": found.reasons("en"),
    }


def how_ready(path: Path, sourcing: Sourcing, language: Language = "en") -> dict[str, Any]:
    """Return the company's readiness beside the strategy of the project; nothing where nobody has answered the questionnaire.

    A file that is broken or has gaps is told and stops nothing: the questionnaire is the company's, the run is the project's.
    """
    if not path.exists():
        return {}
    try:
        answers = read_answers(path, language=language)
        require_all(answers, path, language=language)
    except LeitstandError as error:
        return {"readiness_problem": error.render(language)}
    found = profile(answers)
    return {
        "readiness_total": found.total,
        "readiness_strategy": found.strategy,
        "readiness_agrees": found.strategy == sourcing.strategy,
    }

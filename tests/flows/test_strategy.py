"""What M3 takes from the answers on make, buy or cooperate."""

import pytest

from flows.strategy import where_the_path_leads
from leitstand.errors import ProjectError
from leitstand.spec import Sourcing

SECTION = {"decision": "cooperate", "strategy": "pragmatic", "reason": {"en": "A start-up helps.", "de": "Ein Start-up hilft."}}
MAKE = {"core": "yes", "competence": "yes", "investment": "yes"}


def recorded(answers: dict[str, str], decision: str = "cooperate") -> Sourcing:
    return Sourcing.model_validate({**SECTION, "decision": decision, "answers": answers})


def test_the_milestone_shows_where_the_path_leads_only_where_there_are_answers() -> None:
    assert where_the_path_leads(recorded({})) == {}
    assert where_the_path_leads(recorded({"core": "yes"})) == {"path_unanswered": "competence"}
    found = where_the_path_leads(recorded(MAKE))
    assert (found["path_result"], found["path_agrees"]) == ("make", False)
    assert found["path_reasons_de"].startswith("Es ist eine Kernkompetenz.")
    assert where_the_path_leads(recorded(MAKE, "make"))["path_agrees"]
    with pytest.raises(ProjectError, match="'core' has the answer 'often'"):
        where_the_path_leads(recorded({"core": "often"}))

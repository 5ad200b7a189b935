"""What M3 takes from the answers on make, buy or cooperate."""

from pathlib import Path

import pytest
import yaml

from flows.strategy import how_ready, where_the_path_leads
from leitstand.errors import ProjectError
from leitstand.questionnaire import questionnaire
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


def test_readiness_stands_beside_the_strategy_of_the_project(tmp_path: Path) -> None:
    path = tmp_path / "readiness.yaml"
    assert how_ready(path, recorded({})) == {}
    for level, strategy, agrees in ((2, "pragmatic", True), (3, "adaptive", False)):
        path.write_text(yaml.safe_dump({"answers": dict.fromkeys(questionnaire().questions, level)}), encoding="utf-8")
        found = how_ready(path, recorded({}))
        assert found == {"readiness_total": 25.0 * level, "readiness_strategy": strategy, "readiness_agrees": agrees}


def test_a_questionnaire_with_gaps_or_faults_stops_no_run(tmp_path: Path) -> None:
    path = tmp_path / "readiness.yaml"
    path.write_text("answers: {goals: 2}\n", encoding="utf-8")
    assert "17 von 18 Fragen" in how_ready(path, recorded({}), "de")["readiness_problem"]
    path.write_text("answers: [", encoding="utf-8")
    assert "is not readable YAML" in how_ready(path, recorded({}))["readiness_problem"]

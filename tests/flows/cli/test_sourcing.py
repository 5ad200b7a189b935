"""Make, buy or cooperate from the command line."""

import io
from pathlib import Path

import pytest
import yaml
from builders import spec
from workshop import Outcome, Workshop

SECTION = {"decision": "cooperate", "strategy": "pragmatic", "reason": {"en": "A start-up helps.", "de": "Ein Start-up hilft."}}
MAKE = {"core": "yes", "competence": "yes", "investment": "yes"}


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    made = Workshop(tmp_path, {"LEITSTAND_LANGUAGE": "en"})
    project(made, sourcing=SECTION)
    return made


def project(workshop: Workshop, **sections: object) -> Path:
    """Write a project.yaml with a comment in it; the command needs nothing else."""
    file = workshop.work / "projects" / "mine" / "project.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    content = spec(project="mine", **sections).model_dump(mode="json", exclude_unset=True)
    file.write_text("# our decision\n" + yaml.safe_dump(content), encoding="utf-8")
    return file


@pytest.fixture
def typing(monkeypatch: pytest.MonkeyPatch, workshop: Workshop):
    def answer(*lines: str, options: tuple[str, ...] = ()) -> Outcome:
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        return workshop("roadmap", "sourcing", "mine", "--ask", *options)

    return answer


def test_answers_of_the_project_lead_to_a_result_beside_the_persons_decision(workshop: Workshop) -> None:
    project(workshop, sourcing={**SECTION, "answers": MAKE})
    document = workshop.done("roadmap", "sourcing", "mine", "--json").document
    assert (document["result"], document["decision"], document["agrees"]) == ("make", "cooperate", False)
    assert [step["question"] for step in document["steps"]] == ["core", "competence", "investment"]
    told = workshop.done("roadmap", "sourcing", "mine").told
    assert "project.yaml says otherwise: cooperate, because: A start-up helps." in told
    assert "The path says make, because: It is a core competence. Own people can build and run it." in told


def test_a_decision_that_agrees_is_confirmed_in_german(workshop: Workshop) -> None:
    project(workshop, sourcing={**SECTION, "answers": {"core": "yes", "competence": "no", "partner": "yes"}})
    told = workshop.done("roadmap", "sourcing", "mine", "--language", "de").told
    assert "project.yaml sagt dasselbe: kooperieren. Begründung dort: Ein Start-up hilft." in told
    assert "kaufen oder selbst bauen" in told


def test_typed_answers_are_saved_on_demand_and_comments_stay(workshop: Workshop, typing) -> None:
    file = workshop.work / "projects" / "mine" / "project.yaml"
    before = file.read_text(encoding="utf-8")
    told = typing("ja", "vielleicht", "ja", "ja", options=("--language", "de"))
    assert "'vielleicht' ist keine der Möglichkeiten ja, nein" in told.told
    assert "core: yes" in told.told
    assert file.read_text(encoding="utf-8") == before
    assert typing("yes", "yes", "yes", options=("--save",)).code == 0
    assert file.read_text(encoding="utf-8").startswith("# our decision\n")
    assert workshop.done("roadmap", "sourcing", "mine", "--json").document["result"] == "make"


def test_asked_again_enter_keeps_an_answer_and_a_new_turn_asks_on(workshop: Workshop, typing) -> None:
    project(workshop, sourcing={**SECTION, "answers": MAKE})
    assert typing("", "no", "yes", options=("--again", "--save")).code == 0
    document = workshop.done("roadmap", "sourcing", "mine", "--json").document
    assert [step["question"] for step in document["steps"]] == ["core", "competence", "partner"]


def test_stopping_writes_nothing(workshop: Workshop, typing) -> None:
    file = workshop.work / "projects" / "mine" / "project.yaml"
    before = file.read_text(encoding="utf-8")
    told = typing("yes", "q", options=("--save",))
    assert (told.code, file.read_text(encoding="utf-8")) == (0, before)
    assert "nothing was written" in told.told


def test_answers_are_not_saved_where_no_person_has_decided_or_the_project_is_not_ones_own(workshop: Workshop, typing) -> None:
    project(workshop)
    refused = typing("yes", options=("--save",))
    assert refused.code == 2
    assert "which a person decides" in refused.told
    assert "no decision yet" in typing("yes", "yes", "yes").told
    builtin = workshop("roadmap", "sourcing", "virtual_sensor", "--save")
    assert builtin.code == 2
    assert "comes with Leitstand and is not changed" in builtin.told


def test_missing_and_unknown_answers_are_named(workshop: Workshop) -> None:
    missing = workshop("roadmap", "sourcing", "mine", "--json")
    assert missing.code == 1
    assert "The question 'core'" in missing.document["error"]["message"]
    project(workshop, sourcing={**SECTION, "answers": {"kernel": "yes"}})
    assert "question 'kernel', which there is not" in workshop("roadmap", "sourcing", "mine").told

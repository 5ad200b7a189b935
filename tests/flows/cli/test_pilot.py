"""The pilot checklist from the command line."""

import io
from pathlib import Path
from typing import Any

import pytest
import yaml
from builders import spec
from workshop import Outcome, Workshop

from flows.pilot import keeps_open
from leitstand.pilot import checklist
from leitstand.spec import load_spec

TYPED: dict[str, str] = {"text": "said", "done": "yes", "eur": "45000", "months": "18", "date": "2026-03-01"}
CHOSEN = {"team": "partners", "ai_share": "large", "rule_enough": "no", "financing": "own_funds", "works_council": "informed"}
BENEFIT = {"cases_per_year": 1000, "cost_per_error_eur": 60, "errors_today": 0.5, "expected_error": 0.1, "investment_eur": 45000}


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    made = Workshop(tmp_path, {"LEITSTAND_LANGUAGE": "en"})
    project(made)
    return made


def project(workshop: Workshop, **sections: Any) -> Path:
    """Write a project.yaml; the command needs nothing else. Return where its checklist belongs."""
    file = workshop.work / "projects" / "mine" / "project.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    content = spec(project="mine", **sections).model_dump(mode="json", exclude_unset=True)
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file.with_name("pilot.yaml")


def answered(path: Path, **changes: Any) -> None:
    found = {name: CHOSEN.get(name) or TYPED[question.kind] for name, question in checklist().questions.items()}
    kept = {name: float(value) if value.isdigit() else value for name, value in (found | changes).items()}
    path.write_text(yaml.safe_dump({"answers": kept}, allow_unicode=True), encoding="utf-8")


@pytest.fixture
def typing(monkeypatch: pytest.MonkeyPatch, workshop: Workshop):
    def answer(*lines: str, options: tuple[str, ...] = ()) -> Outcome:
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        return workshop("roadmap", "pilot", "mine", "--ask", *options)

    return answer


def test_without_a_checklist_every_point_is_open_and_the_owner_is_known(workshop: Workshop) -> None:
    document = workshop.done("roadmap", "pilot", "mine", "--json").document
    assert {one["status"] for one in document["sections"]} == {"open"}
    assert document["roles"]["owner"] == "Ada"
    assert (document["file"], len(document["missing"]["M4"]) + len(document["missing"]["M5"])) == (
        None,
        len(checklist().questions),
    )
    assert "points are open before the practice check (M4) is closed" in workshop.done("roadmap", "pilot", "mine").told


def test_the_form_is_written_once_and_read_back_empty(workshop: Workshop) -> None:
    workshop.done("roadmap", "pilot", "mine", "--form", "--language", "de")
    path = workshop.work / "projects" / "mine" / "pilot.yaml"
    assert "Ist der Betriebsrat informiert?" in path.read_text(encoding="utf-8")
    assert {one["status"] for one in workshop.done("roadmap", "pilot", "mine", "--json").document["sections"]} == {"open"}
    again = workshop("roadmap", "pilot", "mine", "--form")
    assert (again.code, "exists already" in again.told) == (2, True)
    path.unlink()
    told = workshop.done("roadmap", "pilot", "mine", "--form", "--json").document
    assert (told["file"], told["questions"], path.exists()) == (str(path), len(checklist().questions), True)


def test_what_is_answered_is_done_in_both_languages(workshop: Workshop) -> None:
    answered(project(workshop, benefit=BENEFIT, owner={"name": "Ada", "deputy": "said"}))
    document = workshop.done("roadmap", "pilot", "mine", "--json").document
    assert document["missing"] == {"M4": [], "M5": []}
    assert document["roles"]["works_council_informed_on"] == "2026-03-01"
    told = workshop.done("roadmap", "pilot", "mine", "--language", "de").told
    assert "Betriebsrat informiert am: 2026-03-01" in told
    assert "Vor dem Praxischeck (M4) ist nichts offen." in told


def test_answers_that_do_not_fit_the_project_are_told(workshop: Workshop) -> None:
    sourcing = {"decision": "cooperate", "strategy": "pragmatic", "reason": {"en": "x", "de": "x"}}
    path = project(workshop, benefit=BENEFIT, sourcing=sourcing, owner={"name": "Ada", "deputy": "Ben"})
    answered(path, cost_eur="20000", payback_months="6", team="own_team", deputy="Cleo", rule_enough="yes")
    told = workshop.done("roadmap", "pilot", "mine").told
    for said in (
        "EUR 20000 does not fit benefit.investment_eur in project.yaml (EUR 45000)",
        "paid back after 6 months; the business case in project.yaml says 22",
        "sourcing.decision in project.yaml is to cooperate",
        "The deputy is Cleo here and Ben in project.yaml",
        "A rule would do as well: then it is no AI problem",
    ):
        assert said in told
    assert len(workshop.done("roadmap", "pilot", "mine", "--json").document["disagreements"]) == 5


def test_the_deputy_of_the_project_need_not_be_typed_again(workshop: Workshop) -> None:
    project(workshop, owner={"name": "Ada", "deputy": "Ben"})
    document = workshop.done("roadmap", "pilot", "mine", "--json").document
    assert (document["roles"]["deputy"], "deputy" in document["missing"]["M4"]) == ("Ben", False)


def test_typed_answers_are_saved_one_by_one_and_asking_goes_on_where_it_stopped(workshop: Workshop, typing) -> None:
    first = typing("two shifts", "IT", "q")
    assert "Stopped; all answers so far are in" in first.told
    path = workshop.work / "projects" / "mine" / "pilot.yaml"
    assert yaml.safe_load(path.read_text())["answers"]["builders"] == "IT"
    second = typing("the board", "q", options=("--language", "de"))
    assert "Wer entscheidet, ob der Pilot in Betrieb geht?" in second.told
    assert "Wer nutzt die Antworten" not in second.told
    kept = yaml.safe_load(path.read_text())["answers"]
    assert (kept["users"], kept["decision_maker"], kept["others_concerned"]) == ("two shifts", "the board", None)


def test_a_typed_contradiction_or_a_wrong_form_is_asked_again(workshop: Workshop, typing) -> None:
    path = project(workshop)
    answered(path, ai_share="whole")
    content = yaml.safe_load(path.read_text())
    for name in ("rule_enough", "cost_eur"):
        del content["answers"][name]
    path.write_text(yaml.safe_dump(content))
    told = typing("yes", "no", "-3", "12,50 USD", "1200").told
    assert "That contradicts an answer before: Without AI there is no use" in told
    assert "12,50 USD" in told
    kept = yaml.safe_load(path.read_text())["answers"]
    assert (kept["rule_enough"], kept["cost_eur"]) == ("no", 1200)


def test_contradictions_and_unknown_keys_in_the_file_are_errors(workshop: Workshop) -> None:
    path = project(workshop)
    answered(path, ai_share="whole", rule_enough="yes")
    made = workshop("roadmap", "pilot", "mine", "--json")
    assert made.code == 1
    assert "contradict each other (ai_share: whole, rule_enough: yes)" in made.document["error"]["message"]
    answered(path, work_council="informed")
    made = workshop("roadmap", "pilot", "mine")
    assert (made.code, "question 'work_council' that there is not. Did you mean: works_council" in made.told) == (1, True)


def test_open_points_and_a_checklist_that_nobody_can_read_keep_the_practice_check_open(workshop: Workshop) -> None:
    path = project(workshop)
    folder, decided = path.parent, load_spec(path.with_name("project.yaml"))
    assert keeps_open(folder, decided) == ("pilot",)
    answered(path)
    assert keeps_open(folder, decided) == ()
    answered(path, users_trained="no")
    assert keeps_open(folder, decided) == (), "training people belongs to M5"
    for wrong in ({"aims_told": "partly"}, {"ai_share": "whole", "rule_enough": "yes"}, {"works_councill": "informed"}):
        answered(path, **wrong)
        assert keeps_open(folder, decided) == ("pilot",)


@pytest.mark.parametrize("name", ["acoustic_maintenance", "cell_diagnostics", "virtual_sensor"])
def test_the_example_answers_of_the_templates_are_complete_and_fit(workshop: Workshop, name: str) -> None:
    document = workshop.done("roadmap", "pilot", name, "--json").document
    assert (document["missing"], document["disagreements"]) == ({"M4": [], "M5": []}, [])


def test_example_answers_close_nothing_in_a_company_s_own_project(workshop: Workshop) -> None:
    workshop.done("new", "cells", "--template", "cell_diagnostics")
    assert {one["status"] for one in workshop.done("roadmap", "pilot", "cells", "--json").document["sections"][:2]} == {"open"}
    assert not (workshop.work / "projects" / "cells" / "pilot.yaml").exists()


def test_the_checklist_of_a_shipped_project_is_shown_and_not_written(workshop: Workshop) -> None:
    workshop.done("roadmap", "pilot", "virtual_sensor", "--json")
    for option in ("--form", "--ask"):
        made = workshop("roadmap", "pilot", "virtual_sensor", option)
        assert (made.code, "Copy it first: leitstand new my_name --template virtual_sensor" in made.told) == (2, True)

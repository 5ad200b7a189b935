"""``leitstand roadmap`` and ``roadmap show``: a status that follows from evidence, and goes when what it rests on changes."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from workshop import Workshop, parts


def standing(workshop: Workshop) -> dict[str, tuple[str, list[str]]]:
    found = workshop.done("roadmap", "show", "parts", "--json").document["milestones"]
    return {one["id"]: (one["status"], one["reasons"]) for one in found}


def test_a_run_leaves_evidence_for_each_milestone(trained_parts: Workshop) -> None:
    document = trained_parts.done("roadmap", "show", "parts", "--json").document
    found = {one["id"]: one for one in document["milestones"]}
    assert {id: one["status"] for id, one in found.items()} == {
        "M1": "open",
        "M2": "open",
        "M3": "open",
        "M4": "open",
        "M5": "open",
    }
    assert (found["M1"]["missing"], found["M5"]["missing"]) == (["key_figure_today"], ["service", "contact"])
    assert found["M4"]["missing"] == ["pilot"], "people have to answer the checklist"
    assert (document["closed"], document["next"]) == (0, "M1")
    (version,) = trained_parts.done("history", "parts", "--json").document["versions"]
    assert (found["M4"]["run_id"], found["M4"]["data_version"]) == (version["run_id"], version["data_version"])


def test_the_table_says_why_and_what_next_in_both_languages(trained_parts: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")  # no cell is broken into lines
    told = trained_parts.done("roadmap", "show", "parts").told
    assert "enter key_figure.today" in told
    told = trained_parts.done("roadmap", "show", "parts", "--language", "de").told
    assert "Punkte der Pilot-Checkliste sind offen" in told


def test_all_projects_stand_in_one_table_also_those_that_cannot_be_read(own_parts: Workshop) -> None:
    broken = own_parts.work / "projects" / "broken"
    broken.mkdir()
    (broken / "project.yaml").write_text("project: [", encoding="utf-8")
    found = {one["project"]: one for one in own_parts.done("roadmap", "--json").document["projects"]}
    assert {"parts", "broken", "cell_diagnostics"} <= found.keys()
    assert "could not be read" in found["broken"]["error"]
    assert found["cell_diagnostics"]["milestones"][0]["status"] == "none"
    assert "broken" in own_parts.done("roadmap").told


@pytest.mark.parametrize(
    ("changes", "stale"),
    [
        ({"gates": {"minimum_improvement": 0.01}}, {"M4": ["rules"]}),
        ({"owner": {"name": "Grace"}}, {"M1": ["owner"], "M3": ["owner"]}),
        ({"when_it_errs": {"contact": "Ada"}}, {"M5": ["operation"]}),
        ({"benefit": {"cases_per_year": 10}}, {"M2": ["benefit"]}),
    ],
)
def test_changed_assumptions_open_their_milestone(
    own_parts: Workshop, changes: dict[str, Any], stale: dict[str, list[str]]
) -> None:
    own_parts.edit("parts", **changes)
    assert {id: reasons for id, (status, reasons) in standing(own_parts).items() if status == "stale"} == stale


def test_changed_data_open_status_quo_and_practice_check(own_parts: Workshop) -> None:
    own_parts.table("parts.csv", parts(seed=1))
    found = standing(own_parts)
    assert {id for id, (status, _) in found.items() if status == "stale"} == {"M1", "M4"}
    assert found["M4"][1] == ["data"]


def test_data_that_changed_while_they_were_learned_from_count_as_changed(own_parts: Workshop) -> None:
    model = own_parts.work / "projects" / "parts" / "model.py"
    with model.open("a", encoding="utf-8") as file:
        file.write(
            "\n\ndef prepare(tables, parameters):\n"
            "    from pathlib import Path\n\n"
            f"    with Path({_source(own_parts)!r}).open('a') as file:\n"
            "        file.write('\\n')\n"
            "    return next(iter(tables.values()))\n"
        )
    own_parts.done("train", "parts")
    assert standing(own_parts)["M4"] == ("stale", ["data"])
    own_parts.table("parts.csv", parts())
    assert standing(own_parts)["M4"][0] == "open"


def test_the_same_file_read_in_another_way_is_other_data(own_parts: Workshop) -> None:
    path = own_parts.work / "projects" / "parts" / "project.yaml"
    data = yaml.safe_load(path.read_text(encoding="utf-8"))["data"]
    (source,) = data["sources"].values()
    own_parts.edit("parts", data={"sources": {name: source | {"decimal": ","} for name in data["sources"]}})
    found = standing(own_parts)
    assert {id for id, (status, _) in found.items() if status == "stale"} >= {"M1", "M4"}


def test_changed_code_and_readiness_open_theirs(own_parts: Workshop) -> None:
    model = own_parts.work / "projects" / "parts" / "model.py"
    model.write_text(model.read_text(encoding="utf-8") + "\nEXTRA = 1\n", encoding="utf-8")
    (own_parts.work / "readiness.yaml").write_text(yaml.safe_dump({"answers": {"goals": 2}}), encoding="utf-8")
    found = standing(own_parts)
    assert (found["M4"], found["M3"]) == (("stale", ["code"]), ("stale", ["readiness"]))


def test_an_inventory_of_other_data_changes_nothing(own_parts: Workshop) -> None:
    before = standing(own_parts)
    folder = own_parts.work / "inventory"
    folder.mkdir()
    other = {"datasets": [{"name": "other", "path": str(own_parts.work / "other.csv"), "found": {"rows": 3}}]}
    (folder / "inventory.yaml").write_text(yaml.safe_dump(other), encoding="utf-8")
    assert standing(own_parts) == before
    mine = {"datasets": [{"name": "parts", "path": _source(own_parts), "found": {"rows": 240, "verdict": "good"}}]}
    (folder / "inventory.yaml").write_text(yaml.safe_dump(mine), encoding="utf-8")
    assert standing(own_parts)["M1"] == ("stale", ["inventory"])


def _source(workshop: Workshop) -> str:
    content = yaml.safe_load((workshop.work / "projects" / "parts" / "project.yaml").read_text(encoding="utf-8"))
    (source,) = content["data"]["sources"].values()
    return str(workshop.work / Path(source["file"]))


def test_a_mistyped_project_is_told_which_it_may_be(trained_parts: Workshop) -> None:
    made = trained_parts("roadmap", "show", "partz")
    assert (made.code, "parts" in made.told) == (2, True)

"""``leitstand roadmap benefit`` and ``roadmap portfolio``: on projects of their own, none of them trained."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from workshop import Workshop

from infra.history import History
from infra.settings import Settings, load_settings
from infra.snapshot_notes import SnapshotNotes
from leitstand.questionnaire import questionnaire

WAREHOUSE: dict[str, Any] = {
    "source": "practice report [2021], case of a shelving manufacturer",
    "cases_per_year": 100_000,
    "minutes_per_case_today": 1.6,
    "minutes_per_case_then": 1.2,
    "hourly_rate_eur": 33,
    "investment_eur": 27_500,
    "ranges": {"minutes_per_case_then": {"low": 1.1, "high": 1.4}},
}
PER_KIND: dict[str, Any] = {
    "cases_per_year": 1_000,
    "cost_per_error_eur": {"missed": 500, "false_alarm": 20},
    "errors_today": {"missed": 0.05, "false_alarm": 0.1},
    "expected_error": {"missed": 0.01, "false_alarm": 0.15},
    "investment_eur": 30_000,
}


@pytest.fixture
def firm(tmp_path: Path) -> Workshop:
    """A workspace with three projects: the warehouse of the practice report, one with kinds of errors, one without figures."""
    workshop = Workshop(tmp_path, {"LEITSTAND_LANGUAGE": "en"})
    for name, benefit in (("warehouse", WAREHOUSE), ("inspection", PER_KIND), ("unknown", None)):
        write(workshop, name, benefit)
    return workshop


def write(workshop: Workshop, name: str, benefit: Any) -> None:
    content = {
        "project": name,
        "title": {"de": "Fall <ä>", "en": "Case <a>"},
        "task": "classification",
        "owner": {"name": "Ada"},
        "key_figure": {"name": {"de": "Weg", "en": "Path"}, "unit": "min", "today": 1.6, "source": "time study"},
        "data": {"sources": {"parts": {"file": "parts.csv"}}, "target": "quality"},
    } | ({"benefit": benefit} if benefit else {})
    folder = workshop.work / "projects" / name
    folder.mkdir(parents=True)
    (folder / "project.yaml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")


def settings(workshop: Workshop) -> Settings:
    return load_settings(home=workshop.home, database_url=None)


def promoted(workshop: Workshop, project: str, **evidence: Any) -> None:
    """Write what a run leaves when it puts a model in charge."""
    history = History(settings(workshop).database("history"))
    history.append(project, "promote", 1, who="Ada", why="passed every gate", evidence=evidence)
    history.close()


def delivered(workshop: Workshop, project: str, rows: int, synthetic: bool = False) -> None:
    notes = SnapshotNotes(settings(workshop).database("history"))
    notes.append(project, "abc", rows, {"synthetic": synthetic})
    notes.close()


def own(workshop: Workshop) -> dict[str, Any]:
    """Return the places of the portfolio by name, less the projects that come with Leitstand."""
    shipped = {"acoustic_maintenance", "cell_diagnostics", "virtual_sensor"}
    places = workshop.done("roadmap", "portfolio", "--json").document["portfolio"]
    return {one["name"]: one for one in places if one["name"] not in shipped}


def test_the_warehouse_is_told_with_its_payback_and_its_source(firm: Workshop) -> None:
    told = firm.done("roadmap", "benefit", "warehouse").told
    assert "Path: 1.6 min today. Source: time study" in told
    assert "practice report [2021]" in told
    assert "22,000" in told
    assert "The payback stays within the limit of 24 months" in told


def test_the_document_holds_every_figure(firm: Workshop) -> None:
    found = firm.done("roadmap", "benefit", "warehouse", "--json").document
    assert found["promised"]["payback_months"] == pytest.approx(15)
    assert found["break_even"]["cases_per_year"] == pytest.approx(62_500)
    assert found["measured"] is None
    assert found["tornado"][0]["assumption"]["key"] == "minutes_per_case_today"
    (declared,) = [bar["assumption"] for bar in found["tornado"] if bar["assumption"]["declared"]]
    assert (declared["key"], declared["low"], declared["high"]) == ("minutes_per_case_then", 1.1, 1.4)
    assert found["simulation"]["draws"] == 10_000
    assert 0 < found["simulation"]["probability_within_limit"] < 1


def test_a_payback_beyond_the_limit_is_a_gate_that_says_no(firm: Workshop) -> None:
    write(firm, "dear", WAREHOUSE | {"investment_eur": 50_000})
    made = firm("roadmap", "benefit", "dear", "--language", "de")
    assert made.code == 3
    assert "Die Amortisation liegt jenseits der Grenze von 24 Monaten" in made.told
    write(firm, "hopeless", WAREHOUSE | {"running_cost_eur_per_year": 500_000})
    assert firm("roadmap", "benefit", "hopeless", "--language", "de").told.count("nie … nie") > 1


def test_the_errors_of_the_model_in_charge_stand_beside_the_promise(firm: Workshop) -> None:
    promoted(firm, "inspection", measured={"error": 0.12, "missed": 0.04, "false_alarm": 0.08})
    made = firm("roadmap", "benefit", "inspection", "--json")
    assert made.document["promised"]["savings_eur_per_year"] == pytest.approx(19_000)
    assert made.document["measured"]["savings_eur_per_year"] == pytest.approx(1_000 * (0.01 * 500 + 0.02 * 20))
    assert (made.code, made.document["within_limit"]) == (3, False)
    assert "With the measured error the payback is beyond the limit" in firm("roadmap", "benefit", "inspection").told


def test_another_error_may_be_tried_out(firm: Workshop) -> None:
    made = firm.done("roadmap", "benefit", "inspection", "--missed", 0, "--false-alarm", 0.1, "--json").document
    assert made["measured"]["savings_eur_per_year"] == pytest.approx(25_000)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--missed", 0.1], "either as --error, or by kind"),
        (["--error", -1], "either as --error, or by kind"),
        (["--error", "1e308"], "either as --error, or by kind"),
        (["--error", "nan"], "either as --error, or by kind"),
        (["--missed", 0.8, "--false-alarm", 0.7], "together at most 1; found 0.8 and 0.7"),
    ],
)
def test_errors_that_cannot_be_are_refused(firm: Workshop, options: list[object], told: str) -> None:
    made = firm("roadmap", "benefit", "inspection", *options)
    assert (made.code, told in made.told) == (2, True), made.told


def test_a_project_without_figures_says_where_to_put_them(firm: Workshop) -> None:
    made = firm("roadmap", "benefit", "unknown")
    assert made.code == 1
    assert "'unknown' has no figures for a business case. Add the section 'benefit' to" in made.told


def test_the_page_needs_nothing_beside_it(firm: Workshop) -> None:
    page = firm.work / "case.html"
    firm.done("roadmap", "benefit", "warehouse", "--html", page, "--language", "de")
    written = page.read_text(encoding="utf-8")
    assert "<h1>Fall &lt;ä&gt;</h1>" in written
    assert "<svg" in written
    assert not [mark for mark in ("<script", "<link", "src=") if mark in written]
    firm.done("roadmap", "benefit", "warehouse", "--html", firm.work / "again.html", "--language", "de")
    assert (firm.work / "again.html").read_text(encoding="utf-8") == written


def test_a_page_that_cannot_be_written_is_told(firm: Workshop) -> None:
    made = firm("roadmap", "benefit", "warehouse", "--html", firm.work / "nowhere" / "case.html")
    assert (made.code, "cannot be written: No such file" in made.told) == (2, True)


def test_the_portfolio_ranks_projects_by_what_is_known_of_them(firm: Workshop) -> None:
    before = own(firm)
    assert [before[name]["basis"] for name in ("warehouse", "inspection", "unknown")] == ["nothing"] * 3
    assert before["unknown"]["rank"] is None
    delivered(firm, "inspection", 5_000)
    promoted(firm, "inspection", gates=["baseline", "latency"])
    delivered(firm, "warehouse", 5_000, synthetic=True)
    after = own(firm)
    assert (after["inspection"]["feasibility"], after["inspection"]["months_to_first_result"]) == (pytest.approx(1.0), 0)
    known = {"data_rows": 5_000, "synthetic": False, "gates_passed": 2, "champion": 1, "stock": None}
    assert after["inspection"]["evidence"] == known
    assert after["warehouse"]["feasibility"] == 0.2
    assert before["warehouse"]["rank"] < before["inspection"]["rank"]
    assert after["inspection"]["rank"] < after["warehouse"]["rank"]


def test_ideas_stand_beside_projects_and_a_broken_one_keeps_nobody_out(firm: Workshop) -> None:
    title = {"de": "Idee", "en": "Idea"}
    ideas = [
        {"name": "new_layout", "title": title, "benefit": WAREHOUSE, "feasibility": 0.4},
        {"name": "boastful", "title": title, "feasibility": 0.9},
        {"name": "warehouse", "title": title},
        "a mere word",
    ]
    (firm.work / "ideas.yaml").write_text(yaml.safe_dump(ideas), encoding="utf-8")
    write(firm, "broken", {"cases_per_year": -1})
    places = firm.done("roadmap", "portfolio", "--json").document["portfolio"]
    found = {(one["name"], one["kind"]): one for one in places}
    assert (found["new_layout", "idea"]["feasibility"], found["new_layout", "idea"]["basis"]) == (0.4, "estimate")
    assert found["new_layout", "idea"]["rank"] < found["warehouse", "project"]["rank"]
    assert "less than or equal to 0.5 (found '0.9')" in found["boastful", "idea"]["error"]
    assert "which is taken already" in found["warehouse", "idea"]["error"]
    assert "Idea 4" in found["4", "idea"]["error"]
    assert "cases_per_year" in found["broken", "project"]["error"]
    told = firm.done("roadmap", "portfolio", "--language", "de").told
    assert "broken ließ sich nicht lesen" in told
    assert "new_layout (Idee)" in told


@pytest.mark.parametrize(("content", "told"), [("a: [", "not readable YAML"), ("name: x", "no list of ideas")])
def test_a_file_of_ideas_that_is_none_is_told(firm: Workshop, content: str, told: str) -> None:
    (firm.work / "ideas.yaml").write_text(content, encoding="utf-8")
    assert told in own(firm)["ideas.yaml"]["error"]


def test_readiness_and_inventory_move_what_nobody_has_tried(firm: Workshop) -> None:
    (firm.work / "readiness.yaml").write_text(
        yaml.safe_dump({"answers": dict.fromkeys(questionnaire().questions, 4)}), encoding="utf-8"
    )
    found = own(firm)["warehouse"]
    assert (found["basis"], found["feasibility"]) == ("readiness", pytest.approx(0.3))
    stock = {"datasets": [{"name": "parts", "path": str(firm.work / "parts.csv"), "found": {"rows": 900, "verdict": "good"}}]}
    (firm.work / "inventory").mkdir()
    (firm.work / "inventory" / "inventory.yaml").write_text(yaml.safe_dump(stock), encoding="utf-8")
    found = own(firm)["warehouse"]
    assert (found["basis"], found["evidence"]["stock"], found["feasibility"]) == ("evidence", "good", pytest.approx(0.45))


@pytest.mark.parametrize("language", ["de", "en"])
def test_the_matrix_is_a_picture_or_a_page_with_its_table(firm: Workshop, language: str) -> None:
    for name in ("portfolio.png", "portfolio.html"):
        firm.done("roadmap", "portfolio", "--picture", firm.work / name, "--language", language)
    assert (firm.work / "portfolio.png").read_bytes().startswith(b"\x89PNG")
    page = (firm.work / "portfolio.html").read_text(encoding="utf-8")
    assert "Case &lt;a&gt;" in page or "Fall &lt;ä&gt;" in page
    assert "data:image/png;base64," in page


def test_a_matrix_of_another_kind_of_file_is_refused(firm: Workshop) -> None:
    made = firm("roadmap", "portfolio", "--picture", firm.work / "portfolio.docx")
    assert (made.code, "ends in .png or .html" in made.told) == (2, True)

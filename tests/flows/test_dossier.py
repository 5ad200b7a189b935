"""The dossier: one content, two forms, every figure with its source, and nothing claimed that nobody filled in."""

import json
import re
from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from workshop import Workshop

from flows.dossier.content import Cell, Document
from flows.dossier.document import document
from flows.dossier.facts import Facts, gather
from flows.dossier.html import to_html
from flows.dossier.pdf import to_pdf
from infra.settings import Settings, load_settings
from leitstand.risk import Risk, classify
from leitstand.texts import LANGUAGES, Language


def settings(workshop: Workshop) -> Settings:
    return load_settings(home=workshop.home, workspace=workshop.work, database_url=None, mlflow_url=None)


@pytest.fixture(scope="module")
def facts(trained_parts: Workshop) -> Facts:
    return gather("parts", settings(trained_parts))


def cells(part: Any) -> list[Cell]:
    if isinstance(part, Cell):
        return [part]
    if isinstance(part, tuple | list):
        return [cell for one in part for cell in cells(one)]
    return [cell for field in fields(part) for cell in cells(getattr(part, field.name))] if is_dataclass(part) else []


def section(made: Document, id: str) -> list[Cell]:
    return cells(next(one for one in made.sections if one.id == id))


class Links(HTMLParser):
    """Collects ids and the places that links lead to; an unclosed tag is found by counting."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.ids += [told["id"]] if told.get("id") else []
        self.targets += [told["href"]] if tag == "a" and told.get("href") else []
        if tag not in ("meta", "img", "col", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_link_leads_somewhere_in_the_page(facts: Facts, language: Language) -> None:
    page = Links()
    page.feed(to_html(document(facts, language, "parts.cdx.json")))
    assert not page.open
    assert len(page.ids) == len(set(page.ids))
    assert {target.removeprefix("#") for target in page.targets} <= set(page.ids)
    assert any(target.startswith("#evidence-") for target in page.targets)


def test_figures_of_the_model_point_to_the_run_that_made_them(facts: Facts) -> None:
    made = document(facts, "en", "parts.cdx.json")
    assert facts.pilot is not None
    figures = [cell for cell in section(made, "figures") if re.fullmatch(r"[\d.,]+", cell.text)]
    assert figures
    assert all(cell.sources == (facts.pilot.number,) for cell in figures)
    listed = [cell.text for cell in section(made, "evidence")]
    assert {facts.pilot.run_id, facts.pilot.data_version} <= set(listed)


def test_what_nobody_filled_in_says_so(facts: Facts) -> None:
    made = document(facts, "en", "parts.cdx.json")
    missing = {cell.text for cell in section(made, "operation") if cell.missing}
    assert "not filled in" in missing
    assert any(cell.text == "not classified yet" for cell in section(made, "summary"))
    assert sum(cell.missing for cell in section(made, "ai_act")) >= 9  # no question on the risk is answered


def test_gaps_of_the_technical_documentation_are_named(facts: Facts) -> None:
    told = [cell.text for cell in section(document(facts, "en", "parts.cdx.json"), "annex")]
    assert {"evidence", "in part", "gap"} <= set(told)
    risk_management = told.index("Risk management system after Art. 9")
    assert told[risk_management + 1] == "gap"


def test_a_high_risk_class_brings_its_articles(facts: Facts) -> None:
    risk = Risk(role="provider", safety_component="yes", third_party_assessment="yes")
    changed = replace(facts, spec=facts.spec.model_copy(update={"risk": risk}), classification=classify(risk))
    told = [cell.text for cell in section(document(changed, "de", "x"), "duties")]
    assert {"Art. 9", "Art. 14, 26 Abs. 2", "02.08.2027"} <= set(told)


def test_calibrated_probabilities_are_told_of(facts: Facts) -> None:
    assert facts.card is not None
    calibrated = replace(facts, card=facts.card.model_copy(update={"temperature": 1.4}))
    as_they_are = replace(facts, card=facts.card.model_copy(update={"temperature": None}))
    told = [" ".join(cell.text for cell in section(document(one, "de", "x"), "explanation")) for one in (calibrated, as_they_are)]
    assert "Temperatur 1,4)" in told[0]
    assert "kalibriert" not in told[1]


def test_equal_evidence_gives_equal_files(facts: Facts) -> None:
    assert facts.bom is not None
    for write in (to_html, to_pdf):
        assert write(document(facts, "de", "x")) == write(document(facts, "de", "x"))


def test_the_pdf_has_fonts_within_and_a_bookmark_for_every_section(facts: Facts) -> None:
    made = document(facts, "de", "parts.cdx.json")
    content = to_pdf(made)
    assert content.startswith(b"%PDF-")
    assert content.count(b"/FontFile2") >= 2
    assert len(re.findall(rb"/Title \(", content)) >= len(made.sections)


def test_the_bill_of_materials_is_valid_and_names_the_model(facts: Facts) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    assert facts.bom is not None
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(facts.bom.document) is None
    components = json.loads(facts.bom.document)["components"]
    (model,) = [one for one in components if one["type"] == "machine-learning-model"]
    assert model["hashes"] == [{"alg": "SHA-256", "content": facts.model["sha256"]}]
    assert {"scikit-learn", "pandas"} <= {one["name"] for one in components}
    assert "mlflow" not in {one["name"] for one in components}


def test_the_command_writes_both_files_and_says_where(own_parts: Workshop, tmp_path: Path) -> None:
    output = tmp_path / "a folder" / "parts.pdf"
    told = own_parts.done("roadmap", "dossier", "parts", "--language", "de", "--output", output, "--json").document
    assert (told["format"], told["language"], told["risk_class"]) == ("pdf", "de", "unclassified")
    assert output.read_bytes().startswith(b"%PDF-")
    assert Path(told["bom"]) == output.with_name("parts.cdx.json")
    assert Path(told["bom"]).is_file()


def test_a_project_without_any_run_has_a_dossier_that_says_so(own_parts: Workshop) -> None:
    told = own_parts.done("roadmap", "dossier", "cell_diagnostics", "--json").document
    page = Path(told["dossier"]).read_text(encoding="utf-8")
    assert "No run has got here yet" in page
    assert "no evidence" in page
    assert set(told["milestones"].values()) == {"none"}


def test_wrong_calls_are_told(own_parts: Workshop, tmp_path: Path) -> None:
    made = own_parts("roadmap", "dossier", "parts", "--format", "docx")
    assert (made.code, "html, pdf" in made.told) == (2, True)
    blocked = tmp_path / "file"
    blocked.write_text("x")
    made = own_parts("roadmap", "dossier", "parts", "--output", blocked / "parts.html")
    assert (made.code, "could not be written" in made.told) == (2, True)

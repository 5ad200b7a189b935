"""The documents against the code they describe."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from flows.schema import PATH, run_schema
from leitstand.spec import ProjectSpec

ROOT = Path(__file__).parents[2]
ROOMS = ("docs", "projects", "data_contracts", "infra", "serving", "monitoring", "flows", "benchmarks")
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")


def keys(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield name
        for inner in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from keys(inner)


@pytest.mark.parametrize("key", sorted(set(keys(ProjectSpec)) - {"de", "en"}))
def test_every_key_of_project_yaml_is_explained(key: str) -> None:
    explained = (ROOT / "docs" / "project.md").read_text(encoding="utf-8")
    assert re.search(rf"[`.]{key}[`.]|#.*\b{key}\b", explained)


def test_the_schema_of_a_run_is_the_one_in_docs() -> None:
    assert PATH.read_text(encoding="utf-8") == run_schema(), "renew it with: python -m flows.schema"


def test_the_readme_starts_with_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.index("make demo") < text.index("make test") < 1500


def test_every_link_from_a_document_leads_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(page for folder in ROOMS for page in (ROOT / folder).rglob("*.md"))]
    links = [(page, target) for page in pages for target in LINK.findall(page.read_text(encoding="utf-8"))]
    assert len(links) > 50
    assert [f"{page.relative_to(ROOT)}: {target}" for page, target in links if not (page.parent / target).exists()] == []

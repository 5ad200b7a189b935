from pathlib import Path

import pytest

from leitstand.contract import Column, Contract
from leitstand.fingerprints import changed, digest, fingerprints
from leitstand.spec import ProjectSpec, parse_spec

CONTRACT = Contract(id="c", table="t", columns=(Column(name="x", type="number"), Column(name="y", type="string")))
CONTENT = {
    "project": "p",
    "title": {"de": "P", "en": "P"},
    "task": "classification",
    "owner": {"name": "Ada"},
    "key_figure": {"name": {"de": "K", "en": "K"}, "unit": "min", "today": 1},
    "data": {"sources": {"t": {"file": "t.csv"}}, "target": "y"},
}


def spec(**changes: object) -> ProjectSpec:
    return parse_spec(CONTENT | changes, Path("project.yaml"))


def differing(one: ProjectSpec, other: ProjectSpec) -> set[str]:
    first, second = fingerprints(one, CONTRACT, {}), fingerprints(other, CONTRACT, {})
    return {name for name in first if first[name] != second[name]}


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"owner": {"name": "Grace"}}, {"owner"}),
        ({"benefit": {"cases_per_year": 10}}, {"benefit"}),
        ({"success": [{"metric": "recall", "at_least": 0.9}]}, {"rules"}),
        ({"data": CONTENT["data"] | {"slices": ["x"]}}, {"rules"}),  # type: ignore[operator]
        ({"when_it_errs": {"contact": "Ada"}}, {"operation"}),
        ({"title": {"de": "Q", "en": "Q"}}, set()),
        ({"data": {"sources": {"t": {"file": "elsewhere.csv"}}, "target": "y"}}, set()),
        ({"training": {"confidence": 0.9}}, set()),  # its default, written out
    ],
)
def test_a_change_shows_in_the_section_that_it_belongs_to(changes: dict[str, object], names: set[str]) -> None:
    assert differing(spec(), spec(**changes)) == names


def test_a_file_that_came_or_went_is_a_change() -> None:
    known = {"sourcing": "a", "owner": "a"}
    assert changed(known, known, "M3") == ()
    assert changed(known, {**known, "readiness": "b"}, "M3") == ("readiness",)
    assert changed({**known, "readiness": "b"}, known, "M3") == ("readiness",)


def test_the_order_of_keys_does_not_matter() -> None:
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 1, "b": [3]})

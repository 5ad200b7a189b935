from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from infra.evidence import EvidenceStore
from leitstand.errors import StateError
from leitstand.milestones import milestone


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'history.db'}"


@pytest.fixture
def store(url: str) -> Iterator[EvidenceStore]:
    made = EvidenceStore(url)
    yield made
    made.close()


def write(store: EvidenceStore, project: str = "p") -> None:
    first = milestone("M1", "passed", 0.1, {"rows": 3, "owner": "Ülkü"})
    second = milestone("M2", "open", 0.1, missing=("benefit",))
    entries = [(first, {"data": "a"}, {"data": {"rows": 3}}), (second, {}, {})]
    store.append(project, entries, run_id="r", data_version="d", model_version=1)


def test_evidence_comes_back_as_it_was_written(store: EvidenceStore) -> None:
    write(store)
    first, second = store.read("p")
    assert (first.number, first.milestone, first.verdict, first.evidence) == (1, "M1", "passed", {"rows": 3, "owner": "Ülkü"})
    assert (first.fingerprints, first.details, first.run_id) == ({"data": "a"}, {"data": {"rows": 3}}, "r")
    assert (second.number, second.missing, second.model_version) == (2, ("benefit",), 1)
    assert first.time.tzinfo is not None


def test_each_project_has_evidence_of_its_own(store: EvidenceStore) -> None:
    write(store)
    write(store, "q")
    write(store)
    assert [one.number for one in store.read("p")] == [1, 2, 3, 4]
    assert [one.number for one in store.read("q")] == [1, 2]
    assert store.read("nothing") == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE leitstand_evidence SET verdict = 'passed' WHERE number = 2",
        "UPDATE leitstand_evidence SET content = replace(content, '3', '3000') WHERE number = 1",
        "DELETE FROM leitstand_evidence WHERE number = 1",
    ],
)
def test_a_status_typed_in_is_found(store: EvidenceStore, url: str, change: str) -> None:
    write(store)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(change))
    engine.dispose()
    with pytest.raises(StateError, match="evidence of p was changed from outside"):
        store.read("p")


def test_evidence_is_kept_on_postgresql_too(postgresql_url: str) -> None:
    store = EvidenceStore(postgresql_url)
    write(store)
    assert [one.milestone for one in store.read("p")] == ["M1", "M2"]
    store.close()

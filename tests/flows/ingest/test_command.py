"""``leitstand ingest`` as a person and as a script see it."""

from typing import Any

import numpy as np
import pytest
from workshop import Workshop


@pytest.fixture
def workshop(plant: Any) -> Workshop:
    return Workshop(plant.folder, {"LEITSTAND_LANGUAGE": "en"})


def test_a_person_reads_what_came_and_decides_about_what_waits(plant: Any, workshop: Workshop, delivered: Any) -> None:
    workshop.done("ingest", "parts", "--json")
    plant.drop(delivered(30, 12), "good.csv")
    plant.drop(delivered(36, 12, pressure=np.nan), "poison.csv")
    told = workshop.done("ingest", "parts", "--dry-run").told
    assert "good.csv" in told
    assert "Nothing was changed" in told
    told = workshop.done("ingest", "parts").told
    assert "No. 3 'poison.csv' is held back. The columns pressure are empty in all 12 rows" in told
    assert "--accept 3" in told
    assert "72 rows" in told
    german = workshop.done("ingest", "parts", "--language", "de").told
    assert "Nr. 3 'poison.csv' ist zurückgehalten" in german
    assert "nichts Neues" in german
    document = workshop.done("ingest", "parts", "--accept", "3", "--json").document
    assert (document["rows_added"], document["waiting"], document["rows"]) == (12, [], 84)
    assert "Nothing new" in workshop.done("ingest", "parts").told


def test_a_script_gets_one_document(plant: Any, workshop: Workshop, delivered: Any) -> None:
    plant.drop(delivered(28, 12, pressure=7.0), "day.csv")
    document = workshop.done("ingest", "parts", "--json").document
    assert (document["rows_added"], document["rows_corrected"], document["labelled_rows_added"]) == (68, 4, 68)
    assert [(one["kind"], one["state"], one["why"]) for one in document["deliveries"]] == [
        ("sources", "taken", None),
        ("file", "taken", None),
    ]
    plant.drop(delivered(50, 12, pressure=np.nan), "poison.csv")
    held = workshop.done("ingest", "parts", "--json").document
    assert (held["waiting"][0]["fault"], held["data_version"]) == ("column_empty", None)
    refused = workshop.done("ingest", "parts", "--refuse", "poison.csv", "--json").document
    assert refused["state"] == "refused"


def test_wrong_calls_say_what_is_right(workshop: Workshop) -> None:
    both = workshop("ingest", "parts", "--accept", "1", "--refuse", "1")
    assert (both.code, "exclude each other" in both.told) == (2, True)
    unknown = workshop("ingest", "parts", "--accept", "9")
    assert (unknown.code, "no delivery that is held back '9'" in unknown.told) == (2, True)


def test_versions_are_shown_and_those_that_nothing_needs_deleted(plant: Any, workshop: Workshop, delivered: Any) -> None:
    for day in range(3):
        plant.drop(delivered(30 + 6 * day, 12), f"day {day}.csv")
        plant.ingest()
    told = workshop.done("data", "versions", "parts", "--json").document["versions"]
    names = [one["version"] for one in told]
    assert [one.get("grown_from") for one in told] == [None, *names[:2]]
    assert names[2][:12] in workshop.done("data", "versions", "parts").told
    assert "2 data versions would be deleted" in workshop.done("data", "prune", "parts", "--keep", "1").told
    assert workshop.done("data", "prune", "parts", "--keep", "1", "--yes", "--json").document == {
        "project": "parts", "versions": names[:2], "deleted": True,
    }  # fmt: skip
    assert [one["here"] for one in workshop.done("data", "versions", "parts", "--json").document["versions"]] == [
        False,
        False,
        True,
    ]
    assert len(plant.table()) == 96

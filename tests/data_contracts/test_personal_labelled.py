"""How well personal data are found, on columns of which it is known; and that sensors are not taken for people."""

import os
from pathlib import Path

import pytest
from labelled import labelled, measured

from data_contracts.inventory.found import DataSet
from data_contracts.inventory.places import walk
from data_contracts.inventory.stocktaking import Piece, pieces_in, read_piece
from data_contracts.inventory.workbench import Workbench
from data_contracts.personal import find_personal

SENSORS = ("cooling_tower", "process_anomaly", "virtual_sensor", "raw_material_planning", "stream_summaries")
REAL = os.environ.get("LEITSTAND_REAL_DATA")


@pytest.fixture(scope="module")
def figures() -> dict[str, tuple[float, float]]:
    return measured(list(labelled()))


@pytest.mark.parametrize("kind", ["address", "email", "iban", "licence_plate", "name", "phone", "tax_id"])
def test_what_is_called_personal_is_by_values_alone(figures: dict[str, tuple[float, float]], kind: str) -> None:
    precision, recall = figures[kind]
    assert precision >= 0.97
    assert recall >= (0.8 if kind == "name" else 0.9)


@pytest.mark.parametrize(
    ("name", "texts", "kind"),
    [
        ("vorname", ["Jörn", "Swantje", "Ole", "Fiete", "Anna", "Uwe"], "name"),
        ("nachname", ["Austermühle", "Möchlichen", "Müller", "Trub", "Koch", "Weber"], "name"),
        ("license plate", ["7ABC123", "KTX 4821", "8 XY 221"], "licence_plate"),
        ("Fax", ["030 1234567"], "phone"),
        ("Vorstrafen", ["0", "1"], "criminal"),
        ("krankheitstage", [], "health"),
        ("customer_id", ["1", "2"], "identifier"),
    ],
)
def test_a_name_helps_the_values(name: str, texts: list[str], kind: str) -> None:
    found = find_personal(name, texts)
    assert found is not None
    assert found.kind == kind


@pytest.mark.skipif(REAL is None, reason="LEITSTAND_REAL_DATA names no folder of real data")
@pytest.mark.parametrize("project", SENSORS)
def test_no_sensor_is_taken_for_a_person(project: str, tmp_path: Path) -> None:
    bench = Workbench(tmp_path)
    found: list[DataSet] = []
    try:
        for piece in pieces_in(walk(Path(str(REAL)) / project)):
            if isinstance(piece, Piece) and piece.format == "csv":
                found += read_piece(bench, piece)
    finally:
        bench.close()
    assert found
    assert [(one.name, column.name) for one in found for column in one.columns if column.personal or column.mentions] == []

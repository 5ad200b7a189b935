"""Rows from a database table and from the service; several places at once."""

import json
import sqlite3
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import pytest

from infra.bookmarks import Overlap, are_past, bookmark_after, fresh_rows, read_bookmark
from infra.received import Received

SQLITE = {"folder": None, "table": "lines", "key": "id", "overlap_keys": 3}


def connect(plant: Any) -> sqlite3.Connection:
    return sqlite3.connect(plant.folder / "erp.db")


def write(plant: Any, frame: pd.DataFrame, first: int) -> None:
    """Append rows to the company's table, numbered from ``first`` on."""
    with connect(plant) as connection:
        numbered = frame.assign(id=range(first, first + len(frame)))
        numbered.to_sql("lines", connection, if_exists="append", index=False)
    connection.close()


@pytest.fixture
def erp(plant: Any, delivered: Any) -> Any:
    write(plant, delivered(30, 10), 1)
    incoming = SQLITE | {"database": f"sqlite:///{plant.folder / 'erp.db'}"}
    plant.project(extra="ignore", incoming=incoming)
    return plant


def test_rows_since_the_last_key_come_in_once(erp: Any, delivered: Any) -> None:
    assert [one.added for one in erp.ingest().deliveries] == [60, 10]
    assert erp.ingest().deliveries == ()
    write(erp, delivered(35, 4), 11)
    found = erp.ingest()
    assert [(one.kind, one.rows, one.added) for one in found.deliveries] == [("table", 4, 4)]
    assert erp.ingest().deliveries == ()


def test_rows_that_come_late_within_the_overlap_are_found_also_without_a_key(erp: Any, delivered: Any) -> None:
    erp.project(key=False, extra="ignore", incoming=SQLITE | {"database": f"sqlite:///{erp.folder / 'erp.db'}"})
    erp.ingest()
    write(erp, delivered(36, 2), 13)
    assert erp.ingest().rows_added == 2
    write(erp, delivered(35, 2), 11)  # a transaction that took its numbers earlier and ended later
    assert erp.ingest().rows_added == 2
    assert erp.ingest().deliveries == ()
    assert len(erp.table()) == 74


def test_a_row_corrected_in_place_is_found_within_the_overlap(erp: Any) -> None:
    erp.ingest()
    with connect(erp) as connection:
        connection.execute("UPDATE lines SET pressure = 9.5 WHERE id = 9")
    connection.close()
    found = erp.ingest()
    assert (found.rows_corrected, found.rows_added) == (1, 0)
    assert 9.5 in erp.table()["pressure"].tolist()


def test_a_row_that_is_changed_back_and_forth_is_corrected_each_time(erp: Any) -> None:
    erp.ingest()
    for pressure in (9.5, 9.0, 9.5, 9.0, 9.5):
        with connect(erp) as connection:
            connection.execute("UPDATE lines SET pressure = ? WHERE id = 9", (pressure,))
        connection.close()
        assert erp.ingest().rows_corrected == 1
        assert pressure in erp.table()["pressure"].tolist()


def test_a_query_is_asked_by_time(erp: Any, delivered: Any) -> None:
    query = "SELECT time, line, pressure, count, good, hardness FROM lines WHERE line <> 'X';"
    place = {"database": f"sqlite:///{erp.folder / 'erp.db'}", "query": query, "time": "time", "overlap_hours": 2}
    erp.project(incoming=place)
    erp.ingest()
    write(erp, delivered(34, 6), 11)
    assert erp.ingest().rows_added == 4
    assert erp.ingest().deliveries == ()


def test_a_database_that_is_away_is_said_and_its_rows_come_with_the_next_pass(erp: Any, delivered: Any) -> None:
    erp.project(
        extra="ignore",
        incoming=SQLITE | {"database": f"sqlite:///{erp.folder / 'erp.db'}", "folder": "incoming", "settle_seconds": 0},
    )
    erp.ingest()
    (erp.folder / "erp.db").rename(erp.folder / "away.db")
    erp.drop(delivered(50, 4).assign(id=1), "day.csv")
    found = erp.ingest()
    assert "erp.db" in str(found.missed["lines"])
    assert found.rows_added == 4
    (erp.folder / "away.db").rename(erp.folder / "erp.db")
    write(erp, delivered(35, 4), 11)
    assert erp.ingest().rows_added == 4


def test_a_table_that_is_the_source_itself_is_read_once(erp: Any, delivered: Any) -> None:
    place = {"database": f"sqlite:///{erp.folder / 'erp.db'}", "table": "lines"}
    erp.project(extra="ignore", sources={"main": place}, incoming=place | {"key": "id"})
    assert [(one.kind, one.added) for one in erp.ingest().deliveries] == [("table", 10)]
    write(erp, delivered(35, 4), 11)
    assert erp.ingest().rows_added == 4


def test_a_poisoned_read_is_held_back_and_kept_though_the_bookmark_goes_on(erp: Any, delivered: Any) -> None:
    from flows.ingest import decide

    erp.ingest()
    write(erp, delivered(35, 20, pressure=None), 11)
    held = erp.ingest()
    assert [one.fault for one in held.waiting] == ["column_empty"]
    write(erp, delivered(45, 4), 31)
    assert erp.ingest().rows_added == 4
    with connect(erp) as connection:
        connection.execute("DELETE FROM lines")
    connection.close()
    decide(erp.desk, str(held.waiting[0].number), "allowed", "Ada")
    assert erp.ingest().rows_added == 20


@pytest.mark.parametrize("pressure", [40.5, 999.0], ids=["accepted", "rejected"])
def test_a_mistyped_date_hides_nothing_that_comes_after_it(erp: Any, delivered: Any, pressure: float) -> None:
    place = {"database": f"sqlite:///{erp.folder / 'erp.db'}", "table": "lines", "time": "time", "overlap_hours": 2}
    erp.project(extra="ignore", incoming=place)
    erp.ingest()
    write(erp, delivered(40, 1, time="2062-01-07 06:00", pressure=pressure), 11)
    found = erp.ingest()
    assert (found.rows_added, found.rows_quarantined) == ((1, 0) if pressure < 100 else (0, 1))
    assert erp.ingest().deliveries == ()
    for first in (35, 60, 90):
        write(erp, delivered(first, 4), first)
        found = erp.ingest()
        assert (found.rows_added, found.rows_quarantined) == (4, 0)
        assert erp.ingest().deliveries == ()


def test_a_key_that_jumps_in_a_rejected_row_hides_nothing_that_comes_after_it(erp: Any, delivered: Any) -> None:
    erp.ingest()
    write(erp, delivered(35, 1, pressure=999.0), 2_000_000_000)
    assert erp.ingest().rows_quarantined == 1
    write(erp, delivered(36, 4), 11)
    found = erp.ingest()
    assert (found.rows_added, found.rows_quarantined) == (4, 0)
    assert erp.ingest().deliveries == ()


def test_a_first_reading_of_which_nothing_comes_in_is_taken_once(plant: Any, delivered: Any) -> None:
    write(plant, delivered(30, 1, pressure=999.0), 1)
    plant.project(extra="ignore", incoming=SQLITE | {"database": f"sqlite:///{plant.folder / 'erp.db'}"})
    assert plant.ingest().rows_quarantined == 1
    assert plant.ingest().deliveries == ()
    write(plant, delivered(36, 4), 2)
    assert plant.ingest().rows_added == 4


@pytest.mark.postgresql
def test_all_state_and_the_companys_table_on_postgresql(
    new_plant: Any, postgresql_url: str, delivered: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ERP_URL", postgresql_url)
    plant = new_plant(database_url=postgresql_url)
    plant.project(incoming={"database": "env:ERP_URL", "table": "lines", "time": "time", "overlap_hours": 1})
    with psycopg.connect(postgresql_url) as connection:
        connection.execute(
            "CREATE TABLE lines (time timestamptz, line text, pressure float8, count int, good bool, hardness numeric)"
        )

        def write(frame: pd.DataFrame) -> None:
            for row in frame.itertuples(index=False):
                values = [value.item() if hasattr(value, "item") else value for value in row]
                connection.execute("INSERT INTO lines VALUES (%s::timestamp AT TIME ZONE 'UTC', %s, %s, %s, %s, %s)", values)
            connection.commit()

        write(delivered(30, 10))
        assert plant.ingest().rows_added == 70
        assert plant.ingest().deliveries == ()
        write(delivered(34, 6))
        found = plant.ingest()
    assert (found.rows_added, found.rows_corrected) == (4, 0)
    assert plant.ingest().deliveries == ()
    assert list(plant.settings.root.glob("*.db")) == []
    assert len(plant.table()) == 74


def sent(plant: Any, frame: pd.DataFrame, id_: str, client: str = "shop") -> None:
    received = Received(plant.settings.database("history"))
    received.keep("parts", id_, json.dumps(json.loads(frame.to_json(orient="records"))), len(frame), client)
    received.close()


def test_received_rows_come_in_once_and_the_last_request_of_a_key_counts(plant: Any, delivered: Any) -> None:
    plant.project(incoming={"api": True})
    plant.ingest()
    sent(plant, delivered(30, 24), "a")
    sent(plant, delivered(31, 2, pressure=3.0), "b")
    sent(plant, delivered(31, 2, pressure=300.0), "c")
    found = plant.ingest()
    assert (found.rows_added, found.rows_outdated, found.rows_quarantined) == (24, 2, 2)
    assert plant.table()["pressure"].tolist().count(3.0) == 2
    assert plant.ingest().deliveries == ()


def test_held_requests_wait_apart_from_later_ones(plant: Any, delivered: Any) -> None:
    from flows.ingest import decide

    plant.project(incoming={"api": True})
    plant.ingest()
    sent(plant, delivered(30, 12, pressure=None), "a")
    number = plant.ingest().waiting[0].number
    sent(plant, delivered(40, 4), "b")
    assert plant.ingest().rows_added == 4
    decide(plant.desk, str(number), "allowed", "Ada")
    assert plant.ingest().rows_added == 12


def test_one_senders_doubtful_rows_hold_back_nobody_elses(plant: Any, delivered: Any) -> None:
    plant.project(incoming={"api": True})
    plant.ingest()
    sent(plant, delivered(30, 12), "a", client="press")
    sent(plant, delivered(36, 24, pressure=-5.0), "b", client="oven")
    sent(plant, delivered(42, 12), "c", client="press")
    found = plant.ingest()
    assert (found.rows_added, [one.rows for one in found.waiting]) == (24, [24])
    assert plant.ingest().deliveries == ()


def test_a_bookmark_survives_as_text_and_knows_rows_however_a_driver_gives_them() -> None:
    rows, back = pd.DataFrame({"id": [1, 2, 2], "x": [1.0, None, None]}), Overlap(5, 0)
    assert fresh_rows(rows, None).all()
    mark = bookmark_after(rows, "id", None, back, np.ones(3, dtype=bool))
    assert mark.value == 2
    assert not fresh_rows(rows.astype({"id": object, "x": object}), read_bookmark(mark.text())).any()
    more = pd.concat([rows, rows.tail(1), pd.DataFrame({"id": [9], "x": [1.0]})], ignore_index=True)
    assert more[fresh_rows(more, mark)]["id"].tolist() == [2, 9]
    nowhere = read_bookmark(bookmark_after(rows, "id", None, back, np.zeros(3, dtype=bool)).text())
    assert (nowhere.value, fresh_rows(rows, nowhere).any()) == (None, False)


@pytest.mark.parametrize("form", [str, pd.Timestamp, lambda day: pd.Timestamp(day, tz="Europe/Berlin"), date.fromisoformat])
def test_a_time_to_come_does_not_move_the_bookmark_in_whatever_form_it_stands(form: Callable[[str], Any]) -> None:
    times = pd.Series([form("2020-01-02"), form("2262-01-01"), form("2020-01-01")], dtype=object)
    assert are_past(times).tolist() == [True, False, True]
    assert are_past(pd.Series(["9999-12-31", "unknown", None])).tolist() == [False, False, False]


def test_a_photo_in_a_delivered_folder_grows_with_the_table(new_plant: Any, delivered: Any) -> None:
    from data_contracts.odcs import write_contract
    from leitstand.contract import Column, Contract

    plant = new_plant()

    def photos(folder: Path, names: list[str]) -> None:
        folder.mkdir()
        for name in names:
            (folder / f"{name}.png").write_bytes(name.encode())
        pd.DataFrame({"name": names, "photo": [f"{name}.png" for name in names], "hardness": 1.0}).to_csv(
            folder / "manifest.csv", index=False
        )

    plant.project(sources={"main": {"folder": "first"}}, time=None, series=None)
    home = plant.work / "projects" / "parts" / "project.yaml"
    home.write_text(home.read_text().replace("strategy: time", "strategy: stratified"))
    key = Column(name="name", type="string", required=True, primary_key_position=1)
    columns = (key, Column(name="photo", type="file"), Column(name="hardness", type="number"))
    write_contract(Contract(id="parts", table="parts", columns=columns), plant.work / "data_contracts" / "parts.odcs.yaml")
    photos(plant.work / "first", ["a", "b"])
    photos(plant.incoming / "day 2", ["c"])
    assert plant.ingest().rows_added == 3
    photos(plant.incoming / "day 3", ["a", "d"])
    (plant.incoming / "day 3" / "b.png").write_bytes(b"new")
    found = plant.ingest()
    assert (found.rows_added, found.rows_unchanged + found.rows_corrected) == (1, 1)
    assert sorted(Path(path).read_bytes() for path in plant.table()["photo"]) == [b"a", b"b", b"c", b"d"]

"""Taking stock of files: what is found and figured, and that nothing bad stops it."""

import json
import os
import sqlite3
import wave
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pypdf import PdfWriter

from data_contracts.inventory import csv_table
from data_contracts.inventory.found import DataSet
from data_contracts.inventory.joins import find_joins
from data_contracts.inventory.places import walk
from data_contracts.inventory.stocktaking import Unread, pieces_in, read_piece, unread
from data_contracts.inventory.workbench import Workbench

ROWS = 400


def stock(path: Path, scratch: Path) -> dict[str, DataSet]:
    bench = Workbench(scratch)
    try:
        pieces = list(pieces_in(walk(path)))
        made = [found for one in pieces for found in ([unread(one)] if isinstance(one, Unread) else read_piece(bench, one))]
    finally:
        bench.close()
    return {f"{one.name}.{one.format}": one for one in made}


def orders() -> pd.DataFrame:
    start = datetime(2024, 1, 1)
    times = [start + timedelta(hours=hour + (100 if hour > 200 else 0)) for hour in range(ROWS)]
    random = np.random.default_rng(7)
    temperature = random.normal(20, 2, ROWS)
    temperature[[5, 50]] = 900.0
    return pd.DataFrame(
        {
            "order_id": range(1000, 1000 + ROWS),
            "measured_at": times,
            "article": [f"A-{number % 40:03d}" for number in range(ROWS)],
            "temperature": temperature.round(2),
            "speed_rpm": [None if 100 <= number < 150 else float(number % 7) for number in range(ROWS)],
            "site": "Kiel",
            "quality": ["ok" if number % 9 else "scrap" for number in range(ROWS)],
        }
    )


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a little of everything."""
    folder = tmp_path_factory.mktemp("plant")
    frame = orders()
    frame.to_csv(folder / "orders.csv", index=False)
    frame.to_parquet(folder / "orders.parquet")
    german = frame.head(60)[["order_id", "temperature"]].assign(datum=frame["measured_at"].dt.strftime("%d.%m.%Y %H:%M"))
    german.to_csv(folder / "deutsch.csv", sep=";", decimal=",", index=False, encoding="cp1252")
    pd.DataFrame({"article": [f"A-{number:03d}" for number in range(40)], "weight_kg": np.arange(40) / 3}).to_csv(
        folder / "articles.csv", index=False
    )
    records = [{"order_id": 1000 + number, "note": f"checked {number}"} for number in range(60)]
    (folder / "notes.json").write_text(json.dumps(records))
    (folder / "lines.jsonl").write_text("\n".join(json.dumps(one) for one in records))
    with pd.ExcelWriter(folder / "book.xlsx") as book:
        frame.head(30).to_excel(book, sheet_name="January", index=False)
        frame.tail(20).to_excel(book, sheet_name="February", index=False)
    (folder / "months").mkdir()
    for month in ("01", "02"):
        frame.head(50).to_csv(folder / "months" / f"{month}.csv", index=False)
    (folder / "sound").mkdir()
    for number in range(3):
        with wave.open(str(folder / "sound" / f"{number}.wav"), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(8000)
            out.writeframes(b"\0\0" * 4000)
    for label in ("good", "bad"):
        (folder / "photos" / label).mkdir(parents=True)
        Image.new("L", (32, 24)).save(folder / "photos" / label / "1.png")
    (folder / "clouds").mkdir()
    np.save(folder / "clouds" / "a.npy", np.zeros((50, 3)))
    (folder / "clouds" / "b.xyz").write_text("0 0 1\n1 2 3\n")
    (folder / "clouds" / "c.ply").write_text(
        "ply\nformat ascii 1.0\nelement vertex 7\nproperty float x\nproperty float y\nend_header\n"
    )
    (folder / "clouds" / "d.pcd").write_text("VERSION .7\nFIELDS x y z\nWIDTH 9\nHEIGHT 1\nPOINTS 9\nDATA ascii\n")
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    (folder / "papers").mkdir()
    writer.write(folder / "papers" / "one.pdf")
    return folder


@pytest.fixture(scope="module")
def found(plant: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, DataSet]:
    return stock(plant, tmp_path_factory.mktemp("scratch"))


def test_every_format_is_a_data_set_with_its_rows(found: dict[str, DataSet]) -> None:
    rows = {name: one.rows for name, one in found.items()}
    assert rows == {
        "orders.csv": ROWS, "orders.parquet": ROWS, "deutsch.csv": 60, "articles.csv": 40, "notes.json": 60, "lines.json": 60,
        "book – January.excel": 30, "book – February.excel": 20, "months.csv": 100, "sound.audio": 3, "photos.image": 2,
        "clouds.point_cloud": 4, "one.pdf": 1,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["orders.csv", "orders.parquet"])
def test_figures_are_what_the_rows_hold(found: dict[str, DataSet], name: str) -> None:
    one = found[name]
    assert one.keys[0] == ("order_id",)
    assert one.duplicates == 0
    types = {column.name: column.type for column in one.columns}
    assert types == {
        "order_id": "integer", "measured_at": "timestamp", "article": "string", "temperature": "number", "speed_rpm": "integer",
        "site": "string", "quality": "string",
    }  # fmt: skip
    speed, site, temperature = (one.column(label) for label in ("speed_rpm", "site", "temperature"))
    assert speed is not None
    assert site is not None
    assert temperature is not None
    assert (speed.missing, speed.unit, speed.unit_by) == (50, "1/min", "name")
    assert sum(speed.missing_blocks) > 0
    assert site.constant
    assert temperature.outliers == 2
    assert one.time is not None
    assert (one.time.step_seconds, one.time.gaps, one.time.longest_gap_seconds) == (3600, 1, 101 * 3600)
    assert one.targets[0].column == "quality"
    assert one.verdict is not None
    assert one.verdict.level == "good"


def test_german_numbers_and_dates_are_read(found: dict[str, DataSet]) -> None:
    one = found["deutsch.csv"]
    temperature = one.column("temperature")
    assert temperature is not None
    assert (temperature.type, temperature.unit, temperature.unit_by) == ("number", None, None)  # 900 fits no usual range
    assert one.time is not None
    assert one.time.first == datetime(2024, 1, 1)


def test_tables_with_the_same_columns_are_parts_of_one(found: dict[str, DataSet]) -> None:
    one = found["months.csv"]
    assert (one.files, one.duplicates) == (2, 50)


def test_files_are_rows_of_what_their_heads_say(found: dict[str, DataSet]) -> None:
    sound, photos, clouds = found["sound.audio"], found["photos.image"], found["clouds.point_cloud"]
    duration, folder, points = sound.column("duration_s"), photos.column("folder"), clouds.column("points")
    assert duration is not None
    assert duration.minimum == 0.5
    assert folder is not None
    assert folder.distinct == 2
    assert points is not None
    assert (points.minimum, points.maximum) == (2, 50)
    assert sound.time is None  # when a file was copied is no history


def test_joins_are_found_by_name_and_values(found: dict[str, DataSet]) -> None:
    joins = find_joins([found["orders.csv"], found["articles.csv"]])
    [join] = [one for one in joins if one.left_column == "article"]
    assert (join.left, join.right, join.overlap, join.unique) == ("orders", "articles", 1.0, True)


def test_a_contract_lets_in_the_data_it_was_proposed_from(found: dict[str, DataSet], plant: Path) -> None:
    from data_contracts.checking import check
    from data_contracts.reading import read_file
    from leitstand.spec import Source

    one = found["orders.csv"]
    assert one.contract is not None
    assert check(read_file(plant / "orders.csv", Source(file=plant / "orders.csv")), one.contract).passed


def bad(folder: Path) -> None:
    (folder / "zero.csv").write_text("")
    (folder / "head_only.csv").write_text("a,b\n")
    (folder / "binary.csv").write_bytes(bytes(range(256)) * 40)
    (folder / "broken.parquet").write_bytes(b"PAR1 no more")
    (folder / "broken.json").write_text('[{"a": 1}, {"a":')
    (folder / "broken.xlsx").write_bytes(b"PK\x03\x04 no workbook")
    (folder / "secret.xlsx").write_bytes(b"\xd0\xcf\x11\xe0" + "EncryptedPackage".encode("utf-16-le"))
    (folder / "ragged.csv").write_text("a,b\n" + "1,2\n" * 50 + "1,2,3\n" * 30)
    (folder / "twice.csv").write_text("a,a\n1,2\n3,4\n")
    (folder / "good.csv").write_text("a,b\n1,2\n3,4\n")
    (folder / "loop").symlink_to(folder)
    (folder / "nowhere.csv").symlink_to(folder / "gone.csv")
    (folder / "broken.db").write_bytes(b"SQLite format 3\x00" + b"x" * 200)
    os.mkfifo(folder / "pipe.csv")
    sounds = folder / "sounds"
    sounds.mkdir()
    (sounds / "empty.wav").write_bytes(b"")


def test_bad_input_is_a_row_that_says_why_and_stops_nothing(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    bad(tmp_path)
    found = stock(tmp_path, tmp_path_factory.mktemp("scratch"))
    said = {name: one.problem.key for name, one in found.items() if one.problem is not None}
    assert said == {
        "zero.csv": "contracts.file_empty", "head_only.csv": "contracts.no_rows", "binary.csv": "contracts.not_text",
        "broken.parquet": "inventory.unreadable", "broken.json": "inventory.unreadable", "broken.excel": "contracts.excel_unreadable",
        "secret.excel": "contracts.excel_password", "ragged.csv": "inventory.ragged", "twice.csv": "contracts.duplicate_columns",
        "nowhere.csv.folder": "inventory.link_broken", "empty.audio": "inventory.unreadable",
    }  # fmt: skip
    assert found["good.csv"].rows == 2
    assert found["zero.csv"].rows == 0
    for one in found.values():
        if one.problem is not None:
            assert one.verdict is not None
            assert one.verdict.level == "unusable"
            assert one.problem.render("de") != one.problem.render("en")


def test_a_file_of_one_endless_line_is_refused_by_its_beginning(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_table, "LONGEST_LINE", 1 << 16)
    with (tmp_path / "line.csv").open("wb") as out:
        out.write(b"1,2," * (1 << 15))
        out.truncate(1 << 30)  # sparse: whoever read it all would notice
    [one] = stock(tmp_path, tmp_path_factory.mktemp("scratch")).values()
    assert one.problem is not None
    assert one.problem.key == "inventory.endless_line"


def test_mixed_encodings_are_read_line_by_line_and_told(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    lines = [b"ort;menge\n"] + ["Köln;1\n".encode(), "Köln;2\n".encode("cp1252")] * 30
    (tmp_path / "mixed.csv").write_bytes(b"".join(lines))
    [one] = stock(tmp_path, tmp_path_factory.mktemp("scratch")).values()
    place = one.column("ort")
    assert place is not None
    assert (one.rows, place.distinct) == (60, 1)
    assert [note.key for note in one.notes] == ["inventory.note_mixed_encodings"]


def test_faults_in_a_column_of_numbers_are_counted(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (tmp_path / "faults.csv").write_text("id,value\n" + "".join(f"{i},{i / 2 if i % 50 else 'ERR'}\n" for i in range(1, 201)))
    [one] = stock(tmp_path, tmp_path_factory.mktemp("scratch")).values()
    value = one.column("value")
    assert value is not None
    assert (value.type, value.invalid, value.missing) == ("number", 4, 4)


def test_quotes_inside_prose_join_no_rows(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (tmp_path / "reviews.tsv").write_text("text\tlabel\n" + '"Great, he said.\t1\nA 12" pan.\t0\n' * 40)
    [one] = stock(tmp_path, tmp_path_factory.mktemp("scratch")).values()
    assert one.rows == 80


def test_quoted_line_ends_stay_inside_their_value(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (tmp_path / "quoted.csv").write_text("id,text\n" + "".join(f'{i},"two\nlines, ""quoted"""\n' for i in range(60)))
    [one] = stock(tmp_path, tmp_path_factory.mktemp("scratch")).values()
    assert one.rows == 60


def test_thumbnails_called_db_are_no_database(tmp_path: Path) -> None:
    (tmp_path / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0 thumbnails")
    with sqlite3.connect(tmp_path / "real.db") as connection:
        connection.execute("CREATE TABLE parts (id INTEGER PRIMARY KEY)")
    connection.close()
    folder = walk(tmp_path)
    assert [path.name for path in folder.files["sqlite"]] == ["real.db"]
    assert folder.others[".db"] == 1


def test_of_personal_data_no_single_value_is_told(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    born = [f"{1940 + number}-0{1 + number % 9}-1{number % 9}" for number in range(60)]
    who = ("Anna Müller", "Bernd Koch", "Jens Wolf", "Petra Kern")
    lines = [f"{who[number % 4]},anna{number}@firma.de,{born[number]},{3000 + number}" for number in range(60)]
    (tmp_path / "staff.csv").write_text("who,reach,x,salary\n" + "\n".join(lines))
    [one] = stock(tmp_path, tmp_path_factory.mktemp("scratch")).values()
    kinds = {column.name: column.personal.kind for column in one.personal if column.personal}
    assert kinds == {"who": "name", "reach": "email", "x": "birth_date", "salary": "money"}
    assert {(column.minimum, column.maximum) for column in one.columns} == {(None, None)}
    assert one.time is None

"""The data inventory from the command line: files, databases, what people entered, and the page."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from ruamel.yaml import YAML
from sqlalchemy import create_engine, text
from workshop import Workshop

from infra.databases import parse_url
from leitstand.spec import read_yaml

MACHINES = "machine_id,model,installed\n" + "".join(f"{i},M{i % 4},2020-01-{1 + i % 28:02d}\n" for i in range(1, 41))


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path, {"LEITSTAND_LANGUAGE": "en"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.mkdir()
    (made / "machines.csv").write_text(MACHINES)
    people = "".join(f"{i},Anna Müller,anna{i}@firma.de\n" for i in range(60))
    (made / "people.csv").write_text("person_id,contact,reach\n" + people)
    (made / "broken.csv").write_text("")
    return made


def test_the_document_names_every_data_set_with_verdict_and_error(workshop: Workshop, folder: Path) -> None:
    outcome = workshop("inventory", folder, "--output", workshop.work / "out", "--json")
    assert outcome.code == 0
    sets = {one["name"]: one for one in outcome.document["datasets"]}
    assert {"name", "path", "format", "rows", "columns", "personal_data", "verdict", "error"} <= set(sets["machines"])
    assert (sets["machines"]["format"], sets["machines"]["rows"], sets["machines"]["columns"]) == ("csv", 40, 3)
    assert sets["machines"]["keys"][0] == ["machine_id"]
    assert sets["machines"]["personal_data"] == []
    assert {(one["column"], one["kind"]) for one in sets["people"]["personal_data"]} == {("contact", "name"), ("reach", "email")}
    assert "is empty" in sets["broken"]["error"]
    assert sets["broken"]["verdict"]["level"] == "unusable"


def test_a_place_that_is_not_there_is_a_row_and_the_others_are_read(workshop: Workshop, folder: Path) -> None:
    outcome = workshop("inventory", "/no/such/place", "sqlite:////no/such.db", folder, "--json")
    assert outcome.code == 0
    errors = {one["path"]: one["error"] for one in outcome.document["datasets"] if one["error"]}
    assert "There is nothing at" in errors["/no/such/place"]
    assert "no/such.db" in errors["sqlite:////no/such.db"]
    alone = workshop("inventory", "/no/such/place", "--json")
    assert alone.code == 1
    assert alone.document["datasets"][0]["error"] == errors["/no/such/place"]


def test_what_people_entered_is_kept_and_what_was_found_is_renewed(workshop: Workshop, folder: Path) -> None:
    out = workshop.work / "out"
    workshop("inventory", folder, "--output", out)
    path = out / "inventory.yaml"
    loader = YAML()
    content = loader.load(path.read_text())
    [people] = [one for one in content["datasets"] if one["name"] == "people"]
    people["by_hand"]["owner"] = "Ms Weber"
    people["by_hand"]["columns"] = {"reach": {"personal_data": "none", "note": "shared mailbox"}}
    with path.open("w") as file:
        loader.dump(content, file)
    path.write_text(path.read_text().replace("owner: Ms Weber", "owner: Ms Weber # since May"))
    (folder / "people.csv").write_text("person_id,contact,reach\n1,Anna Müller,a@firma.de\n2,Bernd Koch,b@firma.de\n")
    again = workshop("inventory", folder, "--output", out, "--json")
    assert again.document["warnings"] == []
    assert "owner: Ms Weber # since May" in path.read_text()
    [people] = [one for one in read_yaml(path)["datasets"] if one["name"] == "people"]
    assert people["found"]["rows"] == 2
    assert people["by_hand"]["columns"]["reach"] == {"personal_data": "none", "note": "shared mailbox"}
    contract = yaml.safe_load((out / "contracts" / "people.odcs.yaml").read_text())
    reach = contract["schema"][0]["properties"][2]
    assert "classification" not in reach
    (folder / "people.csv").unlink()
    workshop("inventory", folder, "--output", out)
    [gone] = [one for one in read_yaml(path)["datasets"] if one["name"] == "people"]
    assert gone["found"] == {"state": "gone"}
    assert gone["by_hand"]["owner"] == "Ms Weber"


def test_an_unknown_key_is_told_and_kept(workshop: Workshop, folder: Path) -> None:
    out = workshop.work / "out"
    workshop("inventory", folder, "--output", out)
    path = out / "inventory.yaml"
    path.write_text(path.read_text().replace("owner:", "ownr: Ms Weber", 1))
    outcome = workshop("inventory", folder, "--output", out, "--json")
    assert outcome.code == 0
    assert re.search(r"the key 'ownr' is unknown .* kept. Did you mean: owner\?", outcome.document["warnings"][0])
    assert "ownr: Ms Weber" in path.read_text()


@pytest.mark.parametrize("content", ["datasets: [", "datasets: {a: 1}", "- 1"])
def test_a_broken_inventory_file_is_left_as_it_is(workshop: Workshop, folder: Path, content: str) -> None:
    out = workshop.work / "out"
    out.mkdir()
    (out / "inventory.yaml").write_text(content)
    outcome = workshop("inventory", folder, "--output", out)
    assert outcome.code == 1
    assert "inventory.yaml" in outcome.told
    assert (out / "inventory.yaml").read_text() == content


def test_the_page_loads_nothing_and_escapes_what_data_are_called(workshop: Workshop, folder: Path) -> None:
    (folder / "odd.csv").write_text("<script>alert(1)</script>,b\n" + "1,2\n" * 5)
    out = workshop.work / "out"
    workshop("inventory", folder, "--output", out)
    page = (out / "inventory.html").read_text()
    assert "<script" not in page
    assert not re.search(r"(?:src|href)=\"(?!#)", page)
    assert "default-src 'none'" in page
    assert page.count("<svg") >= 5


def test_nothing_to_look_at_is_wrong_usage(workshop: Workshop) -> None:
    outcome = workshop("inventory")
    assert outcome.code == 2
    assert "--project" in outcome.told


def test_a_projects_sources_are_looked_at_and_judged(workshop: Workshop) -> None:
    outcome = workshop("inventory", "--project", "virtual_sensor", "--json")
    assert outcome.code == 0
    [case] = outcome.document["use_cases"]
    assert case["project"] == "virtual_sensor"
    assert case["verdict"] == "enough"
    assert any("viscosity_mpas" in reason for reason in case["reasons"])


def test_columns_that_are_nowhere_are_what_to_start_recording(workshop: Workshop, folder: Path) -> None:
    outcome = workshop("inventory", folder, "--project", "virtual_sensor", "--json")
    [case] = outcome.document["use_cases"]
    assert case["verdict"] == "missing"
    assert "viscosity_mpas" in case["missing_columns"]
    assert any(one.startswith("Start recording: viscosity_mpas") for one in case["start_recording"])


def related(url: str) -> None:
    """Make three tables: machines, their orders, and measurements."""
    engine = create_engine(parse_url(url))
    with engine.begin() as connection:
        for statement in (
            "CREATE TABLE machines (machine_id INTEGER PRIMARY KEY, model TEXT, operator_mail TEXT)",
            "CREATE TABLE orders (order_id INTEGER PRIMARY KEY, machine_id INTEGER REFERENCES machines (machine_id), due DATE)",
            "CREATE TABLE measurements (measurement_id INTEGER PRIMARY KEY, order_id INTEGER REFERENCES orders (order_id), "
            "taken TIMESTAMP, temperature REAL)",
            "CREATE TABLE nothing_yet (a INTEGER)",
        ):
            connection.execute(text(statement))
        for number in range(1, 31):
            connection.execute(text(f"INSERT INTO machines VALUES ({number}, 'M{number % 3}', 'op{number}@firma.de')"))
        for number in range(1, 121):
            connection.execute(text(f"INSERT INTO orders VALUES ({number}, {1 + number % 30}, '2024-01-{1 + number % 28:02d}')"))
        for number in range(1, 301):
            taken = f"2024-03-{1 + number // 24:02d} {number % 24:02d}:00:00"
            connection.execute(
                text(f"INSERT INTO measurements VALUES ({number}, {1 + number % 120}, '{taken}', {20 + number % 9})")
            )
    engine.dispose()


@pytest.mark.postgresql
def test_related_tables_of_postgresql_keep_their_keys_and_a_table_without_rights_is_a_row(
    workshop: Workshop, postgresql_url: str
) -> None:
    related(postgresql_url)
    engine = create_engine(parse_url(postgresql_url))
    role = "reader_" + parse_url(postgresql_url).database  # type: ignore[operator]
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE salaries (person TEXT, eur INTEGER)"))
        connection.execute(text(f"CREATE ROLE {role} LOGIN PASSWORD 'read'"))
        connection.execute(text(f"GRANT SELECT ON machines, orders, measurements, nothing_yet TO {role}"))
    try:
        url = parse_url(postgresql_url).set(drivername="postgresql", username=role, password="read")
        workshop.environment["PLANT_URL"] = url.render_as_string(hide_password=False)
        outcome = workshop("inventory", "env:PLANT_URL", "--json")
        sets = {one["name"]: one for one in outcome.document["datasets"]}
        assert (sets["machines"]["rows"], sets["orders"]["rows"], sets["measurements"]["rows"]) == (30, 120, 300)
        assert sets["orders"]["keys"] == [["order_id"]]
        assert (sets["orders"]["first"], sets["orders"]["last"]) == ("2024-01-01T00:00:00", "2024-01-28T00:00:00")
        assert [one["kind"] for one in sets["machines"]["personal_data"]] == ["email"]
        assert "denied" in sets["salaries"]["error"]
        assert sets["nothing_yet"]["rows"] == 0
        joins = {(one["left"], one["right"], one["declared"]) for one in outcome.document["joins"]}
        assert {("orders", "machines", True), ("measurements", "orders", True)} <= joins
    finally:
        with engine.begin() as connection:
            connection.execute(text(f"DROP OWNED BY {role}"))
            connection.execute(text(f"DROP ROLE {role}"))
        engine.dispose()


def test_an_sqlite_file_in_a_folder_is_a_data_set_per_table(workshop: Workshop, tmp_path: Path) -> None:
    place = tmp_path / "files"
    place.mkdir()
    with closing(sqlite3.connect(place / "plant.sqlite")):
        pass
    related(f"sqlite:///{place / 'plant.sqlite'}")
    outcome = workshop("inventory", place, "--json")
    rows = {one["name"]: (one["format"], one["rows"]) for one in outcome.document["datasets"]}
    assert rows["orders"] == ("sqlite", 120)
    assert rows["nothing_yet"] == ("sqlite", 0)


def test_mysql_without_its_driver_or_server_is_a_row_without_the_password(workshop: Workshop) -> None:
    outcome = workshop("inventory", "mysql://user:geheim@127.0.0.1:9/plant", "--json")
    assert outcome.code == 1
    [one] = outcome.document["datasets"]
    assert "geheim" not in str(outcome.document)
    assert one["error"]

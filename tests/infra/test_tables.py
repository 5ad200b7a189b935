from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import Engine, create_engine, text

from infra.databases import parse_url
from infra.tables import count_rows, read_database, stream_database, table_columns, write_frames
from leitstand.errors import SourceError
from leitstand.spec import Source

MEASURED = pd.DataFrame(
    {"time": pd.date_range("2026-01-01", periods=25, freq="h"), "viscosity": [float(i) for i in range(25)], "batch": "A:1"}
)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def plant(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database with the table ``measurements`` and the view ``newest``."""
    url = f"sqlite:///{tmp_path / 'plant.db'}" if request.param == "sqlite" else request.getfixturevalue("postgresql_url")
    engine = create_engine(parse_url(url))
    MEASURED.to_sql("measurements", engine, index=False)
    run(engine, "CREATE VIEW newest AS SELECT * FROM measurements WHERE viscosity > 20")
    run(engine, "CREATE TABLE nothing_yet (a INTEGER, b TEXT)")
    yield url
    engine.dispose()


def run(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


@pytest.mark.parametrize("chunk_rows", [7, 25, 1000])
def test_a_table_is_read_whole_whatever_the_portions(plant: str, chunk_rows: int) -> None:
    frame = read_database(Source(database=plant, table="measurements"), chunk_rows=chunk_rows)
    pd.testing.assert_frame_equal(frame, MEASURED, check_dtype=False)


def test_a_view_and_an_empty_table_can_be_read(plant: str) -> None:
    assert len(read_database(Source(database=plant, table="newest"))) == 4
    empty = read_database(Source(database=plant, table="nothing_yet"))
    assert (list(empty.columns), len(empty)) == (["a", "b"], 0)


def test_long_ids_stay_different_when_one_is_missing(plant: str) -> None:
    query = "SELECT 9007199254740993 AS id, 1e300 AS x UNION ALL SELECT NULL, NULL UNION ALL SELECT 9007199254740992, 0.5"
    frame = read_database(Source(database=plant, query=query))
    assert frame["id"].tolist() == [9007199254740993, None, 9007199254740992]
    assert frame["x"].dropna().tolist() == [1e300, 0.5]
    parts = "SELECT 1152921504606846977 AS id UNION ALL SELECT 1152921504606846978 UNION ALL SELECT 5 UNION ALL SELECT NULL"
    found = read_database(Source(database=plant, query=parts), chunk_rows=2)["id"].tolist()
    assert found == [1152921504606846977, 1152921504606846978, 5, None]


def test_a_query_may_hold_colons_percent_signs_and_a_semicolon(plant: str) -> None:
    query = "-- newest first\nSELECT viscosity AS v FROM measurements WHERE batch LIKE 'A:%' ORDER BY viscosity DESC;"
    assert read_database(Source(database=plant, query=query))["v"].tolist()[:2] == [24.0, 23.0]


def test_a_table_that_does_not_exist_is_answered_with_near_names(plant: str) -> None:
    with pytest.raises(SourceError, match=r"no table 'measurement'. Did you mean: measurements\?"):
        read_database(Source(database=plant, table="measurement"))
    with pytest.raises(SourceError, match=r"no table 'xyz'. Known: measurements, newest, nothing_yet"):
        read_database(Source(database=plant, table="xyz"))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT wrong FROM measurements", "query on .* failed: .*wrong"),
        ("SELEC 1", "must be one SELECT statement; it starts with 'SELEC 1'"),
        ("DELETE FROM measurements", "must be one SELECT statement; it starts with 'DELETE"),
        ("SELECT batch, batch FROM measurements", "same column name twice: batch"),
    ],
)
def test_a_wrong_query_is_named(plant: str, query: str, message: str) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        read_database(Source(database=plant, query=query))
    assert "secret" not in str(caught.value)


def test_a_query_cannot_write_even_when_it_looks_like_reading(plant: str) -> None:
    postgresql = "WITH gone AS (DELETE FROM measurements RETURNING 1) SELECT * FROM gone"
    sqlite = "WITH old AS (SELECT 1) DELETE FROM measurements"
    with pytest.raises(SourceError, match=r"query on .* failed: .*(data-modifying|readonly)"):
        read_database(Source(database=plant, query=sqlite if plant.startswith("sqlite") else postgresql))
    assert len(read_database(Source(database=plant, table="measurements"))) == 25


@pytest.mark.postgresql
def test_missing_rights_and_wrong_password_are_named(postgresql_url: str) -> None:
    engine = create_engine(parse_url(postgresql_url))
    run(engine, "CREATE TABLE wages (eur INTEGER)", "CREATE ROLE reader LOGIN PASSWORD 'geheim'")
    try:
        url = parse_url(postgresql_url).set(username="reader", password="geheim").render_as_string(hide_password=False)
        with pytest.raises(
            SourceError, match=r"may not read 'wages' in .*reader:\*\*\*@.*permission denied.*SELECT right"
        ) as caught:
            read_database(Source(database=url, table="wages"))
        assert "geheim" not in str(caught.value)
        with pytest.raises(SourceError, match=r"cannot be opened: .*password authentication failed") as caught:
            read_database(Source(database=url.replace("geheim", "falsch"), table="wages"))
        assert "falsch" not in str(caught.value)
    finally:
        run(engine, "DROP ROLE reader")
        engine.dispose()


@pytest.mark.postgresql
def test_a_function_in_a_query_cannot_write_either(postgresql_url: str) -> None:
    engine = create_engine(parse_url(postgresql_url))
    run(engine, "CREATE SEQUENCE counter")
    engine.dispose()
    with pytest.raises(SourceError, match=r"failed: cannot execute nextval.* in a read-only transaction"):
        read_database(Source(database=postgresql_url, query="SELECT nextval('counter')"))


@pytest.mark.postgresql
def test_a_table_of_another_schema_is_read_by_its_whole_name(postgresql_url: str) -> None:
    engine = create_engine(parse_url(postgresql_url))
    run(engine, "CREATE SCHEMA plant", "CREATE TABLE plant.lines (n NUMERIC(6,2))", "INSERT INTO plant.lines VALUES (1.25)")
    engine.dispose()
    frame = read_database(Source(database=postgresql_url, table="plant.lines"))
    assert frame["n"].tolist() == [1.25]
    assert frame["n"].dtype == "float64"


def test_the_url_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'p.db'}")
    run(engine, "CREATE TABLE t (a INTEGER)")
    engine.dispose()
    monkeypatch.setenv("PLANT_URL", f"sqlite:///{tmp_path / 'p.db'}")
    assert list(read_database(Source(database="env:PLANT_URL", table="t")).columns) == ["a"]
    monkeypatch.delenv("PLANT_URL")
    with pytest.raises(SourceError, match="environment variable PLANT_URL, which is not set"):
        read_database(Source(database="env:PLANT_URL", table="t"))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("user:geheim@host", "URL cannot be read"),
        ("oracle+cx_oracle://u:geheim@host/db", r"No driver for 'oracle\+cx_oracle'"),
        ("nonsense://u:geheim@host/db", "No driver for 'nonsense'"),
        ("sqlite:///nowhere/plant.db", "source database nowhere/plant.db does not exist"),
        ("postgresql://u:geheim@127.0.0.1:1/db?password=geheim", "cannot be opened"),
    ],
)
def test_a_wrong_url_is_named_without_its_password(url: str, message: str) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        read_database(Source(database=url, table="t"))
    assert "geheim" not in str(caught.value) + caught.value.render("de")


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "plant.db").write_text("a;b\n1;2\n" * 200)
    with pytest.raises(SourceError, match=r"cannot be (read|opened).*not a database"):
        read_database(Source(database=f"sqlite:///{tmp_path / 'plant.db'}", table="t"))


def test_a_table_is_counted_and_streamed_in_portions(plant: str) -> None:
    source = Source(database=plant, table="measurements")
    assert [len(frame) for frame in stream_database(source, chunk_rows=10)] == [10, 10, 5]
    assert count_rows(source) == 25
    assert count_rows(Source(database=plant, query="SELECT 1 AS one")) is None
    with pytest.raises(SourceError, match="Did you mean: measurements"):
        count_rows(Source(database=plant, table="measurement"))


def test_frames_are_written_all_or_none_and_once(plant: str) -> None:
    assert table_columns(plant, "answers") is None
    frames = [MEASURED.iloc[:10], MEASURED.iloc[10:]]
    for _ in range(2):
        write_frames(plant, "answers", frames, once="viscosity")
        assert read_database(Source(database=plant, query="SELECT count(*) AS n FROM answers"))["n"].tolist() == [25]
    assert table_columns(plant, "answers") == ["time", "viscosity", "batch"]
    more = MEASURED.assign(viscosity=MEASURED["viscosity"] + 100)
    with pytest.raises(SourceError, match=r"cannot be written to the table 'answers' in .*Nothing was written"):
        write_frames(plant, "answers", [more, more.assign(nonsense=1)], once="viscosity")
    assert read_database(Source(database=plant, query="SELECT count(*) AS n FROM answers"))["n"].tolist() == [25]

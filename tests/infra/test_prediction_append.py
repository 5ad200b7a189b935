import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.prediction_append import BLOCK_ROWS
from infra.prediction_entries import record
from infra.prediction_log import LogEntry, LoggedPrediction, PredictionLog, logged_inputs, new_ids
from leitstand.errors import Busy, StateError

OUTPUT = b'{"prediction":1.5,"score":null,"probabilities":null,"lower":null,"upper":null,"flags":[]}'
TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["'; DROP TABLE leitstand_predictions; --", '"quoted"', "$1 ? %s %(a)s :a", "\\", "ÄÖÜ 😀", "\u2028"]
)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
VALUE = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | NUMBER | TEXT
ROW = st.builds(
    LoggedPrediction,
    inputs=st.dictionaries(TEXT, VALUE, max_size=5),
    prediction=VALUE,
    score=st.none() | NUMBER,
    probabilities=st.none() | st.dictionaries(TEXT, NUMBER, max_size=3),
    lower=st.none() | NUMBER,
    upper=st.none() | NUMBER,
    flags=st.lists(TEXT, max_size=2).map(tuple),
    client=st.none() | TEXT,
    latency_ms=st.none() | NUMBER,
    request_id=st.none() | TEXT,
    time=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC) | st.just(timezone(timedelta(hours=5)))),
)


@pytest.fixture
def log(any_url: str) -> Iterator[PredictionLog]:
    log = PredictionLog(any_url)
    yield log
    log.close()


def entry(*numbers: object, project: str = "demo", ids: list[str] | None = None, **changes: Any) -> LogEntry:
    rows = [
        (id_, orjson.dumps({"number": number}), OUTPUT) for id_, number in zip(ids or new_ids(len(numbers)), numbers, strict=True)
    ]
    given = {"model_version": 1, "request_id": "r", "time": datetime.now(UTC), "client": "c", "latency_ms": 1.0, "rows": rows}
    return LogEntry(project=project, **(given | changes))


def as_entry(project: str, row: LoggedPrediction) -> LogEntry:
    made = record(project, 3, row)
    (id_,) = new_ids(1)
    parts = (id_, orjson.dumps(made["inputs"]), orjson.dumps(made["output"]))
    return LogEntry(project, 3, row.request_id, row.time, row.client, row.latency_ms, (parts,))


def stored(log: PredictionLog, project: str) -> pd.DataFrame:
    return log.read(project).drop(columns="id")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(rows=st.lists(ROW, min_size=1, max_size=4, unique_by=lambda row: row.time))
def test_what_was_appended_is_read_back_as_if_it_had_been_written(log: PredictionLog, rows: list[LoggedPrediction]) -> None:
    example = new_ids(1)[0]  # the log stays the same from example to example
    log.write(f"written {example}", 3, rows)
    log.append([as_entry(f"appended {example}", row) for row in rows])
    written, appended = stored(log, f"written {example}"), stored(log, f"appended {example}")
    assert len(written) == len(rows)
    pd.testing.assert_frame_equal(appended, written, check_exact=True)


def test_json_stays_as_it_was_given_to_the_last_digit(log: PredictionLog) -> None:
    text = '{"a":0.1,"b":5e-324,"c":1.7976931348623157e308,"d":9007199254740993,"e":-0.0,"f":"\\u0000"}'
    log.append([LogEntry("demo", 1, None, datetime.now(UTC), None, None, ((new_ids(1)[0], text.encode(), OUTPUT),))])
    with log.database.reading() as connection:
        kept = connection.exec_driver_sql("SELECT CAST(inputs AS TEXT) FROM leitstand_predictions").scalar()
    assert kept == text


@pytest.mark.parametrize("rows", [0, 1, 2, BLOCK_ROWS, BLOCK_ROWS + 1, 3 * BLOCK_ROWS + 7])
def test_any_number_of_rows_goes_in_one_call(log: PredictionLog, rows: int) -> None:
    log.append([entry(*range(rows)), entry(), entry(rows)])
    assert sorted(log.read("demo")["number"]) == list(range(rows + 1))


def test_a_call_is_kept_whole_or_not_at_all(log: PredictionLog) -> None:
    ids = new_ids(3 * BLOCK_ROWS)
    log.append([entry(0, ids=[ids[-1]])])
    with pytest.raises(StateError, match=r"refused: .*(unique|UNIQUE)"):
        log.append([entry(*range(len(ids)), ids=ids)])
    assert log.count("demo") == 1
    log.append([entry(7)])
    assert log.count("demo") == 2


def test_a_locked_database_says_so_and_keeps_nothing(tmp_path: Path) -> None:
    log = PredictionLog(f"sqlite:///{tmp_path / 'log.db'}", wait_seconds=0.2)
    log.append([entry(1)])
    holder = sqlite3.connect(tmp_path / "log.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(Busy, match="stayed locked by another process"):
        log.append([entry(2)])
    with pytest.raises(Busy, match="stayed locked by another process"):
        log.append([entry(*range(BLOCK_ROWS + 1))])
    holder.close()
    log.append([entry(3)])
    assert log.read("demo")["number"].tolist() == [1, 3]


def test_appending_syncs_to_disk(tmp_path: Path) -> None:
    log = PredictionLog(f"sqlite:///{tmp_path / 'log.db'}")
    log.append([entry(1)])
    connection = log._appender._connection
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.postgresql
def test_a_restarted_server_is_found_again_without_losing_or_doubling_a_row(postgresql_url: str) -> None:
    log = PredictionLog(postgresql_url)
    log.append([entry(1)])
    with psycopg.connect(postgresql_url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    log.append([entry(2)])
    assert log.read("demo")["number"].tolist() == [1, 2]
    log.close()


def test_an_unreachable_server_is_named_without_its_password() -> None:
    log = PredictionLog("postgresql://u:geheim@127.0.0.1:1/plant")
    with pytest.raises(StateError, match="cannot be opened") as caught:
        log.append([entry(1)])
    assert "geheim" not in str(caught.value)


def test_written_and_appended_rows_sort_together_by_time(log: PredictionLog) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    moments = [start + timedelta(microseconds=n) for n in range(4)]
    log.append([entry(0, time=moments[0]), entry(2, time=moments[2].astimezone(timezone(timedelta(hours=-7))))])
    log.write("demo", 1, [LoggedPrediction({"number": n}, 1.0, time=moments[n]) for n in (1, 3)])
    assert log.read("demo")["number"].tolist() == [0, 1, 2, 3]
    assert log.read("demo")["time"].tolist() == moments

    def numbers(**limits: datetime) -> list[int]:
        return logged_inputs(log.read("demo", **limits), ["number"])["number"].tolist()

    for n in range(4):
        assert numbers(until=moments[n]) == list(range(n))
        assert numbers(since=moments[n]) == list(range(n, 4))

import contextlib
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.prediction_care import CHUNK_ROWS, Wanted, entries, erase, search, stats
from infra.prediction_log import LoggedPrediction, PredictionLog
from leitstand.errors import Busy

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def log(any_url: str) -> Iterator[PredictionLog]:
    log = PredictionLog(any_url)
    yield log
    log.close()


@pytest.fixture
def file_log(tmp_path: Path) -> Iterator[PredictionLog]:
    log = PredictionLog(f"sqlite:///{tmp_path / 'log.db'}", wait_seconds=0.3)
    yield log
    log.close()


def written(log: PredictionLog, *inputs: dict[str, object], project: str = "demo") -> list[str]:
    rows = [LoggedPrediction(given, 1.0, time=START + timedelta(hours=hour)) for hour, given in enumerate(inputs)]
    log.write(project, 1, rows)
    return [row.id for row in rows]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("4711", ["4711", 4711, 4711.0]),
        ("04711", ["04711", 4711, 4711.0]),
        ("4711.0", [4711, 4711.0, "4711.0"]),
        ("0.1", [0.1, "0.1"]),
        ("true", [True, "true"]),
        ("1", [1, 1.0, "1"]),
        ("Müller", ["Müller"]),
        ("'; DROP TABLE x; --", ["'; DROP TABLE x; --"]),
        ("9007199254740993", [9007199254740993]),
    ],
)
def test_a_value_is_found_as_text_and_as_number(value: str, found: list[object]) -> None:
    logged = [
        "4711",
        4711,
        4711.0,
        "04711",
        "4711.0",
        0.1,
        "0.1",
        True,
        "true",
        1,
        1.0,
        "1",
        "Müller",
        "müller",
        None,
        9007199254740993,
    ]
    logged += ["'; DROP TABLE x; --", "", 9007199254740992.0]
    wanted = Wanted("customer", value)
    hits = [one for one in logged if wanted.matches(one)]
    assert sorted(map(repr, hits)) == sorted(map(repr, found))


def test_a_search_finds_value_and_pseudonym_in_its_own_project_and_column(log: PredictionLog) -> None:
    ids = written(
        log, {"customer": "4711"}, {"customer": "p:abc"}, {"customer": "4712"}, {"order": "4711"}, {}, {"customer": "\x00"}
    )
    written(log, {"customer": "4711"}, project="other")
    found = search(log.database, "demo", Wanted("customer", "4711", frozenset({"p:abc"})))
    assert sorted(found.ids) == sorted(ids[:2])
    assert found.columns == {"customer", "order"}
    assert search(log.database, "nobody", Wanted("customer", "4711")).ids == ()


def test_a_search_goes_through_more_rows_than_it_reads_at_once(log: PredictionLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.prediction_care._SCAN_ROWS", 7)
    rows = [LoggedPrediction({"customer": i % 3}, 1.0, time=START + timedelta(hours=i // 10)) for i in range(40)]
    log.write("demo", 1, rows)
    assert sorted(search(log.database, "demo", Wanted("customer", "2")).ids) == sorted(row.id for row in rows[2::3])


def test_entries_hold_all_that_is_known_with_every_label(log: PredictionLog) -> None:
    row = LoggedPrediction({"customer": "4711"}, "yes", score=0.9, client="shop", request_id="r", latency_ms=2.5, time=START)
    log.write("demo", 3, [row])
    for value in ("no", "yes"):
        log.label("demo", {row.id: value}, source="lab")
    (entry,) = entries(log.database, [row.id])
    labels = entry.pop("labels")
    assert entry == {
        "id": row.id,
        "time": START,
        "model_version": 3,
        "request_id": "r",
        "client": "shop",
        "latency_ms": 2.5,
        "role": "champion",
        "paired_id": None,
        "inputs": {"customer": "4711"},
        "output": {"prediction": "yes", "score": 0.9, "probabilities": None, "lower": None, "upper": None, "flags": []},
    }
    assert [(label["value"], label["source"]) for label in labels] == [("no", "lab"), ("yes", "lab")]


def test_erasing_takes_predictions_with_their_labels_and_nothing_else(log: PredictionLog) -> None:
    ids = written(log, *({"customer": number} for number in range(2 * CHUNK_ROWS + 5)))
    log.label("demo", dict.fromkeys(ids, 1.0), source="lab")
    assert erase(log.database, ids[:-2])
    window = log.read("demo")
    assert sorted(window["id"]) == sorted(ids[-2:])
    assert window["label"].tolist() == [1.0, 1.0]
    assert stats(log.database, "demo").labels == 2
    assert log.label("demo", {ids[0]: 2.0}, source="lab").unknown == (ids[0],)


def bytes_of(log: PredictionLog) -> bytes:
    assert log.database.file is not None
    return b"".join(path.read_bytes() for path in log.database.file.parent.iterdir() if path.name.startswith("log.db"))


@pytest.mark.parametrize("size", [50, 9000])  # the longer rows have pages of their own
def test_erased_bytes_are_gone_from_the_files(file_log: PredictionLog, size: int) -> None:
    rows = [
        {"customer": f"customer-{number % 50:03}", "note": "x" * size, "mail": f"m{number % 50:03}@example.org"}
        for number in range(600)
    ]
    written(file_log, *rows)
    found = search(file_log.database, "demo", Wanted("customer", "customer-007"))
    file_log.label("demo", dict.fromkeys(found.ids, "label-of-007"), source="lab")
    for secret in (b"customer-007", b"m007@example.org", b"label-of-007"):
        assert secret in bytes_of(file_log)
    assert len(found.ids) == 12
    with contextlib.closing(sqlite3.connect(file_log.database.file or "")) as other:  # a service keeps the file open, too
        other.execute("SELECT count(*) FROM leitstand_predictions").fetchone()
        assert erase(file_log.database, found.ids)
        for secret in (b"customer-007", b"m007@example.org", b"label-of-007", found.ids[0].encode()):
            assert secret not in bytes_of(file_log)
    assert b"customer-008" in bytes_of(file_log)
    with contextlib.closing(sqlite3.connect(file_log.database.file or "")) as check:
        assert check.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_reader_in_the_way_is_told_and_erasing_again_finishes(file_log: PredictionLog) -> None:
    ids = written(file_log, {"customer": "customer-007"}, {"customer": "customer-008"})
    with contextlib.closing(sqlite3.connect(file_log.database.file or "", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM leitstand_predictions").fetchone()
        assert erase(file_log.database, ids[:1]) is False
        assert b"customer-007" in bytes_of(file_log)
    assert erase(file_log.database, []) is True
    assert b"customer-007" not in bytes_of(file_log)


def test_pruning_deletes_what_is_older_and_counts_it(log: PredictionLog) -> None:
    ids = written(log, *({"hour": hour} for hour in range(30)))
    written(log, {"hour": 0}, project="other")
    log.label("demo", dict.fromkeys(ids, 1.0), source="lab")
    before = START + timedelta(hours=20)
    assert log.count("demo", before=before) == 20
    assert log.prune("demo", before) == 20
    assert log.prune("demo", before) == 0
    assert log.read("demo")["hour"].tolist() == list(range(20, 30))
    assert log.count("other") == 1
    assert stats(log.database, "demo").labels == 10


def test_pruning_goes_in_small_transactions(log: PredictionLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.prediction_care.CHUNK_ROWS", 10)
    written(log, *({"hour": hour} for hour in range(95)))
    transactions: list[int] = []
    writing = log.database.writing

    def noted() -> contextlib.AbstractContextManager[object]:
        transactions.append(log.count("demo"))
        return writing()

    monkeypatch.setattr(log.database, "writing", noted)
    assert log.prune("demo", START + timedelta(days=30)) == 95
    assert transactions == [95, 85, 75, 65, 55, 45, 35, 25, 15, 5, 0]


WRITER = """
    import sys, time
    from infra.prediction_log import LoggedPrediction, PredictionLog
    log = PredictionLog(sys.argv[1])
    print("ready", flush=True)
    for number in range(40):
        log.write("demo", 2, [LoggedPrediction({"number": number}, 1.0)])
"""


def test_others_write_while_old_rows_are_pruned(any_url: str, run_python: Callable[..., "subprocess.Popen[str]"]) -> None:
    log = PredictionLog(any_url)
    written(log, *({"hour": hour} for hour in range(3 * CHUNK_ROWS)))
    process = run_python(WRITER, any_url)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    assert log.prune("demo", START + timedelta(days=3650)) >= 3 * CHUNK_ROWS
    _, problems = process.communicate(timeout=60)
    assert process.returncode == 0, problems
    log.close()


def test_a_locked_database_keeps_everything(file_log: PredictionLog) -> None:
    ids = written(file_log, {"a": 1}, {"a": 2})
    with contextlib.closing(sqlite3.connect(file_log.database.file or "", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(Busy, match="stayed locked"):
            erase(file_log.database, ids)
        with pytest.raises(Busy, match="stayed locked"):
            file_log.prune("demo", datetime.now(UTC))
    assert file_log.count("demo") == 2


def test_stats_tell_rows_times_and_size_by_version(log: PredictionLog) -> None:
    assert stats(log.database, "demo").versions == ()
    log.write("demo", 1, [LoggedPrediction({"a": "Ä" * 100}, 1.0, time=START + timedelta(hours=hour)) for hour in range(5)])
    row = LoggedPrediction({"a": 1}, 1.0, time=START)
    log.write("demo", 2, [row])
    log.write("other", 1, [LoggedPrediction({"a": 1}, 1.0)])
    log.label("demo", {row.id: 1.0}, source="lab")
    found = stats(log.database, "demo")
    assert [(one.model_version, one.rows, one.first, one.last) for one in found.versions] == [
        (1, 5, START, START + timedelta(hours=4)),
        (2, 1, START, START),
    ]
    assert found.labels == 1
    assert 5 * 600 < found.versions[0].bytes < 5 * 900  # written as \u00c4: six bytes each
    assert found.database_bytes > 10_000


def test_deleting_leaves_as_much_time_to_others_as_it_takes(file_log: PredictionLog, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    erase(file_log.database, written(file_log, *({"a": number} for number in range(CHUNK_ROWS + 1))))
    assert len(pauses) == 2
    assert all(pause > 0 for pause in pauses)

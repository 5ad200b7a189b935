"""Who answered: roles in the log, pairs of champion and challenger, and logs of older releases."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import psycopg
import pytest

from infra.prediction_care import Wanted, erase, search, stats
from infra.prediction_log import LogEntry, LoggedPrediction, PredictionLog, new_ids

START = datetime(2026, 3, 1, tzinfo=UTC)
OUTPUT = b'{"prediction":"%s","score":null,"probabilities":null,"lower":null,"upper":null,"flags":[]}'
OLD_TABLES = """
CREATE TABLE leitstand_predictions (id VARCHAR(36) NOT NULL PRIMARY KEY, project VARCHAR(63) NOT NULL, model_version INTEGER NOT NULL,
    request_id VARCHAR(64), time {time} NOT NULL, inputs JSON NOT NULL, output JSON NOT NULL, client VARCHAR(200), latency_ms FLOAT);
CREATE TABLE leitstand_labels (sequence {sequence}, prediction_id VARCHAR(36) NOT NULL REFERENCES leitstand_predictions (id),
    value JSON NOT NULL, time {time} NOT NULL, source VARCHAR(200) NOT NULL);
INSERT INTO leitstand_predictions VALUES ('old', 'demo', 1, 'r', '2026-01-01 00:00:00.000000', '{{"a":1}}',
    '{{"prediction":"no","score":null,"probabilities":null,"lower":null,"upper":null,"flags":[]}}', 'c', 1.0);
"""
OLD_INSERT = "INSERT INTO leitstand_predictions (id, project, model_version, time, inputs, output) VALUES ('late', 'demo', 1, '2026-01-02 00:00:00.000000', '{}', '%s')"  # noqa: E501


@pytest.fixture
def log(any_url: str) -> Iterator[PredictionLog]:
    log = PredictionLog(any_url)
    yield log
    log.close()


def entry(version: int, said: str, ids: list[str], *, minutes: int = 0, **changes: object) -> LogEntry:
    rows = [(id_, orjson.dumps({"customer": "4711", "n": i}), OUTPUT % said.encode()) for i, id_ in enumerate(ids)]
    return LogEntry("demo", version, "r", START + timedelta(minutes=minutes), "c", 1.0, rows, **changes)  # type: ignore[arg-type]


def paired(log: PredictionLog) -> tuple[list[str], list[str]]:
    """Write two answers of the champion, two of its shadow in another order of time, and one of every other role."""
    given, silent = new_ids(2), new_ids(2)
    log.append([entry(1, "no", given), entry(2, "yes", silent[::-1], minutes=1, role="shadow", paired_ids=given[::-1])])
    log.append([entry(2, "yes", new_ids(1), role="canary"), entry(0, "no", new_ids(1), role="fallback")])
    return given, silent


def test_what_a_shadow_said_is_not_among_the_answers_unless_it_is_asked_for(log: PredictionLog) -> None:
    paired(log)
    assert sorted(log.read("demo")["role"]) == ["canary", "champion", "champion", "fallback"]
    assert log.read("demo", roles=["shadow"])["model_version"].tolist() == [2, 2]
    assert log.read("demo", model_version=2)["role"].tolist() == ["canary"]


def test_pairs_stand_side_by_side_and_share_the_labels_of_what_was_given_out(log: PredictionLog) -> None:
    given, silent = paired(log)
    log.label("demo", {given[1]: "yes"}, source="lab")
    pairs = log.pairs("demo", 2)
    order = [given.index(id_) for id_ in pairs.given["id"]]
    assert [silent[place] for place in order] == pairs.silent["id"].tolist()
    assert pairs.silent["paired_id"].tolist() == pairs.given["id"].tolist()
    assert (set(pairs.given["prediction"]), set(pairs.silent["prediction"])) == ({"no"}, {"yes"})
    expected = [{0: None, 1: "yes"}[place] for place in order]
    assert [label or None for label in pairs.given["label"]] == [label or None for label in pairs.silent["label"]] == expected


def test_pairs_of_another_version_or_time_are_left_out(log: PredictionLog) -> None:
    paired(log)
    assert [len(log.pairs("demo", version)) for version in (1, 2, 3)] == [0, 2, 0]
    assert len(log.pairs("demo", 2, since=START + timedelta(hours=1))) == 0
    assert len(log.pairs("nobody", 2)) == 0


def test_a_shadow_whose_answer_is_gone_has_no_pair(log: PredictionLog) -> None:
    paired(log)
    log.prune("demo", START + timedelta(seconds=1))
    assert log.read("demo", roles=["shadow"]).shape[0] == 2
    assert len(log.pairs("demo", 2)) == 0


def test_a_person_is_erased_from_the_shadow_too(log: PredictionLog) -> None:
    given, silent = paired(log)
    log.label("demo", {given[0]: "no"}, source="lab")
    assert {*given, *silent} <= set(search(log.database, "demo", Wanted("customer", "4711")).ids)
    assert erase(log.database, given)
    assert log.read("demo", roles=["champion", "shadow"]).empty


def test_the_log_counts_by_version_and_role(log: PredictionLog) -> None:
    paired(log)
    found = [(one.model_version, one.role, one.rows) for one in stats(log.database, "demo").versions]
    assert found == [(0, "fallback", 1), (1, "champion", 2), (2, "canary", 1), (2, "shadow", 2)]


def test_what_is_written_row_by_row_has_its_role(log: PredictionLog) -> None:
    given = LoggedPrediction({"a": 1}, "no")
    log.write("demo", 1, [given])
    log.write("demo", 2, [LoggedPrediction({"a": 1}, "yes", role="shadow", paired_id=given.id)])
    assert log.pairs("demo", 2).given["id"].tolist() == [given.id]


def make_old(url: str) -> Callable[[str], None]:
    """Make the tables as the first release did; return what runs another statement as that release would."""
    if url.startswith("sqlite"):
        path = url.removeprefix("sqlite:///")
        Path(path).parent.mkdir(parents=True)

        def run(statements: str) -> None:
            with closing(sqlite3.connect(path, timeout=30)) as connection:
                connection.executescript(statements)

        run(OLD_TABLES.format(time="DATETIME", sequence="INTEGER NOT NULL PRIMARY KEY"))
    else:

        def run(statements: str) -> None:
            with psycopg.connect(url) as connection:
                connection.execute(statements)

        run(OLD_TABLES.format(time="TIMESTAMP WITH TIME ZONE", sequence="BIGSERIAL PRIMARY KEY"))
    return run


def test_the_log_of_an_older_release_is_completed_and_that_release_writes_on(any_url: str) -> None:
    run = make_old(any_url)
    log = PredictionLog(any_url)
    assert log.read("demo")[["id", "role"]].to_numpy().tolist() == [["old", "champion"]]
    log.append([entry(2, "yes", ["new"], role="shadow", paired_ids=["old"])])
    run(OLD_INSERT % OUTPUT.decode().replace("%s", "no"))
    assert log.read("demo")["id"].tolist() == ["old", "late"]
    assert log.pairs("demo", 2).given["id"].tolist() == ["old"]
    log.close()


def test_several_processes_complete_an_older_log_at_once(any_url: str, run_python: Callable[..., object]) -> None:
    make_old(any_url)
    code = """
    import sys
    from infra.prediction_log import LoggedPrediction, PredictionLog
    log = PredictionLog(sys.argv[1])
    sys.stdin.readline()
    log.write("demo", 1, [LoggedPrediction({"a": 1}, "no", role="canary")])
    log.close()
    """
    import subprocess

    started = [run_python(code, any_url, stdin=subprocess.PIPE) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        ended = list(threads.map(lambda process: process.communicate("go\n", timeout=120), started))  # type: ignore[attr-defined]
    assert [error for _, error in ended] == [""] * 4
    log = PredictionLog(any_url)
    assert sorted(log.read("demo")["role"]) == ["canary"] * 4 + ["champion"]
    log.close()

import math
import re
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from uuid import RFC_4122, UUID

import numpy as np
import pandas as pd
import pytest

from infra.label_reading import labelled_since
from infra.prediction_log import LoggedPrediction, PredictionLog, logged_inputs, new_id, new_ids
from leitstand.errors import Busy, StateError
from leitstand.now import now

Run = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def log(any_url: str) -> Iterator[PredictionLog]:
    log = PredictionLog(any_url)
    yield log
    log.close()


def test_what_was_written_is_read_back_flat(log: PredictionLog) -> None:
    row = LoggedPrediction(
        {"speed": 3.5, "product": "Kleber Ä"},
        "yes",
        score=0.75,
        probabilities={"no": 0.25, "yes": 0.75},
        flags=("speed",),
        client="line 1",
        latency_ms=12.5,
        request_id="r1",
    )
    log.write("demo", 3, [row])
    window = log.read("demo")
    found = window.iloc[0].to_dict()
    assert found["id"] == row.id
    assert found["time"] == row.time
    assert (found["model_version"], found["prediction"], found["score"], found["probability_yes"]) == (3, "yes", 0.75, 0.75)
    assert (found["speed"], found["product"], found["flags"]) == (3.5, "Kleber Ä", ["speed"])
    assert (found["client"], found["latency_ms"], found["request_id"]) == ("line 1", 12.5, "r1")
    assert pd.isna(found["label"])
    assert pd.isna(found["label_time"])


def test_values_that_json_lacks_become_null_and_numpy_and_times_plain(log: PredictionLog) -> None:
    inputs = {
        "nan": float("nan"),
        "inf": np.inf,
        "nat": pd.NaT,
        "na": pd.NA,
        "int": np.int64(4),
        "flag": np.bool_(True),
        "time": pd.Timestamp("2026-01-02T03:04:05"),
        "odd": "\x00\ud800",
    }
    log.write("demo", 1, [LoggedPrediction(inputs, np.float64(1.5))])
    found = log.read("demo").iloc[0]
    assert found[["nan", "inf", "nat", "na"]].isna().all()
    assert (found["int"], found["flag"], found["input_time"], found["prediction"]) == (4, True, "2026-01-02T03:04:05", 1.5)


def test_inputs_keep_their_names_even_where_ours_are_the_same(log: PredictionLog) -> None:
    log.write("demo", 1, [LoggedPrediction({"time": "noon", "id": 7, "a": 1.0}, 0.5)])
    window = log.read("demo")
    inputs = logged_inputs(window, ["a", "time", "id", "unknown"])
    assert list(inputs.columns) == ["a", "time", "id", "unknown"]
    assert inputs.iloc[0][["a", "time", "id"]].tolist() == [1.0, "noon", 7]
    assert inputs["unknown"].isna().all()


def test_the_latest_label_counts_and_unknown_ids_are_named(log: PredictionLog) -> None:
    rows = [LoggedPrediction({"a": float(i)}, "no") for i in range(3)]
    log.write("demo", 1, rows)
    first = log.label("demo", {rows[0].id: "no", rows[1].id: "yes", "nobody": "yes"}, source="lab")
    assert (first.matched, first.unknown) == (2, ("nobody",))
    log.label("demo", {rows[0].id: "yes"}, source="correction")
    labels = log.read("demo").set_index("id")["label"]
    assert labels[rows[0].id] == "yes"
    assert labels[rows[1].id] == "yes"
    assert pd.isna(labels[rows[2].id])


def test_a_truth_told_again_is_matched_and_no_news(log: PredictionLog) -> None:
    rows = [LoggedPrediction({"a": float(i)}, "no") for i in range(2)]
    log.write("demo", 1, rows)
    log.label("demo", {rows[0].id: "no", rows[1].id: "no"}, source="lab")
    moment = now()
    assert log.label("demo", {rows[0].id: "no", rows[1].id: "yes"}, source="lab").matched == 2
    assert labelled_since(log.database, "demo", 1, moment, now())["id"].tolist() == [rows[1].id]
    assert len(labelled_since(log.database, "demo", 1, None, now())) == 2
    assert labelled_since(log.database, "demo", 1, None, moment - timedelta(hours=1)).empty


def test_the_newest_rows_alone_or_those_with_a_label(log: PredictionLog) -> None:
    rows = [LoggedPrediction({"a": float(i)}, "no") for i in range(4)]
    for row in rows:
        log.write("demo", 1, [row])
    log.label("demo", {rows[0].id: "yes", rows[1].id: "yes"}, source="lab")
    assert log.read("demo", newest=2)["id"].tolist() == [rows[2].id, rows[3].id]
    assert log.read("demo", newest=1, labelled=True)["id"].tolist() == [rows[1].id]


def test_a_label_of_another_projects_prediction_is_unknown(log: PredictionLog) -> None:
    row = LoggedPrediction({"a": 1.0}, "no")
    log.write("demo", 1, [row])
    result = log.label("other", {row.id: "yes"}, source="lab")
    assert (result.matched, result.unknown) == (0, (row.id,))


def test_thousands_of_labels_go_in_one_call(log: PredictionLog) -> None:
    rows = [LoggedPrediction({"a": 1.0}, 1.0) for _ in range(1203)]
    log.write("demo", 1, rows)
    assert log.label("demo", {row.id: 2.0 for row in rows}, source="file").matched == 1203
    assert log.read("demo")["label"].eq(2.0).all()


def test_reading_keeps_to_project_version_and_times(log: PredictionLog) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for hour, version in ((0, 1), (1, 1), (2, 2)):
        log.write("demo", version, [LoggedPrediction({"hour": hour}, 1.0, time=start + timedelta(hours=hour))])
    log.write("other", 1, [LoggedPrediction({"hour": 9}, 1.0, time=start)])
    assert log.read("demo")["hour"].tolist() == [0, 1, 2]
    assert log.read("demo", model_version=2)["hour"].tolist() == [2]
    berlin = timezone(timedelta(hours=1))
    since = datetime(2026, 1, 1, 2, tzinfo=berlin)  # 01:00 UTC
    assert log.read("demo", since=since, until=start + timedelta(hours=2))["hour"].tolist() == [1]
    assert log.count("demo") == 3
    assert log.count("demo", model_version=1) == 2


def test_an_empty_window_has_the_columns_and_no_rows(log: PredictionLog) -> None:
    log.write("demo", 1, [])
    window = log.read("demo")
    assert len(window) == 0
    assert {"id", "time", "prediction", "label", "label_time"} <= set(window.columns)


def test_ids_sort_by_time_and_never_repeat() -> None:
    ids = [new_id() for _ in range(2000)]
    assert len(set(ids)) == 2000
    assert all(id_[14] == "7" and id_[19] in "89ab" for id_ in ids)
    assert [id_[:13] for id_ in ids] == sorted(id_[:13] for id_ in ids)


WRITER = """
    import sys
    from infra.prediction_log import LoggedPrediction, PredictionLog
    log = PredictionLog(sys.argv[1])
    for number in range(int(sys.argv[2])):
        row = LoggedPrediction({"number": number}, 1.0)
        log.write("demo", 1, [row])
        print(row.id, flush=True)
        assert log.label("demo", {row.id: number}, "self").matched == 1
"""


def test_many_processes_make_the_tables_and_write_at_once(any_url: str, run_python: Run) -> None:
    processes = [run_python(WRITER, any_url, 40) for _ in range(4)]
    for process in processes:
        _, problems = process.communicate(timeout=120)
        assert process.returncode == 0, problems
    window = PredictionLog(any_url).read("demo")
    assert len(window) == 160
    assert (window["label"] == window["number"]).all()


def test_every_id_handed_out_before_kill_9_is_in_the_log(any_url: str, run_python: Run) -> None:
    process = run_python(WRITER, any_url, 100_000)
    assert process.stdout is not None
    seen = [process.stdout.readline().strip() for _ in range(50)]
    process.kill()
    seen += [line for line in process.communicate()[0].split("\n") if len(line) == 36]
    assert set(seen) <= set(PredictionLog(any_url).read("demo")["id"])


def test_a_locked_database_says_so_after_the_wait_and_keeps_nothing(tmp_path: Path) -> None:
    log = PredictionLog(f"sqlite:///{tmp_path / 'log.db'}", wait_seconds=0.2)
    log.write("demo", 1, [LoggedPrediction({}, 1.0)])
    holder = sqlite3.connect(tmp_path / "log.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(Busy, match=r"stayed locked by another process. Nothing was written"):
        log.write("demo", 1, [LoggedPrediction({}, 2.0)])
    assert log.count("demo") == 1  # reading goes on while somebody writes
    holder.execute("ROLLBACK")
    holder.close()
    log.write("demo", 1, [LoggedPrediction({}, 3.0)])
    assert log.read("demo")["prediction"].tolist() == [1.0, 3.0]


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "log.db").write_text("this is not SQLite" * 100)
    with pytest.raises(StateError, match=r"log\.db is not a readable database"):
        PredictionLog(f"sqlite:///{tmp_path / 'log.db'}").read("demo")


def test_an_unreachable_server_is_named_without_its_password() -> None:
    log = PredictionLog("postgresql://u:geheim@127.0.0.1:1/plant?password=geheim2")
    with pytest.raises(StateError, match=r"cannot be opened") as caught:
        log.read("demo")
    assert "geheim" not in str(caught.value) + caught.value.render("de")


def test_a_wrong_url_and_a_missing_driver_are_named() -> None:
    with pytest.raises(StateError, match=r"URL cannot be read. Expected the form"):
        PredictionLog("not a url")
    with pytest.raises(StateError, match=r"No driver for 'oracle"):
        PredictionLog("oracle+cx_oracle://u:geheim@host/db")


def test_synchronous_is_full_so_that_a_power_cut_loses_nothing(tmp_path: Path) -> None:
    log = PredictionLog(f"sqlite:///{tmp_path / 'log.db'}")
    with log.database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_score_and_bounds_are_numbers_even_when_missing(log: PredictionLog) -> None:
    log.write("demo", 1, [LoggedPrediction({}, 1.0, lower=0.5, upper=1.5), LoggedPrediction({}, 1.0)])
    window = log.read("demo")
    assert window[["score", "lower", "upper", "latency_ms"]].dtypes.eq("float64").all()
    assert math.isnan(window["lower"].iloc[1])


def test_ids_made_together_are_as_good_as_single_ones() -> None:
    ids = new_ids(5000)
    assert len(set(ids)) == 5000
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", id_) for id_ in ids)
    assert {UUID(id_).variant for id_ in ids} == {RFC_4122}
    moment = int(ids[0].replace("-", "")[:12], 16) / 1000
    assert abs(moment - time.time()) < 60
    assert new_ids(0) == []

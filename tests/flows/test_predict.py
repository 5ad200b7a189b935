"""``leitstand predict`` as a person and a program see it."""

import io
import os
import signal
import time
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console
from sqlalchemy import create_engine
from workshop import Workshop, parts

from flows.cli import batch_progress
from flows.cli.app import call

pytestmark = pytest.mark.slow


def test_the_document_tells_speed_log_and_where_everything_is(own_parts: Workshop) -> None:
    asked = parts(50, seed=1)
    asked.loc[0, "pressure"] = 4e9
    file, answers = own_parts.table("asked.csv", asked), own_parts.work / "answers.parquet"
    told = own_parts.done("predict", "parts", "--data", file, "--output", answers, "--log", "ids", "--json").document
    assert (told["rows"], told["quarantined"], told["resumed_rows"], told["begun_anew"]) == (49, 1, 0, [])
    assert told["rows_per_second"] == pytest.approx(50 / told["seconds"])
    assert (told["log"], Path(told["manifest"]).is_file(), Path(told["quarantine"]).is_file()) == ("ids", True, True)
    assert len(pd.read_parquet(told["output"])) == 49


def test_a_person_is_told_what_the_log_holds(own_parts: Workshop) -> None:
    file, answers = own_parts.table("asked.csv", parts(5, seed=1)), own_parts.work / "answers.csv"
    told = own_parts.done("predict", "parts", "--data", file, "--output", answers, "--language", "de").told
    assert "5 Zeilen vorhergesagt" in told
    assert "Jede Vorhersage steht im Protokoll" in told
    told = own_parts.done("predict", "parts", "--data", file, "--output", answers, "--log", "ids").told
    assert "The job and its range of ids stand in" in told


def test_rows_come_from_a_database_and_go_to_one(own_parts: Workshop) -> None:
    url = f"sqlite:///{own_parts.work / 'plant.db'}"
    engine = create_engine(url)
    parts(20, seed=1).to_sql("strokes", engine, index=False)
    own_parts.done("predict", "parts", "--data", url, "--table", "strokes", "--output", url, "--output-table", "answers")
    assert len(pd.read_sql("SELECT prediction FROM answers", engine)) == 20
    engine.dispose()
    wrong = own_parts("predict", "parts", "--data", url, "--output", own_parts.work / "answers.csv")
    assert (wrong.code, "exactly one of --table NAME and --query" in wrong.told) == (2, True)


def test_on_a_pipe_progress_is_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(batch_progress, "console", lambda: Console(file=out))
    monkeypatch.setattr(batch_progress, "LINE_SECONDS", 0.0)
    monkeypatch.setattr(call, "language", "de")
    with batch_progress.predicting(quiet=False) as report:
        report(50_000, 10_000_000)
        report(100_000, None)
    first, second = out.getvalue().splitlines()
    assert first.startswith("50.000 von 10.000.000 Zeilen, ")
    assert second.startswith("100.000 Zeilen, ")
    assert second.endswith(" Zeilen/s")


def test_on_a_terminal_progress_is_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(batch_progress, "console", lambda: Console(file=out, force_terminal=True, width=120))
    monkeypatch.setattr(call, "language", "en")
    with batch_progress.predicting(quiet=False) as report:
        report(50_000, 100_000)
        report(100_000, 100_000)
    assert "Predicting" in out.getvalue()
    assert "100,000 of 100,000 rows" in out.getvalue()


def test_a_file_that_holds_no_answers_is_replaced_only_when_asked(own_parts: Workshop) -> None:
    file, letter = own_parts.table("asked.csv", parts(5, seed=1)), own_parts.table("letter.csv", parts(3))
    told = own_parts("predict", "parts", "--data", file, "--output", letter, "--language", "de")
    assert (told.code, "mit --overwrite ersetzen" in told.told) == (2, True)
    own_parts.done("predict", "parts", "--data", file, "--output", letter, "--overwrite")
    told = own_parts("predict", "parts", "--data", file, "--output", own_parts.work / "parts.csv", "--overwrite")
    assert (told.code, "the project learns from" in told.told) == (2, True)


def test_an_interrupted_batch_says_that_the_same_command_goes_on(own_parts: Workshop) -> None:
    many = pd.concat([parts(2000, seed=1)] * 300, ignore_index=True)
    more = own_parts.table("more.csv", many.assign(part_id=[f"P{number}" for number in range(len(many))]))
    command = ("predict", "parts", "--data", more, "--output", own_parts.work / "answers.csv", "--log", "none")
    process = own_parts.start(*command, start_new_session=True)
    jobs = own_parts.home / "batches" / "parts" / "running"
    while process.poll() is None and not list(jobs.glob("*/state.json")):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as the terminal does: to all of them
    told = process.communicate(timeout=60)[1]
    assert (process.returncode, "the same command goes on after the rows that are finished" in told) == (130, True), told
    assert own_parts.done(*command, "--json").document["resumed_rows"] > 0


def test_the_rows_that_stop_a_batch_are_told_with_their_file(own_parts: Workshop) -> None:
    file = own_parts.table("bad.csv", parts(20, seed=1).assign(pressure=4e9))
    command = ("predict", "parts", "--data", file, "--output", own_parts.work / "answers.csv")
    for language, where in (("en", "The rows kept out stand in"), ("de", "Die zurückgehaltenen Zeilen stehen in")):
        told = own_parts(*command, "--language", language, "--json")
        _, said, kept_out = told.document["error"]["message"].partition(f" {where} ")
        assert (told.code, bool(said), len(pd.read_csv(kept_out.removesuffix(".")))) == (1, True, 20)

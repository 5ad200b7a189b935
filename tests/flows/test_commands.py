"""Every command on a project that has a model in charge: what it does, what it prints, and its exit code."""

import contextlib
import json
import os
import re
import signal
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pandas as pd
import psutil
import pytest
from workshop import Workshop, parts

from data_contracts.odcs import read_contract
from infra.prediction_log import LoggedPrediction, PredictionLog
from infra.settings import load_settings
from infra.tracking import Tracker

pytestmark = pytest.mark.slow

COMMANDS = ["demo", "projects", "new", "contract", "run", "train", "promote", "rollback", "history"]
AT_ONCE = {"confirm_windows": 1, "of_windows": 1}
COMMANDS += ["serve", "predict", "label", "monitor", "maintain", "reproduce", "doctor"]


def champion(workshop: Workshop) -> int:
    (number,) = [version for version, alias, _ in workshop.state("parts")["versions"] if alias == "champion"]
    return number


def answered(workshop: Workshop, frame: pd.DataFrame, name: str = "asked") -> pd.DataFrame:
    """Predict a table and return it with the answers."""
    file, answers = workshop.table(f"{name}.csv", frame), workshop.work / f"{name}-answers.csv"
    workshop.done("predict", "parts", "--data", file, "--output", answers)
    return pd.read_csv(answers)


def labelled(workshop: Workshop, answers: pd.DataFrame, truth: pd.Series) -> None:
    """Feed the truth back for every answer."""
    file = workshop.table("truth.csv", answers[["prediction_id"]].assign(label=truth.to_numpy()))
    workshop.done("label", "parts", "--data", file)


def test_every_command_explains_itself_with_an_example(workshop: Workshop) -> None:
    for command in COMMANDS:
        for name in (["contract", "infer"], ["contract", "check"]) if command == "contract" else ([command],):
            told = workshop.done(*name, "--help").stdout
            assert f"leitstand {' '.join(name)}" in told
            assert "Example" in told
            assert "--json" in told
    root = workshop.done("--help").stdout
    assert [command for command in COMMANDS if not re.search(rf"\b{command}\b", root)] == []


def test_predict_answers_every_row_and_logs_it(own_parts: Workshop) -> None:
    asked = parts(50, seed=1)
    asked.loc[0, "pressure"] = 4e9  # absurd: goes to quarantine, the others are answered
    file, answers = own_parts.table("asked.csv", asked.drop(columns=["quality"])), own_parts.work / "answers.csv"
    told = own_parts.done("predict", "parts", "--data", file, "--output", answers, "--json").document
    assert (told["rows"], told["quarantined"], told["model_version"]) == (49, 1, 1)
    made = pd.read_csv(answers)
    assert (made["prediction"].to_numpy() == asked["quality"].iloc[1:].to_numpy()).mean() > 0.85
    settings = load_settings(home=own_parts.home, database_url=None)
    logged = PredictionLog(settings.database("predictions")).read("parts")
    assert set(logged["id"]) == set(made["prediction_id"])


def test_predict_without_log_leaves_no_trace(own_parts: Workshop) -> None:
    file = own_parts.table("asked.csv", parts(5, seed=1))
    own_parts.done("predict", "parts", "--data", file, "--output", own_parts.work / "answers.parquet", "--log", "none")
    assert len(pd.read_parquet(own_parts.work / "answers.parquet")) == 5
    settings = load_settings(home=own_parts.home, database_url=None)
    assert PredictionLog(settings.database("predictions")).count("parts") == 0


def test_labels_find_their_predictions(own_parts: Workshop) -> None:
    asked = parts(40, seed=1)
    answers = answered(own_parts, asked)
    truth = answers[["prediction_id"]].assign(label=asked["quality"].to_numpy())
    truth.loc[0, "prediction_id"] = "nobody"
    file = own_parts.table("truth.csv", truth)
    told = own_parts.done("label", "parts", "--data", file, "--json").document
    assert (told["matched"], told["unknown"]) == (39, ["nobody"])
    truth.loc[len(truth)] = truth.loc[1]
    truth.loc[len(truth)] = [truth.loc[2, "prediction_id"], "bad" if truth.loc[2, "label"] == "good" else "good"]
    file = own_parts.table("truth.csv", truth)
    told = own_parts.done("label", "parts", "--data", file, "--json").document
    key = f"prediction_id={truth.loc[2, 'prediction_id']}"
    assert told["matched"] == 38, "said twice is no contradiction"
    assert told["ambiguous"] == [{"row": row, "key": key, "doubt": "contradiction"} for row in (3, 42)]
    assert f"row 3 ({key}): another row says something else" in own_parts.done("label", "parts", "--data", file).told
    file = own_parts.table("truth.csv", truth.head(40))
    again = own_parts.done("label", "parts", "--data", file)
    assert "39 labels noted, 1 with unknown prediction ids" in again.told
    wrong = own_parts("label", "parts", "--data", file, "--value-column", "lable")
    assert (wrong.code, "Did you mean: label?" in wrong.told) == (2, True)


def test_monitor_draws_its_page_when_asked(own_parts: Workshop) -> None:
    labelled(own_parts, answered(own_parts, parts(60, seed=1)), parts(60, seed=1)["quality"])
    told = own_parts.done("monitor", "parts", "--json").document
    assert (told["window_rows"], told["page"], told["input_drift"]) == (60, None, False)
    assert told["performance_drop"] is False
    shown = own_parts.done("monitor", "parts", "--html").told
    (page,) = (own_parts.home / "monitoring" / "parts").glob("*.html")
    assert f"Page with pictures: {page}" in shown
    assert "<html" in page.read_text(encoding="utf-8")


def test_commands_about_a_model_say_when_there_is_none(workshop: Workshop) -> None:
    workshop.project()
    file = workshop.work / "parts.csv"
    for command in (["monitor"], ["maintain"], ["predict"]):
        options = ["--data", file, "--output", workshop.work / "answers.csv"] if command == ["predict"] else []
        made = workshop(*command, "parts", *options)
        assert made.code == 1
        assert "No model is in charge of parts yet. Run 'leitstand run parts' first" in made.told
    assert "parts has no model yet" in workshop.done("history", "parts").told
    assert workshop("rollback", "parts", "--why", "test").code == 1


def test_maintain_retrains_on_drift_and_promotes(own_parts: Workshop) -> None:
    fresh = parts(300, seed=2, shift=2.0)
    answered(own_parts, fresh)
    everything = pd.concat([parts(), fresh], ignore_index=True)
    own_parts.table("parts.csv", everything)
    own_parts.edit("parts", gates={"champion_tolerance": 0.05}, monitoring=AT_ONCE)
    contract = own_parts.work / "data_contracts" / "parts.odcs.yaml"
    contract.unlink()
    own_parts.done("contract", "infer", own_parts.work / "parts.csv", "--name", "parts", "--output", contract)
    dry = own_parts.done("maintain", "parts", "--dry-run", "--json").document
    assert (dry["decision"]["action"], dry["acted"], dry["challenger"], dry["champion"]) == ("retrain", "none", None, 1)
    told = own_parts.done("maintain", "parts", "--json").document
    assert (told["acted"], told["challenger"], told["champion"]) == ("promoted", 2, 2), told["gates"]
    assert own_parts.state("parts")["history"] == [("promote", 1), ("promote", 2)]


def test_maintain_rolls_back_on_decay_where_the_policy_says_so(own_parts: Workshop) -> None:
    own_parts.edit("parts", maintenance={"on_decay": "rollback"}, monitoring=AT_ONCE)
    own_parts.done("train", "parts", "--data", own_parts.table("more.csv", parts(300, seed=3)))
    own_parts.done("promote", "parts", "2", "--why", "newer data")
    asked = parts(80, seed=4)
    turned = asked["quality"].map({"good": "bad", "bad": "good"})
    labelled(own_parts, answered(own_parts, asked), turned)
    told = own_parts.done("maintain", "parts", "--json").document
    assert (told["decision"]["action"], told["acted"], told["champion"]) == ("rollback", "rolled_back", 1)
    assert own_parts.state("parts")["history"] == [("promote", 1), ("promote", 2), ("rollback", 1)]


def test_maintain_forgets_what_may_be_kept_no_longer(own_parts: Workshop) -> None:
    own_parts.edit("parts", serving={"log_days": 30})
    log = PredictionLog(load_settings(home=own_parts.home).database("predictions"))
    old = datetime.now(UTC) - timedelta(days=31)
    log.write(
        "parts",
        1,
        [LoggedPrediction(inputs={"a": 1.0}, prediction=1.0, time=old), LoggedPrediction(inputs={"a": 1.0}, prediction=1.0)],
    )
    before = log.count("parts")
    own_parts.done("maintain", "parts", "--dry-run")
    assert log.count("parts") == before
    own_parts.done("maintain", "parts")
    assert log.count("parts") == before, "the first pass has no other to check its clock by"
    own_parts.done("maintain", "parts")
    assert log.count("parts") == before - 1
    log.close()


def test_maintain_leaves_alone_what_is_well(own_parts: Workshop) -> None:
    answered(own_parts, parts(100, seed=5))
    told = own_parts.done("maintain", "parts")
    assert "Nothing was changed; version 1 stays in charge" in told.told
    few = own_parts.done("maintain", "parts", "--language", "de")
    assert "Version 1 bleibt in Betrieb" in few.told


def test_train_puts_nobody_in_charge(own_parts: Workshop) -> None:
    more = own_parts.table("more.csv", parts(300, seed=3))
    told = own_parts.done("train", "parts", "--data", more, "--json").document
    assert (told["model"]["version"], told["model"]["alias"], told["service"]) == (2, None, None)
    assert champion(own_parts) == 1
    assert told["milestones"][-1]["missing"] == ["promotion"]


def test_promote_rollback_and_history_tell_who_and_why(own_parts: Workshop) -> None:
    own_parts.done("train", "parts", "--data", own_parts.table("more.csv", parts(300, seed=3)))
    entry = own_parts.done("promote", "parts", "2", "--why", "checked by the laboratory", "--json").document
    assert (entry["kind"], entry["from_version"], entry["to_version"], entry["why"]) == (
        "promote", 1, 2, "checked by the laboratory",
    )  # fmt: skip
    assert champion(own_parts) == 2
    assert "version 1 is in charge of parts again (before: 2)" in own_parts.done("rollback", "parts", "--why", "odd answers").told
    assert champion(own_parts) == 1
    told = own_parts.done("history", "parts").told
    assert "checked by the" in told
    assert "odd answers" in told
    assert own_parts("rollback", "parts", "--why", "further").code == 1, "there is no champion before the first"
    unknown = own_parts("promote", "parts", "7", "--why", "typo")
    assert (unknown.code, "no model version '7'" in unknown.told) == (2, True)
    assert len(own_parts.state("parts")["history"]) == 3


def test_a_gate_that_says_no_is_exit_code_three(own_parts: Workshop) -> None:
    own_parts.edit("parts", success=[{"metric": "recall", "at_least": 1.0}, {"metric": "accuracy", "at_least": 1.0}])
    made = own_parts("run", "parts", "--data", own_parts.table("more.csv", parts(300, seed=3)))
    assert made.code == 3
    assert "Version 2 is registered but not in charge: a gate said no" in made.told
    assert champion(own_parts) == 1
    assert own_parts("run", "parts", "--data", own_parts.work / "more.csv", "--json").document["model"]["alias"] is None


def test_reproduce_finds_every_figure_again(trained_parts: Workshop) -> None:
    run_id = trained_parts.done("history", "parts", "--json").document["versions"][0]["run_id"]
    told = trained_parts.done("reproduce", run_id, "--json").document
    assert (told["same"], told["differences"], told["changed"]) == (True, {}, [])
    assert told["compared"] > 20
    assert f"Reproduced: all {told['compared']} figures are the same" in trained_parts.done("reproduce", run_id).told


def test_reproduce_uses_the_decisions_of_then(own_parts: Workshop) -> None:
    run_id = own_parts.done("history", "parts", "--json").document["versions"][0]["run_id"]
    own_parts.edit("parts", split={"seed": 5, "holdout": 0.4})
    own_parts.table("parts.csv", parts(100, seed=9))
    assert own_parts.done("reproduce", run_id, "--json").document["same"]


def test_reproduce_says_what_came_out_differently(own_parts: Workshop) -> None:
    run_id = own_parts.done("history", "parts", "--json").document["versions"][0]["run_id"]
    model = own_parts.work / "projects" / "parts" / "model.py"
    model.write_text(model.read_text().replace("max_iter=2000", "max_iter=2000, C=0.001"))
    made = own_parts("reproduce", run_id)
    assert made.code == 3
    assert "Not reproduced" in made.told


def test_reproduce_refuses_data_that_were_changed(own_parts: Workshop) -> None:
    run_id = own_parts.done("history", "parts", "--json").document["versions"][0]["run_id"]
    for table in (own_parts.home / "data" / "parts").rglob("data.parquet"):
        table.chmod(0o644)
        parts(240, seed=7).to_parquet(table, index=False)
    told = own_parts.done("reproduce", run_id, "--json").document
    assert told["same"], "the remote still has the right content"
    for file in [*(own_parts.home / "remote").rglob("*"), *(own_parts.home / "data").rglob("*")]:
        if file.is_file() and file.name != "config" and not file.name.endswith(".dvc"):
            file.chmod(0o644)
            file.write_bytes(b"something else")
    made = own_parts("reproduce", run_id)
    assert made.code == 1, made.stderr
    assert "The data version" in made.told
    assert "Restore the remote from a backup" in made.told
    assert "Traceback" not in made.stderr


def test_reproduce_of_an_unknown_run_names_near_ones(own_parts: Workshop) -> None:
    run_id = own_parts.done("history", "parts", "--json").document["versions"][0]["run_id"]
    made = own_parts("reproduce", run_id[:-1])
    assert (made.code, f"Did you mean: {run_id}" in made.told) == (2, True)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_serve_answers_until_it_is_told_to_stop(own_parts: Workshop, how: signal.Signals) -> None:
    process = own_parts.start("serve", "parts", "--port", "0", "--json")
    assert process.stdout is not None
    announced = ""
    while not announced.endswith("\n}\n"):
        line = process.stdout.readline()
        assert line, process.communicate()
        announced += line
    url = json.loads(announced)["url"]
    row = json.loads(parts(1, seed=6).drop(columns=["quality", "part_id"]).to_json(orient="records"))[0]
    answer = httpx.post(f"{url}/parts/predict", json={"rows": [row]}, trust_env=False, timeout=30)
    assert answer.status_code == 200, answer.text
    assert answer.json()["predictions"][0]["prediction"] in ("good", "bad")
    process.send_signal(how)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (0, ""), stderr
    assert "Traceback" not in stderr
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{url}/readyz", trust_env=False, timeout=5)
    assert own_parts.processes() == []


@pytest.mark.parametrize("stage", ["checking the contract", "starting the service"])
def test_a_run_that_is_interrupted_says_so_and_leaves_nothing(own_parts: Workshop, stage: str) -> None:
    more = own_parts.table("more.csv", parts(300, seed=3))
    process = own_parts.start("run", "parts", "--data", more, start_new_session=True)
    assert process.stderr is not None
    told = ""
    for line in process.stderr:
        told += line
        if stage in line:
            time.sleep(0.5)
            os.killpg(process.pid, signal.SIGINT)  # as the terminal does: to all of them
            break
    told += process.communicate(timeout=60)[1]
    assert process.returncode == 130, told
    assert "Interrupted. What was finished stays" in told
    assert "Traceback" not in told
    assert own_parts.processes() == []


def test_contract_infer_writes_what_it_guessed(workshop: Workshop) -> None:
    file = workshop.table("own.csv", parts())
    shown = workshop.done("contract", "infer", file).stdout
    assert shown.startswith("#")
    assert "pressure" in shown
    target = workshop.work / "own.odcs.yaml"
    assert "guesses want a look" in workshop.done("contract", "infer", file, "--output", target).told
    assert read_contract(target).names == list(parts().columns)
    document = workshop.done("contract", "infer", file, "--json").document
    assert {column["name"]: column["type"] for column in document["columns"]}["made"] == "date"
    assert all("type" in column["guesses"] for column in document["columns"])
    again = workshop("contract", "infer", file, "--output", target)
    assert (again.code, "exists already and is not overwritten" in again.told) == (2, True)


def test_contract_check_reports_every_broken_rule(own_parts: Workshop) -> None:
    bad = parts()
    bad.loc[:6, "temperature"] = -400.0
    bad.loc[[8, 9], "material"] = "wood"
    file = own_parts.table("bad.csv", bad)
    made = own_parts("contract", "check", "parts", "--data", file, "--json")
    assert made.code == 3
    told = made.document
    broken = {(rule["column"], rule["rule"]): (rule["rows"], len(rule["examples"])) for rule in told["broken"]}
    assert broken == {("temperature", "minimum"): (7, 1), ("material", "allowed"): (2, 1)}
    assert (told["accepted"], told["quarantined"], told["passed"]) == (231, 9, False)
    assert len(pd.read_csv(told["quarantine_file"])) == 9
    shown = own_parts("contract", "check", "parts", "--data", file)
    assert shown.code == 3
    assert "231 accepted, 9 in quarantine" in shown.told
    assert own_parts.done("contract", "check", "parts", "--json").document["passed"]


def test_projects_lists_own_ones_and_those_that_come_along(trained_parts: Workshop) -> None:
    listed = trained_parts.done("projects", "--json").document
    assert {"parts", "cell_diagnostics", "virtual_sensor", "acoustic_maintenance"} <= {one["project"] for one in listed}
    german = trained_parts.done("projects", "--language", "de")
    assert "Zelldiagnostik" in german.told


def test_doctor_says_what_it_checked_and_how_to_mend(trained_parts: Workshop) -> None:
    made = trained_parts("doctor", "--json")
    found = made.document
    assert made.code == (0 if all(one["ok"] for one in found) else 1)
    assert len(found) > 5
    assert all(one["mend"] for one in found if not one["ok"])


def test_the_demo_shows_everything(workshop: Workshop) -> None:
    told = workshop.done("demo")
    assert told.stdout == ""
    for words in (
        "takes cell_diagnostics from its data",
        "Service tried: 142 held-out rows",
        "Everything is in",
        "Bring your own table",
    ):
        assert words in told.told
    assert workshop.processes() == []
    alive = [one for one in psutil.Process().children() if one.status() != psutil.STATUS_ZOMBIE]
    assert [one for one in alive if "bentoml" in " ".join(one.cmdline())] == []


def test_a_run_id_stands_for_all_that_is_needed_to_repeat_it(trained_parts: Workshop) -> None:
    version = trained_parts.done("history", "parts", "--json").document["versions"][0]
    run = Tracker(load_settings(home=trained_parts.home, database_url=None, mlflow_url=None)).run(version["run_id"])
    assert {"data_version", "code_version", "lock_hash", "python", "platform", "synthetic"} <= run.tags.keys()
    assert run.parameters["split.strategy"] == "stratified"


def test_the_state_folder_holds_no_half_written_files(trained_parts: Workshop) -> None:
    left = [path for path in trained_parts.home.rglob("*") if re.search(r"\.(incoming|part|tmp|new)\b|\.mlflow-", path.name)]
    assert left == []
    with contextlib.closing(sqlite3.connect(trained_parts.home / "mlflow.db")) as database:
        assert database.execute("SELECT DISTINCT status FROM runs").fetchall() == [("FINISHED",)]
    assert Path(trained_parts.home / "predictions.db").parent == trained_parts.home

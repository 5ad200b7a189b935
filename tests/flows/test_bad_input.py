"""Whatever is wrong with the input: one message, an exit code, and nothing half-written."""

import json
import os
import re
import socket
import sqlite3
import subprocess
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_disk import mounted
from workshop import Outcome, Workshop, parts

from data_contracts.odcs import read_contract, write_contract
from infra.locks import project_lock
from infra.prediction_log import PredictionLog
from infra.settings import load_settings

pytestmark = pytest.mark.slow


def assert_refused(made: Outcome, code: int, *words: str) -> None:
    """One message that says what is wrong, what was expected and found, and what to do; no traceback."""
    assert made.code == code, made.stderr + made.stdout
    assert made.stdout == ""
    assert len(re.findall(r"\bError:", made.told)) == 1
    assert "Traceback" not in made.stderr
    message = made.told[made.told.index("Error:") :]
    assert [word for word in words if word not in message] == [], message


def write(workshop: Workshop, content: bytes | str, name: str = "own.csv") -> Path:
    path = workshop.work / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def table(**changes: object) -> str:
    return parts().assign(**changes).to_csv(index=False)


def lines(change: Callable[[list[str]], list[str]]) -> str:
    return "\n".join(change(table().splitlines())) + "\n"


UNREADABLE: dict[str, tuple[bytes | str | None, tuple[str, ...], int, tuple[str, ...]]] = {
    "missing file": (None, (), 2, ("There is nothing at", "own.csv", "Check the path")),
    "empty file": ("", (), 1, ("own.csv is empty", "Export it again")),
    "names without rows": ("a,quality\n", (), 1, ("has column names but no rows", "Export it again")),
    "wrong delimiter": (table(), ("--delimiter", ";"), 1, ("not delimited by ';'", "With ','", "8 columns", "set the source's")),
    "wrong encoding": (
        table(note="größer").encode("cp1252"), ("--encoding", "utf-8"), 1,
        ("not written in utf-8", "looks like cp1252", "leave it out"),
    ),
    "binary data": (os.urandom(4096), (), 1, ("not a text file", "Export it as CSV")),
    "ragged rows": (
        lines(lambda told: [*told[:10], told[10] + ",one more", *told[11:]]), (), 1,
        ("1 rows with another number of fields than the 8 columns", "11", "9", "Mend these lines"),
    ),
    "target with gaps": (
        table(quality=["good"] * 100 + [None] * 3 + ["bad"] * 137), (), 1,
        ("target 'quality' is missing in 3 of 240 rows", "101, 102, 103", "--sparse-target"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", UNREADABLE)
def test_new_refuses_a_table_that_it_cannot_use(workshop: Workshop, case: str) -> None:
    content, options, code, words = UNREADABLE[case]
    file = workshop.work / "own.csv" if content is None else write(workshop, content)
    assert_refused(workshop("new", "own", "--data", file, "--target", "quality", *options), code, *words)
    assert [path.name for path in workshop.work.iterdir() if path != file] == []


@pytest.mark.parametrize(
    ("name", "options", "code", "words"),
    [
        ("My Line", ("--target", "quality"), 2, ("'My Line' cannot be a project name", "small letters, digits and underscores")),
        ("../outside", ("--target", "quality"), 2, ("'../outside' cannot be a project name",)),
        ("/tmp/outside", ("--target", "quality"), 2, ("cannot be a project name",)),
        ("x" * 64, ("--target", "quality"), 2, ("at most 63 characters",)),
        ("own", ("--target", "qualty"), 2, ("no column 'qualty'", "Did you mean: quality?")),
        ("own", ("--target", "quality", "--time", "mad"), 2, ("no column 'mad'", "made")),
        ("own", ("--target", "quality", "--task", "regresion"), 2, ("no task 'regresion'", "regression")),
        ("own", ("--target", "quality", "--positive", "terrible"), 2, ("no class 'terrible'", "bad")),
        ("own", (), 2, ("needs either --data and --target, or --template",)),
        ("own", ("--template", "virtual_sensr"), 2, ("no project 'virtual_sensr'", "Did you mean: virtual_sensor?")),
    ],
)
def test_new_refuses_what_it_is_asked_for(
    workshop: Workshop, name: str, options: tuple[str, ...], code: int, words: tuple[str, ...]
) -> None:
    file = write(workshop, table())
    assert_refused(workshop("new", name, "--data", file, *options), code, *words)
    assert [path.name for path in workshop.work.iterdir()] == ["own.csv"]
    assert not (workshop.folder / "outside").exists()


def test_new_never_overwrites(workshop: Workshop) -> None:
    workshop.project()
    before = {path: path.read_bytes() for path in workshop.work.rglob("*") if path.is_file()}
    made = workshop("new", "parts", "--data", workshop.work / "parts.csv", "--target", "quality")
    assert_refused(made, 2, "The project parts exists already", "Choose another name")
    assert {path: path.read_bytes() for path in workshop.work.rglob("*") if path.is_file()} == before


def numbers(change: Callable[[pd.DataFrame], None]) -> pd.DataFrame:
    frame = parts().astype({"pressure": object})
    change(frame)
    return frame


def with_values(column: str, value: object, rows: int = 60) -> pd.DataFrame:
    return numbers(lambda frame: frame.__setitem__(column, [value] * rows + list(frame[column].iloc[rows:])))


REFUSED: dict[str, tuple[pd.DataFrame, tuple[str, ...]]] = {
    "missing column": (
        parts().drop(columns="pressure"),
        ("expects 1 columns that the data do not have: pressure", "Found: part_id, made, temperature", "Fix the export"),
    ),
    "renamed column": (
        parts().rename(columns={"pressure": "Pressure [bar]"}),
        ("do not have: pressure", "pressure → Pressure [bar]?", "Rename"),
    ),
    "extra column": (
        parts().assign(humidity=40),
        ("1 columns that the contract parts does not know: humidity", "Leave them out", "data.drop", "extraColumns to ignore"),
    ),
    "wrong types": (
        with_values("pressure", "much"),
        ("60 of 240 rows", "'pressure'", "not of type number", "much", "Fix the export"),
    ),
    "infinite values": (with_values("pressure", np.inf), ("60 of 240 rows", "'pressure'", "infinite", "Fix the export")),
    "absurd values": (with_values("pressure", 4e9), ("60 of 240 rows", "'pressure'", "above", "4000000000", "change the rules")),
    "duplicate keys": (
        parts().assign(part_id=[f"P{number // 2}" for number in range(240)]),
        ("240 of 240 rows", "'part_id'", "key stands more than once", "P0"),
    ),
    "unknown class": (parts().assign(quality="so-so"), ("240 of 240 rows", "'quality'", "none of", "so-so")),
    "one class": (parts().query("quality == 'good'"), ("'quality'", "only one class: 'good'", "collect rows of the other class")),
    "twelve rows": (parts(12), ("12 rows with a target value", "at least 30 are needed", "Collect more")),
    "a leak": (
        parts().assign(material=np.where(parts()["quality"] == "good", "PE", "PP")),
        ("give the target 'quality' away: material", "without one error", "data.checked"),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_run_on_bad_data_changes_nothing(own_parts: Workshop, case: str) -> None:
    frame, words = REFUSED[case]
    before = own_parts.state("parts")
    file = own_parts.table("next.csv", frame)
    made = own_parts("run", "parts", "--no-service", "--data", file)
    assert_refused(made, 1, *words)
    after = own_parts.state("parts")
    assert (after["versions"], after["history"]) == (before["versions"], before["history"])
    if case not in ("one class", "twelve rows", "a leak"):  # those data are good data, only not enough to learn from
        assert after["snapshots"] == before["snapshots"]


def test_with_json_an_error_is_one_document(own_parts: Workshop) -> None:
    file = own_parts.table("next.csv", parts().drop(columns="pressure"))
    made = own_parts("run", "parts", "--json", "--data", file)
    assert (made.code, made.stderr) == (1, "")
    error = made.document["error"]
    assert (error["kind"], error["exit_code"]) == ("ContractBroken", 1)
    assert "pressure" in error["message"]


def test_errors_speak_german_too(own_parts: Workshop) -> None:
    file = own_parts.table("next.csv", parts().drop(columns="pressure"))
    made = own_parts("--language", "de", "run", "parts", "--data", file)
    assert made.code == 1
    assert "Fehler: Der Vertrag parts erwartet 1 Spalten, die in den Daten fehlen: pressure" in made.told


EVERY_CHECK = {
    "contract check": ("contract", "check", "parts"),
    "run": ("run", "parts", "--no-service"),
    "train": ("train", "parts"),
    "predict": ("predict", "parts", "--output", "answers.csv"),
}


@pytest.mark.parametrize("command", EVERY_CHECK)
def test_an_extra_column_is_refused_before_anything_is_kept(
    own_parts: Workshop, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(own_parts.work)
    before = own_parts.state("parts")
    file = own_parts.table("next.csv", with_values("pressure", 4e9, rows=5).assign(humidity=40))
    assert_refused(own_parts(*EVERY_CHECK[command], "--data", file), 1, "the contract parts does not know: humidity")
    assert own_parts.state("parts") == before
    settings = load_settings(home=own_parts.home, workspace=own_parts.work, database_url=None)
    assert PredictionLog(settings.database("predictions")).read("parts").empty
    assert not (own_parts.work / "answers.csv").exists()
    assert list(own_parts.home.glob("quarantine/parts/*")) == []


@pytest.mark.parametrize("command", EVERY_CHECK)
def test_an_extra_column_is_left_out_where_the_contract_says_ignore(
    own_parts: Workshop, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(own_parts.work)
    contract = own_parts.work / "data_contracts" / "parts.odcs.yaml"
    write_contract(read_contract(contract).model_copy(update={"extra_columns": "ignore"}), contract)
    file = own_parts.table("next.csv", parts().assign(humidity=40))
    document = own_parts.done(*EVERY_CHECK[command], "--data", file, "--json").document
    if command != "predict":
        assert document.get("data", document)["extra"] == ["humidity"]
    assert "humidity" in own_parts.done("contract", "check", "parts", "--data", file).told


def test_the_target_is_no_extra_column_of_rows_to_predict(own_parts: Workshop) -> None:
    answers = own_parts.work / "answers.csv"
    for frame in (parts(), parts().drop(columns="quality"), parts().drop(columns=["quality", "part_id"])):
        own_parts.done("predict", "parts", "--data", own_parts.table("next.csv", frame), "--output", answers)
        assert len(pd.read_csv(answers)) == 240


def test_columns_that_prepare_leaves_over_are_refused_by_name(own_parts: Workshop) -> None:
    model = own_parts.work / "projects" / "parts" / "model.py"
    join = """
    def prepare(tables, parameters):
        return tables["parts"].merge(tables["climate"], on="material", suffixes=("", "_climate"))
    """
    model.write_text(model.read_text(encoding="utf-8") + textwrap.dedent(join), encoding="utf-8")
    own_parts.table("climate.csv", pd.DataFrame({"material": ["PE", "PP", "ABS"], "note": "dry", "humidity": [40, 50, 60]}))
    sources = {"parts": {"file": "parts.csv"}, "climate": {"file": "climate.csv"}}
    own_parts.edit("parts", data={"sources": sources})
    words = ("2 columns that the contract parts does not know: note_climate, humidity.", "prepare of model.py")
    assert_refused(own_parts("run", "parts", "--no-service"), 1, *words)


def test_a_few_bad_rows_go_to_quarantine_with_the_reason(own_parts: Workshop) -> None:
    file = own_parts.table("next.csv", with_values("pressure", 4e9, rows=5))
    told = own_parts.done("run", "parts", "--no-service", "--json", "--data", file).document["data"]
    assert (told["accepted"], told["quarantined"]) == (235, 5)
    assert told["broken"][0]["column"] == "pressure"
    kept = pd.read_csv(told["quarantine_file"])
    assert kept["_row"].tolist() == [1, 2, 3, 4, 5]
    assert kept["_reason"].str.contains("pressure: above").all()


PROJECT_FILES = {
    "broken YAML": ("project.yaml", lambda text: text + "\n  - [", "is not readable YAML", ("line", "Mend the line")),
    "unknown key": ("project.yaml", lambda text: text + "gatess: {}\n", "is not a valid project", ("gatess", "docs/project.md")),
    "impossible value": (
        "project.yaml", lambda text: text.replace("strategy: stratified", "strategy: random"), "is not a valid project",
        ("split.strategy", "random"),
    ),
    "unknown column": (
        "project.yaml", lambda text: text.replace("target: quality", "target: qualty"), "names the column 'qualty'",
        ("data.target", "Its columns: part_id, made"),
    ),
    "broken model.py": ("model.py", lambda text: text + "\nimport no_such_package\n", "cannot be loaded", ("no_such_package",)),
}  # fmt: skip


@pytest.mark.parametrize("case", PROJECT_FILES)
def test_a_mistake_in_the_projects_own_files_is_named(own_parts: Workshop, case: str) -> None:
    name, change, what, words = PROJECT_FILES[case]
    path = own_parts.work / "projects" / "parts" / name
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    assert_refused(own_parts("run", "parts"), 1, f"{path} {what}", *words)


def test_a_contract_that_is_no_yaml_is_named(own_parts: Workshop) -> None:
    path = own_parts.work / "data_contracts" / "parts.odcs.yaml"
    path.write_text("schema: [", encoding="utf-8")
    assert_refused(own_parts("run", "parts"), 1, str(path), "YAML")


def test_an_unknown_project_is_answered_with_near_ones(workshop: Workshop) -> None:
    assert_refused(workshop("run", "cell_diagnostic"), 2, "no project 'cell_diagnostic'", "Did you mean: cell_diagnostics")
    assert_refused(workshop("run", "../projects"), 2, "'../projects' cannot be a project name")


def test_wrong_usage_is_exit_code_two(workshop: Workshop) -> None:
    assert_refused(workshop("run"), 2, "project")
    assert_refused(workshop("run", "cell_diagnostics", "--fast"), 2, "--fast")
    assert_refused(workshop("--language", "fr", "projects"), 2, "de or en", "'fr'")
    workshop.environment["LEITSTAND_LANGUAGE"] = "fr"
    assert_refused(workshop("projects"), 2, "LEITSTAND_", "language", "Mend or unset it")
    assert "language" in workshop("projects", "--json").document["error"]["message"]


def test_a_tampered_model_is_not_loaded(own_parts: Workshop) -> None:
    registered, released = (own_parts.home / "artifacts").rglob("model.skops"), (own_parts.home / "releases").rglob("model.skops")
    for file in (*registered, *released):
        file.write_bytes(file.read_bytes()[:-1] + b"x")
    answers = own_parts.work / "answers.csv"
    words = ("not the one that was registered", "expected SHA-256", "found", "It was not loaded")
    assert_refused(own_parts("predict", "parts", "--data", own_parts.work / "parts.csv", "--output", answers), 1, *words)
    assert_refused(own_parts("run", "parts", "--no-service"), 1, *words)
    assert_refused(own_parts("serve", "parts", "--port", "0"), 1, "not the one that was registered")
    assert not answers.exists()
    assert own_parts.processes() == []


def test_a_port_in_use_is_named(own_parts: Workshop) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        assert_refused(
            own_parts("serve", "parts", "--port", port), 1, f"Port {port} on 127.0.0.1 is in use", "or 0 for a free one"
        )


def test_two_runs_of_one_project_at_once_are_refused(own_parts: Workshop) -> None:
    settings = load_settings(home=own_parts.home, workspace=own_parts.work, database_url=None)
    before = own_parts.state("parts")
    with project_lock(settings, "parts"):
        for command in (("run",), ("train",), ("maintain",)):
            words = ("The project parts is in use by another run", f"process {os.getpid()}", "Wait until it is done")
            assert_refused(own_parts(*command, "parts"), 1, *words)
        assert_refused(own_parts("promote", "parts", "1", "--why", "test"), 1, "is in use by another run")
    assert own_parts.state("parts") == before


def test_a_locked_database_is_named(own_parts: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.databases.LOCK_WAIT_SECONDS", 0.3)
    monkeypatch.setattr("infra.databases.open_engine.__kwdefaults__", {"wait_seconds": 0.3})
    monkeypatch.setattr("infra.databases.Database.__init__.__kwdefaults__", {"wait_seconds": 0.3})
    with closing(sqlite3.connect(own_parts.home / "history.db", isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        made = own_parts("rollback", "parts", "--to", "1", "--why", "test")
        holder.execute("ROLLBACK")
    assert_refused(made, 1, "history.db stayed locked by another process", "Nothing was written", "try again")
    assert own_parts.state("parts")["history"] == [("promote", 1)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of two megabytes."""
    with mounted(tmp_path / "disk", 2 * 1024 * 1024) as place:
        yield place


def test_a_full_disk_is_named(own_parts: Workshop, small_disk: Path) -> None:
    workshop = Workshop(small_disk, dict(own_parts.environment))
    made_parts = own_parts.work / "projects" / "parts"
    workshop.environment["LEITSTAND_WORKSPACE"] = str(own_parts.work)
    made = workshop("run", "parts", "--no-service")
    assert_refused(made, 1, "LEITSTAND_HOME", "ree some space")
    assert made_parts.exists()
    workshop.environment["LEITSTAND_HOME"] = str(own_parts.folder / "elsewhere")
    assert workshop("run", "parts", "--no-service").code == 0


def test_new_on_a_full_disk_leaves_nothing(workshop: Workshop, small_disk: Path) -> None:
    file = workshop.table("own.csv", parts())
    (small_disk / "filler").write_bytes(b"0" * (2 * 1024 * 1024 - 4096))
    workshop.environment["LEITSTAND_WORKSPACE"] = str(small_disk)
    assert_refused(workshop("new", "own", "--data", file, "--target", "quality"), 1, "No space left on device", "Free some space")
    assert [path.name for path in small_disk.rglob("*") if path.is_file()] == ["filler"]
    assert list((small_disk / "projects").iterdir()) == []


def test_a_read_only_disk_is_named(own_parts: Workshop, small_disk: Path) -> None:
    if subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], capture_output=True, check=False).returncode != 0:
        pytest.skip("the disk cannot be made read-only here")
    own_parts.environment["LEITSTAND_HOME"] = str(small_disk / "home")
    assert_refused(own_parts("run", "parts", "--no-service"), 1, str(small_disk), "Read-only file system")
    own_parts.environment |= {"LEITSTAND_WORKSPACE": str(small_disk)}
    made = own_parts("new", "own", "--data", own_parts.work / "parts.csv", "--target", "quality")
    assert_refused(made, 1, str(small_disk), "Read-only file system")


STAGES = {
    "contract": "M4 Practice check: checking the contract",
    "snapshot": "M4 Practice check: keeping a data version",
    "train": "M4 Practice check: training",
    "judge": "M4 Practice check: judging",
    "register": "M4 Practice check: registering",
    "promote": "M5 Introduction: putting the model in charge",
    "service": "M5 Introduction: starting the service",
    "rows": "M5 Introduction: sending held-out rows",
}


@pytest.mark.parametrize(
    "stages", [("contract", "snapshot", "train", "judge"), ("register",), ("promote",), ("service", "rows")], ids="-".join
)
def test_after_kill_9_the_next_run_succeeds(workshop: Workshop, stages: tuple[str, ...]) -> None:
    workshop.project()
    for stage in stages:
        _kill_at(workshop, stage)
    told = workshop.done("run", "parts", "--no-service", "--json").document
    whole = workshop.state("parts")
    assert whole["history"][-1] == ("promote", told["model"]["version"])
    assert [version for version, alias, _ in whole["versions"] if alias == "champion"] == [told["model"]["version"]]
    assert whole["snapshots"] == [told["data"]["version"]]
    assert workshop.done("reproduce", told["model"]["run_id"], "--json").document["same"]


def _kill_at(workshop: Workshop, stage: str) -> None:
    """Kill a run as it enters a stage; nothing goes on without it, and alias and history agree."""
    run = workshop.start("run", "parts")
    assert run.stderr is not None
    for line in run.stderr:
        if STAGES[stage] in line:
            time.sleep({"service": 1.0, "register": 0.2, "promote": 0.02}.get(stage, 0.0))
            run.kill()
            break
    run.communicate(timeout=60)  # a child that outlives the run would hold its pipes open
    assert run.returncode == -9, f"{stage} was never reached"
    _wait_until_gone(workshop)
    half = workshop.state("parts")
    champions = [version for version, alias, _ in half["versions"] if alias == "champion"]
    assert champions == [version for _, version in half["history"]][-1:], "an alias without its entry, or the other way round"


def test_a_killed_new_leaves_nothing_in_the_way(workshop: Workshop) -> None:
    scratch = workshop.work / "projects" / ".new-killed" / "own"
    scratch.mkdir(parents=True)
    (scratch / "project.yaml").write_text("project: own\n", encoding="utf-8")
    workshop.project("own")
    assert "own" in [one["project"] for one in workshop.done("projects", "--json").document]


def test_without_a_prefect_server_an_error_is_one_message_too(own_parts: Workshop) -> None:
    own_parts.environment["LEITSTAND_PREFECT_URL"] = "http://127.0.0.1:9/api"
    file = own_parts.table("next.csv", parts().drop(columns="pressure"))
    run = own_parts.start("run", "parts", "--data", file)
    stdout, stderr = run.communicate(timeout=300)
    told = [line for line in stderr.splitlines() if not re.match(r"M\d ", line)]
    assert (run.returncode, stdout, len(told)) == (1, "", 1), stderr
    assert told[0].startswith("Error: The contract parts expects 1 columns")
    _wait_until_gone(own_parts)


def _wait_until_gone(workshop: Workshop) -> None:
    deadline = time.monotonic() + 60
    while (left := workshop.processes()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [json.dumps(process.cmdline()) for process in left] == []

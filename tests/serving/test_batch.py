import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sqlalchemy import create_engine, text

from data_contracts.streaming import as_table
from infra.databases import parse_url
from infra.locks import hold
from infra.prediction_entries import LoggedPrediction
from infra.prediction_log import PredictionLog
from infra.releases import Release, Releases
from infra.settings import Settings
from leitstand.conforming import conform
from leitstand.errors import Busy, ContractBroken, DataError, SourceError, StateError, UsageError
from serving.batch import Batch, BatchResult, predict_batch
from serving.batch_answers import conformed, prediction_ids
from serving.batch_input import source_of
from serving.batch_model import champion_for_batch
from serving.batch_output import Target
from serving.batch_replacing import check_replaceable, holds_answers


class Desk:
    """A state folder of the test's own, with the trained projects of the session."""

    def __init__(self, stage: Any, folder: Path) -> None:
        self.stage, self.folder = stage, folder
        self.settings = Settings(home=folder / "home", workspace=stage.settings.workspace)
        self.log = PredictionLog(self.settings.database("predictions"))

    def batch(self, name: str, data: object, output: object = "out.csv", **given: Any) -> Batch:
        version = self.stage.versions[name]
        release = Release(
            project=name, version=version.version, run_id=version.run_id, sha256=version.sha256, data_version=version.data_version,
            created=version.created,
        )  # fmt: skip
        source = source_of(str(data), given.pop("table", None), given.pop("query", None))
        place = output if "://" in str(output) else self.folder / str(output)
        target = Target.of(str(place), given.pop("output_table", None))
        return Batch(self.stage.projects[name], given.pop("model", self.stage.models[name]), release, source, target, **given)

    def predict(self, name: str, data: object, output: object = "out.csv", *, report: Any = None, **given: Any) -> BatchResult:
        told = {} if report is None else {"report": report}
        return predict_batch(self.batch(name, data, output, **given), self.settings, self.log, **told)

    def table(self, frame: pd.DataFrame, name: str = "in.csv") -> Path:
        path = self.folder / name
        frame.to_parquet(path) if path.suffix == ".parquet" else frame.to_csv(path, index=False)
        return path

    def running(self) -> list[Path]:
        return list((self.settings.root / "batches").glob("*/running/*"))


@pytest.fixture
def desk(stage: Any, tmp_path: Path) -> Any:
    made = Desk(stage, tmp_path)
    yield made
    made.log.close()


def read(result: BatchResult) -> pd.DataFrame:
    return pd.read_csv(result.output) if result.output.endswith(".csv") else pd.read_parquet(result.output)


def interrupt_after(calls: int) -> Any:
    """What a batch reports to; the user presses Ctrl-C at the given call."""
    made: list[int] = []

    def report(done: int, total: int | None) -> None:
        made.append(done)
        if len(made) > calls:
            raise KeyboardInterrupt

    return report


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("name", ["cells", "line"])
def test_the_file_holds_the_table_and_the_models_answers(desk: Desk, name: str, suffix: str) -> None:
    frame = desk.stage.frames[name]
    result = desk.predict(name, desk.table(frame, f"in{suffix}"), f"out{suffix}", chunk_rows=70)
    written = read(result)
    expected = desk.stage.models[name].predict(desk.stage.projects[name], frame)
    assert result.rows == len(written) == len(frame)
    assert list(written.columns[: frame.shape[1]]) == list(frame.columns)
    if name == "cells":
        assert written["prediction"].tolist() == expected.value.tolist()
        assert np.allclose(written["probability_benign"] + written["probability_malignant"], 1)
    else:
        assert np.allclose(written["prediction"], expected.value, rtol=1e-12)
        assert written["advice"].notna().any()
    assert desk.running() == []
    assert [path.name for path in desk.folder.iterdir() if path.name.startswith(".")] == []


def test_chunks_answer_as_the_whole_table_does_where_features_look_back(desk: Desk) -> None:
    frame = desk.stage.frames["line"]
    whole = desk.stage.models["line"].predict(desk.stage.projects["line"], frame).value
    for chunk_rows in (7, 40, 300):
        made = desk.predict("line", desk.table(frame, "in.parquet"), "out.parquet", chunk_rows=chunk_rows, log="none")
        assert np.allclose(read(made)["prediction"], whole, rtol=1e-12, atol=0)


def test_rows_out_of_time_order_are_refused_where_features_look_back(desk: Desk) -> None:
    frame = desk.stage.frames["line"]
    turned = pd.concat([frame.iloc[:250], frame.iloc[10:20]])
    path = desk.table(turned)
    with pytest.raises(DataError, match=r"row 251 \(time 2026-01-01 10:00:00\) comes after a later one .* sorted by 'time'"):
        desk.predict("line", path, chunk_rows=100)
    assert (desk.running(), [item.name for item in desk.folder.glob("out*")]) == ([], [])
    assert desk.predict("line", path).rows == 260, "in one chunk the features see all rows"


def test_series_after_series_is_time_order_enough(desk: Desk) -> None:
    frame = desk.stage.frames["line"].sort_values(["machine", "time"])
    made = desk.predict("line", desk.table(frame), "out.parquet", chunk_rows=30)
    whole = desk.stage.models["line"].predict(desk.stage.projects["line"], frame.reset_index(drop=True)).value
    assert np.allclose(read(made)["prediction"], whole, rtol=1e-12, atol=0)


def test_own_columns_never_overwrite_those_of_the_table(desk: Desk, stage: Any) -> None:
    frame = stage.frames["numbers"].rename(columns={}).head(3)
    made = desk.predict("numbers", desk.table(frame))
    assert "leitstand_prediction" not in read(made)
    from data_contracts.chunk_checking import Checked
    from serving.batch_answers import Answerer

    table = as_table(frame.assign(prediction="mine", flags=0))
    answered, _ = Answerer(stage.projects["numbers"], stage.models["numbers"], "x" * 28).answer(
        Checked(table, np.arange(1, 4), pd.DataFrame())
    )
    assert answered.column("prediction").to_pylist() == ["mine"] * 3
    assert {"leitstand_prediction", "leitstand_flags"} < set(answered.column_names)


def test_columns_of_no_value_at_first_take_them_later(desk: Desk) -> None:
    frame = desk.stage.frames["cells"].head(6).assign(diagnosis=[None] * 4 + ["benign"] * 2)
    made = desk.predict("cells", desk.table(frame, "in.parquet"), "out.parquet", chunk_rows=2)
    assert read(made)["diagnosis"].tolist() == [None] * 4 + ["benign"] * 2


def test_the_target_may_be_there_or_not(desk: Desk) -> None:
    frame = desk.stage.frames["cells"].head(20)
    with_target, without = (read(desk.predict("cells", desk.table(part))) for part in (frame, frame.drop(columns="diagnosis")))
    assert with_target["prediction"].tolist() == without["prediction"].tolist()
    assert with_target["diagnosis"].tolist() == frame["diagnosis"].tolist()
    with pytest.raises(ContractBroken, match="columns that the contract cells does not know: nonsense"):
        desk.predict("cells", desk.table(frame.assign(nonsense=1)))


def test_flagged_rows_are_counted(desk: Desk) -> None:
    frame = desk.stage.frames["cells"].head(3).assign(**{"mean radius": [14.0, 49.0, 14.0], "mean texture": [20.0, 99.0, 20.0]})
    result = desk.predict("cells", desk.table(frame))
    assert result.flagged == 1
    told = read(result)["flags"]
    assert told.iloc[1] == "outside_training_range:mean radius; outside_training_range:mean texture"
    assert told.iloc[[0, 2]].isna().all()


def test_bad_rows_go_to_one_quarantine_file_as_they_came(desk: Desk) -> None:
    frame = desk.stage.frames["cells"].head(200).astype({"mean radius": object})
    frame.loc[[3, 120], "mean radius"] = ["viel", 4e9]
    frame.loc[50, "lab"] = "west"
    result = desk.predict("cells", desk.table(frame), chunk_rows=30)
    assert (result.rows, result.quarantined) == (197, 3)
    assert result.quarantine is not None
    bad = pd.read_csv(result.quarantine, encoding="utf-8-sig")
    assert bad["_row"].tolist() == [4, 51, 121]
    assert bad["mean radius"].tolist() == ["viel", str(frame.loc[50, "mean radius"]), "4000000000.0"]
    assert bad["_reason"].str.split(":").str[0].tolist() == ["mean radius", "lab", "mean radius"]
    assert read(result)["prediction_id"].str[-8:].map(lambda end: int(end, 16)).tolist() == [
        row for row in range(1, 201) if row not in (4, 51, 121)
    ]
    mended = bad.assign(**{"mean radius": 14.0}, lab="north")
    assert desk.predict("cells", desk.table(mended, "mended.csv"), "mended-out.csv").rows == 3


def test_too_many_bad_rows_stop_the_job_early_and_leave_the_quarantine(desk: Desk) -> None:
    frame = desk.stage.frames["cells"].assign(**{"mean radius": -1.0})
    with pytest.raises(ContractBroken, match=r"(60|90) of (60|90) rows break the contract cells, more than the 10%") as stopped:
        desk.predict("cells", desk.table(frame, "in.parquet"), chunk_rows=30)
    (file,) = (desk.settings.root / "quarantine" / "cells").iterdir()
    assert str(stopped.value).endswith(f"The rows kept out stand in {file}.")
    assert len(pd.read_csv(file)) in (60, 90)
    assert (desk.running(), list(desk.folder.glob("out*")), desk.log.count("cells")) == ([], [], 0)


@pytest.mark.parametrize("kind", ["csv", "parquet", "sqlite"])
def test_an_interrupted_job_goes_on_where_it_stopped_with_the_same_ids(desk: Desk, kind: str) -> None:
    frame = desk.stage.frames["line"]
    data, more = desk.table(frame, f"in.{'parquet' if kind == 'parquet' else 'csv'}"), {}
    if kind == "sqlite":
        data, more = database(desk, frame), {"table": "line"}
    reference = read(desk.predict("line", data, "whole.parquet", chunk_rows=40, log="none", **more))
    beginnings = set()
    for calls in (0, 1, 2):
        with pytest.raises(KeyboardInterrupt):
            desk.predict("line", data, "out.parquet", chunk_rows=40, log="none", report=interrupt_after(calls), **more)
        (folder,) = desk.running()
        beginnings.add(json.loads((folder / "order.json").read_text())["ids"])
        assert not (desk.folder / "out.parquet").exists()
    result = desk.predict("line", data, "out.parquet", chunk_rows=40, log="none", **more)
    assert (result.resumed_rows >= 120, result.changed, result.rows) == (True, (), 300)
    written = read(result)
    assert {one[:28] for one in written["prediction_id"]} == beginnings
    pd.testing.assert_frame_equal(written.drop(columns="prediction_id"), reference.drop(columns="prediction_id"))
    assert desk.running() == []


def test_what_nobody_went_on_with_for_a_month_is_removed(desk: Desk) -> None:
    data = desk.table(desk.stage.frames["line"])
    jobs: list[Path] = []
    for name in ("old.csv", "worked_on.csv", "own.csv", "young.csv"):
        with pytest.raises(KeyboardInterrupt):
            desk.predict("line", data, name, chunk_rows=40, report=interrupt_after(1))
        jobs += [folder for folder in desk.running() if folder not in jobs]
    old, worked_on, own, young = jobs
    for folder in (old, worked_on, own):
        os.utime(folder, (0, time.time() - 31 * 86_400))
    with hold(desk.settings, f"batch-{worked_on.name}", wait_seconds=0):
        result = desk.predict("line", data, "own.csv", chunk_rows=40)
    assert result.resumed_rows > 0
    assert set(desk.running()) == {worked_on, young}


def test_what_changed_since_the_interruption_is_named_and_the_job_begins_anew(desk: Desk) -> None:
    frame = desk.stage.frames["cells"]
    url = database(desk, frame)
    changes = {
        "input": lambda: desk.table(frame.assign(**{"mean area": 1.0})),
        "log": lambda: None,
    }
    for what, change in changes.items():
        path = desk.table(frame)
        with pytest.raises(KeyboardInterrupt):
            desk.predict("cells", path, chunk_rows=100, report=interrupt_after(2))
        change()
        result = desk.predict("cells", path, chunk_rows=100, log="ids" if what == "log" else None)
        assert (result.changed, result.resumed_rows, result.rows) == ((what,), 0, len(frame))
    with pytest.raises(KeyboardInterrupt):
        desk.predict("cells", url, chunk_rows=100, table="line", report=interrupt_after(2))
    frame.assign(**{"mean area": 1.0}).to_sql("line", create_engine(url), index=False, if_exists="replace")
    result = desk.predict("cells", url, chunk_rows=100, table="line")
    assert (result.changed, read(result)["mean area"].unique().tolist()) == (("input",), [1.0])


CHILD = """
import json, sys, time
from pathlib import Path
from data_contracts.odcs import read_contract
from infra.prediction_log import PredictionLog
from infra.releases import Release
from infra.settings import Settings
from leitstand.model_file import load_model
from leitstand.project import load
from serving.batch import Batch, predict_batch
from serving.batch_input import source_of
from serving.batch_output import Target

told = json.loads(sys.argv[1])
workspace = Path(told["workspace"])
settings = Settings(home=told["home"], workspace=workspace)
project = load(workspace / "projects" / "line", read_contract(workspace / "data_contracts" / "line.odcs.yaml"))
release = Release.model_validate_json(told["release"])
model = load_model(Path(told["model"]), release.sha256)

def report(done, total):
    print(done, flush=True)
    time.sleep(0.02)

batch = Batch(project, model, release, source_of(told["data"]), Target.of(told["output"]), chunk_rows=20)
predict_batch(batch, settings, PredictionLog(settings.database("predictions")), report=report)
"""


def test_a_job_killed_again_and_again_ends_with_every_row_answered_and_logged_once(desk: Desk) -> None:
    from infra.registry import Registry

    frame = desk.stage.frames["line"]
    data = desk.table(frame)
    batch = desk.batch("line", data, "out.csv", chunk_rows=20)
    registry = Registry(desk.stage.settings)
    told = {
        "workspace": str(desk.stage.settings.workspace), "home": str(desk.settings.root), "data": str(data),
        "output": str(desk.folder / "out.csv"), "release": batch.release.model_dump_json(),
        "model": str(registry.model_folder(desk.stage.versions["line"])),
    }  # fmt: skip
    registry.close()
    for lines in (1, 3, 5):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, json.dumps(told)], stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )  # fmt: skip
        assert child.stdout is not None
        for _ in range(lines):
            assert child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        assert not (desk.folder / "out.csv").exists()
    result = predict_batch(batch, desk.settings, desk.log)
    assert result.resumed_rows >= 60
    assert result.changed == ()
    expected = desk.stage.models["line"].predict(desk.stage.projects["line"], frame).value
    written = read(result)
    assert np.allclose(written["prediction"], expected, rtol=1e-12)
    assert sorted(desk.log.read("line")["id"]) == sorted(written["prediction_id"])


class Breaking(PredictionLog):
    """A log whose database goes away after some writes."""

    def __init__(self, url: str, writes: int) -> None:
        super().__init__(url)
        self.left = writes

    def write(self, project: str, model_version: int, rows: Sequence[LoggedPrediction]) -> None:
        if self.left == 0:
            raise StateError("infra.database_full", url="gone")
        self.left -= 1
        super().write(project, model_version, rows)


def test_a_log_that_breaks_half_way_keeps_the_output_back_and_holds_no_row_twice_in_the_end(desk: Desk) -> None:
    frame = desk.stage.frames["cells"]
    path = desk.table(frame)
    for writes in (0, 1, 2):
        log = Breaking(desk.settings.database("predictions"), writes)
        with pytest.raises(StateError):
            predict_batch(desk.batch("cells", path, chunk_rows=100), desk.settings, log)
        log.close()
        assert not (desk.folder / "out.csv").exists()
    result = desk.predict("cells", path, chunk_rows=100)
    assert (result.resumed_rows, result.log) == (len(frame), "all")
    assert sorted(desk.log.read("cells")["id"]) == sorted(read(result)["prediction_id"])


def test_the_log_holds_what_was_answered(desk: Desk) -> None:
    frame = desk.stage.frames["cells"].head(30).assign(**{"mean radius": 49.0})
    result = desk.predict("cells", desk.table(frame))
    logged, written = desk.log.read("cells").set_index("id"), read(result).set_index("prediction_id")
    logged = logged.loc[written.index]
    assert logged["prediction"].tolist() == written["prediction"].tolist()
    assert np.allclose(logged["probability_benign"], written["probability_benign"])
    assert np.allclose(logged["score"], written["score"])
    assert logged["mean radius"].tolist() == [49.0] * 30
    assert logged["flags"].iloc[0] == ["outside_training_range:mean radius"]
    assert set(logged["client"]) == {"batch"}


def test_only_the_job_is_noted_when_ids_are_enough(desk: Desk) -> None:
    result = desk.predict("cells", desk.table(desk.stage.frames["cells"]), log="ids")
    assert (result.log, desk.log.count("cells")) == ("ids", 0)
    assert result.manifest is not None
    noted = json.loads(result.manifest.read_text())
    ids = read(result)["prediction_id"]
    assert (noted["ids"]["first"], noted["ids"]["last"]) == (ids.iloc[0], ids.iloc[-1])
    assert (noted["model_version"], noted["rows"], noted["output"]) == (1, len(ids), result.output)
    nothing = desk.predict("cells", desk.table(desk.stage.frames["cells"]), log="none")
    assert (nothing.manifest, nothing.log, desk.log.count("cells")) == (None, "none", 0)


def test_large_tables_are_logged_by_ids_unless_asked_otherwise(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.batch.ALL_UP_TO_ROWS", 100)
    path = desk.table(desk.stage.frames["cells"])
    assert desk.predict("cells", path).log == "ids"
    assert desk.predict("cells", path, log="all").log == "all"
    assert desk.predict("cells", desk.table(desk.stage.frames["cells"].head(100))).log == "all"


def database(desk: Desk, frame: pd.DataFrame, url: str | None = None) -> str:
    url = url or f"sqlite:///{desk.folder / 'plant.db'}"
    engine = create_engine(parse_url(url))
    frame.to_sql("line", engine, index=False)
    engine.dispose()
    return url


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_from_table_to_table(desk: Desk, kind: str, request: pytest.FixtureRequest) -> None:
    frame = desk.stage.frames["line"]
    url = database(desk, frame, request.getfixturevalue("postgresql_url") if kind == "postgresql" else None)
    expected = desk.stage.models["line"].predict(desk.stage.projects["line"], frame).value
    for times in (1, 2):
        given = {"table": "line"} if times == 1 else {"query": "SELECT * FROM line ORDER BY time"}
        result = desk.predict("line", url, url, output_table="answers", chunk_rows=70, **given)
        engine = create_engine(parse_url(url))
        written = pd.read_sql("SELECT * FROM answers ORDER BY prediction_id", engine)
        engine.dispose()
        assert (result.output, len(written)) == ("answers", times * 300), "a second job appends"
    assert np.allclose(written["prediction"].iloc[:300], expected, rtol=1e-12)
    assert written["prediction_id"].is_unique
    with pytest.raises(UsageError, match=r"table line has other columns .* lacks: advice, .* besides: –"):
        desk.predict("line", url, url, table="line", output_table="line")


def test_a_table_written_before_the_kill_is_not_written_twice(desk: Desk) -> None:
    url = database(desk, desk.stage.frames["line"])
    batch = desk.batch("line", url, url, table="line", output_table="answers")
    from serving.batch_job import BatchJob

    remove = BatchJob.remove
    try:
        BatchJob.remove = lambda self: (
            (_ for _ in ()).throw(KeyboardInterrupt) if hasattr(self, "state") and self.state.complete else remove(self)
        )  # type: ignore[method-assign,assignment]
        with pytest.raises(KeyboardInterrupt):
            predict_batch(batch, desk.settings, desk.log)
    finally:
        BatchJob.remove = remove  # type: ignore[method-assign]
    predict_batch(batch, desk.settings, desk.log)
    engine = create_engine(parse_url(url))
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM answers")) == 300
    engine.dispose()


def test_a_database_that_is_away_at_the_end_costs_no_answers(desk: Desk) -> None:
    path = desk.table(desk.stage.frames["cells"])
    url = database(desk, desk.stage.frames["line"])
    plant, away = desk.folder / "plant.db", desk.folder / "away.db"

    def leave(done: int, total: int | None) -> None:
        if plant.exists():
            plant.rename(away)

    with pytest.raises(SourceError, match=r"plant\.db does not exist"):
        desk.predict("cells", path, url, output_table="answers", report=leave)
    away.rename(plant)
    assert desk.predict("cells", path, url, output_table="answers").resumed_rows == len(desk.stage.frames["cells"])


def test_an_empty_table_is_named(desk: Desk) -> None:
    url = database(desk, desk.stage.frames["cells"].head(0))
    with pytest.raises(SourceError, match="no rows to predict in line"):
        desk.predict("cells", url, table="line")


@pytest.mark.parametrize(
    ("data", "output", "given", "error", "message"),
    [
        ("in.csv", "out.xlsx", {}, UsageError, r"ends in one of: \.csv, \.parquet"),
        ("gone.csv", "out.csv", {}, UsageError, "gone.csv"),
        ("in.csv", "out.csv", {"table": "x"}, UsageError, "--table and --query go with a database"),
        ("sqlite:///plant.db", "out.csv", {}, UsageError, "exactly one of --table NAME and --query"),
        ("in.csv", "sqlite:///plant.db", {}, UsageError, "needs the table that the answers go to"),
        ("in.csv", "out.csv", {"output_table": "x"}, UsageError, "--output-table goes with a database"),
        ("sqlite:///gone.db", "out.csv", {"table": "x"}, SourceError, "gone.db does not exist"),
        ("in.csv", "sqlite:///gone.db", {"output_table": "x"}, SourceError, "gone.db does not exist"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    desk: Desk, data: str, output: str, given: dict, error: type, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk.folder)
    desk.table(desk.stage.frames["cells"])
    with pytest.raises(error, match=message):
        desk.predict("cells", data, output, **given)
    assert (desk.running(), list(desk.folder.glob("out*"))) == ([], [])


def test_the_output_never_takes_the_place_of_what_is_read_or_learned_from(desk: Desk) -> None:
    frame = desk.stage.frames["cells"].head(30)
    path = desk.table(frame)
    (learned,) = desk.stage.projects["cells"].spec.data.sources.values()
    desk.table(frame.assign(prediction_id="x"), learned.file.name)  # what the project learns from may hold answers
    desk.settings = desk.settings.model_copy(update={"workspace": desk.folder})
    (desk.folder / "same.csv").hardlink_to(path)
    for output in ("in.csv", "same.csv", learned.file):
        before = (desk.folder / output).read_bytes()
        with pytest.raises(UsageError, match="file that this batch reads or the project learns from"):
            desk.predict("cells", path, output, overwrite=True)
        assert (desk.folder / output).read_bytes() == before
    assert (desk.running(), desk.log.count("cells")) == ([], 0)


def test_the_files_of_a_folder_are_not_replaced_by_the_answers_for_it(desk: Desk) -> None:
    folder = desk.folder / "sounds"
    folder.mkdir()
    for place, content in enumerate(desk.stage.frames["sounds"]["recording"].head(5)):
        (folder / f"{place}.bin").write_bytes(content)
    for name in ("manifest.csv", "other.csv"):
        pd.DataFrame({"recording": [f"{place}.bin" for place in range(5)]}).to_csv(folder / name, index=False)
        with pytest.raises(UsageError, match="file that this batch reads"):
            desk.predict("sounds", folder, folder / name, overwrite=True)
    pd.DataFrame({"prediction_id": ["x"]}).to_csv(folder / "answers.csv")  # answers may lie there, and are made anew every night
    spec = desk.stage.projects["sounds"].spec
    check_replaceable(folder / "answers.csv", source_of(str(folder)), spec, desk.folder, overwrite=False)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_only_answers_of_an_earlier_batch_are_replaced_unasked(desk: Desk, suffix: str) -> None:
    path, output = desk.table(desk.stage.frames["cells"].head(30), f"in{suffix}"), desk.folder / f"out{suffix}"
    desk.table(pd.DataFrame({"salary": [1]}), output.name)
    before = output.read_bytes()
    with pytest.raises(UsageError, match=r"exists already and does not hold the answers .* --overwrite"):
        desk.predict("cells", path, output)
    assert (output.read_bytes(), desk.running(), desk.log.count("cells")) == (before, [], 0)
    assert desk.predict("cells", path, output, overwrite=True).rows == 30
    assert desk.predict("cells", path, output).rows == 30
    own = desk.table(
        pd.read_csv(output).assign(prediction_id="mine") if suffix == ".csv" else pd.read_parquet(output), f"own{suffix}"
    )
    assert desk.predict("cells", path, own).rows == 30
    output.write_bytes(b"")
    with pytest.raises(UsageError, match="exists already"):
        desk.predict("cells", path, output)


def test_answers_that_a_spreadsheet_saved_again_are_still_answers(desk: Desk) -> None:
    saved = desk.folder / "saved.csv"
    saved.write_text('\ufeff"Länge";"prediction_id";"prediction"\n1,5;x;2\n', encoding="utf-8")
    assert holds_answers(saved)


def test_two_processes_do_not_make_the_same_output(desk: Desk) -> None:
    path = desk.table(desk.stage.frames["cells"])

    def meanwhile(done: int, total: int | None) -> None:
        with pytest.raises(Busy, match=r"out\.csv is being made by another process already"):
            desk.predict("cells", path)

    assert desk.predict("cells", path, report=meanwhile).rows == len(desk.stage.frames["cells"])


def test_a_prepare_that_changes_the_table_gets_all_of_it(desk: Desk) -> None:
    project = desk.stage.projects["cells"]
    before = project.functions.__dict__.get("prepare")
    frame = desk.stage.frames["cells"].head(100)
    try:
        project.functions.prepare = lambda tables, parameters: tables["data"].iloc[::-1].reset_index(drop=True)
        made = read(desk.predict("cells", desk.table(frame), chunk_rows=30))
        assert np.allclose(made["mean radius"], frame["mean radius"][::-1])
        project.functions.prepare = lambda tables, parameters: next(iter(tables.values()))
        assert np.allclose(read(desk.predict("cells", desk.table(frame), chunk_rows=30))["mean radius"], frame["mean radius"])
    finally:
        if before is None:
            del project.functions.prepare


def test_files_of_a_folder_are_answered(desk: Desk) -> None:
    folder = desk.folder / "sounds"
    folder.mkdir()
    for place, content in enumerate(desk.stage.frames["sounds"]["recording"].head(5)):
        (folder / f"{place}.bin").write_bytes(content)
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["recording"], *([f"{place}.bin"] for place in range(5)), ["missing.bin"]])
    project = desk.stage.projects["sounds"]
    assert project.spec.data.history_rows == 0
    with pytest.raises(ContractBroken, match=r"1 of 6 rows"):
        desk.predict("sounds", folder)


def test_the_frame_of_a_chunk_is_that_of_conform(desk: Desk) -> None:
    for name in ("cells", "line", "numbers"):
        project, frame = desk.stage.projects[name], desk.stage.frames[name].copy()
        frame = frame.where(np.random.default_rng(0).random(frame.shape) > 0.2) if name == "numbers" else frame
        table = as_table(frame)
        pd.testing.assert_frame_equal(conformed(table, project.input_contract), conform(frame, project.input_contract))


def test_the_virtual_sensor_answers_in_chunks_as_it_does_at_once(tmp_path: Path) -> None:
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline

    from data_contracts.odcs import find_contract, read_contract
    from leitstand.model import ModelCard, TrainedModel
    from leitstand.pipelines import encode
    from leitstand.project import load

    settings = Settings(home=tmp_path / "home", workspace=tmp_path)
    root = settings.roots[-1]
    project = load(root / "projects" / "virtual_sensor", read_contract(find_contract("virtual_sensor.odcs.yaml", settings.roots)))
    project.sample().write(tmp_path, 0)
    frame = pd.read_csv(tmp_path / "process.csv", parse_dates=["timestamp"]).head(6000)
    frame.to_csv(tmp_path / "head.csv", index=False)
    features = project.features(conform(frame, project.input_contract))
    target = np.sin(np.arange(len(frame)))
    fitted = make_pipeline(encode(features, scale=True), Ridge()).fit(features, target)
    names = tuple(features.columns)
    model = TrainedModel(
        fitted, ModelCard(project="virtual_sensor", task="regression", candidate="r", target="y", feature_names=names)
    )
    whole = model.predict(project, frame).value
    release = Release(
        project="virtual_sensor", version=1, run_id="r", sha256="0", data_version="0", created=datetime(2026, 1, 1, tzinfo=UTC)
    )
    log = PredictionLog(settings.database("predictions"))
    for chunk_rows in (500, 1777):
        source, target_ = source_of(str(tmp_path / "head.csv")), Target.of(str(tmp_path / "out.parquet"))
        batch = Batch(project, model, release, source, target_, log="none", chunk_rows=chunk_rows)
        made = read(predict_batch(batch, settings, log))
        assert np.allclose(made["prediction"], whole, rtol=1e-9, atol=1e-12)
    log.close()


def test_ids_end_in_the_number_of_the_row() -> None:
    made = prediction_ids("01234567-89ab-7def-8123-4567", np.array([1, 255, 2**32 - 1])).to_pylist()
    assert made == [f"01234567-89ab-7def-8123-4567{end}" for end in ("00000001", "000000ff", "ffffffff")]


def test_the_champion_comes_from_its_release(stage: Any) -> None:
    release, model = champion_for_batch("cells", stage.settings)
    releases = Releases(stage.settings)
    assert release == releases.read("cells", 1)
    releases.close()
    assert model.card == stage.models["cells"].card
    with pytest.raises(StateError, match="No model is in charge of untrained yet"):
        champion_for_batch("untrained", stage.settings)


def test_lists_and_bytes_become_text_in_a_csv_file(desk: Desk) -> None:
    from serving.batch_output import _printable

    table = pa.table({"l": [[1, 2], None], "b": [b"x", None], "t": pa.array([0, 10**9], pa.timestamp("ns"))})
    assert _printable(table).to_pylist()[0]["l"] == "[1, 2]"
    assert str(_printable(table).schema.field("t").type) == "timestamp[s]"

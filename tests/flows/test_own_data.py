"""A company's own table becomes a project without code, and runs."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from workshop import Workshop, parts

from data_contracts.odcs import read_contract, write_contract
from flows.status_quo import status_quo, write_sample
from flows.workspace import Desk, open_project
from infra.settings import load_settings
from leitstand.contract import Column
from leitstand.project import Project

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("target", "drop", "task"), [("quality", "hardness", "classification"), ("hardness", "quality", "regression")]
)
def test_a_table_of_all_kinds_of_columns_goes_all_the_way(workshop: Workshop, target: str, drop: str, task: str) -> None:
    file = workshop.table("own.csv", parts())
    made = workshop.done("new", "own", "--data", file, "--target", target, "--drop", drop, "--json").document
    assert (made["task"], made["project"]) == (task, "own")
    workshop.edit("own", training={"learning_curve": False})
    told = workshop.done("run", "own", "--json").document
    metric = told["model"]["metric"]
    assert told["model"]["alias"] == "champion"
    assert told["model"]["gain_over_baseline"]["low"] > 0, metric
    assert told["service"]["rows"] == told["service"]["labels"] > 0
    assert told["monitoring"]["window_rows"] == told["service"]["rows"]
    assert {"pressure", "temperature", "material", "note", "made"} <= set(told["model"]["importance"])


def test_anomaly_learns_from_normal_rows_alone(workshop: Workshop) -> None:
    table = parts(400)
    table["state"] = "fine"
    odd = np.arange(0, 400, 10)
    table.loc[odd[::2], "pressure"] = 95.0
    table.loc[odd[1::2], "temperature"] = 100.0
    table.loc[odd, "state"] = "odd"
    file = workshop.table("own.csv", table.drop(columns=["quality", "hardness"]))
    workshop.done("new", "own", "--data", file, "--target", "state", "--task", "anomaly", "--normal", "fine")
    told = workshop.done("run", "own", "--no-service", "--json").document
    assert told["task"] == "anomaly"
    assert told["model"]["alias"] == "champion"
    assert told["model"]["metrics"]["roc_auc"] > 0.95


def test_a_german_export_is_read_as_it_is(workshop: Workshop) -> None:
    table = parts()
    table["made"] = pd.to_datetime(table["made"]).dt.strftime("%d.%m.%Y")
    table = table.rename(columns={"temperature": "Temperatur [°C]", "quality": "Qualität", "made": "gefertigt am"})
    file = workshop.table("teile.csv", table, sep=";", decimal=",", encoding="cp1252")
    workshop.done("new", "teile", "--data", file, "--target", "Qualität", "--drop", "hardness", "--time", "gefertigt am")
    contract = read_contract(workshop.work / "data_contracts" / "teile.odcs.yaml")
    assert [contract.column(name).type for name in ("pressure", "Temperatur [°C]", "gefertigt am")] == [
        "number",
        "number",
        "date",
    ]
    assert contract.column("Temperatur [°C]").unit == "°C"
    workshop.edit("teile", training={"learning_curve": False, "importance": False})
    told = workshop.done("run", "teile", "--no-service", "--json").document
    assert (told["data"]["accepted"], told["data"]["quarantined"]) == (len(table), 0)
    assert told["model"]["alias"] == "champion"


def test_what_was_made_can_be_read_and_edited(workshop: Workshop) -> None:
    file = workshop.table("own.csv", parts())
    told = workshop.done("new", "own", "--data", file, "--target", "quality").told
    assert "leitstand run own" in told
    folder = workshop.work / "projects" / "own"
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "model.py", "project.yaml"]
    assert yaml.safe_load((folder / "project.yaml").read_text())["data"]["drop"] == ["part_id"]  # the key names the row
    contract = workshop.work / "data_contracts" / "own.odcs.yaml"
    assert "please confirm" in contract.read_text(encoding="utf-8")
    workshop.edit("own", title={"en": "Parts that fit"})
    assert [one["title"]["en"] for one in workshop.done("projects", "--json").document if one["project"] == "own"] == [
        "Parts that fit"
    ]


def test_a_template_is_copied_under_its_new_name(workshop: Workshop) -> None:
    workshop.done("new", "my_line", "--template", "virtual_sensor")
    spec = yaml.safe_load((workshop.work / "projects" / "my_line" / "project.yaml").read_text(encoding="utf-8"))
    assert (spec["project"], spec["data"]["target"]) == ("my_line", "viscosity_mpas")
    assert read_contract(workshop.work / "data_contracts" / "my_line.odcs.yaml").names
    comments = (workshop.work / "projects" / "my_line" / "project.yaml").read_text(encoding="utf-8").count("#")
    assert comments > 10, "what the template explains must come along"


def test_a_template_takes_own_data(workshop: Workshop, tmp_path: Path) -> None:
    workshop.done("contract", "check", "cell_diagnostics")  # writes the built-in sample
    sample = pd.read_csv(workshop.home / "samples" / "cell_diagnostics" / "cells.csv").sample(300, random_state=0)
    file = workshop.table("slides.csv", sample)
    workshop.done("new", "my_cells", "--template", "cell_diagnostics", "--data", file)
    workshop.edit("my_cells", training={"learning_curve": False})
    told = workshop.done("run", "my_cells", "--no-service", "--approve", "--json").document
    assert told["data"]["sources"] == {"data": str(file)}
    assert told["model"]["alias"] == "champion"
    assert told["data"]["rows"] == 300


def test_lags_never_look_into_another_series(workshop: Workshop) -> None:
    table = pd.concat([parts(120, seed=1).assign(press="A"), parts(120, seed=2).assign(press="B")])
    file = workshop.table("own.csv", table.drop(columns=["part_id", "note"]))
    options = ("--target", "quality", "--ordered", "--series", "press", "--lags", "1", "--drop", "hardness")
    workshop.done("new", "own", "--data", file, *options)
    project = open_project("own", load_settings(home=workshop.home, workspace=workshop.work, database_url=None))
    made = project.features(pd.DataFrame({"pressure": [1.0, 2.0, 3.0, 4.0], "press": ["A", "B", "A", "B"]}))
    assert made["pressure_lag_1"].fillna(-1).tolist() == [-1, -1, 1, 2]


@pytest.fixture
def database(workshop: Workshop) -> Path:
    path = workshop.folder / "plant.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        parts().to_sql("parts", connection, index=False)
    return path


def test_a_database_table_is_a_source(workshop: Workshop, database: Path) -> None:
    folder = workshop.project()
    workshop.edit("parts", data={"sources": {"data": {"database": "env:PLANT_URL", "table": "parts"}}})
    workshop.environment["PLANT_URL"] = f"sqlite:///{database}"
    shutil.rmtree(workshop.work / "parts.csv", ignore_errors=True)
    told = workshop.done("run", "parts", "--no-service", "--json").document
    assert told["data"]["sources"] == {"data": "database table parts"}
    assert (told["data"]["accepted"], told["model"]["alias"]) == (240, "champion")
    assert str(database) not in (folder / "project.yaml").read_text()


def test_the_variable_of_a_database_must_be_set(workshop: Workshop) -> None:
    workshop.project()
    workshop.edit("parts", data={"sources": {"data": {"database": "env:PLANT_URL", "table": "parts"}}})
    made = workshop("run", "parts")
    assert made.code == 1
    assert "PLANT_URL" in made.told


@pytest.mark.parametrize("command", ["new", "check", "run"])
def test_a_path_is_meant_from_where_the_command_is_called(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, command: str, new_workshop: Callable[[Path], Workshop]
) -> None:
    elsewhere = workshop.folder / "elsewhere"
    elsewhere.mkdir()
    parts().to_csv(elsewhere / "more.csv", index=False)
    monkeypatch.chdir(elsewhere)
    if command == "new":
        workshop.done("new", "own", "--data", "more.csv", "--target", "quality")
        workshop.done("contract", "check", "own")
        return
    workshop.project()
    arguments = ["contract", "check", "parts"] if command == "check" else ["run", "parts", "--no-service"]
    workshop.done(*arguments, "--data", "more.csv")


def test_codes_stay_what_the_contract_says_they_are(workshop: Workshop) -> None:
    file = workshop.table("codes.csv", parts().assign(batch=lambda frame: np.where(frame.index % 2, "1.10", "1.1")))
    workshop.done("new", "codes", "--data", file, "--target", "quality")
    file = workshop.work / "data_contracts" / "codes.odcs.yaml"
    contract = read_contract(file)
    columns = tuple(Column(name="batch", type="string") if one.name == "batch" else one for one in contract.columns)
    write_contract(contract.model_copy(update={"columns": columns}), file)
    settings = load_settings(home=workshop.home, workspace=workshop.work, database_url=None)
    frame = status_quo.fn(Desk(open_project("codes", settings), settings)).frame
    assert sorted(frame["batch"].unique()) == ["1.1", "1.10"]


def test_the_built_in_data_are_made_anew_for_another_seed_only(workshop: Workshop) -> None:
    settings = load_settings(home=workshop.home, workspace=workshop.work, database_url=None)
    project = open_project("virtual_sensor", settings)
    split = project.spec.split.model_copy(update={"seed": project.spec.split.seed + 1})
    other = replace(project, spec=project.spec.model_copy(update={"split": split}))
    folder = settings.folder("samples") / project.name

    def made(by: Project) -> tuple[dict[str, bytes], set[int]]:
        assert write_sample(Desk(by, settings))
        files = [path for path in folder.rglob("*") if path.is_file()]
        return {path.name: path.read_bytes() for path in files}, {path.stat().st_mtime_ns for path in files}

    first = made(project)
    assert made(project) == first
    assert made(other)[0] != first[0]
    assert made(project)[0] == first[0]

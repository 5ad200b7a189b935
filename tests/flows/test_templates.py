"""A template runs on a company's own data, whatever their columns are called."""

import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml
from workshop import Workshop, parts

from data_contracts.odcs import read_contract
from flows.yaml_file import remove, yaml_with_comments
from leitstand.contract import Contract
from leitstand.timeseries import join_lab_samples
from projects.acoustic_maintenance import sample as recordings
from projects.cell_diagnostics import sample as cells
from projects.virtual_sensor import sample as mixer

TEMPLATES = Path(mixer.__file__).parent.parent
QUICK = {"learning_curve": False, "importance": False}


def line_table(folder: Path) -> Path:
    """A month of one mixing line as one table: German names for roles and one reading, lab values in few rows."""
    mixer.write(folder, seed=0)
    process, lab = pd.read_csv(folder / "process.csv"), pd.read_csv(folder / "lab.csv")
    joined = join_lab_samples(
        process[process["line"] == "L1"],
        lab[lab["line"] == "L1"],
        time="timestamp",
        sampled_at="sampled_at",
        value="viscosity_mpas",
        by="line",
        horizon_minutes=30,
        tolerance_minutes=15,
    )
    names = {"timestamp": "gemessen", "line": "Linie", "viscosity_mpas": "Zähigkeit", "temperature_c": "Massetemperatur [°C]"}
    joined.tail(9000).rename(columns=names).to_csv(folder / "line.csv", index=False)
    return folder / "line.csv"


def cell_table(folder: Path) -> Path:
    """The samples with German names for target, key and one column, and with other classes."""
    cells.write(folder, seed=0)
    table = pd.read_csv(folder / "cells.csv")
    table["diagnosis"] = table["diagnosis"].map({"malignant": "M", "benign": "B"})
    table.rename(columns={"sample_id": "Probe", "diagnosis": "Befund", "mean_radius": "Radius"}).to_csv(
        folder / "own.csv", index=False
    )
    return folder / "own.csv"


def sound_folder(folder: Path) -> Path:
    """The recordings with a manifest of other names and classes."""
    recordings.write(folder, seed=0)
    manifest = folder / "recordings" / "manifest.csv"
    table = pd.read_csv(manifest).replace({"condition": {"normal": "ok", "needs_maintenance": "worn"}})
    table.columns = pd.Index(["clip", "press", "cycle", "at", "hours", "state"])
    table.to_csv(manifest, index=False)
    return folder / "recordings"


CASES: dict[str, tuple[Callable[[Path], Path], tuple[str, ...]]] = {
    "virtual_sensor": (line_table, ("--target", "Zähigkeit", "--time", "gemessen", "--series", "Linie")),
    "cell_diagnostics": (cell_table, ("--target", "Befund", "--positive", "M")),
    "acoustic_maintenance": (sound_folder, ("--target", "state", "--time", "at", "--group", "cycle", "--normal", "ok")),
}


def project_yaml(workshop: Workshop, name: str = "own") -> dict[str, dict[str, object]]:
    content: dict[str, dict[str, object]] = yaml.safe_load(
        (workshop.work / "projects" / name / "project.yaml").read_text(encoding="utf-8")
    )
    return content


def contract_of(workshop: Workshop, name: str = "own") -> Contract:
    return read_contract(workshop.work / "data_contracts" / f"{name}.odcs.yaml")


@pytest.mark.slow
@pytest.mark.parametrize("template", CASES)
def test_a_template_runs_to_its_end_on_columns_of_other_names(workshop: Workshop, template: str) -> None:
    write, options = CASES[template]
    data = write(workshop.folder)
    workshop.done("new", "own", "--template", template, "--data", data, *options)
    assert (workshop.work / "projects" / "own" / "model.py").read_bytes() == (TEMPLATES / template / "model.py").read_bytes()
    workshop.edit("own", training=QUICK)
    served = template != "virtual_sensor"  # its trial sends single rows with their history: slow, and tested elsewhere
    told = workshop.done("run", "own", "--approve", "--json", "--service" if served else "--no-service").document
    assert told["data"]["sources"] == {"data": str(data)}
    assert (told["data"]["quarantined"], told["data"]["synthetic"]) == (0, False)
    assert all(gate["passed"] for gate in told["gates"])
    assert told["model"]["alias"] == "champion"
    assert not served or told["service"]["rows"] == told["service"]["labels"] > 0


@pytest.mark.slow
def test_real_process_data_without_times_or_names_run_on_the_virtual_sensor(workshop: Workshop) -> None:
    folder = os.environ.get("LEITSTAND_REAL_DATA")
    if folder is None:
        pytest.skip("LEITSTAND_REAL_DATA is not set")
    data = Path(folder) / "virtual_sensor" / "debutanizer" / "debutanizer_data.txt"
    workshop.done("new", "own", "--template", "virtual_sensor", "--data", data, "--target", "column_8", "--ordered")
    workshop.edit("own", training=QUICK)
    made = workshop("run", "own", "--no-service", "--json")
    assert made.code == 3, "a lab value that is known one row later needs no virtual sensor, and the baseline's gate says so"
    assert made.document["data"]["accepted"] == 2394
    assert made.document["model"]["metrics"]["rmse"] < 0.183  # the data page's figure for a straight line without a look back


def test_equal_names_keep_the_templates_definition_and_others_are_guessed(workshop: Workshop) -> None:
    options = CASES["virtual_sensor"][1]
    workshop.done("new", "own", "--template", "virtual_sensor", "--data", line_table(workshop.folder), *options)
    own, template = contract_of(workshop), read_contract(TEMPLATES.parent / "data_contracts" / "virtual_sensor.odcs.yaml")
    assert own.column("motor_current_a") == template.column("motor_current_a")
    assert own.column("Massetemperatur [°C]").unit == "°C"
    assert "unit" in own.column("Massetemperatur [°C]").guesses
    assert not own.column("Zähigkeit").required, "the lab's values are sparse, as in the template"
    assert (own.id, own.time_column, own.max_quarantine_share) == ("own", "gemessen", template.max_quarantine_share)
    assert own.primary_key == [], "half of the template's key is gone"


def test_project_yaml_names_what_the_data_have_and_nothing_else(workshop: Workshop) -> None:
    options = CASES["virtual_sensor"][1]
    file = line_table(workshop.folder)
    table = pd.read_csv(file).drop(columns="product_group")
    table.to_csv(file, index=False)
    made = workshop.done("new", "own", "--template", "virtual_sensor", "--data", file, *options, "--json").document
    spec = project_yaml(workshop)
    assert spec["data"] == {
        "sources": {"data": {"file": str(file)}},
        "target": "Zähigkeit",
        "time": "gemessen",
        "series": "Linie",
        "slices": ["Linie"],
        "history_rows": 24,
    }
    assert "product" not in spec["parameters"]
    assert spec["gates"] == {"max_latency_ms": 200}, "the other figures are mPa·s of another product"
    assert {"data.slices: product_group", "parameters.product: product_group", "gates.slice_floor: 150"} <= set(made["left_out"])
    text = (workshop.work / "projects" / "own" / "project.yaml").read_text(encoding="utf-8")
    assert "# Features look back this many rows of the same line" in text, "what a line below explains is not lost"


def test_a_template_on_data_of_its_own_names_leaves_nothing_out(workshop: Workshop) -> None:
    cells.write(workshop.work, seed=0)
    made = workshop.done("new", "own", "--template", "cell_diagnostics", "--data", workshop.work / "cells.csv", "--json").document
    assert (made["left_out"], made["guesses"]) == ([], 0)
    template = yaml.safe_load((TEMPLATES / "cell_diagnostics" / "project.yaml").read_text(encoding="utf-8"))
    template["data"]["sources"] = {"data": {"file": str(workshop.work / "cells.csv")}}
    assert project_yaml(workshop) == template | {"project": "own"}
    shipped = read_contract(TEMPLATES.parent / "data_contracts" / "cell_diagnostics.odcs.yaml")
    assert contract_of(workshop).columns == shipped.columns


def test_what_only_names_a_row_is_not_learned_from(workshop: Workshop) -> None:
    options = CASES["cell_diagnostics"][1]
    workshop.done(
        "new", "own", "--template", "cell_diagnostics", "--data", cell_table(workshop.folder), *options, "--drop", "Radius"
    )
    assert project_yaml(workshop)["data"]["drop"] == ["Radius", "Probe"]


@pytest.mark.parametrize(
    ("options", "strategy"), [((), "stratified"), (("--time", "made"), "time"), (("--group", "material"), "group")]
)
def test_a_time_or_a_group_changes_the_split_of_a_template_without(
    workshop: Workshop, options: tuple[str, ...], strategy: str
) -> None:
    table = workshop.table("own.csv", parts().fillna({"material": "PE"}))
    given = ("--data", table, "--target", "quality", "--positive", "bad", *options)
    workshop.done("new", "own", "--template", "cell_diagnostics", *given)
    assert project_yaml(workshop)["split"]["strategy"] == strategy


FOUND = "part_id, made, pressure, temperature, material, note, hardness, quality"
REFUSED: dict[str, tuple[str, tuple[str, ...], int, tuple[str, ...]]] = {
    "no target": ("cell_diagnostics", (), 1, ("predicts 'diagnosis'", "--target", FOUND)),
    "no time": ("virtual_sensor", ("--target", "hardness"), 1, ("by 'timestamp'", "--time", "--ordered", FOUND)),
    "no group": (
        "acoustic_maintenance", ("--target", "quality", "--time", "made"), 1,
        ("one 'greasing_cycle' together", "--group", "--ordered", FOUND),
    ),
    "no positive class": (
        "cell_diagnostics", ("--target", "quality"), 1, ("'malignant'", "target 'quality'", "--positive", "bad, good"),
    ),
    "no files": (
        "acoustic_maintenance", ("--target", "quality", "--group", "material"), 1, ("no column of the data names any", "manifest.csv"),
    ),
    "text for a number": (
        "virtual_sensor", ("--target", "quality", "--ordered"), 1, ("predicts a number", "'quality' holds none", "good", "--target"),
    ),
    "number for a time": (
        "virtual_sensor", ("--target", "hardness", "--time", "pressure"), 1, ("'pressure' holds none", "--ordered"),
    ),
    "three classes": (
        "cell_diagnostics", ("--target", "material"), 1, ("two classes", "'material' does not have two"),
    ),
    "unknown column": ("virtual_sensor", ("--target", "hardnes"), 2, ("no column 'hardnes'", "Did you mean: hardness")),
    "unknown series": ("virtual_sensor", ("--target", "hardness", "--series", "lin"), 2, ("no column 'lin'",)),
    "unknown class": ("cell_diagnostics", ("--target", "quality", "--positive", "worse"), 2, ("no class 'worse'", "bad")),
    "a task": ("cell_diagnostics", ("--target", "quality", "--task", "anomaly"), 2, ("decides about task and lags",)),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_own_data_that_cannot_play_a_role_are_refused(workshop: Workshop, case: str) -> None:
    template, options, code, words = REFUSED[case]
    file = workshop.table("own.csv", parts())
    made = workshop("new", "own", "--template", template, "--data", file, *options)
    assert made.code == code, made.stderr
    assert [word for word in words if word not in made.told] == [], made.told
    assert [path.name for path in workshop.work.iterdir()] == ["own.csv"]


def test_an_own_project_is_a_template_too(workshop: Workshop) -> None:
    workshop.project()
    table = parts(seed=1)
    table.loc[[3, 5], "quality"] = None
    file = workshop.table("next.csv", table)
    made = workshop("new", "own", "--template", "parts", "--data", file)
    assert (made.code, "'quality' is missing in 2 of 240 rows (data rows 4, 6)" in made.told) == (1, True)
    assert not (workshop.work / "projects" / "own").exists()
    workshop.done("new", "own", "--template", "parts", "--data", file, "--sparse-target")
    assert not contract_of(workshop).column("quality").required
    assert contract_of(workshop).primary_key == ["part_id"]


def test_the_normal_value_has_to_be_said(workshop: Workshop) -> None:
    folder = sound_folder(workshop.folder)
    options = ("--target", "state", "--time", "at", "--group", "cycle")
    made = workshop("new", "own", "--template", "acoustic_maintenance", "--data", folder, *options)
    assert made.code == 1
    assert "'normal' is normal, and the target 'state' never has that value. Say which one it is with --normal" in made.told


def test_roles_without_data_are_refused(workshop: Workshop) -> None:
    made = workshop("new", "own", "--template", "virtual_sensor", "--target", "visco")
    assert (made.code, "they need --data" in made.told) == (2, True)


@pytest.mark.parametrize(
    ("key", "left"),
    [
        ("a", "s:\n  # first\n  # of c\n  b: 2 # two\n  c: 3\nt: 1\n"),
        ("b", "s:\n  # first\n  a: 1\n  # of c\n  c: 3\nt: 1\n"),
        ("c", "s:\n  # first\n  a: 1\n  # of c\n  b: 2 # two\nt: 1\n"),
    ],
)
def test_comments_about_what_stays_stay(tmp_path: Path, key: str, left: str) -> None:
    texts = {
        "a": "s:\n  # first\n  a: 1 # one\n  # of c\n  b: 2 # two\n  c: 3\nt: 1\n",
        "b": "s:\n  # first\n  a: 1\n  b: 2 # two\n  # of c\n  c: 3\nt: 1\n",
        "c": "s:\n  # first\n  a: 1\n  # of c\n  b: 2 # two\n  c: 3 # three\nt: 1\n",
    }
    content = yaml_with_comments().load(texts[key])
    remove(content["s"], key)
    with (tmp_path / "left.yaml").open("w", encoding="utf-8") as file:
        yaml_with_comments().dump(content, file)
    assert (tmp_path / "left.yaml").read_text(encoding="utf-8") == left

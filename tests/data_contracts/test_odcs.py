import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given, settings

from data_contracts.odcs import find_contract, read_contract, write_contract
from data_contracts.odcs_text import contract_text
from leitstand.contract import Bilingual, Column, Contract
from leitstand.errors import ProjectError
from leitstand.spec import read_yaml

from .strategies import contracts

STANDARD = json.loads((files("open_data_contract_standard") / "schema.json").read_text(encoding="utf-8"))
MINIMAL = """
apiVersion: v3.1.0
kind: DataContract
id: press
version: 1.0.0
schema:
- name: strokes
  properties:
  - name: force
    logicalType: number
"""


@pytest.fixture
def rich() -> Contract:
    return Contract(
        id="press",
        version="2.1.0",
        table="strokes",
        columns=(
            Column(name="stroke", type="integer", primary_key_position=1),
            Column(
                name="Kraft [kN]",
                type="number",
                unit="kN",
                minimum=0,
                maximum=50.5,
                required=True,
                guesses=("minimum", "maximum"),
            ),
            Column(
                name="product",
                type="string",
                allowed=("A", "B"),
                pattern="[AB]",
                max_length=1,
                description=Bilingual(en="a", de="b"),
            ),
            Column(name="picture", type="file", media_type="image/png", max_bytes=1000),
            Column(name="operator", type="string", personal_data="personal"),
            Column(name="at", type="timestamp"),
        ),
        freshness_hours=24,
        time_column="at",
        on_broken="stop",
        max_quarantine_share=0.02,
        extra_columns="ignore",
    )


def broken_by(tmp_path: Path, old: str = "", new: str = "") -> Path:
    assert old in MINIMAL
    content = MINIMAL.replace(old, new) if old else MINIMAL
    path = tmp_path / "press.odcs.yaml"
    path.write_text(content, encoding="utf-8")
    return path


def test_written_contract_is_read_back_unchanged(tmp_path, rich):
    write_contract(rich, tmp_path / "press.odcs.yaml")
    assert read_contract(tmp_path / "press.odcs.yaml") == rich


@given(contract=contracts())
@settings(deadline=None, max_examples=200)
def test_every_contract_survives_its_file(tmp_path_factory, contract):
    path = tmp_path_factory.mktemp("contract") / "c.odcs.yaml"
    write_contract(contract, path)
    again = read_contract(path)
    assert again == contract
    assert [type(value) for column in again.columns for value in column.allowed] == [
        type(value) for column in contract.columns for value in column.allowed
    ]


def test_file_is_valid_by_the_schema_of_the_standard(rich):
    document = yaml.safe_load(contract_text(rich))
    jsonschema.validate(document, STANDARD)


def test_file_keeps_the_order_of_columns_and_marks_guesses_in_a_comment(rich):
    lines = contract_text(rich).splitlines()
    names = [line.removeprefix("  - name: ").strip("'") for line in lines if line.startswith("  - name: ")]
    assert names == rich.names
    assert lines[lines.index("  - name: Kraft [kN]") - 1].endswith("minimum, maximum")
    assert lines[0].startswith("# ")


def test_contract_with_a_rule_that_does_not_fit_is_not_written(tmp_path, rich):
    path = tmp_path / "press.odcs.yaml"
    path.write_text(MINIMAL)
    broken = rich.model_copy(update={"columns": (Column(name="on", type="boolean", minimum=0),)})
    with pytest.raises(ProjectError, match="'on' of type boolean cannot have the rule minimum"):
        write_contract(broken, path)
    assert path.read_text() == MINIMAL
    assert [item.name for item in tmp_path.iterdir()] == ["press.odcs.yaml"]


def test_contract_of_the_minimum_has_the_defaults(tmp_path):
    contract = read_contract(broken_by(tmp_path))
    assert contract == Contract(id="press", table="strokes", columns=(Column(name="force", type="number"),))


def test_enum_of_the_next_version_gives_the_allowed_values(tmp_path):
    path = broken_by(tmp_path, "logicalType: number", "logicalType: string\n    enum:\n    - value: A\n    - value: B")
    assert read_contract(path).column("force").allowed == ("A", "B")


def test_freshness_in_days_is_read_as_hours(tmp_path):
    path = broken_by(tmp_path, "logicalType: number", "logicalType: timestamp")
    given = "slaProperties: [{property: freshness, value: 2, unit: d}]\n"
    path.write_text(given + "customProperties: [{property: timeColumn, value: force}]\n" + path.read_text())
    assert read_contract(path).freshness_hours == 48


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("logicalType: number", "logicalType: decimal", r"force: logicalType 'decimal' is none of integer, number"),
        (
            "    logicalType: number",
            "    logicaltype: number",
            r"force: There is no key 'logicaltype'. Did you mean: logicalType",
        ),
        (
            "    logicalType: number",
            "    requird: true\n    logicalType: number",
            r"There is no key 'requird'. Did you mean: required",
        ),
        ("version: 1.0.0", "verison: 1.0.0", r"document: There is no key 'verison'. Did you mean: version"),
        (
            "- name: strokes\n  properties:\n  - name: force\n    logicalType: number",
            "",
            r"exactly one table with properties, found 0",
        ),
        (
            "logicalType: number",
            "logicalType: number\n    logicalTypeOptions: {multipleOf: 2}",
            r"'multipleOf' is not checked by Leitstand",
        ),
        (
            "logicalType: number",
            "logicalType: number\n    logicalTypeOptions: {pattern: a}",
            r"'pattern' does not fit the type number",
        ),
        (
            "logicalType: number",
            "logicalType: number\n    logicalTypeOptions: {minimum: low}",
            r"force: minimum: .*\(found 'low'\)",
        ),
        (
            "logicalType: number",
            "logicalType: number\n    quality: [{metric: nullValues, mustBe: 0}]",
            r"only the metric invalidValues",
        ),
        (
            "logicalType: number",
            "logicalType: number\n    customProperties: [{property: unti, value: K}]",
            r"no key 'unti'. Did you mean: unit",
        ),
        ("name: force", "description: no name", r"schema.properties.0: name"),
        (
            "id: press",
            "id: press\nslaProperties: [{property: freshness, value: 2, unit: weeks}]",
            r"number with unit h or d, found 2",
        ),
        (
            "id: press",
            "id: press\nslaProperties: [{property: freshness, value: 2, unit: d}]",
            r"freshness: needs a timeColumn of type date or timestamp",
        ),
        (
            "id: press",
            "id: press\ncustomProperties: [{property: timeColumn, value: at}]",
            r"time column 'at' is not among the columns",
        ),
        (
            "id: press",
            "id: press\ncustomProperties: [{property: extraColumns, value: drop}]",
            r"extra_columns: Input should be 'refuse' or 'ignore' \(found 'drop'\)",
        ),
        (
            "  properties:",
            "  quality: [{metric: rowCount, mustBeGreaterThan: 10}]\n  properties:",
            r"rules about the whole table are not checked",
        ),
        ("id: press", "id: [press]", r"id: Input should be a valid string"),
    ],
)
def test_wrong_contract_says_what_and_where(tmp_path, old, new, message):
    with pytest.raises(ProjectError, match=message) as caught:
        read_contract(broken_by(tmp_path, old, new))
    assert "press.odcs.yaml" in str(caught.value)


def test_broken_yaml_names_the_line(tmp_path):
    with pytest.raises(ProjectError, match=r"not readable YAML: .*line 3"):
        read_contract(broken_by(tmp_path, "kind: DataContract", "kind: [DataContract"))


def test_file_that_is_no_contract_is_refused(tmp_path):
    path = tmp_path / "list.odcs.yaml"
    path.write_text("- a\n- b\n")
    with pytest.raises(ProjectError, match="is not a data contract"):
        read_contract(path)


def test_missing_contract_file_is_an_error(tmp_path):
    with pytest.raises(ProjectError, match="does not exist"):
        read_contract(tmp_path / "none.odcs.yaml")


def test_earlier_root_wins(tmp_path):
    for root in ("own", "shipped"):
        (tmp_path / root / "data_contracts").mkdir(parents=True)
        (tmp_path / root / "data_contracts" / "press.odcs.yaml").write_text(MINIMAL)
    assert find_contract("press.odcs.yaml", [tmp_path / "own", tmp_path / "shipped"]).parent.parent.name == "own"


def test_contract_that_no_root_has_names_the_places(tmp_path):
    with pytest.raises(ProjectError, match=r"no data contract press\.odcs\.yaml; looked in .*data_contracts"):
        find_contract("press.odcs.yaml", [tmp_path])


@pytest.mark.parametrize("name", ["../press.odcs.yaml", "/etc/passwd", "a/b.yaml"])
def test_name_that_leads_out_of_the_folder_is_refused(tmp_path, name):
    with pytest.raises(ProjectError, match="plain name without folders"):
        find_contract(name, [tmp_path])


@pytest.mark.parametrize("path", sorted(Path(__file__).parents[2].glob("data_contracts/*.odcs.yaml")), ids=lambda path: path.name)
def test_contracts_that_come_with_leitstand_are_valid_by_the_standard(path):
    jsonschema.validate(read_yaml(path), STANDARD)
    assert read_contract(path).columns

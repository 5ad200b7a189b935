"""The API document: valid, complete, in both languages, and as strict as the service itself."""

import base64
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd
import pytest
import schemathesis
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from request_cases import JSON, VALUES, project
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from data_contracts.odcs import find_contract, read_contract
from leitstand.contract import Bilingual, Column
from leitstand.folders import locate
from leitstand.project import Project, load
from leitstand.texts import LANGUAGES, Language
from serving.answers import PredictResponse
from serving.examples import example_row, refused, typical
from serving.explaining import explain_model
from serving.openapi import document
from serving.problems import MEDIA_TYPE
from serving.schema import feedback_model, predict_model
from serving.times import DATE_PATTERN, TIMESTAMP_PATTERN, parse_time

ROOT = Path(__file__).parents[2]
TEMPLATES = ("cell_diagnostics", "virtual_sensor", "acoustic_maintenance")
EVERY_TYPE = project(
    Column(name="pressure", type="number", unit="bar", required=True, minimum=0, maximum=9,
           description=Bilingual(en="Oil pressure", de="Öldruck")),
    Column(name="count", type="integer", minimum=1),
    Column(name="wet", type="boolean"),
    Column(name="code", type="string", pattern="[A-Z]{2}-[0-9]+", max_length=9),
    Column(name="shift", type="string", allowed=("early", "late")),
    Column(name="note", type="string", max_length=5),
    Column(name="day", type="date"),
    Column(name="at", type="timestamp"),
    Column(name="clip", type="file", max_bytes=7, media_type="audio/wav"),
    Column(name="</script>/~", type="number"),
    Column(name="width", type="number", decimal=",", description=Bilingual(en="Width", de="Breite")),
    target=Column(name="target", type="number", unit="Pa·s", minimum=0),
    data={"history_rows": 3},
)  # fmt: skip


def template(name: str) -> Project:
    folder = locate(name, [ROOT])
    return load(folder, read_contract(find_contract(f"{name}.odcs.yaml", [ROOT])))


def cases() -> dict[str, Project]:
    return {"every_type": EVERY_TYPE} | {name: template(name) for name in TEMPLATES}


def schema_of(told: dict[str, Any], name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": told["components"]})


def references(node: Any) -> set[str]:
    if isinstance(node, list):
        return set().union(*map(references, node))
    if not isinstance(node, dict):
        return set()
    own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
    return own.union(*map(references, node.values()))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", cases())
def test_the_document_is_openapi_3_1_and_every_reference_leads_somewhere(name: str, language: Language) -> None:
    told = document(cases()[name], 3, language, protected=True)
    OPENAPI_31_VALIDATOR.validate(json.loads(json.dumps(told)))
    for reference in references(told):
        place: Any = told
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]
    assert list(OPENAPI_31_VALIDATOR.iter_errors({**told, "paths": []}))


@pytest.mark.parametrize("name", cases())
def test_examples_keep_the_schema_that_they_show(name: str) -> None:
    case = cases()[name]
    told = document(case, 1, "en", protected=False)
    seen = 0
    for path in told["paths"].values():
        for operation in path.values():
            contents = [operation["responses"]["200"]["content"]]
            contents += [operation["requestBody"]["content"]] if "requestBody" in operation else []
            for content in contents:
                media = content["application/json"]
                if "example" in media:
                    root = {"components": told["components"], **media["schema"]}
                    jsonschema.Draft202012Validator(root).validate(media["example"])
                    seen += 1
    assert seen >= 6
    predict = told["paths"][f"/{case.name}/predict"]["post"]
    predict_model(case).model_validate(predict["requestBody"]["content"]["application/json"]["example"])
    PredictResponse.model_validate(predict["responses"]["200"]["content"]["application/json"]["example"])


def test_every_refusal_is_a_problem_document() -> None:
    told = document(EVERY_TYPE, 1, "en", protected=True)
    statuses = set(told["paths"]["/demo/predict"]["post"]["responses"])
    assert statuses >= {"400", "401", "403", "404", "405", "408", "413", "415", "422", "429", "503"}
    for answer in told["components"]["responses"].values():
        assert answer["content"] == {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
    assert "Retry-After" in told["components"]["responses"]["429"]["headers"]


def test_keys_are_asked_for_only_where_the_service_is_protected() -> None:
    assert "security" not in document(EVERY_TYPE, 1, "en", protected=False)
    told = document(EVERY_TYPE, 1, "en", protected=True)
    schemes = told["components"]["securitySchemes"]
    assert told["security"] == [{"bearer": []}, {"apiKey": []}]
    assert (schemes["bearer"]["scheme"], schemes["apiKey"]["name"]) == ("bearer", "X-API-Key")


def test_words_and_units_come_in_the_language_asked_for() -> None:
    english, german = (document(EVERY_TYPE, 7, language, protected=False) for language in LANGUAGES)
    assert english["info"]["title"] == "Demo"
    assert german["info"]["title"] == "Probe"
    assert german["info"]["version"] == "7"
    assert german["components"]["schemas"]["Row"]["properties"]["pressure"]["description"] == "Öldruck [bar]"
    assert german["components"]["schemas"]["Row"]["properties"]["width"]["anyOf"][0]["description"] == "Breite"
    answer = german["components"]["schemas"]["Answer"]["properties"]
    assert (answer["prediction"]["unit"], answer["prediction"]["description"]) == ("Pa·s", "Vorhergesagt für „target“ [Pa·s]")
    assert "Parameters" not in str(english["components"])  # no docstring of ours shines through


def test_the_server_is_named_where_it_is_known() -> None:
    assert document(EVERY_TYPE, 1, "en", protected=False)["servers"] == [{"url": "/"}]
    told = document(EVERY_TYPE, 1, "en", server_url="https://ml.example", protected=False)
    assert told["servers"] == [{"url": "https://ml.example"}]


def test_projects_with_files_take_a_form_too() -> None:
    told = document(EVERY_TYPE, 1, "en", protected=False)
    form = told["paths"]["/demo/predict"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert form["encoding"] == {"clip": {"contentType": "audio/wav"}}
    parts = told["components"]["schemas"]["RowForm"]["properties"]
    assert parts["clip"] == {"type": "string", "format": "binary", "maxLength": 7}
    assert "null" not in str(parts)
    assert "multipart/form-data" not in str(document(project(Column(name="x", type="number")), 1, "en", protected=False))


@pytest.mark.parametrize("path", ["/demo/predict", "/demo/explain", "/demo/feedback"])
def test_schemathesis_makes_requests_from_it_that_the_service_takes(path: str) -> None:
    schema = schemathesis.openapi.from_dict(document(EVERY_TYPE, 1, "en", protected=False))
    model: type[BaseModel] = {"/demo/predict": predict_model, "/demo/explain": explain_model, "/demo/feedback": feedback_model}[
        path
    ](EVERY_TYPE)
    seen = []

    @given(case=schema[path]["POST"].as_strategy().filter(lambda case: case.media_type == "application/json"))
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    def check(case: Any) -> None:
        seen.append(model.model_validate_json(json.dumps(case.body)))

    check()
    assert len(seen) >= 20


TIMES = st.from_regex(TIMESTAMP_PATTERN, fullmatch=True) | st.from_regex(DATE_PATTERN, fullmatch=True)
NEARLY = {
    "date": TIMES | st.sampled_from(["2023-02-29", "1900-02-29", "31.04.2026", "1677-12-31", "2262-01-01", "20260131", "31.1.26"]),
    "timestamp": TIMES | st.sampled_from(["2024-02-29T24:00", "2026-01-31T10:60", "2026-W05-6", "31.01.2026  14:30", "2026-01-31T1"]),
    "file": st.text("Aa1+/=-", max_size=13),
    "string": st.text("aäA-1\x00\n", max_size=12),
    "integer": st.floats(-3, 3) | st.sampled_from([2**53, 2**53 + 2, -(2**53), -(2**53) - 2, 1e15, 3.0]),
    "number": st.integers() | st.sampled_from(["1,5", "1.234,5", "1.5", "12.34,5", ",5"]) | st.sampled_from([-0.0, 5e-324, 1.7e308]),
    "boolean": st.sampled_from([0, 1, "true", "yes"]),
}  # fmt: skip


def sides(column: Column) -> tuple[jsonschema.Draft202012Validator, type[BaseModel]]:
    case = project(column)
    return schema_of(document(case, 1, "en", protected=False), "PredictRequest"), predict_model(case)


STRICT = [
    *(Column(name="x", type=kind, required=required) for kind in NEARLY for required in (True, False)),  # type: ignore[arg-type]
    Column(name="x", type="number", decimal=","),
    Column(name="x", type="number", required=True, decimal=","),
    Column(name="x", type="number", required=True, minimum=-2.5, maximum=2),
    Column(name="x", type="integer", required=True, minimum=-2.5, maximum=2),
    Column(name="x", type="string", required=True, pattern="[A-Z]*-?[0-9]", max_length=4),
    Column(name="x", type="string", required=True, pattern="(?=A)[A-Z]*-?[0-9]"),
    Column(name="x", type="string", allowed=("a", "A-1")),
    Column(name="x", type="integer", allowed=(1, 3)),
    Column(name="x", type="date", allowed=("2026-01-31",)),
    *(Column(name="x", type="file", required=True, max_bytes=most) for most in range(1, 8)),
]


@pytest.mark.parametrize(
    "column", STRICT, ids=lambda c: f"{c.type}-{c.required}-{c.pattern or c.max_bytes or c.maximum or c.allowed}"
)
def test_the_schema_takes_exactly_what_the_service_takes(column: Column) -> None:
    schema, model = sides(column)

    @given(NEARLY[column.type] | VALUES[column.type] | JSON)
    @example("1111=")
    @example("1111====")
    @settings(max_examples=150, deadline=None)
    def check(value: Any) -> None:
        body = json.loads(json.dumps({"rows": [{"x": value}]}))
        if "NaN" in json.dumps(value) or "Infinity" in json.dumps(value):
            return  # no JSON
        if isinstance(value, str) and value.endswith("\n"):
            return  # "$" matches before it in Python, by which this test reads patterns, but not in JSON Schema (ECMA-262)
        try:
            model.model_validate_json(json.dumps(body))
        except ValidationError:
            assert not schema.is_valid(body), value
        else:
            assert schema.is_valid(body), value

    check()


@given(TIMES)
def test_every_time_that_the_pattern_lets_through_can_be_read(value: str) -> None:
    assert parse_time(value).year in range(1677, 2263)


@given(st.dates(datetime(1678, 1, 1).date(), datetime(2261, 12, 31).date()))
def test_every_day_of_the_calendar_is_let_through_in_both_forms(day: Any) -> None:
    model = predict_model(project(Column(name="x", type="date", required=True)))
    forms = [day.isoformat(), f"{day:%d.%m.%Y}", f"{day.day}.{day.month}.{day.year}", f"{day.isoformat()}T00:00:00"]
    read = model.model_validate({"rows": [{"x": form} for form in forms]}).rows  # type: ignore[attr-defined]
    assert {row["x"].date() for row in read} == {day}


def test_typical_values_hide_people_and_rare_values() -> None:
    contract = project(
        Column(name="pressure", type="number", required=True),
        Column(name="count", type="integer"),
        Column(name="name", type="string", personal_data="personal"),
        Column(name="shift", type="string"),
        Column(name="serial", type="string"),
        Column(name="wet", type="boolean"),
        Column(name="day", type="date"),
    ).input_contract
    frame = pd.DataFrame({
        "pressure": [1.23456, 2.34567, 3.45678] * 7, "count": [1.0, 2.0, 4.0] * 7, "name": "Ada", "shift": ["early", "early", "late"] * 7,
        "serial": [f"S{i}" for i in range(21)], "wet": [1.0, 1.0, 0.0] * 7, "day": pd.Timestamp("2026-01-31"),
    })  # fmt: skip
    assert typical(contract, frame) == {"pressure": 2.346, "count": 2, "shift": "early", "wet": True}
    assert typical(contract, frame.head(9)) == {}


def test_the_example_row_takes_what_is_usual_where_the_contract_does() -> None:
    case = project(
        Column(name="x", type="number", required=True, maximum=5), Column(name="code", type="string", pattern="[A-Z]-[0-9]")
    )
    assert example_row(case, {"x": 4.5, "code": "A-1", "other": 1}) == {"x": 4.5, "code": "A-1"}
    assert example_row(case, {"x": 7.0}) == {"x": 5.0}
    assert refused(case, {"code": "A-1"}) == {"x"}


def test_a_file_of_exactly_the_largest_size_comes_in() -> None:
    schema, model = sides(Column(name="x", type="file", required=True, max_bytes=7))
    for size, fits in ((7, True), (8, False)):
        body = {"rows": [{"x": base64.b64encode(bytes(size)).decode()}]}
        assert schema.is_valid(body) is fits
        if fits:
            model.model_validate(body)
        else:
            with pytest.raises(ValidationError, match="file too large"):
                model.model_validate(body)

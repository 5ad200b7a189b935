import base64
import json
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from request_cases import JSON, VALUES, project

from leitstand.conforming import conform
from leitstand.contract import Bilingual, Column
from leitstand.project import Project
from serving.schema import example, feedback_model, parse_time, predict_model, to_frame


def rows(case: Project, body: object) -> list[dict[str, object]]:
    return predict_model(case).model_validate_json(body if isinstance(body, str) else json.dumps({"rows": body})).rows


def refused(case: Project, body: object) -> set[tuple[object, ...]]:
    with pytest.raises(ValidationError, match="PredictRequest") as caught:
        rows(case, body)
    return {error["loc"] for error in caught.value.errors()}


def one(column: Column, value: object) -> object:
    return rows(project(column), [{column.name: value}])[0][column.name]


def says_no(column: Column, value: object) -> bool:
    return refused(project(column), [{column.name: value}]) == {("rows", 0, column.name)}


def number(**rules: object) -> Column:
    return Column(name="x", type="number", required=True, **rules)


def test_numbers_are_finite_json_numbers_in_the_declared_range() -> None:
    column = number(minimum=-1, maximum=5)
    assert one(column, 3) == 3.0
    assert all(says_no(column, value) for value in (True, "3", "3,5", None, [], {}, -1.5, 5.5))


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e400", "9" * 400])
@pytest.mark.parametrize("kind", ["number", "integer"])
def test_what_is_no_finite_number_is_refused(literal: str, kind: str) -> None:
    case = project(Column(name="x", type=kind, required=True))
    assert refused(case, f'{{"rows": [{{"x": {literal}}}]}}') == {("rows", 0, "x")}


def test_whole_numbers_may_be_written_with_a_fraction_of_zero() -> None:
    column = Column(name="x", type="integer", required=True, minimum=0.5, maximum=7.5)
    assert one(column, 3.0) == 3
    assert all(says_no(column, value) for value in (3.5, True, "3", 0, 8))


def test_integers_beyond_the_exact_range_of_float64_are_refused() -> None:
    assert says_no(Column(name="x", type="integer", required=True), 2**53 + 1)


def test_booleans_are_only_true_and_false() -> None:
    column = Column(name="x", type="boolean", required=True)
    assert one(column, True) is True
    assert all(says_no(column, value) for value in (1, 0, "true"))


@pytest.mark.parametrize("pattern", ["[A-Z]{2}-[0-9]+", "(?=A)[A-Z]{2}-[0-9]+"], ids=["linear", "lookahead"])
def test_a_text_must_match_the_pattern_as_a_whole(pattern: str) -> None:
    column = Column(name="x", type="string", required=True, pattern=pattern, max_length=6)
    assert one(column, "AB-12") == "AB-12"
    assert all(says_no(column, value) for value in ("AB-12!", "xAB-12", "AB-12\n", "AB-1234", 5))


def test_texts_hold_no_nul_because_databases_refuse_it() -> None:
    assert says_no(Column(name="x", type="string", required=True), "a\x00b")


def test_only_allowed_values_come_in() -> None:
    column = Column(name="x", type="string", required=True, allowed=("north", "south"))
    assert one(column, "north") == "north"
    assert says_no(column, "North")


def test_dates_come_in_iso_and_german_form() -> None:
    column = Column(name="x", type="date", required=True)
    expected = datetime(2026, 1, 31)
    assert [one(column, value) for value in ("2026-01-31", "31.01.2026", "2026-01-31T00:00:00")] == [expected] * 3
    assert all(
        says_no(column, value) for value in ("01/31/2026", "2026-02-30", "2026-01-31T10:00:00", 20260131, "", "1500-01-01")
    )


def test_times_with_a_zone_become_utc() -> None:
    column = Column(name="x", type="timestamp", required=True)
    texts = (
        "2026-01-31T14:30:00Z",
        "2026-01-31T15:30:00+01:00",
        "31.01.2026 14:30",
        "31.01.2026 14:30:00",
        "2026-01-31T14:30:00",
    )
    assert {one(column, value) for value in texts} == {datetime(2026, 1, 31, 14, 30)}
    assert all(says_no(column, value) for value in ("yesterday", "9999-12-31T23:59:59", "0001-01-01T00:00:00+14:00", 0))


def test_files_are_base64_within_their_limit() -> None:
    column = Column(name="x", type="file", required=True, max_bytes=4)
    assert one(column, base64.b64encode(b"RIFF").decode()) == b"RIFF"
    assert all(says_no(column, value) for value in ("no base64!", base64.b64encode(b"RIFF+").decode(), 7))


def test_optional_columns_may_be_null_or_missing_and_required_ones_may_not() -> None:
    case = project(number(), Column(name="spare", type="number"))
    made = rows(case, [{"x": 1}, {"x": 2, "spare": None}])
    assert to_frame(made, case.input_contract)["spare"].isna().all()
    assert refused(case, [{"spare": 1}]) == {("rows", 0, "x")}
    assert refused(case, [{"x": None}]) == {("rows", 0, "x")}


def test_unknown_keys_are_refused_at_every_level() -> None:
    case = project(number())
    assert refused(case, [{"x": 1, "y": 2}]) == {("rows", 0, "y")}
    assert refused(case, '{"rows": [{"x": 1}], "more": 1}') == {("more",)}
    assert refused(case, [{"x": 1, "target": 2}]) == {("rows", 0, "target")}


def test_rows_are_limited_as_the_project_says() -> None:
    case = project(number(), serving={"max_rows": 2})
    assert len(rows(case, [{"x": 1}] * 2)) == 2
    assert refused(case, [{"x": 1}] * 3) == {("rows",)}
    assert refused(case, []) == {("rows",)}


@pytest.mark.parametrize(
    "body", ["", "{", "[" * 10_000, "\ud800".encode("utf-8", "surrogatepass"), '{"rows": [{"x": 1}]} and more', "null", "[]"]
)
def test_what_is_no_json_object_is_refused(body: str | bytes) -> None:
    with pytest.raises(ValidationError, match="PredictRequest"):
        predict_model(project(number())).model_validate_json(body)


def test_column_names_may_be_any_text() -> None:
    names = ["model_config", "_x", "Temperatur °C", "a/b~c", "class", "rows", " "]
    case = project(*(Column(name=name, type="number", required=True) for name in names))
    assert rows(case, [dict.fromkeys(names, 1)]) == [dict.fromkeys(names, 1.0)]


def test_the_json_schema_tells_units_ranges_and_words_in_both_languages() -> None:
    described = Bilingual(en="Oil temperature", de="Öltemperatur")
    case = project(
        number(unit="°C", minimum=0, maximum=90, description=described), Column(name="kind", type="string", allowed=("a", "b"))
    )
    german = predict_model(case, "de").model_json_schema()["$defs"]["Row"]
    assert german["properties"]["x"]["description"] == "Öltemperatur [°C]"
    assert "Oil temperature" in str(predict_model(case, "en").model_json_schema())
    assert {"unit": "°C", "minimum": 0, "maximum": 90}.items() <= german["properties"]["x"].items()
    assert (german["required"], german["additionalProperties"]) == (["x"], False)
    assert "'enum': ['a', 'b']" in str(german["properties"]["kind"])


def test_the_schema_says_that_rows_are_history_to_later_rows() -> None:
    case = project(number(), data={"history_rows": 12})
    assert "earlier rows of one request are history" in str(predict_model(case).model_json_schema()["properties"]["rows"])


def test_feedback_takes_the_targets_values_only() -> None:
    model = feedback_model(project(number()))
    assert model.model_validate_json('{"labels": [{"id": "a", "value": 9}]}').labels[0].value == 9
    for value in ("10", '"9"', "null", "true", "NaN"):
        with pytest.raises(ValidationError, match="value"):
            model.model_validate_json(f'{{"labels": [{{"id": "a", "value": {value}}}]}}')


def columns() -> st.SearchStrategy[Column]:
    kinds = st.sampled_from(["integer", "number", "string", "boolean", "date", "timestamp", "file"])
    names = st.text(min_size=1, max_size=12).filter(lambda name: name != "target")
    return st.builds(Column, name=names, type=kinds, required=st.booleans())


@given(st.lists(columns(), min_size=1, max_size=5, unique_by=lambda column: column.name), st.data())
def test_every_row_that_keeps_the_contract_comes_through_unchanged(chosen: list[Column], data: st.DataObject) -> None:
    case = project(*chosen)
    row = {c.name: data.draw(VALUES[c.type]) for c in chosen if c.required or data.draw(st.booleans())}
    settled = conform(to_frame(rows(case, [row]), case.input_contract), case.input_contract)
    for column in chosen:
        value = settled[column.name].iloc[0]
        if column.name not in row:
            assert value is None or value != value
        elif column.type in ("date", "timestamp"):
            assert value == parse_time(str(row[column.name]))
        elif column.type == "file":
            assert base64.b64encode(value).decode() == row[column.name]
        else:
            assert value == row[column.name]


@given(st.lists(columns(), min_size=1, max_size=4, unique_by=lambda column: column.name), st.data())
def test_whatever_is_sent_is_taken_or_refused_but_nothing_else_happens(chosen: list[Column], data: st.DataObject) -> None:
    case = project(*chosen)
    body = data.draw(
        JSON | st.fixed_dictionaries({"rows": JSON | st.lists(JSON | st.fixed_dictionaries({c.name: JSON for c in chosen}))})
    )
    try:
        made = rows(case, json.dumps(body))
    except ValidationError:
        return
    conform(to_frame(made, case.input_contract), case.input_contract)


@given(st.lists(columns(), min_size=1, max_size=5, unique_by=lambda column: column.name))
def test_the_example_is_a_valid_row(chosen: list[Column]) -> None:
    case = project(*chosen)
    assert rows(case, [example(case.input_contract)])


def test_german_numbers_are_taken_where_the_contract_says_so() -> None:
    column = number(decimal=",", minimum=0, maximum=2000)
    for given_, meant in (("1.234,5", 1234.5), ("0,5", 0.5), ("1.234", 1234.0), (3, 3.0), ("+7", 7.0)):
        assert one(column, given_) == meant
    assert all(says_no(column, value) for value in ("1.2.3", "1,5 €", "2.001,0", "-1", True, ""))
    assert says_no(number(), "0,5")
    schema = predict_model(project(column)).model_json_schema()
    for value, taken in (("1.234,5", True), (5, True), ("5 kg", False), (-1, False)):
        assert Draft202012Validator(schema).is_valid({"rows": [{"x": value}]}) == taken

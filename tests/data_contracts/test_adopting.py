import pandas as pd

from data_contracts.adopting import adopt
from leitstand.contract import Column, Contract

TEMPLATE = Contract(
    id="press",
    table="strokes",
    columns=(
        Column(name="stroke", type="integer", primary_key_position=1),
        Column(name="force", type="number", unit="kN", minimum=0, maximum=50),
        Column(name="kind", type="string", allowed=("A", "B")),
    ),
    freshness_hours=24,
    max_quarantine_share=0.1,
)


def frame(**changes: object) -> pd.DataFrame:
    return pd.DataFrame({"stroke": range(100), "force": [10.0] * 95 + [90.0] * 5, "kind": ["A", "B"] * 50} | changes)


def adopted(**changes: object) -> Contract:
    return adopt(TEMPLATE, frame(**changes), source="own.csv", time=None)


def test_a_definition_is_kept_where_few_rows_break_it():
    own = adopted()
    assert own.columns == TEMPLATE.columns
    assert (own.table, own.max_quarantine_share, own.freshness_hours) == ("own", 0.1, None)


def test_a_column_that_is_only_called_the_same_is_guessed():
    own = adopted(kind=["x", "y"] * 50, force=["much"] * 100)
    assert own.column("kind").allowed == ("x", "y")
    assert own.column("force").type == "string"
    assert {"type", "allowed"} <= set(own.column("kind").guesses)
    assert own.column("stroke") == TEMPLATE.column("stroke")


def test_a_key_that_repeats_is_no_key():
    own = adopted(stroke=[1, 2] * 50)
    assert own.primary_key == []
    assert own.column("force") == TEMPLATE.column("force")


def test_a_key_of_two_columns_that_repeats_is_no_key_and_the_columns_stay():
    kind = TEMPLATE.column("kind").model_copy(update={"primary_key_position": 2})
    two = TEMPLATE.model_copy(update={"columns": (*TEMPLATE.columns[:2], kind)})
    assert adopt(two, frame(), source="own.csv", time=None).primary_key == ["stroke", "kind"]
    own = adopt(two, frame(stroke=[1, 2] * 50), source="own.csv", time=None)
    assert own.primary_key == []
    assert own.column("kind") == TEMPLATE.column("kind")


def test_there_is_one_key_the_templates_where_the_data_have_it():
    assert adopted(part_id=[f"P{number}" for number in range(100)]).primary_key == ["stroke"]
    own = adopt(TEMPLATE, frame(part_id=[f"P{n}" for n in range(100)]).drop(columns="stroke"), source="own.csv", time=None)
    assert own.primary_key == ["part_id"]


def test_columns_stand_in_the_order_of_the_data_and_all_of_them():
    own = adopt(TEMPLATE, pd.DataFrame({"new": [1.5, 2.5], "kind": ["A", "B"]}), source="own.csv", time=None)
    assert own.names == ["new", "kind"]


def test_freshness_is_kept_only_with_a_time_to_read_it_from():
    counted = adopt(TEMPLATE, frame(), source="own.csv", time="stroke")
    assert (counted.time_column, counted.freshness_hours) == ("stroke", None)
    dated = adopt(TEMPLATE, frame(at=pd.date_range("2026-01-01", periods=100, freq="h")), source="own.csv", time="at")
    assert (dated.time_column, dated.freshness_hours) == ("at", 24)

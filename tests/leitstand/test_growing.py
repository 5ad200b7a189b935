"""A table that grows by deliveries: what comes out does not hang on the order or the number of times they come."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from builders import spec
from hypothesis import given, settings
from hypothesis import strategies as st

from leitstand.contract import Column, Contract
from leitstand.growing import begin, grow, newest
from leitstand.project import Project
from leitstand.suspicion import suspect

CONTRACT = Contract(
    id="parts",
    table="parts",
    columns=(
        Column(name="id", type="integer", primary_key_position=1, required=True),
        Column(name="time", type="timestamp"),
        Column(name="count", type="integer"),
        Column(name="good", type="boolean"),
        Column(name="line", type="string"),
        Column(name="quality", type="number"),
    ),
)


def project(contract: Contract = CONTRACT, **data: Any) -> Project:
    made = spec(task="regression", data={"time": "time", **data})
    return Project(made, contract, Path(), ModuleType("parts"))


def frame(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    """Rows as the contract check types them."""
    made = pd.DataFrame(rows, columns=CONTRACT.names)
    good = made["good"].astype("boolean")
    return made.assign(
        id=made["id"].astype("int64"),
        time=pd.to_datetime(made["time"], unit="h", origin="2026-01-01").astype("datetime64[ns]"),
        count=made["count"].astype("float64") if made["count"].isna().any() else made["count"].astype("int64"),
        good=good if good.isna().any() else good.astype(bool),
        line=made["line"].astype(object).where(made["line"].notna(), None),
        quality=made["quality"].astype("float64"),
    )


ROWS = st.lists(
    st.tuples(
        st.integers(0, 8),
        st.integers(0, 5),
        st.one_of(st.none(), st.integers(-3, 3)),
        st.one_of(st.none(), st.booleans()),
        st.sampled_from([None, "A", "B"]),
        st.one_of(st.none(), st.sampled_from([0.5, 1.0])),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda row: row[0],
)


def final(deliveries: list[tuple[int, list[tuple[Any, ...]]]]) -> pd.DataFrame:
    """The table after deliveries that come in this order; the number says which is newer."""
    order = {number: number for number, _ in deliveries}
    (first, rows), *others = deliveries
    made = begin(project(), frame(rows), first)
    for number, later in others:
        made = grow(project(), made.frame, made.deliveries, frame(later), number, order)
    return made.frame


@settings(max_examples=150, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=5), st.randoms(use_true_random=False), st.integers(0, 4))
def test_any_order_and_repetition_of_deliveries_makes_the_same_table(deliveries: list[Any], random: Any, repeated: int) -> None:
    numbered = list(enumerate(deliveries, 1))
    shuffled = [*numbered, *(random.choice(numbered) for _ in range(repeated))]
    random.shuffle(shuffled)
    pd.testing.assert_frame_equal(final(shuffled), final(numbered))


@settings(max_examples=100, deadline=None)
@given(ROWS, ROWS)
def test_every_row_of_a_delivery_is_counted_once(first: list[Any], second: list[Any]) -> None:
    made = begin(project(), frame(first), 1)
    grown = grow(project(), made.frame, made.deliveries, frame(second), 2, {1: 1, 2: 2})
    assert grown.added + grown.corrected + grown.unchanged + grown.outdated == len(second)
    assert len(grown.frame) == len(first) + grown.added == len(grown.deliveries)
    assert grown.outdated == 0
    older = grow(project(), made.frame, made.deliveries, frame(second), 2, {1: 2, 2: 1})
    assert (older.added, older.unchanged, older.outdated, older.corrected) == (grown.added, grown.unchanged, grown.corrected, 0)


def test_of_several_rows_of_one_key_in_a_delivery_the_last_counts() -> None:
    made = begin(project(), frame([(1, 0, 1, True, "A", 1.0), (1, 0, 2, True, "A", 1.0)]), 1)
    assert (made.frame["count"].tolist(), made.added, made.outdated) == ([2], 1, 1)


def test_without_a_key_every_row_is_added_in_its_place() -> None:
    free = tuple(one.model_copy(update={"primary_key_position": None}) for one in CONTRACT.columns)
    keyless = project(CONTRACT.model_copy(update={"columns": free}))
    rows = [(1, 5, 1, True, "A", 1.0), (2, 3, 1, True, "A", None)]
    made = begin(keyless, frame(rows), 1)
    grown = grow(keyless, made.frame, made.deliveries, frame(rows), 2, {1: 1, 2: 2})
    assert (grown.added, grown.late, grown.labelled, len(grown.frame)) == (2, 1, 1, 4)
    assert grown.frame["time"].is_monotonic_increasing


@pytest.mark.parametrize(
    ("rules", "left"), [({"most_rows": 3}, [7, 8, 9]), ({"history_days": 0.2}, [5, 6, 7, 8, 9]), ({}, list(range(10)))]
)
def test_a_model_looks_no_further_back_than_it_may(rules: dict[str, Any], left: list[int]) -> None:
    table = frame([(number, number, 1, True, "A", 1.0) for number in reversed(range(10))])
    assert sorted(newest(project(**rules), table)["id"]) == left


def test_a_column_is_missed_only_where_chance_cannot_explain_it() -> None:
    known = pd.DataFrame({"a": [1.0, np.nan] * 50, "b": 1.0})
    contract = Contract(id="p", table="p", columns=(Column(name="a", type="number"), Column(name="b", type="number")))

    def fault(rows: int, *empty: str) -> str | None:
        new = pd.DataFrame({name: np.full(rows, np.nan if name in empty else 1.0) for name in "ab"})
        found = suspect(new, known, contract, "target", [], 10)
        return None if found is None else found.fault

    assert fault(9, "a", "b") is None
    assert fault(20, "a") == "column_empty"
    assert fault(10, "b") == "column_empty"
    assert suspect(pd.DataFrame({"a": [np.nan] * 20, "b": [np.nan] * 20}), known, contract, "a", [], 10).values["columns"] == "b"  # type: ignore[union-attr]


def test_a_flood_is_measured_by_what_is_usual() -> None:
    contract = Contract(id="p", table="p", columns=(Column(name="a", type="number"),))
    new = pd.DataFrame({"a": np.ones(500)})
    assert suspect(new, None, contract, "y", [50, 50], 10) is None
    assert suspect(new, None, contract, "y", [50, 50, 50], 10).fault == "too_many_rows"  # type: ignore[union-attr]
    assert suspect(new, None, contract, "y", [51, 51, 5000], 10) is None

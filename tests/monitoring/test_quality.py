import numpy as np
import pandas as pd
import pytest

from leitstand.contract import Column, Contract
from monitoring.quality import quality_faults


def faults(column: Column, before: list[object], now: list[object]) -> list[tuple[str, int]]:
    contract = Contract(id="c", table="t", columns=(column,))
    frames = (pd.DataFrame({column.name: values}) for values in (before, now))
    return [(fault.fault, fault.rows) for fault in quality_faults(contract, *frames)]


NUMBER = Column(name="x", type="number", minimum=0, maximum=10)
BEFORE: list[object] = [float(i % 10) for i in range(200)]


def test_sound_data_have_no_faults() -> None:
    assert faults(NUMBER, BEFORE, BEFORE[::2]) == []


def test_values_outside_the_contract_are_counted() -> None:
    assert faults(NUMBER, BEFORE, [1.0, 2.0, 11.0, -1.0]) == [("out_of_range", 2)]


def test_values_the_contract_does_not_list_are_counted() -> None:
    column = Column(name="x", type="string", allowed=("a", "b"))

    assert faults(column, ["a", "b"] * 50, ["a", "c", "b", None]) == [("not_allowed", 1)]


def test_listed_numbers_are_compared_as_numbers() -> None:
    column = Column(name="x", type="integer", allowed=(1, 2))

    assert faults(column, [1.0, 2.0] * 50, [1.0, 2.0, 3.0]) == [("not_allowed", 1)]


@pytest.mark.parametrize(("missing", "expected"), [(5, []), (60, [("missing", 60)])])
def test_missing_values_count_when_they_are_far_more_than_usual(missing: int, expected: list[tuple[str, int]]) -> None:
    now: list[object] = [np.nan] * missing + BEFORE[: 100 - missing]

    assert faults(NUMBER, BEFORE, now) == expected


def test_values_as_often_missing_as_in_training_are_no_fault() -> None:
    half: list[object] = [np.nan if i % 2 else float(i % 10) for i in range(200)]

    assert faults(NUMBER, half, half) == []


def test_a_missing_value_in_a_required_column_is_a_fault() -> None:
    assert faults(Column(name="x", type="number", required=True), BEFORE, [1.0, np.nan]) == [("missing", 1)]


def test_a_stuck_value_is_a_fault_only_when_chance_cannot_explain_it() -> None:
    assert faults(NUMBER, BEFORE, [3.0] * 20) == [("constant", 20)]
    assert faults(NUMBER, BEFORE, [3.0] * 2) == []
    mostly_off: list[object] = [0.0] * 199 + [1.0]
    assert faults(NUMBER, mostly_off, [0.0] * 50) == []


def test_an_empty_window_has_no_faults() -> None:
    assert faults(NUMBER, BEFORE, []) == []


def frozen_faults(before_run: int, now: list[object]) -> list[tuple[str, int, bool]]:
    contract = Contract(id="c", table="t", columns=(NUMBER,))
    frames = (pd.DataFrame({"x": values}) for values in (BEFORE, now))
    return [(fault.fault, fault.rows, fault.breaks) for fault in quality_faults(contract, *frames, {"x": before_run})]


def test_a_value_that_stands_still_longer_than_ever_is_frozen() -> None:
    now = [*BEFORE[:60], *[3.0] * 40]

    assert frozen_faults(1, now) == [("frozen", 40, True)]
    assert frozen_faults(20, now) == []
    assert faults(NUMBER, BEFORE, now) == []  # nobody knows how long training stood still


def test_a_whole_window_of_one_value_is_no_fault_where_training_stood_still_as_long() -> None:
    assert frozen_faults(30, [3.0] * 50) == []
    assert frozen_faults(10, [3.0] * 50) == [("constant", 50, True)]


def test_single_odd_values_do_not_break_a_sensor() -> None:
    assert frozen_faults(1, [*BEFORE[:100], 11.0]) == [("out_of_range", 1, False)]
    assert frozen_faults(1, [*BEFORE[:60], *[11.0 + i for i in range(40)]]) == [("out_of_range", 40, True)]

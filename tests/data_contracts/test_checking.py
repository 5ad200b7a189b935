from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.checking import check
from data_contracts.result import save_quarantine
from leitstand.contract import Column, Contract
from leitstand.errors import ContractBroken

NOW = datetime(2025, 1, 3, 12, tzinfo=UTC)


def contract(*columns, **given_):
    return Contract(id="press.v1", table="strokes", columns=columns, **given_)


def only(**rules):
    return contract(Column(name="x", **rules))


def rules(result):
    return {(rule.column, rule.rule): (rule.rows, rule.examples) for rule in result.broken}


@pytest.mark.parametrize(
    ("given_", "values", "rule", "bad", "examples"),
    [
        ({"type": "number"}, ["1", "x", "2", "y", "x"], "type", [2, 4, 5], ("x", "y")),
        ({"type": "number"}, [1.0, np.inf, -np.inf], "finite", [2, 3], ("inf", "-inf")),
        ({"type": "integer"}, [1.0, 2.5], "type", [2], ("2.5",)),
        ({"type": "number", "minimum": 0}, [1, -3, 0], "minimum", [2], ("-3",)),
        ({"type": "number", "maximum": 50}, [50, 71.2], "maximum", [2], ("71.2",)),
        ({"type": "number", "maximum": 50}, ["1,5", "71,2"], "maximum", [2], ("71,2",)),
        ({"type": "number", "maximum": 1e6}, [1.0, 1e308], "maximum", [2], ("1e+308",)),
        ({"type": "string", "required": True}, ["a", None], "required", [2], ("#2",)),
        ({"type": "string", "allowed": ("A", "B")}, ["A", "C", None], "allowed", [2], ("C",)),
        ({"type": "integer", "allowed": (1, 2)}, [1, 2, 3], "allowed", [3], ("3",)),
        ({"type": "string", "allowed": (1, 2)}, ["1", "3"], "allowed", [2], ("3",)),
        ({"type": "string", "pattern": "[A-Z]\\d+"}, ["A1", "A1b", "xA1"], "pattern", [2, 3], ("A1b", "xA1")),
        ({"type": "string", "pattern": "a|b"}, ["a", "bc"], "pattern", [2], ("bc",)),
        ({"type": "string", "pattern": "a"}, ["a", "a\n"], "pattern", [2], ("a\n",)),
        ({"type": "string", "max_length": 3}, ["abc", "abcd"], "max_length", [2], ("abcd",)),
        ({"type": "string", "unique": True}, ["a", "b", "a", None, None], "unique", [1, 3], ("a",)),
        ({"type": "integer", "primary_key_position": 1}, [1, 2, 1], "primary_key", [1, 3], ("1",)),
        ({"type": "date"}, ["2024-01-01", "2024-02-30"], "type", [2], ("2024-02-30",)),
    ],
)
def test_row_that_breaks_a_rule_is_kept_apart(given_, values, rule, bad, examples):
    result = check(pd.DataFrame({"x": values}), only(**given_))
    assert rules(result) == {("x", rule): (len(bad), examples)}
    assert result.quarantined["_row"].tolist() == bad
    assert len(result.accepted) == len(values) - len(bad)
    assert result.rows == len(values)


def test_good_data_pass_and_come_out_typed():
    made = contract(Column(name="n", type="integer", minimum=0, required=True), Column(name="t", type="timestamp"))
    result = check(pd.DataFrame({"t": ["31.12.2024 14:05"], "n": ["1.234.567"]}), made)
    assert result.passed
    assert result.quarantined.empty
    assert result.accepted.to_dict("list") == {"n": [1234567], "t": [pd.Timestamp("2024-12-31 14:05")]}
    assert result.expectations == 4  # two types, one range, one required
    result.raise_if_stopped()


def test_row_is_kept_apart_with_all_its_reasons_and_as_it_came():
    made = contract(
        Column(name="speed", type="number", maximum=50, unit="mm/s"),
        Column(name="kind", type="string", allowed=("A",)),
        extra_columns="ignore",
    )
    frame = pd.DataFrame({"kind": ["A", "B", "A"], "speed": ["1,5", "71,2", "x"], "note": ["", "hot", ""]})
    result = check(frame, made)
    assert result.quarantined.to_dict("list") == {
        "_row": [2, 3],
        "_reason": ["speed: above 50 mm/s; kind: none of A", "speed: not of type number"],
        "kind": ["B", "A"],
        "speed": ["71,2", "x"],
        "note": ["hot", ""],
    }
    assert check(frame, made, language="de").quarantined["_reason"][1] == "speed: nicht vom Typ number"


def test_value_that_cannot_be_parsed_is_not_also_called_missing():
    result = check(pd.DataFrame({"x": ["a", None, "1"]}), only(type="number", required=True))
    assert rules(result) == {("x", "type"): (1, ("a",)), ("x", "required"): (1, ("#2",))}


def test_key_of_several_columns_may_repeat_in_each_but_not_in_all():
    made = contract(
        Column(name="day", type="date", primary_key_position=1), Column(name="shop", type="string", primary_key_position=2)
    )
    frame = pd.DataFrame({"day": ["2024-01-01"] * 3 + ["2024-01-02"] * 2, "shop": ["a", "b", "a", None, None]})
    result = check(frame, made)
    assert rules(result)["day, shop", "primary_key"] == (2, ("2024-01-01 00:00:00 / a",))
    assert rules(result)["shop", "required"] == (2, ("#4", "#5"))
    assert result.quarantined["_row"].tolist() == [1, 3, 4, 5]


def test_extra_column_is_refused_and_named_with_what_to_do():
    with pytest.raises(
        ContractBroken, match=r"1 columns that the contract press\.v1 does not know: y\. Leave .* extraColumns"
    ) as caught:
        check(pd.DataFrame({"x": [1], "y": [2]}), only(type="integer"))
    assert "1 Spalten, die der Vertrag press.v1 nicht kennt: y" in caught.value.render("de")


@pytest.mark.parametrize("on_broken", ["quarantine", "stop"])
def test_extra_column_is_left_out_where_the_contract_says_ignore(on_broken):
    made = only(type="integer").model_copy(update={"extra_columns": "ignore", "on_broken": on_broken})
    result = check(pd.DataFrame({"x": [1], "y": [2]}), made)
    result.raise_if_stopped()
    assert result.passed
    assert result.extra == ("y",)
    assert list(result.accepted.columns) == ["x"]


def test_column_that_may_stand_beside_is_left_out_and_no_extra():
    result = check(pd.DataFrame({"x": [1], "target": [2]}), only(type="integer"), others=["x", "target"])
    assert (result.extra, list(result.accepted.columns)) == ((), ["x"])
    with pytest.raises(ContractBroken, match=r"does not know: y\. "):
        check(pd.DataFrame({"x": [1], "target": [2], "y": [3]}), only(type="integer"), others=["x", "target"])


def test_mended_rows_may_keep_the_columns_of_the_quarantine():
    bad = check(pd.DataFrame({"x": ["a", "1"]}), only(type="integer")).quarantined
    assert check(bad.assign(x="2"), only(type="integer")).passed


def test_missing_column_says_which_are_there_and_which_are_unknown():
    with pytest.raises(ContractBroken, match=r"expects 1 columns that the data do not have: x\. Found: foo\. Unknown .*: foo\."):
        check(pd.DataFrame({"foo": [1]}), only(type="integer"))


@pytest.mark.parametrize("renamed", ["Speed [mm/s]", "SPEED_RMS", "sped"])
def test_renamed_column_is_suggested(renamed):
    made = contract(Column(name="speed_rms", type="number"), Column(name="other", type="number"))
    with pytest.raises(ContractBroken, match=r"Renamed\? speed_rms → ") as caught:
        check(pd.DataFrame({renamed: [1], "other": [1]}), made)
    assert "Umbenannt? speed_rms" in caught.value.render("de")


def test_column_that_stands_twice_is_refused():
    with pytest.raises(ContractBroken, match="columns of the same name: x"):
        check(pd.DataFrame([[1, 2]], columns=["x", "x"]), only(type="integer"))


def test_index_of_the_frame_does_not_matter():
    result = check(pd.DataFrame({"x": [1, 99, 2]}, index=[7, 7, 3]), only(type="integer", maximum=50))
    assert result.quarantined["_row"].tolist() == [2]
    assert result.accepted["x"].tolist() == [1, 2]
    assert result.accepted.index.tolist() == [0, 1]


@pytest.mark.parametrize("name", ["$PARAMETER", "a b", "Größe [mm]", "value", "_row", "1"])
def test_any_name_may_name_a_column(name):
    result = check(pd.DataFrame({name: [1, 99]}).rename_axis(None), contract(Column(name=name, type="integer", maximum=50)))
    assert [rule.rows for rule in result.broken] == [1]


def test_old_data_stop_the_run():
    made = contract(Column(name="t", type="timestamp"), time_column="t", freshness_hours=24)
    fresh = check(pd.DataFrame({"t": ["2025-01-01", "2025-01-02 13:00"]}), made, now=NOW)
    assert fresh.passed
    stale = check(pd.DataFrame({"t": ["2025-01-01", "2025-01-02 11:00"]}), made, now=NOW)
    assert rules(stale) == {("t", "freshness"): (0, ("2025-01-02 11:00:00",))}
    assert stale.quarantined.empty
    with pytest.raises(ContractBroken, match=r"Column 't': no row of the last 24 hours \(found: 2025-01-02 11:00:00\)"):
        stale.raise_if_stopped()


def test_freshness_is_measured_in_utc():
    made = contract(Column(name="t", type="timestamp"), time_column="t", freshness_hours=1)
    frame = pd.DataFrame({"t": [datetime.now(UTC) - timedelta(minutes=30)]})
    assert check(frame, made).passed
    assert check(frame, made, now=datetime.now(UTC).replace(tzinfo=None)).passed
    assert not check(frame, made, now=datetime.now(UTC) + timedelta(hours=1)).passed


def test_contract_that_says_stop_stops_at_the_first_bad_row():
    result = check(pd.DataFrame({"x": range(1000)}), only(type="integer", maximum=998).model_copy(update={"on_broken": "stop"}))
    with pytest.raises(
        ContractBroken,
        match=r"press\.v1, and it says stop: Column 'x', 1 of 1000 rows: above 998 \(e\.g\. 999\)\. Fix the export",
    ):
        result.raise_if_stopped()
    with pytest.raises(ContractBroken) as caught:
        result.raise_if_stopped("de")
    assert "Spalte 'x', 1 von 1000 Zeilen: über 998 (z. B. 999)" in caught.value.render("de")


def test_more_bad_rows_than_the_contract_bears_stop_the_run():
    bearable = check(pd.DataFrame({"x": range(100)}), only(type="integer", maximum=89))
    bearable.raise_if_stopped()
    with pytest.raises(ContractBroken, match=r"11 of 100 rows break .*, more than the 10% it bears"):
        check(pd.DataFrame({"x": range(100)}), only(type="integer", maximum=88)).raise_if_stopped()


def test_run_without_a_single_good_row_is_stopped():
    made = only(type="integer", maximum=0).model_copy(update={"max_quarantine_share": 1.0})
    with pytest.raises(ContractBroken, match="1 of 1 rows"):
        check(pd.DataFrame({"x": [1]}), made).raise_if_stopped()


def test_message_is_bounded():
    made = contract(*(Column(name=f"c{i}", type="number") for i in range(30)))
    result = check(pd.DataFrame({f"c{i}": ["x" * 500] for i in range(30)}), made)
    with pytest.raises(ContractBroken, match="And 25 more rules") as caught:
        result.raise_if_stopped()
    assert len(str(caught.value)) < 2000


def test_files_must_be_there_and_neither_empty_nor_too_large(tmp_path):
    for name, size in (("good", 10), ("empty", 0), ("large", 101)):
        (tmp_path / name).write_bytes(b"x" * size)
    paths = [str(tmp_path / name) for name in ("good", "empty", "large", "none")] + [str(tmp_path), None, "a\0b"]
    result = check(pd.DataFrame({"x": pd.Series(paths, dtype=object)}), only(type="file", max_bytes=100))
    assert {rule: rows for (_, rule), (rows, _) in rules(result).items()} == {"file_missing": 3, "file_empty": 1, "file_size": 1}
    assert result.accepted["x"].tolist() == [paths[0], None]


def test_bytes_of_a_file_are_measured_too():
    result = check(pd.DataFrame({"x": [b"12345", b"123"]}), only(type="file", max_bytes=4))
    assert result.quarantined["_row"].tolist() == [1]


def test_quarantine_is_written_once_and_can_be_read_again(tmp_path):
    result = check(pd.DataFrame({"x": ["1", "größer"]}), only(type="number"))
    path = save_quarantine(result, tmp_path / "quarantine")
    assert save_quarantine(result, tmp_path / "quarantine") == path
    assert [item.name for item in path.parent.iterdir()] == [path.name]
    assert path.name.startswith("strokes-")
    assert pd.read_csv(path, encoding="utf-8-sig").to_dict("list") == {
        "_row": [2],
        "_reason": ["x: not of type number"],
        "x": ["größer"],
    }


def test_nothing_is_written_when_all_rows_are_good(tmp_path):
    assert save_quarantine(check(pd.DataFrame({"x": [1]}), only(type="number")), tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_written_leaves_no_half_file(tmp_path):
    result = check(pd.DataFrame({"x": ["y"]}), only(type="number"))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        save_quarantine(result, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "in the way"


def test_frame_of_the_caller_is_not_changed():
    frame = pd.DataFrame({"x": ["1", "b"]}, index=[5, 6])
    before = frame.copy()
    check(frame, only(type="number"))
    pd.testing.assert_frame_equal(frame, before)


@given(values=st.lists(st.floats(), min_size=1, max_size=30), low=st.floats(-10, 0), high=st.floats(0, 10))
@settings(deadline=None, max_examples=30)
def test_accepted_and_quarantined_rows_are_all_rows_and_no_accepted_row_breaks_a_rule(values, low, high):
    made = only(type="number", minimum=low, maximum=high, required=True)
    result = check(pd.DataFrame({"x": values}), made)
    assert len(result.accepted) + len(result.quarantined) == len(values)
    assert result.accepted["x"].between(low, high).all()
    bad = [not (low <= value <= high) for value in values]
    assert result.quarantined["_row"].tolist() == (np.flatnonzero(bad) + 1).tolist()
    assert check(result.accepted, made).passed or result.accepted.empty

from datetime import timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leitstand.contract import Column
from leitstand.label_matching import Matched, match

BATCH, LINE = Column(name="batch", type="string"), Column(name="line", type="integer")


def answers(**columns: Any) -> pd.DataFrame:
    frame = pd.DataFrame(columns)
    if "time" in frame:
        frame["time"] = pd.to_datetime(frame["time"], utc=True, format="ISO8601")
    return frame


def by_time(given: pd.DataFrame, truth: pd.DataFrame, minutes: float | None = 10) -> Matched:
    tolerance = None if minutes is None else timedelta(minutes=minutes)
    return match(given, truth, [BATCH], "label", time="sampled", tolerance=tolerance)


def test_a_truth_belongs_to_the_only_answer_with_its_key() -> None:
    given = answers(id=["a", "b"], batch=["B1", "B2"], line=[7, 7])
    found = match(given, pd.DataFrame({"batch": ["B2", "B9"], "line": ["7.0", "7"], "label": [1.5, 2.5]}), [BATCH, LINE], "label")
    assert found.labels == {"b": 1.5}
    assert (found.unknown, found.unknown_examples, found.ambiguous) == (1, ("batch=B9, line=7",), ())


def test_a_key_of_several_answers_is_refused_and_named() -> None:
    given = answers(id=["a", "b", "c"], batch=["B1", "B1", "B2"])
    found = match(given, pd.DataFrame({"batch": ["B1", "B2"], "label": [1, 2]}), [BATCH], "label")
    assert found.labels == {"c": 2}
    assert [(one.row, one.key, one.doubt) for one in found.ambiguous] == [(1, "batch=B1", "several_answers")]


def test_two_truths_that_contradict_each_other_are_both_refused() -> None:
    given = answers(id=["a", "b"], batch=["B1", "B2"])
    truth = pd.DataFrame({"batch": ["B1", "B2", "B1", "B2"], "label": ["good", "good", "bad", "good"]})
    found = match(given, truth, [BATCH], "label")
    assert found.labels == {"b": "good"}
    assert [(one.row, one.doubt) for one in found.ambiguous] == [(1, "contradiction"), (3, "contradiction")]


def test_with_a_time_the_nearest_answer_of_the_key_counts() -> None:
    given = answers(
        id=["early", "late", "other"],
        batch=["B1", "B1", "B2"],
        time=["2026-01-01T10:00Z", "2026-01-01T10:30Z", "2026-01-01T10:21Z"],
    )
    truth = pd.DataFrame(
        {
            "batch": ["B1", "B1", "B1"],
            "sampled": ["2026-01-01T10:22Z", "2026-01-01 10:04", "2026-01-01T12:00Z"],
            "label": [1, 2, 3],
        }
    )
    found = by_time(given, truth.assign(sampled=pd.to_datetime(truth["sampled"], utc=True, format="mixed")))
    assert found.labels == {"late": 1, "early": 2}
    assert found.unknown == 1


def test_times_may_have_fractions_of_a_second_or_none() -> None:
    given = answers(id=["a", "b"], batch=["B1", "B2"], time=["2026-03-01T10:00:00.120000", "2026-03-01T10:00:01"])
    truth = pd.DataFrame(
        {"batch": ["B1", "B2"], "sampled": ["2026-03-01T10:00:00.12Z", "2026-03-01T10:00:01Z"], "label": ["x", "y"]}
    )
    found = match(given, truth, [BATCH], "label", time="sampled")
    assert (found.labels, found.unknown) == ({"a": "x", "b": "y"}, 0)


def test_an_answer_before_and_one_after_at_the_same_distance_are_refused() -> None:
    given = answers(id=["a", "b"], batch=["B1", "B1"], time=["2026-01-01T10:00Z", "2026-01-01T10:10Z"])
    found = by_time(given, pd.DataFrame({"batch": ["B1"], "sampled": ["2026-01-01T10:05Z"], "label": [1]}))
    assert (found.labels, [one.doubt for one in found.ambiguous]) == ({}, ["equally_near"])


def test_the_same_question_at_the_same_moment_twice_is_refused() -> None:
    given = answers(id=["a", "b"], batch=["B1", "B1"], time=["2026-01-01T10:00Z"] * 2)
    found = by_time(given, pd.DataFrame({"batch": ["B1"], "sampled": ["2026-01-01T10:01Z"], "label": [1]}))
    assert [one.doubt for one in found.ambiguous] == ["several_answers"]


def test_rows_without_truth_or_key_belong_to_nothing() -> None:
    given = answers(id=["a", "b"], batch=["B1", None])
    found = match(given, pd.DataFrame({"batch": ["B1", None], "label": [None, 3.0]}), [BATCH], "label")
    assert (dict(found.labels), found.unknown, found.ambiguous) == ({}, 1, ())


@pytest.mark.parametrize("time", [None, "sampled"])
def test_no_answers_at_all_leave_everything_unknown(time: str | None) -> None:
    truth = pd.DataFrame({"batch": ["B1"], "sampled": ["2026-01-01T10:01Z"], "label": [1]})
    given = answers(id=pd.Series(dtype=object), batch=pd.Series(dtype=object), time=pd.Series(dtype=object))
    assert match(given, truth, [BATCH], "label", time=time).unknown == 1


minutes = st.integers(0, 40)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("AB"), minutes), max_size=12),
    st.lists(st.tuples(st.sampled_from("AB"), minutes), min_size=1, max_size=8),
    st.integers(0, 15),
)
def test_whatever_is_matched_is_the_only_nearest_one(
    asked: list[tuple[str, int]], told: list[tuple[str, int]], tolerance: int
) -> None:
    moment = pd.Timestamp("2026-01-01", tz="UTC")
    given = pd.DataFrame(
        {
            "id": [f"id{i}" for i in range(len(asked))],
            "batch": pd.Series([key for key, _ in asked], dtype=object),
            "time": pd.to_datetime([moment + pd.Timedelta(minutes=at) for _, at in asked], utc=True),
        }
    )
    truth = pd.DataFrame(
        {
            "batch": [key for key, _ in told],
            "sampled": [moment + pd.Timedelta(minutes=at) for _, at in told],
            "label": range(len(told)),
        }
    )
    found = by_time(given, truth, tolerance)
    refused = {one.row for one in found.ambiguous}
    assert len(found.labels) + len(refused) + found.unknown == len(told)
    for row, (key, at) in enumerate(told):
        distances = sorted((abs(at - when), f"id{i}") for i, (other, when) in enumerate(asked) if other == key)
        near = [pair for pair in distances if pair[0] <= tolerance]
        single = bool(near) and (len(near) == 1 or near[0][0] < near[1][0])
        assert single or row not in found.labels.values()
        if single and row + 1 not in refused:
            assert found.labels[near[0][1]] == row

from datetime import UTC, datetime, timedelta

from leitstand.findings import INPUTS, PERFORMANCE, Look, Signals
from leitstand.onset import onset

WEEK, BEGIN = timedelta(days=7), datetime(2026, 1, 5, tzinfo=UTC)


def look(week: int, *findings: str) -> Look:
    return Look(start=BEGIN + week * WEEK, end=BEGIN + (week + 1) * WEEK, enough=True, findings=findings)


def seen(week: int, drift: bool = False, drop: bool = False) -> Signals:
    span = {"start": BEGIN + week * WEEK, "end": BEGIN + (week + 1) * WEEK}
    return Signals(
        enough=True, rows=500, input_drift=drift, drifted_share=0.0, prediction_drift=False, performance_drop=drop, **span
    )


def test_a_change_began_with_the_first_look_of_an_unbroken_row() -> None:
    looks = [look(1, INPUTS), look(2), look(4, INPUTS), look(3, INPUTS, PERFORMANCE)]
    assert onset(seen(5, drift=True), looks) == BEGIN + 3 * WEEK


def test_worse_answers_say_better_when_it_began_than_inputs_that_moved() -> None:
    looks = [look(3, INPUTS), look(4, INPUTS, PERFORMANCE)]
    assert onset(seen(5, drift=True, drop=True), looks) == BEGIN + 4 * WEEK


def test_other_findings_than_those_of_today_tell_nothing() -> None:
    assert onset(seen(5, drift=True), [look(4, PERFORMANCE)]) == BEGIN + 5 * WEEK


def test_looks_that_could_not_see_it_break_no_row() -> None:
    few, no_labels = look(4).model_copy(update={"enough": False}), look(4)
    assert onset(seen(5, drift=True), [look(3, INPUTS), few]) == BEGIN + 3 * WEEK
    assert onset(seen(5, drop=True), [look(3, PERFORMANCE), no_labels]) == BEGIN + 3 * WEEK
    judged = no_labels.model_copy(update={"judged": True})
    assert onset(seen(5, drop=True), [look(3, PERFORMANCE), judged]) == BEGIN + 5 * WEEK


def test_without_a_finding_nothing_began() -> None:
    assert onset(seen(5), [look(4, PERFORMANCE)]) is None

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from leitstand.fingerprints import RESTS_ON
from leitstand.milestones import NAMES, MilestoneId, Verdict
from leitstand.roadmap import Record, Today, first_open, next_step, standings

TIME = datetime(2026, 3, 1, tzinfo=UTC)
THEN = {name: "a" for names in RESTS_ON.values() for name in names if name not in ("inventory", "pilot", "readiness")}
NOW = Today(fingerprints=THEN, champion=1, data_version="d1")


def record(milestone: MilestoneId, number: int = 1, verdict: Verdict = "passed", **changes: Any) -> Record:
    known = {name: THEN[name] for name in RESTS_ON[milestone] if name in THEN}
    rest: dict[str, Any] = {"fingerprints": known, "run_id": "r1", "data_version": "d1", "model_version": 1, "time": TIME}
    return Record(project="p", number=number, milestone=milestone, verdict=verdict, **(rest | changes))


def everything(**changes: Any) -> list[Record]:
    return [record(id, number, **changes) for number, id in enumerate(NAMES, start=1)]


def status(records: list[Record], today: Today = NOW) -> dict[str, str]:
    return {one.id: one.status for one in standings(records, today)}


def changed(name: str) -> Today:
    return NOW.model_copy(update={"fingerprints": {**THEN, name: "b"}})


def test_without_evidence_nothing_is_reached() -> None:
    found = standings([], Today())
    assert {one.status for one in found} == {"none"}
    assert {next_step(one) for one in found} == {"run"}


def test_what_holds_today_is_reached() -> None:
    found = standings(everything(), NOW)
    assert all(one.closed for one in found)
    assert first_open(found) is None
    assert {next_step(one) for one in found} == {"none"}


@pytest.mark.parametrize(
    ("name", "stale"),
    [
        ("data", {"M1", "M4"}),
        ("contract", {"M1", "M4", "M5"}),
        ("key_figure", {"M1", "M2"}),
        ("owner", {"M1", "M3"}),
        ("benefit", {"M2"}),
        ("sourcing", {"M3"}),
        ("rules", {"M4"}),
        ("code", {"M4"}),
        ("operation", {"M5"}),
        ("readiness", {"M3"}),
    ],
)
def test_a_change_opens_the_milestones_that_rest_on_it_and_no_others(name: str, stale: set[str]) -> None:
    found = standings(everything(), changed(name))
    assert {one.id for one in found if one.status == "stale"} == stale
    assert {one.reasons for one in found if one.status == "stale"} == {(name,)}
    assert all(one.closed for one in found if one.id not in stale)


def test_the_newest_evidence_counts() -> None:
    again = record("M2", 6, "refused", time=TIME + timedelta(days=1))
    found = standings([*everything(), again], NOW)[1]
    assert (found.status, found.record, next_step(found)) == ("refused", 6, "benefit_case")


def test_a_newer_delivery_opens_what_was_shown_on_the_older_data() -> None:
    later = NOW.model_copy(update={"data_version": "d2"})
    found = {one.id: one for one in standings(everything(), later)}
    assert {id for id, one in found.items() if not one.closed} == {"M1", "M4"}
    assert found["M4"].reasons == ("delivery",)


def test_measured_errors_that_pay_back_too_late_open_the_benefit() -> None:
    late = record("M4", 6, details={"benefit": {"measured": {"within_limit": False}}})
    found = standings([*everything(), late], NOW)[1]
    assert (found.status, found.reasons, next_step(found)) == ("stale", ("measured",), "measured")


def test_a_model_that_no_practice_check_has_seen_opens_the_introduction() -> None:
    other = NOW.model_copy(update={"champion": 2})
    assert status(everything(), other)["M5"] == "stale"
    checked = record("M4", 6, model_version=2)
    assert status([*everything(), checked], other)["M5"] == "passed"
    refused = record("M4", 6, "refused", model_version=2)
    assert status([*everything(), refused], other)["M5"] == "stale"


def test_a_challenger_that_is_no_better_than_the_champion_leaves_the_practice_check_closed() -> None:
    def refused(*names: str) -> list[Record]:
        gates = [{"name": name, "passed": name not in names} for name in ("baseline", "champion")]
        return [*everything(), record("M4", 6, "refused", model_version=2, details={"gates": gates})]

    assert status(refused("champion"))["M4"] == "passed"
    assert status(refused("champion", "baseline"))["M4"] == "refused"
    assert status(refused("champion"), NOW.model_copy(update={"champion": 7}))["M4"] == "refused"


def test_no_model_in_charge_any_more_opens_the_introduction() -> None:
    found = standings(everything(), NOW.model_copy(update={"champion": None}))[4]
    assert (found.status, found.reasons) == ("stale", ("no_champion",))


@pytest.mark.parametrize("alarm", ["performance", "drift"])
def test_an_alarm_of_monitoring_opens_the_introduction(alarm: str) -> None:
    found = standings(everything(), NOW.model_copy(update={"alarm": alarm}))
    assert [one.id for one in found if not one.closed] == ["M5"]
    assert (found[4].reasons, next_step(found[4])) == ((alarm,), "watch")


def test_an_approval_given_since_leaves_the_service_to_be_tried() -> None:
    waiting = [*everything()[:4], record("M5", 5, "open", missing=("approval",))]
    before = standings(waiting, NOW.model_copy(update={"champion": None}))[4]
    assert (before.status, before.missing, next_step(before)) == ("open", ("approval",), "approval")
    after = standings(waiting, NOW)[4]
    assert (after.status, after.missing) == ("open", ("service",))

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from infra.incidents import Incidents
from leitstand import now
from leitstand.errors import StateError, UsageError
from leitstand.incident import Incident, Severity, Statement

START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def log(any_url: str) -> Iterator[Incidents]:
    log = Incidents(any_url)
    yield log
    log.close_connections()


@pytest.fixture
def clock() -> Iterator[list[datetime]]:
    times = [START]
    now.follow(lambda: times[0])
    yield times
    now.follow(None)


def decay(log: Incidents, severity: Severity = "warning", project: str = "demo", said: str = "worse") -> Incident:
    what = [Statement.of("incidents.said", text=said)]
    return log.report(project, "decay", severity, what, who="leitstand", evidence={"roc_auc": 0.6}, model_version=3)


def test_the_same_trouble_continues_the_open_incident_and_keeps_its_worst_severity(log: Incidents, clock: list[datetime]) -> None:
    first = decay(log, "critical")
    clock[0] += timedelta(hours=1)
    again = decay(log, "warning", said="still worse")

    assert (again.id, again.times, again.severity) == ("demo-1", 2, "critical")
    assert (again.opened, again.seen) == (START, START + timedelta(hours=1))
    assert (first.describe("en"), again.describe("de")) == ("worse", "still worse")
    assert (again.evidence, again.model_version) == ({"roc_auc": 0.6}, 3)
    assert [one.event for one in log.get("demo-1").events] == ["opened", "continued"]


def test_other_kinds_other_projects_and_closed_incidents_are_not_continued(log: Incidents) -> None:
    decay(log)
    log.report("demo", "pause", "critical", [], who="leitstand")
    decay(log, project="other")
    log.close("demo-1", "sensor mended", who="anna")

    assert decay(log).id == "demo-3"
    assert [one.id for one in log.read("demo", open_only=True)] == ["demo-2", "demo-3"]
    assert [one.id for one in log.read(open_only=True)] == ["demo-2", "other-1", "demo-3"]
    assert (log.get("demo-1").closed_by, log.get("demo-1").why) == ("anna", "sensor mended")


def test_what_people_report_is_never_put_into_another_report(log: Incidents) -> None:
    ids = [log.report("demo", "reported", "info", [Statement.of("incidents.said", text=said)], who="a").id for said in "xx"]
    assert ids == ["demo-1", "demo-2"]


def test_a_closed_incident_takes_notes_and_is_not_closed_twice(log: Incidents) -> None:
    decay(log)
    log.close("demo-1", "mended", who="anna")
    assert log.note("demo-1", "found out why", who="ben").events[-1].content == {"text": "found out why"}
    with pytest.raises(UsageError, match=r"demo-1 was closed by anna on .* already"):
        log.close("demo-1", "again", who="ben")


@pytest.mark.parametrize(
    ("id", "match"),
    [
        ("demo-2", "no incident 'demo-2'"),
        ("demo", "'demo' is no id of an incident"),
        ("-1", "'-1' is no id"),
        ("demo-x", "no id"),
    ],
)
def test_an_id_that_there_is_not_is_said(log: Incidents, id: str, match: str) -> None:
    decay(log)
    with pytest.raises(UsageError, match=match):
        log.note(id, "x", who="anna")


def test_a_failing_channel_is_noted_once_and_again_when_it_fails_otherwise(log: Incidents) -> None:
    incident = decay(log)
    refused, gone = Statement.of("incidents.channel_failed", detail="refused"), Statement.of("incidents.channel_unknown")
    for problem in (refused, refused, gone, None, None):
        incident = log.told(incident, "json://alarm", "warning", problem)
    assert [one.content["problem"] and one.content["problem"]["key"] for one in incident.told] == [
        refused.key,
        gone.key,
        None,
        None,
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE leitstand_incidents SET content = '{}' WHERE number = 2",
        "DELETE FROM leitstand_incidents WHERE number = 2",
        "UPDATE leitstand_incidents SET who = 'mallory' WHERE number = 2",
    ],
)
def test_an_event_changed_from_outside_is_found(log: Incidents, statement: str) -> None:
    decay(log)
    decay(log)
    log.close("demo-1", "mended", who="anna")
    assert log.verify("demo") == 3
    with log._database.writing() as connection:
        connection.execute(text(statement))
    with pytest.raises(StateError, match="demo was changed from outside: event 2 is not"):
        log.verify("demo")


def test_a_sentence_that_is_no_longer_in_the_catalogue_is_shown_by_its_key() -> None:
    assert Statement.of("incidents.of_an_old_release", version=3).render("de") == "incidents.of_an_old_release version=3"


def test_a_sentence_takes_over_what_an_error_says() -> None:
    assert Statement.of_error(UsageError("incidents.no_id", found="x")).render("de").startswith("'x' ist keine Kennung")

    try:
        int("my secret")
    except ValueError as error:
        told = Statement.of_error(error).render("en")
    assert told.startswith("Unexpected error: ValueError in test_incidents.py:")
    assert "secret" not in told, "its message may repeat what stands in the data"

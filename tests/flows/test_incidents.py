"""Who hears of an incident, and when: against a real mail server and a real webhook."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from builders import parts, project
from post_office import MailServer, WebhookServer

from flows.incidents import follow_up, report_incident, said_by, settle_incident
from flows.workspace import Desk
from infra.history import History
from infra.settings import load_settings
from leitstand import now
from leitstand.decision import Decision, Reason
from leitstand.errors import StateError
from leitstand.incident import Statement
from leitstand.texts import LANGUAGES

WORSE = Statement.of("incidents.said", text="Die Antworten sind schlechter.")


@pytest.fixture
def clock() -> Iterator[list[datetime]]:
    times = [datetime(2026, 3, 1, tzinfo=UTC)]
    now.follow(lambda: times[0])
    yield times
    now.follow(None)


@pytest.fixture
def desk(tmp_path: Path) -> Callable[..., Desk]:
    def make(*addresses: str, settings: dict[str, Any] | None = None, **when_it_errs: Any) -> Desk:
        made = project(
            parts(20), owner={"name": "Ada", "language": "de"}, when_it_errs={"notify": list(addresses), **when_it_errs}
        )
        return Desk(made, load_settings(home=tmp_path / "home", workspace=tmp_path, database_url=None, **(settings or {})))

    return make


def mail_to(server: MailServer, person: str = "anna") -> str:
    return f"mailto://127.0.0.1:{server.port}?from=leitstand@firma.de&to={person}@firma.de"


def test_a_mail_says_what_happened_what_to_do_and_how_in_the_owners_language(
    desk: Callable[..., Desk], mail_server: MailServer, no_proxy: None
) -> None:
    agreed = {"contact": "Schichtleitung", "procedure": {"de": "Probe ziehen.", "en": "Draw a sample."}}
    place = desk(mail_to(mail_server), **agreed)
    history = History(place.settings.database("history"))
    history.append("parts", "promote", 4, who="anna", why="better")
    history.close()

    incident = report_incident(place, "decay", "critical", WORSE, {"mae": 3.5})

    assert [mail.subject for mail in mail_server.mails] == ["[Leitstand] parts: Antworten schlechter geworden (kritisch)"]
    body = mail_server.mails[0].body
    for said in (
        "Die Antworten sind schlechter.",
        "Modell in Betrieb: Version 4",
        "Probe ziehen.",
        "Verantwortlich: Schichtleitung",
    ):
        assert said in body
    assert "leitstand monitor parts" in body
    assert f"leitstand incidents show {incident.id}" in body
    assert [(one.content["channel"], one.content["problem"]) for one in incident.told] == [
        ("anna@firma.de (mailto, 127.0.0.1)", None)
    ]


def test_nobody_gets_the_same_mail_every_hour_but_a_reminder_when_it_is_time(
    desk: Callable[..., Desk], mail_server: MailServer, no_proxy: None, clock: list[datetime]
) -> None:
    place = desk(mail_to(mail_server), remind_hours=12)
    arrived = []
    for _ in range(25):
        report_incident(place, "decay", "warning", WORSE)
        arrived.append(len(mail_server.mails))
        clock[0] += timedelta(hours=1)

    assert arrived == [1] * 12 + [2] * 12 + [3]
    assert "25-mal aufgetreten" in mail_server.mails[-1].body


def test_what_got_worse_is_told_at_once_and_what_is_for_information_only_once(
    desk: Callable[..., Desk], webhook: WebhookServer, clock: list[datetime]
) -> None:
    place = desk(f"json://127.0.0.1:{webhook.port}/alarm")
    report_incident(place, "refused_challenger", "info", WORSE)
    clock[0] += timedelta(days=40)
    follow_up(place)
    assert len(webhook.calls) == 1

    report_incident(place, "decay", "warning", WORSE)
    report_incident(place, "decay", "critical", WORSE)
    report_incident(place, "decay", "warning", WORSE)
    assert [call.document["type"] for call in webhook.calls] == ["info", "warning", "failure"]


def test_a_channel_that_fails_is_noted_stops_nothing_and_is_tried_again_at_the_next_pass(
    desk: Callable[..., Desk], mail_server: MailServer, webhook: WebhookServer
) -> None:
    webhook.answer = 503
    place = desk(f"json://127.0.0.1:{webhook.port}/token-88", mail_to(mail_server))

    incident = report_incident(place, "pause", "critical", WORSE)

    assert [one.content["problem"] is None for one in incident.told] == [False, True]
    assert "token-88" not in incident.model_dump_json()
    webhook.answer = 200
    assert [one.content["problem"] is None for one in follow_up(place)[0].told] == [False, True, True]
    assert len(mail_server.mails) == 1
    follow_up(place)
    assert len(webhook.calls) == 2


def test_an_address_comes_from_the_environment_and_a_missing_one_is_noted(
    desk: Callable[..., Desk], webhook: WebhookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANT_ALARM", f"json://anna:geheim@127.0.0.1:{webhook.port}")
    monkeypatch.delenv("PLANT_MAIL", raising=False)
    place = desk("env:PLANT_ALARM", "env:PLANT_MAIL", "env:PLANT_ALARM", "nobody@firma.de")

    told = report_incident(place, "decay", "warning", WORSE).told

    shown = f"json://127.0.0.1:{webhook.port}"
    assert [one.content["channel"] for one in told] == [shown, "env:PLANT_MAIL", f"{shown} #2", "?"]
    problems = [one.content["problem"] for one in told]
    assert [one and one["key"] for one in problems] == [None, "incidents.channel_no_variable", None, "incidents.channel_unknown"]
    assert problems[1]["values"] == {"name": "PLANT_MAIL"}


def test_the_end_of_an_incident_is_told_to_those_who_heard_of_it(
    desk: Callable[..., Desk], mail_server: MailServer, no_proxy: None
) -> None:
    place = desk(mail_to(mail_server))
    assert settle_incident(place, "failed_pass", Statement.of("incidents.pass_ran_again")) is None
    report_incident(place, "failed_pass", "warning", Statement.of_error(StateError("infra.database_full", url="x")))

    closed = settle_incident(place, "failed_pass", Statement.of("incidents.pass_ran_again"))

    assert closed is not None
    assert (closed.is_open, closed.why) == (False, "Der nächste Durchgang der Wartung lief durch.")
    assert [mail.subject for mail in mail_server.mails][1] == "[Leitstand] parts: parts-1 ist vorbei"
    assert follow_up(place) == []


def test_an_end_that_could_not_be_told_is_told_at_a_later_pass_once(
    desk: Callable[..., Desk], webhook: WebhookServer, clock: list[datetime]
) -> None:
    place = desk(f"json://127.0.0.1:{webhook.port}")
    over = Statement.of("incidents.pass_ran_again")
    report_incident(place, "failed_pass", "warning", WORSE)
    webhook.answer = 503
    settle_incident(place, "failed_pass", over)
    webhook.answer = 200
    clock[0] += timedelta(days=1)
    assert follow_up(place) == []
    follow_up(place)
    told = [call.document["title"] for call in webhook.calls]
    assert told[1:] == ["[Leitstand] parts: parts-1 ist vorbei"] * 2, "the one that failed, and the one that did not"
    report_incident(place, "failed_pass", "warning", WORSE)
    webhook.answer = 503
    settle_incident(place, "failed_pass", over)
    clock[0] += timedelta(days=8)
    follow_up(place)
    assert len(webhook.calls) == 5, "after so long it is no news"


def test_in_a_time_lapse_nobody_is_told(desk: Callable[..., Desk], webhook: WebhookServer, tmp_path: Path) -> None:
    place = desk(f"json://127.0.0.1:{webhook.port}", settings={"clock": tmp_path / "clock"})
    assert report_incident(place, "decay", "critical", WORSE).told == ()
    assert webhook.calls == []


def test_the_reasons_of_a_decision_become_the_sentences_of_an_incident(desk: Callable[..., Desk]) -> None:
    reasons = (Reason(key="broken_columns", values={"columns": "a, b"}), Reason(key="decay", values={"coverage_share": 0.25}))
    decision = Decision(action="ask", reasons=reasons)
    incident = report_incident(desk(), "broken_input", "warning", said_by(decision))
    for language in LANGUAGES:
        assert incident.describe(language) == " ".join(one.render(language) for one in reasons)

"""Messages against a real SMTP server and a real HTTP server on loopback."""

import logging

import pytest
from post_office import MailServer, WebhookServer

from infra.messages import is_address, send, shown_address, without_secrets

pytestmark = pytest.mark.usefixtures("no_proxy")


def test_a_mail_arrives_as_plain_text_with_its_umlauts(mail_server: MailServer) -> None:
    address = f"mailto://127.0.0.1:{mail_server.port}?from=leitstand@firma.de&to=anna@firma.de,ben@firma.de"

    done = send(address, "Störung: müde", "Die Antworten sind schlechter.\nZu tun: ansehen.", "failure")

    assert done.worked
    assert [mail.to for mail in mail_server.mails] == [["anna@firma.de"], ["ben@firma.de"]]
    mail = mail_server.mails[0]
    assert (mail.subject, mail.content_type) == ("Störung: müde", "text/plain")
    assert mail.body == "Die Antworten sind schlechter.\nZu tun: ansehen."
    assert "apprise" not in mail.raw.lower()


def test_a_webhook_gets_title_and_text_and_no_trace_of_where_they_came_from(webhook: WebhookServer) -> None:
    done = send(f"json://127.0.0.1:{webhook.port}/alarm", "title", "text", "warning")

    assert done.worked
    call = webhook.calls[0]
    assert (call.path, call.document["title"], call.document["message"]) == ("/alarm", "title", "text")
    assert (call.document["type"], call.headers["user-agent"]) == ("warning", "Leitstand")
    assert "apprise" not in f"{call.headers} {call.document}".lower()


def test_a_webhook_that_refuses_is_told_without_its_secrets(webhook: WebhookServer, caplog: pytest.LogCaptureFixture) -> None:
    webhook.answer = 500
    with caplog.at_level(logging.DEBUG):
        done = send(f"json://anna:geheim-77@127.0.0.1:{webhook.port}/token-88?key=secret-99", "title", "text")

    assert not done.worked
    assert "500" in str(done.problem)
    assert not [secret for secret in ("geheim-77", "token-88", "secret-99") if secret in str(done.problem)]
    assert caplog.text == "", "what others log about an address is nothing for our logs"


def test_a_server_that_is_not_there_is_a_result_and_no_error(free_port: int, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        mail = send(f"mailto://ben:geheim-77@127.0.0.1:{free_port}?from=a@b.de&to=c@d.de", "t", "b")
        web = send(f"json://127.0.0.1:{free_port}/token-88", "t", "b")

    assert (mail.worked, web.worked) == (False, False)
    assert "Connection error" in str(mail.problem)
    assert "geheim" not in f"{mail.problem} {caplog.text}"
    assert "token-88" not in f"{web.problem} {caplog.text}"


@pytest.mark.parametrize("address", ["", "anna@firma.de", "gibtsnicht://x", "json://", "mailto://", "json://[x", "\0"])
def test_what_is_no_address_is_said(address: str) -> None:
    assert not is_address(address)
    assert send(address, "t", "b").problem is not None


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("mailto://anna:geheim@firma.de?smtp=post.firma.de&to=a@b.de,c@d.de", "a@b.de, c@d.de (mailto, post.firma.de)"),
        ("jsons://anna:geheim@alarm.firma.de:8443/token/abc?key=xyz", "jsons://alarm.firma.de:8443"),
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/", "Slack"),
        ("gibtsnicht://user:geheim@host", "gibtsnicht"),
        ("anna@firma.de", "?"),
        ("json://[geheim", "?"),
    ],
)
def test_an_address_is_shown_without_anything_that_lets_somebody_in(address: str, shown: str) -> None:
    assert shown_address(address) == shown


def test_every_part_of_an_address_is_blotted_out_of_a_line_also_where_it_was_quoted() -> None:
    address = "json://user:p%40ss-1@host.de/token-2/x?key=value-3"
    line = f"could not reach {address} as user with p@ss-1 or p%40ss-1 at host.de, token-2, value-3"
    shown = without_secrets(line, address)
    assert "host.de" in shown
    assert not [secret for secret in ("p@ss-1", "p%40ss-1", "token-2", "value-3", "user") if secret in shown]

"""Keys and the audit log from the command line."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from workshop import Workshop

from infra.api_keys import KeyStore
from infra.audit import open_audit
from infra.settings import load_settings


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """A state folder of its own; keys need nothing of Prefect or MLflow."""
    return Workshop(tmp_path, {"LEITSTAND_LANGUAGE": "en", "LEITSTAND_DATABASE_URL": ""})


def make(workshop: Workshop, client: str = "shop", *options: object) -> str:
    """Make a key and return its id."""
    told = workshop.done("keys", "create", client, "--project", "cell_diagnostics", "--right", "predict", *options, "--json")
    return str(told.document["id"])


def test_a_key_stands_alone_on_stdout_and_what_to_know_beside_it(workshop: Workshop) -> None:
    told = workshop.done("keys", "create", "shop", "--project", "cell_diagnostics", "--right", "predict", "--right", "feedback")
    assert re.fullmatch(r"lk_[a-z0-9]{8}_[\w-]{43}\n", told.stdout)
    assert "Key" in told.told
    assert "It is shown this once and stored nowhere." in told.told
    assert "from now on every request needs one" in told.told
    second = workshop.done("keys", "create", "line", "--project", "*", "--right", "admin")
    assert "This is the first key" not in second.told


def test_a_key_is_made_with_all_that_was_asked_for(workshop: Workshop) -> None:
    rights = ["--project", "virtual_sensor", "--right", "read"]
    told = workshop.done(
        "keys",
        "create",
        "shop",
        "--project",
        "cell_diagnostics",
        *rights,
        "--days",
        365,
        "--per-minute",
        600,
        "--rows-per-minute",
        9,
        "--json",
    ).document
    (key,) = KeyStore(load_settings(home=workshop.home, database_url=None).database("keys")).read()
    assert told["rights"] == {"cell_diagnostics": ["read"], "virtual_sensor": ["read"]}
    assert (told["id"], told["client"], told["state"], told["per_minute"], told["rows_per_minute"]) == (
        key.id,
        "shop",
        "active",
        600,
        9,
    )
    assert abs(datetime.fromisoformat(told["expires"]) - datetime.now(UTC) - timedelta(days=365)) < timedelta(minutes=1)
    assert told["key"].startswith(f"lk_{key.id}_")


def test_the_list_shows_every_key_and_no_secret(workshop: Workshop) -> None:
    assert "There are no API keys." in workshop.done("keys", "list").told
    told = workshop.done("keys", "create", "shop", "--project", "*", "--right", "predict", "--json").document
    make(workshop, "line")
    workshop.done("keys", "revoke", told["id"])
    known = workshop.done("keys", "list", "--json")
    assert [(key["client"], key["state"]) for key in known.document["keys"]] == [("shop", "revoked"), ("line", "active")]
    shown = workshop.done("keys", "list").stderr
    assert told["id"] in shown
    for output in (known.stdout, shown):
        assert told["key"][12:] not in output
        assert "digest" not in output


def test_rotating_says_until_when_the_old_secret_is_good(workshop: Workshop) -> None:
    id_ = make(workshop)
    told = workshop.done("keys", "rotate", id_, "--grace-hours", 48)
    assert told.stdout.startswith(f"lk_{id_}_")
    until = datetime.now(UTC) + timedelta(hours=48)
    assert f"the old one is good until {until:%Y-%m-%d}" in told.told


def test_revoking_the_last_key_says_what_follows(workshop: Workshop) -> None:
    first, second = make(workshop, "shop"), make(workshop, "line")
    assert "No key is left" not in workshop.done("keys", "revoke", first).told
    told = workshop.done("keys", "revoke", second)
    assert f"Key {second} of 'line' is revoked" in told.told
    assert "No key is left that opens anything" in told.told
    assert workshop.done("keys", "revoke", second, "--json").document["state"] == "revoked"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["create", "shop", "--project", "cell_diagnosics", "--right", "read"],
            "no project 'cell_diagnosics'. Did you mean: cell_diagnostics?",
        ),
        (["create", "shop", "--project", "*", "--right", "predct"], "no right 'predct'. Did you mean: predict"),
        (["create", "a\r\nb", "--project", "*", "--right", "read"], r"'a\r\nb' cannot be a client's name"),
        (["create", "shop", "--project", "*"], "--right"),
        (["create", "shop", "--right", "read"], "--project"),
        (["create", "shop", "--project", "*", "--right", "read", "--days", -1], "--days must be 0 … 36600, found -1"),
        (["rotate", "lk_zzzzzzzz_" + "S" * 43], "no API key 'zzzzzzzz'"),
        (["revoke", "zzzzzzzz"], "no API key 'zzzzzzzz'"),
    ],
)
def test_a_wrong_call_says_what_is_wrong_and_makes_nothing(workshop: Workshop, arguments: list[object], message: str) -> None:
    told = workshop("keys", *arguments)
    assert (told.code, told.stdout) == (2, "")
    assert message in told.told
    assert "SSSS" not in told.stderr
    assert "Traceback" not in told.stderr
    assert workshop.done("keys", "list", "--json").document == {"keys": []}


def test_the_audit_log_tells_every_act_and_can_be_verified(workshop: Workshop) -> None:
    assert "empty" in workshop.done("audit").told
    id_ = make(workshop)
    workshop.done("keys", "rotate", id_)
    workshop.done("keys", "revoke", id_)
    settings = load_settings(home=workshop.home, database_url=None)
    open_audit(settings).note("log_erased", "parts", who="[/red]anna", why="[bold]asked")
    told = workshop.done("audit", "--verify", "--json").document
    assert [act["kind"] for act in told["acts"]] == ["key_created", "key_rotated", "key_revoked", "log_erased"]
    assert told["verified"]["entries"] == 4
    assert [act["kind"] for act in workshop.done("audit", "--last", 1, "--json").document["acts"]] == ["log_erased"]
    shown = workshop.done("audit", "--verify")
    assert "4 entries, all as they were written" in shown.told
    assert "[/red]anna" in shown.told
    assert "Schlüssel" in workshop.done("audit", "--language", "de").told


def test_a_changed_audit_log_is_an_error(workshop: Workshop) -> None:
    import sqlite3

    make(workshop)
    with sqlite3.connect(workshop.home / "keys.db") as database:
        database.execute("UPDATE leitstand_acts SET who = 'mallory'")
    database.close()
    told = workshop("audit", "--verify")
    assert told.code == 1
    assert "The audit log was changed from outside: entry 1" in told.told


def test_every_command_explains_itself_with_an_example(workshop: Workshop) -> None:
    for command in (["keys", "create"], ["keys", "list"], ["keys", "rotate"], ["keys", "revoke"], ["audit"]):
        told = workshop.done(*command, "--help").stdout
        assert f"leitstand {' '.join(command)}" in told
        assert "Example" in told
        assert "--json" in told


def test_limits_are_told_in_the_language_of_the_call(workshop: Workshop) -> None:
    make(workshop, "shop", "--per-minute", 3, "--rows-per-minute", 40)
    workshop.environment["COLUMNS"] = "200"
    assert "3 requests per minute" in workshop.done("keys", "list").told
    told = workshop.done("keys", "list", "--language", "de").told
    assert ("3 Anfragen je Minute" in told, "40 Zeilen je Minute" in told) == (True, True)

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from infra.api_keys import KeyStore
from infra.audit import Audit, _chain, administrative_acts, open_audit, verify_acts
from infra.chain import FIRST, _hash
from infra.history import History
from infra.settings import Settings
from leitstand.errors import Busy, StateError


@pytest.fixture
def audit(any_url: str) -> Iterator[Audit]:
    audit = Audit(any_url)
    yield audit
    audit.close()


def change(audit: Audit, statement: str) -> None:
    with audit._database.writing() as connection:
        connection.execute(text(statement))


def test_an_act_says_who_did_what_to_what_and_when(audit: Audit) -> None:
    audit.note("service_exposed", "0.0.0.0:3000", who="anna", tls=True, projects=["ä", "b"])
    (act,) = audit.read()
    assert (act.kind, act.subject, act.who) == ("service_exposed", "0.0.0.0:3000", "anna")
    assert act.detail == {"tls": True, "projects": ["ä", "b"]}
    assert abs(act.time - datetime.now(UTC)) < timedelta(minutes=1)


def test_an_empty_log_is_in_order(audit: Audit) -> None:
    verified = audit.verify()
    assert (verified.entries, verified.newest) == (0, FIRST)


@pytest.mark.parametrize(
    ("statement", "number"),
    [
        ("UPDATE leitstand_acts SET who = 'mallory' WHERE number = 2", 2),
        ("UPDATE leitstand_acts SET detail = '{}' WHERE number = 3", 3),
        ("DELETE FROM leitstand_acts WHERE number = 1", 1),
        ("DELETE FROM leitstand_acts WHERE number = 2", 2),
    ],
)
def test_an_entry_changed_or_removed_from_outside_is_found(audit: Audit, statement: str, number: int) -> None:
    for day in range(3):
        audit.note("log_erased", "parts", who="anna", day=day)
    assert audit.verify().entries == 3
    change(audit, statement)
    with pytest.raises(StateError, match=rf"changed from outside: entry {number} is not"):
        audit.verify()


def test_an_entry_forged_with_a_hash_of_its_own_breaks_the_chain_after_it(audit: Audit) -> None:
    for day in range(3):
        audit.note("log_erased", "parts", who="anna", day=day)
    with audit._database.writing() as connection:
        (row,) = [row for row in _chain.rows(connection) if row["number"] == 2]
        forged = row | {"who": "mallory"}
        change = text("UPDATE leitstand_acts SET who = 'mallory', sha256 = :sha256 WHERE number = 2")
        connection.execute(change, {"sha256": _hash(forged)})
    with pytest.raises(StateError, match=r"changed from outside: entry 3 is not"):
        audit.verify()


def test_a_cut_off_end_shows_by_the_newest_hash(audit: Audit) -> None:
    for day in range(3):
        audit.note("log_erased", "parts", who="anna", day=day)
    noted_elsewhere = audit.verify().newest
    change(audit, "DELETE FROM leitstand_acts WHERE number = 3")
    assert audit.verify().newest != noted_elsewhere


def test_an_act_and_its_entry_are_one_transaction(any_url: str, audit: Audit) -> None:
    store = KeyStore(any_url)
    store.create("shop", ["parts"], ["read"], who="anna")
    change(audit, "ALTER TABLE leitstand_acts RENAME TO hidden")
    with pytest.raises(StateError, match="leitstand_acts"):
        store.create("line", ["parts"], ["read"], who="anna")
    assert [key.client for key in store.read()] == ["shop"]
    store.close()


def test_the_whole_log_holds_promotions_too_in_order_of_time(any_settings: Settings) -> None:
    history, store = History(any_settings.database("history")), KeyStore(any_settings.database("keys"))
    history.append("parts", "promote", 1, who="ben", why="better")
    made = store.create("shop", ["parts"], ["read"], who="anna")
    history.append("other", "rollback", 4, who="ben", why="worse")
    acts = administrative_acts(any_settings)
    assert [(act.kind, act.subject, act.who) for act in acts] == [
        ("promote", "parts", "ben"),
        ("key_created", made.key.id, "anna"),
        ("rollback", "other", "ben"),
    ]
    assert acts[0].detail == {"from_version": None, "to_version": 1, "why": "better"}
    assert verify_acts(any_settings).entries == 3
    with history._database.writing() as connection:
        connection.execute(text("UPDATE leitstand_promotions SET why = 'bribed' WHERE project = 'other'"))
    with pytest.raises(StateError, match="other was changed from outside: entry 1"):
        verify_acts(any_settings)


def test_a_secret_never_gets_into_the_log(any_settings: Settings) -> None:
    store = KeyStore(any_settings.database("keys"))
    made = store.create("shop", ["parts"], ["read"], who="anna")
    again = store.rotate(made.key.id, who="anna")
    store.revoke(again.text, who="anna")
    told = repr(open_audit(any_settings).read())
    assert all(one.text[12:] not in told and one.key.digest not in told for one in (made, again))
    assert [act.kind for act in open_audit(any_settings).read()] == ["key_created", "key_rotated", "key_revoked"]


def test_a_locked_log_refuses_the_act(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'keys.db'}"
    store = KeyStore(url, wait_seconds=0.1)
    store.read()
    with Audit(url)._database.writing(), pytest.raises(Busy, match="stayed locked"):
        store.create("shop", ["parts"], ["read"], who="anna")
    assert store.read() == []

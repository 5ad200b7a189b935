import hashlib
import re
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.api_keys import KeyStore, key_id
from leitstand.errors import UnknownName, UsageError

Run = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def store(any_url: str) -> Iterator[KeyStore]:
    store = KeyStore(any_url)
    yield store
    store.close()


def test_a_key_is_of_one_form_and_never_the_same(store: KeyStore) -> None:
    made = [store.create(f"client {number}", ["*"], ["read"], who="anna") for number in range(20)]
    assert all(re.fullmatch(r"lk_[a-z0-9]{8}_[A-Za-z0-9_-]{43}", one.text) for one in made)
    assert len({one.text[12:] for one in made}) == len({one.key.id for one in made}) == 20
    assert [one.key for one in made] == store.read()


def test_a_key_says_for_whom_what_and_until_when(store: KeyStore) -> None:
    made = store.create(
        "Shop Süd", ["a", "b", "a"], ["feedback", "predict"], who="anna", days=30, per_minute=5, rows_per_minute=7
    )
    (key,) = store.read()
    assert key == made.key
    assert (key.client, key.per_minute, key.rows_per_minute) == ("Shop Süd", 5, 7)
    assert key.rights == {"a": ("predict", "feedback"), "b": ("predict", "feedback")}
    assert key.expires is not None
    assert abs(key.expires - datetime.now(UTC) - timedelta(days=30)) < timedelta(minutes=1)
    assert key.state(key.expires - timedelta(seconds=1)) == "active"
    assert key.state(key.expires) == "expired"


def test_neither_key_nor_secret_stands_in_the_file(tmp_path: Path) -> None:
    store = KeyStore(f"sqlite:///{tmp_path / 'keys.db'}")
    made = store.create("shop", ["*"], ["read"], who="anna")
    store.close()
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert made.text.encode()[12:] not in content
    assert hashlib.sha256(made.text.encode()).hexdigest().encode() in content
    assert made.text not in repr(made)
    assert made.key.digest not in repr(made)


def test_a_rotated_key_has_two_secrets_for_a_while_and_never_three(store: KeyStore) -> None:
    first = store.create("shop", ["*"], ["read"], who="anna")
    second = store.rotate(first.key.id, who="anna", grace_hours=2)
    assert second.text != first.text
    assert second.key.old_digest == first.key.digest
    assert second.key.old_until is not None
    assert abs(second.key.old_until - datetime.now(UTC) - timedelta(hours=2)) < timedelta(minutes=1)
    third = store.rotate(first.key.id, who="anna")
    assert third.key.old_digest == second.key.digest
    assert len(store.read()) == 1


def test_a_revoked_key_stays_revoked_and_frees_the_clients_name(store: KeyStore) -> None:
    made = store.create("shop", ["*"], ["read"], who="anna")
    first = store.revoke(made.key.id, who="anna")
    assert first.state(datetime.now(UTC)) == "revoked"
    assert store.revoke(made.key.id, who="ben") == first
    with pytest.raises(UsageError, match=r"is revoked and stays so. Make a new one"):
        store.rotate(made.key.id, who="anna")
    store.create("shop", ["*"], ["read"], who="anna")
    assert store.has_any()


def test_an_expired_key_cannot_be_rotated_back_to_life(store: KeyStore) -> None:
    made = store.create("shop", ["*"], ["read"], who="anna", days=1e-9)
    with pytest.raises(UsageError, match="has expired"):
        store.rotate(made.key.id, who="anna")


def test_one_client_has_one_key(store: KeyStore) -> None:
    made = store.create("shop", ["a"], ["read"], who="anna")
    with pytest.raises(UsageError, match=f"'shop' has the key {made.key.id} already. Renew it"):
        store.create("shop", ["b"], ["read"], who="anna")


def test_there_is_no_key_until_one_was_made(store: KeyStore) -> None:
    assert (store.has_any(), store.read()) == (False, [])


def test_the_last_use_is_noted_by_day(store: KeyStore) -> None:
    used, unused = (store.create(name, ["*"], ["read"], who="anna").key for name in ("used", "unused"))
    today = datetime.now(UTC).date()
    store.note_used({used.id, "no-such-id"}, today)
    assert store.read() == [replace(used, last_used=today), unused]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"client": "shop\r\nX-Admin: yes"}, r"'shop\\r\\nX-Admin: yes' cannot be a client's name"),
        ({"client": "a\n"}, "cannot be a client's name"),
        ({"client": ""}, "cannot be a client's name"),
        ({"client": " a"}, "cannot be a client's name"),
        ({"client": "x" * 61}, "cannot be a client's name"),
        ({"client": "[red]x"}, "cannot be a client's name"),
        ({"client": "a\x00b"}, "cannot be a client's name"),
        ({"client": "Bäckerei Müller!"}, "'Bäckerei Müller!' cannot be a client's name"),
        ({"client": "a\u202eb"}, r"'a\\u202eb' cannot be a client's name"),
        ({"client": "a\u2028b"}, "cannot be a client's name"),
        ({"client": "\ud800"}, "cannot be a client's name"),
        ({"projects": []}, "opens no project"),
        ({"rights": []}, "no right. Name at least one with --right: read, predict, feedback, data, admin"),
        ({"rights": ["predictt"]}, "no right 'predictt'. Did you mean: predict"),
        ({"days": 0}, r"--days must be 0 … 36600, found 0"),
        ({"days": float("nan")}, r"--days must be"),
        ({"days": 1e300}, r"--days must be"),
        ({"per_minute": 0}, r"--per-minute must be 1 …, found 0"),
        ({"rows_per_minute": 2**31}, r"--rows-per-minute must be 1"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_made(store: KeyStore, changes: dict, message: str) -> None:
    wanted = {"client": "shop", "projects": ["*"], "rights": ["read"]} | changes
    with pytest.raises(UsageError, match=message):
        store.create(**wanted, who="anna")
    assert not store.has_any()


@pytest.mark.parametrize("hours", [-1, float("nan"), float("inf"), 1e9])
def test_an_impossible_grace_period_is_refused(store: KeyStore, hours: float) -> None:
    made = store.create("shop", ["*"], ["read"], who="anna")
    with pytest.raises(UsageError, match="--grace-hours must be"):
        store.rotate(made.key.id, who="anna", grace_hours=hours)
    assert store.read() == [made.key]


def test_an_unknown_id_is_named_with_those_there_are_and_a_secret_is_not_repeated(store: KeyStore) -> None:
    made = store.create("shop", ["*"], ["read"], who="anna")
    for act in (store.rotate, store.revoke):
        with pytest.raises(UnknownName, match=rf"no API key 'aaaaaaaa'. Known: {made.key.id}") as refused:
            act("lk_aaaaaaaa_" + "S" * 43, who="anna")
        assert "SSSS" not in refused.value.render("de")


def test_a_key_goes_by_its_id_however_it_is_given() -> None:
    assert {key_id(shown) for shown in ("abcd1234", " abcd1234\n", "lk_abcd1234", "lk_abcd1234_" + "S" * 43)} == {"abcd1234"}


@given(st.text())
def test_nothing_longer_than_an_id_comes_out_of_what_a_person_gave(shown: str) -> None:
    assert len(key_id(shown)) <= 11


CREATOR = """
    import sys
    from infra.api_keys import KeyStore
    store = KeyStore(sys.argv[1])
    for number in range(15):
        store.create(f"{sys.argv[2]} {number}", ["*"], ["read"], who="w")
"""


def test_processes_that_make_keys_at_once_lose_none_and_keep_the_chain(any_url: str, run_python: Run) -> None:
    from infra.audit import Audit

    processes = [run_python(CREATOR, any_url, name) for name in "abc"]
    for process in processes:
        _, problems = process.communicate(timeout=120)
        assert process.returncode == 0, problems
    assert len(KeyStore(any_url).read()) == Audit(any_url).verify().entries == 45


def test_two_keys_of_one_client_cannot_stand_in_the_table(tmp_path: Path) -> None:
    store = KeyStore(f"sqlite:///{tmp_path / 'keys.db'}")
    store.create("shop", ["*"], ["read"], who="anna")
    store.close()
    copy = "INSERT INTO leitstand_api_keys (id, client, rights, digest, created) SELECT 'other', client, rights, digest, created"
    with sqlite3.connect(tmp_path / "keys.db") as database, pytest.raises(sqlite3.IntegrityError, match=r"UNIQUE.*client"):
        database.execute(copy + " FROM leitstand_api_keys")
    database.close()

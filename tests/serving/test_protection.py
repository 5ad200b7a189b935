import base64
import contextlib
import logging
import sqlite3
import string
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from infra.api_keys import RIGHTS, KeyStore, NewKey, Right
from leitstand.errors import StateError
from leitstand.spec import Serving
from serving.problems import Problem
from serving.protection import FAILURES, REFRESH_SECONDS, Guard, security_headers

Headers = list[tuple[bytes, bytes]]
DAY = 86_400.0
keeping_fixtures = hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Clock:
    """Seconds since 1970, that a test can move on."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).timestamp()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[KeyStore]:
    store = KeyStore(f"sqlite:///{tmp_path / 'keys.db'}")
    yield store
    store.close()


@pytest.fixture
def new_guard(store: KeyStore, clock: Clock) -> Callable[..., Guard]:
    def make(**projects: Serving) -> Guard:
        return Guard(store, projects, clock=clock)

    return make


@pytest.fixture
def shop(store: KeyStore) -> NewKey:
    return store.create("shop", ["cells"], ["predict", "feedback"], who="anna")


def bearer(text: str | bytes) -> Headers:
    return [(b"host", b"localhost"), (b"authorization", b"Bearer " + (text.encode() if isinstance(text, str) else text))]


def refused(guard: Guard, headers: Headers, host: str = "10.0.0.9", project: str = "cells", right: Right = "predict") -> Problem:
    with pytest.raises(Problem, match=r".") as caught:
        guard.admit(headers, host, project, right)
    return caught.value


def said(problem: Problem) -> tuple[int, str]:
    return problem.status, problem.name


# ---- without a key


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1"])
@pytest.mark.parametrize("name", [b"localhost", b"localhost:3000", b"127.0.0.1:3000", b"[::1]:3000", b"LOCALHOST"])
def test_without_any_key_this_machine_is_admitted_under_its_address(new_guard: Any, host: str, name: bytes) -> None:
    guard = new_guard()
    assert not guard.requires_key
    assert guard.admit([(b"host", name)], host, "cells", "admin") == host


@pytest.mark.parametrize("host", ["10.0.0.9", "192.168.1.2", "2001:db8::1", "unknown", "", "127.0.0.1, 10.0.0.9", "localhost"])
def test_without_any_key_others_are_refused_also_when_they_show_one(new_guard: Any, host: str) -> None:
    guard = new_guard()
    problem = refused(guard, bearer("lk_abcdefgh_" + "x" * 43), host)
    assert said(problem) == (401, "key_missing")
    assert "its own machine only" in problem.detail("en")


@pytest.mark.parametrize(
    "name", [b"evil.example", b"localhost.evil.example", b"127.0.0.1.evil.example:3000", b"", b"\xff\xfe", b"10.0.0.1"]
)
def test_without_any_key_a_foreign_host_name_is_refused(new_guard: Any, name: bytes) -> None:
    assert said(refused(new_guard(), [(b"host", name)], "127.0.0.1")) == (421, "host_wrong")


def test_the_first_key_closes_the_service_also_on_this_machine(new_guard: Any, store: KeyStore) -> None:
    guard = new_guard()
    made = store.create("shop", ["cells"], ["read"], who="anna")
    assert guard.admit([], "127.0.0.1", "cells", "predict") == "127.0.0.1"
    guard.refresh()
    assert guard.requires_key
    assert said(refused(guard, [], "127.0.0.1")) == (401, "key_missing")
    assert guard.admit(bearer(made.text), "127.0.0.1", "cells", "read") == "shop"


def test_revoking_the_last_key_does_not_open_the_service(new_guard: Any, store: KeyStore, shop: NewKey) -> None:
    guard = new_guard()
    store.revoke(shop.key.id, who="anna")
    guard.refresh()
    assert guard.requires_key
    assert said(refused(guard, [], "127.0.0.1")) == (401, "key_missing")


# ---- with keys


@pytest.mark.parametrize(
    "header",
    [
        (b"authorization", b"Bearer %s"),
        (b"authorization", b"bearer %s"),
        (b"authorization", b"BEARER   %s "),
        (b"x-api-key", b"%s"),
        (b"x-api-key", b" %s "),
    ],
)
def test_a_key_opens_what_it_was_made_for(new_guard: Any, shop: NewKey, header: tuple[bytes, bytes]) -> None:
    headers = [(b"authorization", b"Basic YTpi"), (header[0], header[1] % shop.text.encode())]
    assert new_guard().admit(headers, "10.0.0.9", "cells", "predict") == "shop"


@pytest.mark.parametrize(
    ("project", "right"), [("cells", "read"), ("cells", "admin"), ("line", "predict"), ("*", "predict"), ("", "predict")]
)
def test_a_key_opens_nothing_else(new_guard: Any, shop: NewKey, project: str, right: Right) -> None:
    problem = refused(new_guard(), bearer(shop.text), project=project, right=right)
    assert said(problem) == (403, "right_missing")
    assert problem.headers == {"WWW-Authenticate": 'Bearer realm="leitstand", error="insufficient_scope"'}


def test_whether_a_project_exists_does_not_show(new_guard: Any, shop: NewKey) -> None:
    guard = new_guard(line=Serving())
    there, not_there = (refused(guard, bearer(shop.text), project=name).document("en") for name in ("line", "nope"))
    assert there.model_dump_json().replace("line", "nope") == not_there.model_dump_json()


@given(st.sets(st.sampled_from(RIGHTS), min_size=1), st.sets(st.sampled_from(["a", "b", "*"]), min_size=1))
@hypothesis_settings(deadline=None, max_examples=25)
def test_a_key_opens_exactly_its_rights_on_its_projects(tmp_path_factory: Any, rights: set[Right], projects: set[str]) -> None:
    store = KeyStore(f"sqlite:///{tmp_path_factory.mktemp('keys') / 'keys.db'}")
    guard = Guard(store, {})
    made = store.create("shop", sorted(projects), rights, who="anna")
    guard.refresh()
    for project in ("a", "b", "c"):
        for right in RIGHTS:
            meant = ("admin" in rights or right in rights) and ("*" in projects or project in projects)
            if meant:
                assert guard.admit(bearer(made.text), "10.0.0.9", project, right) == "shop"
            else:
                assert refused(guard, bearer(made.text), project=project, right=right).status == 403
    store.close()


def nearly(text: str) -> list[bytes]:
    key = text.encode()
    return [
        b"", b" ", b"lk_", key[:-1], key + b"A", key + b"\x00", b"\x00" + key, key.swapcase(), key.upper(), key[:12] + b"A" * 43,
        b"lk_aaaaaaaa_" + key[12:], key.replace(b"lk_", b"LK_"), key[12:], key + b", " + key, b'"' + key + b'"', key * 20_000,
        b"\xff" * 55, "lk_äöü".encode() + b"a" * 46, key[:-1] + b"\xc3", b"%s%s%s%n", b"' OR '1'='1", b"Bearer " + key,
    ]  # fmt: skip


def test_a_key_that_is_nearly_right_is_wrong(new_guard: Any, shop: NewKey, clock: Clock) -> None:
    for number, shown in enumerate(nearly(shop.text)):
        guard = new_guard()
        problem = refused(guard, bearer(shown), f"10.0.1.{number}")
        assert said(problem) == (401, "key_wrong")
        assert problem.headers == {"WWW-Authenticate": 'Bearer realm="leitstand", error="invalid_token"'}
        assert shop.text[12:] not in str(problem)


@given(
    st.binary(max_size=200)
    | st.text(string.ascii_letters + string.digits + "_-", min_size=43, max_size=43).map(lambda s: s.encode())
)
@keeping_fixtures
def test_no_bytes_but_the_keys_own_are_admitted(store: KeyStore, clock: Clock, shown: bytes) -> None:
    key = next((key for key in store.read()), None) or store.create("shop", ["*"], ["admin"], who="anna").key
    guard = Guard(store, {}, clock=clock)
    for header in (
        (b"authorization", b"Bearer " + shown),
        (b"x-api-key", shown),
        (b"x-api-key", b"lk_" + key.id.encode() + b"_" + shown),
    ):
        assert refused(guard, [header]).status == 401


@pytest.mark.parametrize("shown", ["right", "wrong secret", "unknown id", "short", "revoked"])
def test_every_key_costs_the_same_two_constant_time_comparisons(
    new_guard: Any, store: KeyStore, shop: NewKey, shown: str
) -> None:
    revoked = store.create("old", ["cells"], ["predict"], who="anna")
    store.revoke(revoked.key.id, who="anna")
    text = {
        "right": shop.text,
        "wrong secret": shop.text[:12] + "A" * 43,
        "unknown id": "lk_aaaaaaaa_" + "A" * 43,
        "short": "lk_",
        "revoked": revoked.text,
    }[shown]
    guard, calls = new_guard(), []

    def look(frame: Any, event: str, argument: Any) -> None:
        if event == "c_call":
            calls.append(argument.__name__)

    sys.setprofile(look)
    try:
        guard.admit(bearer(text), "10.0.0.9", "cells", "predict")
    except Problem:
        assert shown != "right"
    finally:
        sys.setprofile(None)
    assert calls.count("compare_digest") == 2
    assert calls.count("openssl_sha256") == 1


def test_a_revoked_key_is_refused_and_its_holder_told(new_guard: Any, store: KeyStore, shop: NewKey) -> None:
    guard = new_guard()
    assert guard.admit(bearer(shop.text), "10.0.0.9", "cells", "predict") == "shop"
    store.revoke(shop.key.id, who="anna")
    guard.refresh()
    problem = refused(guard, bearer(shop.text))
    assert said(problem) == (401, "key_wrong")
    assert "was revoked on" in problem.detail("en")
    assert "revoked" not in refused(guard, bearer(shop.text[:12] + "A" * 43)).detail("en")


def test_a_rotated_key_holds_until_its_grace_period_is_over(new_guard: Any, store: KeyStore, shop: NewKey, clock: Clock) -> None:
    new = store.rotate(shop.key.id, who="anna", grace_hours=24)
    guard = new_guard()
    assert guard.admit(bearer(shop.text), "10.0.0.9", "cells", "predict") == "shop"
    assert guard.admit(bearer(new.text), "10.0.0.9", "cells", "predict") == "shop"
    clock.now += DAY + 60
    problem = refused(guard, bearer(shop.text))
    assert said(problem) == (401, "key_wrong")
    assert "was replaced on" in problem.detail("en")
    assert guard.admit(bearer(new.text), "10.0.0.9", "cells", "predict") == "shop"


def test_rotating_without_grace_ends_the_old_secret_at_once(new_guard: Any, store: KeyStore, shop: NewKey, clock: Clock) -> None:
    new = store.rotate(shop.key.id, who="anna", grace_hours=0)
    guard = new_guard()
    clock.now += 1
    assert refused(guard, bearer(shop.text)).status == 401
    assert guard.admit(bearer(new.text), "10.0.0.9", "cells", "predict") == "shop"


def test_a_key_expires_to_the_second_without_being_read_anew(new_guard: Any, store: KeyStore, clock: Clock) -> None:
    made = store.create("shop", ["cells"], ["predict"], who="anna", days=1)
    assert made.key.expires is not None
    guard = new_guard()
    clock.now = (made.key.expires - timedelta(seconds=1)).timestamp()
    assert guard.admit(bearer(made.text), "10.0.0.9", "cells", "predict") == "shop"
    clock.now += 1
    problem = refused(guard, bearer(made.text))
    assert said(problem) == (401, "key_wrong")
    assert "expired on" in problem.detail("en")


def test_an_expired_and_rotated_key_opens_by_neither_secret(new_guard: Any, store: KeyStore, clock: Clock) -> None:
    made = store.create("shop", ["cells"], ["predict"], who="anna", days=1)
    new = store.rotate(made.key.id, who="anna", grace_hours=100)
    guard = new_guard()
    clock.now += DAY + 60
    assert [refused(guard, bearer(text)).status for text in (made.text, new.text)] == [401, 401]


# ---- guessing


def test_ten_thousand_wrong_keys_are_told_to_wait_and_shut_nobody_else_out(
    new_guard: Any, shop: NewKey, caplog: pytest.LogCaptureFixture
) -> None:
    guard = new_guard()
    with caplog.at_level(logging.WARNING, "bentoml.leitstand"):
        answers = [said(refused(guard, bearer(f"lk_{shop.key.id}_{number:043d}"), "10.0.0.66")) for number in range(10_000)]
    assert answers[: FAILURES.amount] == [(401, "key_wrong")] * FAILURES.amount
    assert answers[FAILURES.amount :] == [(429, "too_many")] * (10_000 - FAILURES.amount)
    assert len(caplog.records) == FAILURES.amount
    assert guard.admit(bearer(shop.text), "10.0.0.66", "cells", "predict") == "shop"
    assert refused(guard, [], "10.0.0.67").status == 401


def test_guesses_from_many_addresses_do_not_fill_the_memory(new_guard: Any, shop: NewKey) -> None:
    guard = new_guard()

    def guess(numbers: range) -> None:
        for number in numbers:
            refused(guard, bearer("lk_"), f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", project=f"p{number}")

    logging.getLogger("bentoml.leitstand").disabled = True
    try:
        guess(range(11_000))
        tracemalloc.start()
        guess(range(11_000, 16_000))
        grown = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
        logging.getLogger("bentoml.leitstand").disabled = False
    assert grown < 2_000_000  # as many counters as before, made after the measuring began


def test_addresses_of_one_ipv6_network_count_as_one(new_guard: Any, shop: NewKey) -> None:
    guard = new_guard()
    answers = [refused(guard, [], f"2001:db8:1:2::{number:x}").status for number in range(1, 30)]
    assert answers == [401] * 20 + [429] * 9
    assert refused(guard, [], "2001:db8:1:3::1").status == 401


def test_nothing_of_the_request_breaks_out_of_its_line_in_the_log(
    new_guard: Any, shop: NewKey, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "bentoml.leitstand"):
        problem = refused(new_guard(), bearer("x"), "1.2.3.4\r\nforged", project="a\r\nSet-Cookie: b\x1b[31m")
    (line,) = caplog.messages
    assert not set(line) & set("\r\n\x1b")
    assert all(not set(value) & set("\r\n") for value in problem.headers.values())


# ---- rates


def test_a_project_limits_each_of_its_clients(new_guard: Any, store: KeyStore, shop: NewKey) -> None:
    line = store.create("line", ["cells", "other"], ["predict"], who="anna")
    guard = new_guard(cells=Serving(requests_per_minute=3), other=Serving())
    for _ in range(3):
        guard.admit(bearer(shop.text), "10.0.0.9", "cells", "predict")
    problem = refused(guard, bearer(shop.text))
    assert said(problem) == (429, "too_many")
    wait = int(problem.headers["Retry-After"])
    assert 1 <= wait <= 60
    assert problem.headers["RateLimit-Policy"] == '"requests-per-minute";q=3;w=60'
    assert problem.headers["RateLimit"] == f'"requests-per-minute";r=0;t={wait}'
    assert f"More than 3 requests per 60 s. Try again in {wait} s." == problem.detail("en")
    assert guard.admit(bearer(line.text), "10.0.0.9", "cells", "predict") == "line"
    for _ in range(9):
        guard.admit(bearer(line.text), "10.0.0.9", "other", "predict")


def test_requests_per_second_are_limited_too(new_guard: Any, shop: NewKey) -> None:
    guard = new_guard(cells=Serving(requests_per_second=1, requests_per_minute=1000))
    guard.admit(bearer(shop.text), "10.0.0.9", "cells", "predict")
    assert "More than 1 requests per 1 s" in refused(guard, bearer(shop.text)).detail("en")


def test_a_keys_own_limit_stands_in_place_of_the_projects_and_is_over_all_projects(new_guard: Any, store: KeyStore) -> None:
    big = store.create("big", ["*"], ["predict"], who="anna", per_minute=5, rows_per_minute=500)
    guard = new_guard(cells=Serving(requests_per_minute=1, rows_per_minute=10), line=Serving())
    for project in ("cells", "cells", "line", "line", "cells"):
        guard.admit(bearer(big.text), "10.0.0.9", project, "predict")
    assert refused(guard, bearer(big.text), project="line").status == 429
    guard.charge("big", "cells", 400)
    with pytest.raises(Problem, match="More than 500 rows per minute with the 200 of this request"):
        guard.charge("big", "line", 200)
    guard.charge("big", "line", 100)


def test_rows_are_limited_per_client_and_project(new_guard: Any, shop: NewKey) -> None:
    guard = new_guard(cells=Serving(rows_per_minute=1000))
    guard.charge("shop", "cells", 900)
    with pytest.raises(Problem, match="More than 1000 rows per minute") as caught:
        guard.charge("shop", "cells", 101)
    assert caught.value.headers["RateLimit-Policy"] == '"rows-per-minute";q=1000;w=60'
    guard.charge("shop", "cells", 100)
    guard.charge("shop", "other", 10_000)
    guard.charge("127.0.0.1", "cells", 1000)


def test_limits_hold_without_keys_as_well(new_guard: Any) -> None:
    guard = new_guard(cells=Serving(requests_per_minute=1))
    guard.admit([], "127.0.0.1", "cells", "predict")
    assert refused(guard, [], "127.0.0.1").status == 429


def test_a_project_can_get_other_limits_while_the_service_runs(new_guard: Any, shop: NewKey) -> None:
    guard = new_guard(cells=Serving(requests_per_minute=1))
    guard.limit("cells", Serving(requests_per_minute=2))
    assert [guard.admit(bearer(shop.text), "10.0.0.9", "cells", "predict") for _ in range(2)] == ["shop"] * 2


# ---- reading the keys anew


def test_the_last_use_is_noted_once_a_day(new_guard: Any, store: KeyStore, shop: NewKey, clock: Clock) -> None:
    guard = new_guard()
    today = datetime.fromtimestamp(clock.now, UTC).date()
    guard.admit(bearer(shop.text), "10.0.0.9", "cells", "predict")
    guard.refresh()
    assert store.read()[0].last_used == today
    long_ago = today - timedelta(days=9)
    store.note_used([shop.key.id], long_ago)
    guard.admit(bearer(shop.text), "10.0.0.9", "cells", "predict")
    guard.refresh()
    assert store.read()[0].last_used == long_ago  # written once, not with every refresh
    clock.now += DAY
    guard.refresh()
    assert store.read()[0].last_used == long_ago
    guard.admit(bearer(shop.text), "10.0.0.9", "cells", "predict")
    guard.refresh()
    assert store.read()[0].last_used == today + timedelta(days=1)


def test_keys_that_cannot_be_read_let_no_service_start(tmp_path: Path) -> None:
    (tmp_path / "keys.db").write_bytes(b"this is no database, but longer than a hundred bytes" * 4)
    with pytest.raises(StateError, match=r"keys\.db"):
        Guard(KeyStore(f"sqlite:///{tmp_path / 'keys.db'}"), {})


def test_keys_that_cannot_be_read_anew_go_on_to_hold(
    new_guard: Any, store: KeyStore, shop: NewKey, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    guard = new_guard()
    store.close()
    for file in tmp_path.glob("keys.db*"):
        file.unlink()
    (tmp_path / "keys.db").write_bytes(b"this is no database, but longer than a hundred bytes" * 4)
    with caplog.at_level(logging.WARNING, "bentoml.leitstand"):
        guard.refresh()
    assert "those read before go on to hold" in caplog.text
    assert guard.admit(bearer(shop.text), "10.0.0.9", "cells", "predict") == "shop"
    assert refused(guard, []).status == 401


def test_a_revoked_key_ends_by_itself_within_seconds(new_guard: Any, store: KeyStore, shop: NewKey) -> None:
    guard = new_guard()
    guard.follow()
    try:
        store.revoke(shop.key.id, who="anna")
        deadline = time.monotonic() + 20
        ended: Problem | None = None
        while ended is None and time.monotonic() < deadline:
            try:
                guard.admit(bearer(shop.text), "10.0.0.9", "cells", "predict")
                time.sleep(0.05)
            except Problem as problem:
                ended = problem
        assert "was revoked" in str(ended)
    finally:
        guard.stop()


def test_following_survives_a_key_that_cannot_be_understood(
    new_guard: Any, store: KeyStore, shop: NewKey, tmp_path: Path
) -> None:
    guard = new_guard()
    with sqlite3.connect(tmp_path / "keys.db") as database:
        database.execute("UPDATE leitstand_api_keys SET digest = 'no hexadecimal'")
    database.close()
    guard.follow()
    time.sleep(REFRESH_SECONDS + 0.5)
    assert guard.admit(bearer(shop.text), "10.0.0.9", "cells", "predict") == "shop"
    with sqlite3.connect(tmp_path / "keys.db") as database:
        database.execute("UPDATE leitstand_api_keys SET digest = ?", (shop.key.digest,))
    database.close()
    new = store.create("line", ["cells"], ["predict"], who="anna")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(Problem):
            assert guard.admit(bearer(new.text), "10.0.0.9", "cells", "predict") == "line"
            break
        time.sleep(0.05)
    else:
        pytest.fail("the new key was never read")
    guard.stop()


def test_a_page_is_for_this_machine_until_there_is_a_key_and_for_its_holder_then(new_guard: Any, store: KeyStore) -> None:
    guard = new_guard()
    assert guard.admit_page([(b"host", b"localhost:3000")], "127.0.0.1")("cells")
    with pytest.raises(Problem, match="answers only under localhost"):
        guard.admit_page([(b"host", b"evil.example")], "127.0.0.1")
    with pytest.raises(Problem, match="on its own machine only"):
        guard.admit_page([], "10.0.0.9")
    made = store.create("shop", ["cells"], ["predict"], who="anna")
    guard.refresh()
    for headers in (bearer(made.text), basic("anybody", made.text)):
        may_see = guard.admit_page([(b"host", b"models.example"), *headers], "10.0.0.9")
        assert [may_see(name) for name in ("cells", "line")] == [True, False]
    slow = store.create("slow", ["cells"], ["read"], per_minute=1, who="anna")
    guard.refresh()
    guard.admit_page(bearer(slow.text), "10.0.0.9")
    with pytest.raises(Problem, match="1 request"):
        guard.admit_page(bearer(slow.text), "10.0.0.9")
    for wrong in ([], basic("anybody", "wrong"), [(b"authorization", b"Basic ?")], [(b"authorization", b"Basic Og==")]):
        with pytest.raises(Problem) as refusal:
            guard.admit_page(wrong, "127.0.0.1")
        assert refusal.value.status == 401
        assert refusal.value.headers["WWW-Authenticate"].startswith("Basic ")


def basic(user: str, password: str) -> list[tuple[bytes, bytes]]:
    return [(b"authorization", b"Basic " + base64.b64encode(f"{user}:{password}".encode()))]


# ---- headers


def test_every_answer_carries_the_security_headers() -> None:
    plain, tls, page = (dict(security_headers(**how)) for how in ({"tls": False}, {"tls": True}, {"tls": False, "page": True}))
    assert plain[b"x-content-type-options"] == b"nosniff"
    assert plain[b"cache-control"] == b"no-store"
    assert b"frame-ancestors 'none'" in plain[b"content-security-policy"]
    assert set(tls) - set(plain) == {b"strict-transport-security"}
    assert set(plain) - set(page) == {b"content-security-policy"}
    assert all(name == name.lower() for name in tls)


def test_every_refusal_reads_in_both_languages(new_guard: Any, shop: NewKey) -> None:
    guard = new_guard(cells=Serving(requests_per_minute=1))
    guard.admit(bearer(shop.text), "10.0.0.9", "cells", "predict")
    problems = [
        refused(guard, bearer(shop.text)),
        refused(guard, []),
        refused(guard, bearer("x")),
        refused(guard, bearer(shop.text), project="z"),
    ]
    for problem in problems:
        english, german = problem.document("en"), problem.document("de")
        assert english.type == german.type == f"urn:leitstand:problem:{problem.name.replace('_', '-')}"
        assert english.title != german.title
        assert english.detail != german.detail

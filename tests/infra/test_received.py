from concurrent.futures import ThreadPoolExecutor

import pytest

from infra.deliveries import Deliveries, Delivery, Noting
from infra.received import Received
from leitstand.errors import UnknownName, UsageError
from leitstand.now import now
from leitstand.texts import text


def delivery(number: int, name: str = "a.csv", **changes: object) -> Delivery:
    return Delivery("demo", number, "file", name, f"{number:064d}", now(), now(), now(), **changes)  # type: ignore[arg-type]


def test_a_request_is_kept_once_however_often_and_from_wherever_it_comes(any_url: str) -> None:
    received = Received(any_url)
    with ThreadPoolExecutor(4) as pool:
        fresh = list(pool.map(lambda _: received.keep("demo", "r1", "[{}]", 1, "shop"), range(8)))
    assert sum(fresh) == 1
    assert received.keep("other", "r1", "[{}]", 1, "shop")
    assert [(one.id, one.rows, one.content, one.client) for one in received.waiting("demo")] == [("r1", 1, "[{}]", "shop")]
    received.close()


def test_what_a_delivery_took_waits_no_longer_and_is_known_again(any_url: str) -> None:
    received, store = Received(any_url), Deliveries(any_url)
    for number in range(1200):
        received.keep("demo", f"r{number}", "[{}]", 1, "shop")
    waiting = [one.sequence for one in received.waiting("demo")]
    store.note("demo", Noting([delivery(1, state="held")], received={1: waiting[:3]}))
    store.note("demo", Noting([delivery(2)], received={2: waiting[3:]}))
    assert received.waiting("demo") == []
    assert [one.id for one in received.of_delivery("demo", 1)] == ["r0", "r1", "r2"]
    assert received.of_delivery("demo", 2) == []
    assert not received.keep("demo", "r7", "[{}]", 1, "shop")
    received.close()
    store.close()


def test_a_pass_is_noted_as_a_whole(any_url: str) -> None:
    store = Deliveries(any_url)
    held = delivery(1, state="held", fault="empty", message='{"key": "ingest.empty", "values": {"name": "a.csv"}}', rows=3)
    store.note("demo", Noting([held, delivery(2, "b.csv", rows=5, labelled=4)], {"version": "v" * 32}))
    assert [one.name for one in store.read("demo")] == ["a.csv", "b.csv"]
    assert store.read("demo", state="held") == [held]
    assert held.why("de") == text("ingest.empty", "de", name="a.csv")
    assert store.bookmark("demo", "version") == "v" * 32
    assert (store.usual_rows("demo", "file"), store.labelled_since("demo", "x" * 32)) == ([5], 4)
    with pytest.raises(ZeroDivisionError):
        store.note("demo", Noting([delivery(3)], received={3: Failing()}))  # type: ignore[dict-item]
    assert len(store.read("demo")) == 2
    store.close()


class Failing(tuple[int, ...]):
    def __len__(self) -> int:
        raise ZeroDivisionError


def test_a_decision_names_one_delivery(any_url: str) -> None:
    store = Deliveries(any_url)
    store.note("demo", Noting([delivery(1, state="held"), delivery(2, state="held"), delivery(3, "b.csv", state="held")]))
    with pytest.raises(UsageError, match=r"called 'a\.csv'. Give the number of one: 1, 2"):
        store.decide("demo", "a.csv", "allowed", who="Ada")
    with pytest.raises(UnknownName, match=r"'7'\. Known: 1, 2, 3"):
        store.decide("demo", "7", "allowed", who="Ada")
    assert store.decide("demo", "b.csv", "refused", who="Ada").number == 3
    assert store.decide("demo", "2", "allowed", who="Ada").decided_by == "Ada"
    assert [one.state for one in store.read("demo")] == ["held", "allowed", "refused"]
    store.close()

import time

from hypothesis import given, settings
from hypothesis import strategies as st
from limits import RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from serving.rates import Counters, Rates


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 5)), max_size=60), st.integers(1, 12))
@settings(deadline=None, max_examples=50)
def test_our_store_counts_as_the_librarys_own(hits: list[tuple[str, int]], amount: int) -> None:
    item = RateLimitItemPerMinute(amount)
    ours, theirs = FixedWindowRateLimiter(Counters(100)), FixedWindowRateLimiter(MemoryStorage())
    for name, cost in hits:
        assert ours.test(item, name, cost=cost) == theirs.test(item, name, cost=cost)
        assert ours.hit(item, name, cost=cost) == theirs.hit(item, name, cost=cost)
        assert ours.get_window_stats(item, name).remaining == theirs.get_window_stats(item, name).remaining


def test_a_window_that_is_over_begins_anew() -> None:
    rates, item = Rates(10), RateLimitItemPerSecond(2)
    assert [rates.hit(item, "shop") for _ in range(3)] == [True, True, False]
    assert rates.wait_seconds(item, "shop") == 1
    time.sleep(1.05)
    assert rates.hit(item, "shop")


def test_rows_that_do_not_fit_are_not_counted() -> None:
    rates, item = Rates(10), RateLimitItemPerMinute(10)
    assert rates.take(item, 6, "shop")
    assert not rates.take(item, 5, "shop")
    assert rates.take(item, 4, "shop")
    assert not rates.take(item, 1, "shop")
    assert 1 <= rates.wait_seconds(item, "shop") <= 60


def test_memory_stays_bounded_however_many_names_come() -> None:
    counters = Counters(50)
    for number in range(10_000):
        counters.incr(f"host {number}", 60)
    assert counters.get("host 9999") == 1
    assert counters.get("host 0") == 0
    assert counters.reset() == 50


def test_a_forgotten_counter_begins_at_nothing() -> None:
    counters = Counters(5)
    counters.incr("a", 60, 4)
    counters.clear("a")
    assert counters.get("a") == 0
    assert abs(counters.get_expiry("a") - time.time()) < 1
    assert counters.check()

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.clock import Answer, Clock, OutOfTime
from leitstand.mixing import gathered, stacked
from leitstand.shapley import Game, exact, sampled, shares

FOREVER = 1e6


def product(table: np.ndarray) -> np.ndarray:
    """No sum of its columns: up to four of them act together."""
    return np.exp(table[:, 0]) * table[:, 1] * (1 + table[:, 3]) + np.where(table[:, 2] > 0, table[:, 3:].prod(axis=1), 0.0)


def game(answer: Answer, columns: int, players: list[int] | None = None, rows: int = 7, seed: int = 0) -> Game:
    table = np.random.default_rng(seed).normal(size=(rows + 1, columns))
    assigned = np.arange(columns) if players is None else np.asarray(players)
    answers = answer(table)
    return Game(answer, table, assigned, int(assigned.max()) + 1, float(answers[0]), answers[1:])


def by_definition(one: Game) -> np.ndarray:
    """The mean gain of each player over all orders in which the players can join."""
    values = np.zeros(one.count)
    orders = list(permutations(range(one.count)))
    for order in orders:
        rows = one.table[1:].copy()
        before = one.answer(rows).mean()
        for player in order:
            rows[:, one.players == player] = one.table[0, one.players == player]
            after = one.answer(rows).mean()
            values[player] += (after - before) / len(orders)
            before = after
    return values


@pytest.mark.parametrize("players", [None, [0, 0, 1, 2, 1], [0, 0, 0, 0, 0]])
def test_exact_values_are_the_mean_gains_over_all_orders(players: list[int] | None) -> None:
    one = game(product, 5, players)
    np.testing.assert_allclose(exact(one, Clock(FOREVER)), by_definition(one), rtol=1e-10, atol=1e-12)


def test_samples_come_near_the_exact_values() -> None:
    one, generator = game(product, 6, rows=50), np.random.default_rng(1)
    rounds = np.stack([sampled(one, Clock(FOREVER), generator) for _ in range(60)])
    error = rounds.std(axis=0, ddof=1) / np.sqrt(60)
    assert (error > 1e-3).all()
    assert (np.abs(rounds.mean(axis=0) - exact(one, Clock(FOREVER))) < 4 * error).all()


@given(columns=st.integers(1, 9), rows=st.integers(1, 30), seed=st.integers(0, 1000))
def test_one_round_of_samples_adds_up_whatever_the_orders_are(columns: int, rows: int, seed: int) -> None:
    one = game(lambda table: np.tanh(table).prod(axis=1), columns, rows=rows, seed=seed)
    found = sampled(one, Clock(FOREVER), np.random.default_rng(seed))
    assert found.sum() == pytest.approx(one.top - one.bottom.mean(), abs=1e-12)


def test_where_columns_act_in_pairs_at_most_a_single_round_is_exact() -> None:
    one = game(lambda table: table @ np.arange(1.0, 7.0) + table[:, 0] * table[:, 3] - table[:, 1] * table[:, 2] ** 2, 6)
    np.testing.assert_allclose(sampled(one, Clock(FOREVER), np.random.default_rng(0)), by_definition(one), rtol=1e-9)


def test_few_players_are_answered_exactly_and_many_sampled() -> None:
    few, many = (shares([game(lambda table: table.sum(axis=1), count)], Clock(FOREVER))[0] for count in (6, 7))
    assert (few.method, few.evaluations, few.standard_error) == ("exact_shap", 0, None)
    assert many.method == "permutation_shap"
    assert many.evaluations == 3 * 2 * 6 * 7  # rounds, directions, steps between nobody and everybody, background rows
    assert many.standard_error == pytest.approx(0, abs=1e-12)


def test_the_standard_error_tells_how_far_samples_lie_from_the_truth() -> None:
    errors, told = [], []
    for one in (game(product, 6, rows=40, seed=seed) for seed in range(30)):
        generator = np.random.default_rng(5)
        rounds = np.stack([sampled(one, Clock(FOREVER), generator) for _ in range(3)])
        errors.append(np.sqrt(np.mean((rounds.mean(axis=0) - exact(one, Clock(FOREVER))) ** 2)))
        told.append(np.sqrt(rounds.var(axis=0, ddof=1).mean() / 3))
    assert np.mean(told) == pytest.approx(np.mean(errors), rel=0.35)


def test_the_same_request_gets_the_same_samples() -> None:
    first, second = (shares([game(product, 9)], Clock(FOREVER))[0].values for _ in range(2))
    np.testing.assert_array_equal(first, second)


class Slow:
    """A model whose answers take a set time, by a clock that only they move."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds_per_row: float) -> None:
        self.now, self.rows, self._each = 0.0, 0, seconds_per_row
        monkeypatch.setattr("leitstand.clock.time.monotonic", lambda: self.now)

    def __call__(self, table: np.ndarray) -> np.ndarray:
        self.now += self._each * len(table)
        self.rows += len(table)
        return product(table)


def test_a_slow_model_gets_fewer_rounds_then_fewer_rows_then_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(seconds: float) -> tuple[int, int, float | None, float]:
        slow = Slow(monkeypatch, seconds_per_row=0.001)
        one = game(product, 9, rows=100)
        asked = Game(slow, one.table, one.players, one.count, one.top, one.bottom)
        found = shares([asked], Clock(seconds))[0]
        assert found.values.sum() == pytest.approx(one.top - found.game.bottom.mean())
        return len(found.game.bottom), found.evaluations, found.standard_error, slow.now

    assert ask(10)[:2] == (100, 3 * 1600)
    rows, evaluations, error, took = ask(2.0)  # one round takes 1.6 s
    assert (rows, evaluations, error) == (100, 1600, None)
    assert took <= 2.0
    rows, evaluations, _, took = ask(1.0)
    assert (rows, evaluations) == (25, 2 * 400)
    assert took <= 1.0
    with pytest.raises(OutOfTime):
        ask(0.3)


def test_a_model_that_turns_out_slower_than_measured_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch, seconds_per_row=0.0001)
    one = game(product, 9, rows=100)

    def slower(table: np.ndarray) -> np.ndarray:
        slow.now += 0.6 if slow.rows > 100 else 0.0
        return slow(table)

    with pytest.raises(OutOfTime):
        shares([Game(slower, one.table, one.players, one.count, one.top, one.bottom)], Clock(0.5))
    assert slow.now < 1.0


def test_mixing_keeps_the_kinds_of_columns() -> None:
    first = pd.DataFrame({"number": [1.5], "word": ["a"], "day": pd.to_datetime(["2026-01-01"]), "count": [3]})
    second = pd.DataFrame({"number": [np.nan], "word": [None], "day": [pd.NaT], "count": [np.nan]}, dtype=object)
    both = stacked(first, second.astype({"number": float, "day": "datetime64[ns]", "count": float}))
    mixed = gathered(both, np.array([[0, 1, 0, 1], [1, 0, 1, 0]]))
    assert mixed["number"].dtype == mixed["count"].dtype == float
    assert mixed["day"].dtype == "datetime64[ns]"
    assert mixed["word"].tolist() == [None, "a"]
    assert mixed["count"].tolist()[1] == 3

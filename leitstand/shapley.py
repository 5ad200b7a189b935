"""Shapley values of columns: what each one adds on the way from a background row to the row that is explained.

A coalition of columns takes its values from the explained row, the other columns take theirs from a background row; the worth of a coalition is
the model's mean answer over all background rows (interventional Shapley values; Janzing, Minorics & Blöbaum, AISTATS 2020). ``exact`` visits
every coalition. ``sampled`` visits them along random orders, each with its reverse (Mitchell et al., JMLR 23(43), 2022), a new order for every
background row: at the same cost this errs much less than one order for all of them, see docs/decisions/0019.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import comb
from typing import Literal

import numpy as np

from leitstand.clock import Answer, Clock, OutOfTime
from leitstand.mixing import Table, gathered, taken

Method = Literal["tree_shap", "linear_shap", "exact_shap", "permutation_shap"]
LARGEST_CHUNK = 2_000_000  # cells of a table that is made at once: 16 MB of numbers
MOST_EXACT = 6  # players; 2^6 coalitions cost twice as much as all rounds of samples, 2^7 three times and a half
MOST_ROUNDS = 3  # then the error of the samples is below the one that the choice of background rows brings
FEWER = 4  # where the time is short, every fourth background row must do
ROUNDING = 1e-9  # of the largest value


@dataclass(frozen=True)
class Game:
    """One row to explain against background rows.

    Parameters
    ----------
    answer : the model's answers to a table, shape (n,)
    table : the row, and below it the background rows
    players : shape (n_columns,): which player each column of the table belongs to, 0 to ``count`` − 1
    count : of players
    top, bottom : the answer to the row, and those to the background rows, shape (n_background,)
    """

    answer: Answer
    table: Table
    players: np.ndarray
    count: int
    top: float
    bottom: np.ndarray

    @property
    def rows_exact(self) -> int:
        """Rows the model has to answer for exact values."""
        return (2**self.count - 2) * len(self.bottom)

    @property
    def rows_round(self) -> int:
        """Rows the model has to answer for one round of samples."""
        return 2 * (self.count - 1) * len(self.bottom)

    def thinned(self, step: int) -> "Game":
        """Return the game against every ``step``-th background row."""
        kept = np.r_[0, 1 : len(self.bottom) + 1 : step]
        return replace(self, table=taken(self.table, kept), bottom=self.bottom[::step])

    def worths(self, joined: np.ndarray, clock: Clock) -> np.ndarray:
        """Return the model's answers where the joined players take their values from the row, the others from a background row.

        Parameters
        ----------
        joined : shape (m, n_background, count), bool

        Returns
        -------
        shape (m, n_background)
        """
        step = max(1, LARGEST_CHUNK // (len(self.bottom) * len(self.players)))
        parts = [clock.answers(self.answer, self._mixed(joined[i : i + step])) for i in range(0, len(joined), step)]
        return np.concatenate([np.empty(0), *parts]).reshape(joined.shape[:2])

    def _mixed(self, joined: np.ndarray) -> Table:
        switched = joined.reshape(-1, self.count)[:, self.players]
        background = np.tile(np.arange(1, len(self.bottom) + 1), len(joined))
        return gathered(self.table, np.where(switched, 0, background[:, None]))


@dataclass(frozen=True)
class Shares:
    """What each player contributed, and how it was found.

    Parameters
    ----------
    values : shape (count,); they add up to ``top`` less the mean of ``bottom``
    evaluations : answers of the model that samples took; 0 where nothing was sampled
    standard_error : typical one of a sampled value, 0 where all rounds agree; None where they are exact, or there was one round only
    """

    game: Game
    values: np.ndarray
    method: Method
    evaluations: int = 0
    standard_error: float | None = None


def shares(games: Sequence[Game], clock: Clock) -> list[Shares]:
    """Return the players' shares for any kind of model: exact where the players are few, sampled otherwise, as the time allows.

    Parameters
    ----------
    games : of one model and one background

    Raises
    ------
    OutOfTime
        If the time is too short for one round of samples against a quarter of the background.
    """
    if not games:
        return []
    _find_pace(games, clock)
    for thinned in (games, [game.thinned(FEWER) for game in games]):
        if games[0].count <= MOST_EXACT and clock.allows(sum(game.rows_exact for game in thinned)):
            return [Shares(game, exact(game, clock), "exact_shap") for game in thinned]
        if clock.allows(sum(game.rows_round for game in thinned)):
            return _sampled(thinned, clock)
    raise OutOfTime


def _find_pace(games: Sequence[Game], clock: Clock) -> None:
    """Time the model on the background; where that looks too slow, also on more rows at once, which many models answer faster."""
    few = games[0].table
    clock.timed(games[0].answer, few)
    if not clock.allows(sum(game.rows_round for game in games)) and clock.allows(40 * len(few)):
        rows = np.tile(np.arange(len(few)), 10)
        clock.timed(games[0].answer, gathered(few, np.repeat(rows[:, None], few.shape[1], axis=1)))


def _sampled(games: Sequence[Game], clock: Clock) -> list[Shares]:
    generator = np.random.default_rng(0)  # the same request gets the same explanation
    rounds: list[np.ndarray] = []
    while len(rounds) < MOST_ROUNDS:
        before = clock.left
        try:
            rounds.append(np.stack([sampled(game, clock, generator) for game in games]))
        except OutOfTime:
            if not rounds:
                raise
            break
        if before - clock.left > clock.left:
            break
    every = np.stack(rounds)  # shape (rounds, games, players)
    evaluations = len(rounds) * games[0].rows_round
    return [
        Shares(game, every[:, i].mean(axis=0), "permutation_shap", evaluations, _standard_error(every[:, i]))
        for i, game in enumerate(games)
    ]


def _standard_error(rounds: np.ndarray) -> float | None:
    """Return the standard error of the mean over rounds, as root mean square over the players; 0 where it is rounding only."""
    if len(rounds) < 2:
        return None
    error = float(np.sqrt(rounds.var(axis=0, ddof=1).mean() / len(rounds)))
    return error if error > ROUNDING * np.abs(rounds).max() else 0.0


def exact(game: Game, clock: Clock) -> np.ndarray:
    """Return shape (count,): the Shapley values by all coalitions (Shapley, 1953).

    Raises
    ------
    OutOfTime
        If the time is up before all of them have answered.
    """
    count = game.count
    numbers = np.arange(2**count)
    member = (numbers[:, None] >> np.arange(count)) & 1 == 1  # shape (2^count, count)
    joined = np.broadcast_to(member[1:-1, None, :], (2**count - 2, len(game.bottom), count))
    worth = np.concatenate([[game.bottom.mean()], game.worths(joined, clock).mean(axis=1), [game.top]])
    weight = np.array([1 / (count * comb(count - 1, size)) for size in range(count)])
    values = np.empty(count)
    for player in range(count):
        without = numbers[~member[:, player]]
        gains = worth[without + 2**player] - worth[without]
        values[player] = (weight[member[without].sum(axis=1)] * gains).sum()
    return values


def sampled(game: Game, clock: Clock, generator: np.random.Generator) -> np.ndarray:
    """Return shape (count,): one round of estimates, which add up to ``top`` less the mean of ``bottom`` whatever the orders are.

    They are exact where players act alone or in pairs, because each order comes with its reverse.

    Raises
    ------
    OutOfTime
        If the time is up before the round is complete.
    """
    count, rows = game.count, len(game.bottom)
    places = np.argsort(generator.random((rows, count)), axis=1)  # of each player in the order of each background row
    total = np.zeros(count)
    for order in (places, count - 1 - places):
        joined = order[None, :, :] < np.arange(1, count)[:, None, None]
        path = np.vstack([game.bottom, game.worths(joined, clock), np.full(rows, game.top)])
        total += np.take_along_axis(np.diff(path, axis=0).T, order, axis=1).mean(axis=0)
    return total / 2

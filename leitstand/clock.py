"""Keeping a time limit while a model answers many rows."""

import time
from collections.abc import Callable

import numpy as np

from leitstand.mixing import Table

Answer = Callable[[Table], np.ndarray]
SHORT = 0.2  # seconds between two looks at the clock


class OutOfTime(Exception):
    """The time does not allow even the smallest piece of work."""


class Clock:
    """What is left of the time for a request, and how fast the model answers.

    Parameters
    ----------
    seconds : from now on
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._pace = 0.0  # rows per second

    @property
    def left(self) -> float:
        """Seconds that are left; negative when it is too late."""
        return self._end - time.monotonic()

    def timed(self, answer: Answer, table: Table) -> np.ndarray:
        """Return the answers, and note how fast they came: with few rows slower than with many."""
        started = time.monotonic()
        answers = answer(table)
        self._pace = len(table) / max(time.monotonic() - started, 1e-6)
        return answers

    def allows(self, rows: int) -> bool:
        """Say whether so many rows can be answered in the time that is left."""
        return rows <= self.left * self._pace

    def answers(self, answer: Answer, table: Table) -> np.ndarray:
        """Return the answers to a large table, looking at the clock in between.

        Raises
        ------
        OutOfTime
            If the time is up.
        """
        parts: list[np.ndarray] = []
        start = 0
        while start < len(table):
            if self.left <= 0:
                raise OutOfTime
            end = start + max(50, int(self._pace * SHORT))
            parts.append(self.timed(answer, table[start:end]))
            start = end
        return np.concatenate(parts)

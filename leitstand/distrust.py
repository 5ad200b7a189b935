"""Stretches of the hold-out whose labels cannot be right: nobody who knows the trade elsewhere knows anything there, nor can anybody learn it.

A comparison on wrong labels favours whoever dares least: on shuffled labels the model that learned from shuffled ones, and so answers near the
mean, beats the one that learned the truth. So the newest rows are looked at piece by piece. A piece is distrusted when

- both models keep there less than four fifths of what they are elsewhere better than their answers on shuffled labels,
- neither has any association with the labels left (permutation test, Good 2005, at 1 %), and
- a forest that learns from some rows of the piece cannot tell the others' labels either, by the same test.

The last keeps real changes apart from wrong labels: where the world has turned, the new relation can be learned from the piece itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.model_selection import KFold, cross_val_predict

from leitstand.dataset import Dataset
from leitstand.metrics import Metric
from leitstand.pipelines import encode
from leitstand.prediction import Predictions
from leitstand.seen import KnownRows, row_keys

MOST_PIECES = 16  # so that wrong labels in a tenth of the hold-out fill at least one piece
FEWEST_ROWS = 30
FALLEN = 0.8  # of what a model is elsewhere better than chance; on gas-turbine and chiller data no piece with right labels was distrusted
TREES = 40
SHUFFLES = 199  # the least a test at 1 % needs is 99


@dataclass(frozen=True)
class Distrusted:
    """A piece of the hold-out.

    Parameters
    ----------
    start, end : its first and last row: their time where rows have one, otherwise their place in the hold-out
    champion, challenger : the primary metric there
    """

    start: str
    end: str
    rows: int
    champion: float
    challenger: float


def distrusted(
    metric: Metric, holdout: Dataset, challenger: Predictions, champion: Predictions, known: KnownRows | None = None
) -> tuple[Distrusted, ...]:
    """Return the pieces of the hold-out whose labels nothing relates to.

    Parameters
    ----------
    known : the rows of the champion's data version; without an order of the rows only others, which came later, are in question
    """
    found = []
    pieces, truth = _pieces(holdout, known), holdout.target
    fallen = [_fallen(metric, truth, answers, pieces) for answers in (champion, challenger)] if pieces else []
    for number, piece in enumerate(pieces):
        if not all(one[number] for one in fallen):
            continue
        parts = [answers.take(piece) for answers in (champion, challenger)]
        if any(_related(metric, truth[piece], part) for part in parts) or _learnable(holdout, piece):
            continue
        start, end = _name(holdout, int(piece[0])), _name(holdout, int(piece[-1]))
        figures = [metric(truth[piece], part) for part in parts]
        found.append(Distrusted(start, end, len(piece), *figures))
    return tuple(found)


def _pieces(holdout: Dataset, known: KnownRows | None) -> list[np.ndarray]:
    """Return positions, piece by piece in the order in which the rows came."""
    spec = holdout.project.spec
    rows = np.arange(len(holdout))
    if spec.data.time is None and not spec.data.ordered:
        rows = rows[:0] if known is None else rows[~np.isin(row_keys(holdout), known.every)]
    count = min(MOST_PIECES, len(rows) // FEWEST_ROWS)
    return [piece for piece in np.array_split(rows, count) if len(piece)] if count else []


def _fallen(metric: Metric, truth: np.ndarray, answers: Predictions, pieces: Sequence[np.ndarray]) -> np.ndarray:
    """Return per piece whether the figure there has fallen behind that on the other rows, towards that on shuffled labels.

    A model that does no better than that on the other rows has fallen everywhere: it cannot vouch for any labels.
    """
    inside = np.zeros((len(pieces), len(truth)))
    for number, piece in enumerate(pieces):
        inside[number, piece] = 1
    figure = metric.of(truth, answers)
    here, elsewhere = figure(inside), figure(1 - inside)
    shuffled = np.random.default_rng(0).permutation(truth)
    chance = metric(shuffled, answers)
    skill, usual = metric.gain(here, np.full_like(here, chance)), metric.gain(elsewhere, np.full_like(here, chance))
    fallen: np.ndarray = np.isfinite(skill) & ~((usual > 0) & (skill >= FALLEN * usual))
    return fallen


def _related(metric: Metric, truth: np.ndarray, answers: Predictions) -> bool:
    generator = np.random.default_rng(0)
    actual = metric(truth, answers)
    by_chance = [metric(generator.permutation(truth), answers) for _ in range(SHUFFLES)]
    as_good = sum(metric.gain(actual, one) <= 0 for one in by_chance)
    return (as_good + 1) / (SHUFFLES + 1) <= 0.01


def _learnable(holdout: Dataset, piece: np.ndarray) -> bool:
    """Return whether the inputs tell the labels within the piece: of held-out rows, by a forest (Geurts, Ernst & Wehenkel 2006)."""
    part = holdout.take(piece)
    inputs, truth = encode(part.features, scale=True).fit_transform(part.features), part.target
    wanted = truth.astype(float)[:, None] if not holdout.discrete else np.asarray(truth[:, None] == np.unique(truth), dtype=float)
    forest = ExtraTreesRegressor(TREES, min_samples_leaf=2, random_state=0)
    told = cross_val_predict(forest, inputs, wanted.squeeze(), cv=KFold(5, shuffle=True, random_state=0)).reshape(wanted.shape)
    told, wanted = told - told.mean(axis=0), wanted - wanted.mean(axis=0)
    generator = np.random.default_rng(0)
    by_chance = [float((told * wanted[generator.permutation(len(wanted))]).sum()) for _ in range(SHUFFLES)]
    as_good = sum(one >= float((told * wanted).sum()) for one in by_chance)
    return (as_good + 1) / (SHUFFLES + 1) <= 0.01


def _name(holdout: Dataset, position: int) -> str:
    time = holdout.project.spec.data.time
    return str(holdout.frame[time].iloc[position]) if time is not None else str(position)

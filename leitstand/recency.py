"""What to learn from after the world has changed: all rows, or only those that came since.

Klinkenberg and Joachims (Detecting Concept Drift with Support Vector Machines, ICML 2000) choose the window of training rows by the error on the
newest ones. Here there are two windows, all rows and those since the change, and the paired bootstrap is the judge.
"""

from dataclasses import replace
from datetime import datetime

import numpy as np

from leitstand.bootstrap import paired_gain
from leitstand.dataset import Dataset
from leitstand.errors import LeitstandError
from leitstand.training import Progress, Training, answers_of, chosen_metric, train

FEWEST_ROWS = 60  # since the change: fewer are too few to learn from and to validate on
VALIDATED = 0.4  # of the rows since the change


def trained(
    training_part: Dataset, held: int, data_version: str, synthetic: bool, fresh: int = 0, progress: Progress = lambda _: None
) -> Training:
    """Return the training on all rows of the training part, or on those since a change where a model of them alone is better.

    Parameters
    ----------
    held : rows of the hold-out
    fresh : labelled rows since the change, those of the hold-out included; 0 where nothing is known to have changed

    Raises
    ------
    ProjectError
        If a candidate cannot be fitted.
    """
    made = train(training_part, data_version, synthetic, progress)
    part = recent_part(training_part, made, recent_rows(training_part, held, fresh))
    if part is not None:
        made = train(part, data_version, synthetic, progress)
    card = made.model.card.model_copy(update={"fresh_rows": fresh, "recent": part is not None})
    return replace(made, model=replace(made.model, card=card))


def dated(training: Training, since: datetime) -> Training:
    """Return the training with a note on its card since when the world is the one that it learned."""
    card = training.model.card.model_copy(update={"since": since})
    return replace(training, model=replace(training.model, card=card))


def recent_rows(training_part: Dataset, held: int, fresh: int) -> int:
    """Return how many rows of the training part are among the newest ``fresh`` labelled rows: the hold-out and the gap have the others."""
    return max(0, fresh - held - training_part.project.spec.split.gap_rows)


def recent_part(training_part: Dataset, training: Training, recent: int) -> Dataset | None:
    """Return the newest ``recent`` rows of the training part where a model of them alone answers the newest certainly better than one of all rows.

    Parameters
    ----------
    training_part : in time order
    training : on the whole training part
    recent : rows of the training part since the change

    Returns
    -------
    None where that is not certain, or there are too few since the change to tell.
    """
    rows = len(training_part)
    if recent < FEWEST_ROWS or recent >= rows:
        return None
    validated = round(VALIDATED * recent)
    newest = training_part.take(np.arange(rows - validated, rows))
    everything, window = np.arange(rows - validated), np.arange(rows - recent, rows - validated)
    name = training.model.card.candidate
    try:
        of_all = answers_of(training_part.take(everything), newest, name)
        alone = train(training_part.take(window), "", synthetic=False)  # few rows suit another candidate than many
        of_recent = alone.model.answer(newest.features)
        gain = paired_gain(chosen_metric(training_part), newest.target, of_recent, of_all, blocks=True)
    except (LeitstandError, ValueError):  # such as one class only since the change
        return None
    return training_part.take(np.arange(rows - recent, rows)) if gain.low > 0 else None

"""Whether the truth comes back as it usually does: silence must not be taken for good answers."""

from collections.abc import Sequence

from scipy.stats import binom

from leitstand.policy import Monitoring
from monitoring.result import Labels

FEWEST_LOOKS = 2  # before anything is called usual
WORTH_WAITING = 0.05  # share; where fewer usually have a label, nobody waits for them
LATE = 0.5  # of what is usual
CHANCE = 0.001


def labels_of(policy: Monitoring, old_rows: int, labelled_rows: int, earlier: Sequence[Labels]) -> Labels:
    """Return how much of the truth has come back, and whether that is far less than at earlier looks.

    Parameters
    ----------
    old_rows : predictions of the window that are older than ``label_delay_hours``
    labelled_rows : those of them that have a label
    earlier : what earlier looks found; those at which labels were late already do not make that usual
    """
    sound = [labels for labels in earlier if labels.old_rows and not labels.late]
    rows = sum(labels.old_rows for labels in sound)
    found = Labels(old_rows=old_rows, labelled_rows=labelled_rows, delay_hours=policy.label_delay_hours)
    if len(sound) < FEWEST_LOOKS or rows < policy.minimum_rows:
        return found
    usual = sum(labels.labelled_rows for labels in sound) / rows
    few = old_rows >= policy.minimum_labels and usual >= WORTH_WAITING and found.coverage < LATE * usual
    late = few and float(binom.cdf(labelled_rows, old_rows, usual)) < CHANCE
    return found.model_copy(update={"usual": usual, "late": late})

"""What one look at a model in use found, and which finding has shown often enough to be believed."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict

from leitstand.policy import Monitoring

INPUTS, ANSWERS, PERFORMANCE, ESTIMATE = "inputs", "answers", "performance", "estimate"
COLUMN = "column:"


class Signals(BaseModel):
    """What monitoring saw in one window.

    Parameters
    ----------
    enough : whether window and reference have enough rows for a verdict on drift
    rows : predictions in the window
    start, end : of the window; ``end`` exclusive
    labels_start : since when the labels came that performance was judged by; they end with the window
    watched : how many input columns were compared
    drifted : the columns that moved beyond chance, each with the share of the model's importance it carries (0 to 1), None where unknown
    input_drift : whether they are so many, or carry so much, that the input as a whole counts as changed
    drifted_share : of the watched columns, 0 to 1
    season_known : whether the reference has rows of the window's season; drift has no verdict otherwise
    broken_columns : columns that are empty, stuck or out of range far more often than in training
    performance_drop : whether labelled predictions are worse than promised; None where there are too few labels
    figures : by which they are: the metric's ``value`` with ``low`` and ``high``, and what was ``promised``; empty without a verdict
    metric : its name
    within_noise : they are worse by more than the tolerance, but chance explains it
    vouched : enough labels of this window's own answers say that they are as good as promised
    estimated_drop : the same of the estimate without labels; None where there is none
    label_coverage : share of the predictions that are old enough whose truth is known, 0 to 1
    usual_coverage : what earlier looks found there; None before there are some
    labels_late : coverage is far below what is usual
    earlier_versions : how many versions were in charge before this champion
    """

    model_config = ConfigDict(frozen=True)

    enough: bool
    rows: int
    start: AwareDatetime | None = None
    end: AwareDatetime | None = None
    labels_start: AwareDatetime | None = None
    watched: int = 0
    drifted: dict[str, float | None] = {}
    input_drift: bool
    drifted_share: float
    season_known: bool = True
    prediction_drift: bool
    broken_columns: tuple[str, ...] = ()
    performance_drop: bool | None = None
    metric: str | None = None
    figures: dict[str, float] = {}
    within_noise: bool = False
    vouched: bool = False
    estimated_drop: bool | None = None
    label_coverage: float = 0.0
    usual_coverage: float | None = None
    labels_late: bool = False
    earlier_versions: int = 0

    @property
    def findings(self) -> tuple[str, ...]:
        """Every change that was seen, as a key that is compared with those of other windows; defects of the data are not among them."""
        flags = {
            INPUTS: self.input_drift,
            ANSWERS: self.prediction_drift,
            PERFORMANCE: self.performance_drop,
            ESTIMATE: self.estimated_drop,
        }
        return (*(key for key, seen in flags.items() if seen), *(f"{COLUMN}{name}" for name in self.drifted))


class Look(BaseModel):
    """An earlier look at the same champion, as much of it as later decisions need.

    Parameters
    ----------
    judged : whether the labels gave a verdict
    findings : as ``Signals.findings``
    """

    model_config = ConfigDict(frozen=True)

    start: AwareDatetime | None
    end: AwareDatetime
    labels_start: AwareDatetime | None = None
    enough: bool
    judged: bool = False
    findings: tuple[str, ...] = ()


def confirmed(policy: Monitoring, signals: Signals, looks: Sequence[Look]) -> frozenset[str]:
    """Return the findings of this window that show in ``confirm_windows`` of the ``of_windows`` latest windows, this one among them.

    Windows that share rows would confirm each other for nothing. So of the earlier looks only those count whose windows end before the next
    counted one begins, however often somebody looks; for performance it is the time in which the labels came that must not overlap.

    Parameters
    ----------
    looks : in any order
    """
    most = policy.of_windows - 1
    of_rows = _apart(signals.start, [(look.start, look) for look in looks if look.enough], most)
    of_labels = _apart(signals.labels_start, [(look.labels_start, look) for look in looks if look.judged], most)
    counted = {key: of_labels if key == PERFORMANCE else of_rows for key in signals.findings}
    needed = policy.confirm_windows - 1  # beside this window
    return frozenset(key for key, earlier in counted.items() if sum(key in look.findings for look in earlier) >= needed)


def _apart(start: datetime | None, looks: Sequence[tuple[datetime | None, Look]], most: int) -> list[Look]:
    """Return the ``most`` newest looks that end before ``start`` and before one another's start, given beside each look."""
    found: list[Look] = []
    for begin, look in sorted(looks, key=lambda pair: pair[1].end, reverse=True):
        if len(found) == most or start is None:
            break
        if look.end <= start:
            found.append(look)
            start = begin
    return found

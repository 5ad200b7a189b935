"""When a challenger that misses its goals is still to replace the champion: the champion misses them too, and is certainly worse."""

from collections.abc import Mapping

from leitstand.gates import Gate
from leitstand.judging import Judgement

SLICE, CRITERION = "slice:", "criterion:"
RULES = ("baseline", "needs_ai")


def is_lesser_evil(judgement: Judgement) -> bool:
    """Return whether the challenger is certainly better than the champion and misses only goals that the champion misses as well.

    A refusal would leave the worse model in charge. What concerns the challenger alone (stability, latency, labels that cannot be right, a
    slice where it falls behind the champion) excuses nothing, nor is a model put in charge that the rule without learning certainly beats.
    """
    gain = judgement.champion_gain
    if judgement.passed or gain is None or gain.low <= 0 or judgement.baseline_gain.high <= 0:
        return False
    return all(gate.passed or _excused(gate, judgement.champion_metrics or {}) for gate in judgement.gates)


def _excused(gate: Gate, champion: Mapping[str, float]) -> bool:
    if gate.name in RULES or gate.name.startswith(SLICE):
        return True
    if not gate.name.startswith(CRITERION):
        return False
    value = champion.get(gate.name.removeprefix(CRITERION))
    return value is not None and not (value >= gate.threshold if gate.at_least else value <= gate.threshold)

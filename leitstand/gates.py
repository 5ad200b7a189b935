"""What a model must show before it may be promoted."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from leitstand.bootstrap import Estimate
from leitstand.errors import UnknownName
from leitstand.metrics import Metric
from leitstand.spec import Criterion, Gates


class Gate(BaseModel):
    """One gate and what it said.

    Parameters
    ----------
    name : ``criterion:<metric>``, ``baseline``, ``needs_ai``, ``champion``, ``trust`` (stretches of the hold-out whose labels cannot be
        right), ``stability``, ``latency``, ``slice:<column>=<value>`` or ``champion_slice:<column>=<value>``
    value : what was measured; None where it could not be
    threshold : what it had to reach
    at_least : whether the value has to be at or above the threshold (at or below otherwise)
    """

    model_config = ConfigDict(frozen=True)

    name: str
    value: float | None
    threshold: float
    at_least: bool
    passed: bool


def criterion_gates(criteria: Sequence[Criterion], metrics: Mapping[str, Metric], values: Mapping[str, float]) -> list[Gate]:
    """Return one gate per success criterion of the project.

    Raises
    ------
    UnknownName
        If a criterion names a metric that the task kind does not have.
    """
    gates = []
    for criterion in criteria:
        if criterion.metric not in metrics:
            raise UnknownName("metric", criterion.metric, metrics)
        value = values.get(criterion.metric)
        threshold = criterion.at_least if criterion.at_least is not None else criterion.at_most
        assert threshold is not None, "the specification holds exactly one bound"
        gates.append(gate(f"criterion:{criterion.metric}", value, threshold, criterion.at_least is not None))
    return gates


def gate(name: str, value: float | None, threshold: float, at_least: bool) -> Gate:
    """Return a gate: passed where the value is known and on the right side of the threshold."""
    passed = value is not None and (value >= threshold if at_least else value <= threshold)
    return Gate(name=name, value=value, threshold=threshold, at_least=at_least, passed=passed)


def baseline_gate(gain: Estimate, gates: Gates) -> Gate:
    """Return the gate against the baseline: the whole 95 % interval of the gain must lie above the minimum improvement."""
    passed = gain.low > gates.minimum_improvement
    return Gate(name="baseline", value=gain.low, threshold=gates.minimum_improvement, at_least=True, passed=passed)


def champion_gate(gain: Estimate, gates: Gates, same_data: bool, of_answers: Estimate | None = None) -> Gate:
    """Return the gate against the champion.

    On the champion's own data version a challenger has to be better with certainty. On newer data it may be as good: it knows more of
    today; then the gain must not be below ``-champion_tolerance`` in its point value. Nor need it rank better where it certainly
    answers better: a champion whose inputs have an offset may still rank well and answer wrong.

    Parameters
    ----------
    of_answers : gain in a metric of the answers as they are given, where ``gain`` is one of their order
    """
    if same_data:
        passed = gain.low > gates.minimum_improvement
        return Gate(name="champion", value=gain.low, threshold=gates.minimum_improvement, at_least=True, passed=passed)
    threshold = 0.0 - gates.champion_tolerance  # a mere minus sign would make -0 of 0
    if of_answers is not None and gain.value < threshold <= gain.high and of_answers.low > 0:
        return Gate(name="champion", value=of_answers.low, threshold=0.0, at_least=True, passed=True)
    return Gate(name="champion", value=gain.value, threshold=threshold, at_least=True, passed=gain.value >= threshold)

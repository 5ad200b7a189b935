"""How a challenger's trial ends."""

from typing import Any

import pytest
from builders import spec

from leitstand.rollout import Gain, TrialSeen, settle

POLICY: dict[str, Any] = {
    "maintenance": {"rollout": "shadow", "rollout_rows": 100},
    "monitoring": {"label_delay_hours": 48},
    "gates": {"champion_tolerance": 0.02, "max_latency_ms": 50},
}


def seen(**changes: Any) -> TrialSeen:
    usual = {"version": 3, "mode": "shadow", "hours": 72, "answered": 120, "offered": 130, "latency_ms": 5.0}
    return TrialSeen.model_validate(usual | changes)


def gain(low: float, high: float) -> Gain:
    return Gain(metric="roc_auc", rows=80, value=(low + high) / 2, low=low, high=high)


@pytest.mark.parametrize(
    ("changes", "ending", "key"),
    [
        ({"answered": 40}, "wait", "trial_goes_on"),
        ({"answered": 40, "offered": 400}, "withdraw", "trial_silent"),
        ({"latency_ms": 51.0, "gain": gain(0.1, 0.2)}, "withdraw", "trial_slow"),
        ({"gain": gain(0.1, 0.2)}, "promote", "trial_good"),
        ({"gain": gain(-0.2, -0.01)}, "promote", "trial_good"),  # not with certainty worse than the tolerance allows
        ({"gain": gain(-0.2, -0.03)}, "withdraw", "trial_worse"),
        ({"hours": 20}, "wait", "trial_awaits_labels"),
        ({"hours": 20, "gain": gain(0.1, 0.2)}, "promote", "trial_good"),
        ({"disagreement": 0.25, "usual_disagreement": 0.1}, "promote", "trial_alike"),
        ({"disagreement": 0.35, "usual_disagreement": 0.1}, "withdraw", "trial_strange"),
        ({"disagreement": None}, "promote", "trial_unlabelled"),
    ],
)
def test_a_trial_ends_by_labels_then_by_answers_and_never_early(changes: dict[str, Any], ending: str, key: str) -> None:
    verdict = settle(spec(**POLICY), seen(**changes))
    assert (verdict.ending, [said.key for said in verdict.why]) == (ending, [f"maintenance.{key}"])
    assert all(said.render(language) for said in verdict.why for language in ("de", "en"))  # type: ignore[arg-type]

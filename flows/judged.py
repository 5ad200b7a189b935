"""What a judged challenger shows: the evidence that stands with its promotion, its trial, or the question to a person."""

from dataclasses import asdict
from typing import Any

import numpy as np

from flows.beside import disagreement
from flows.practice_check import Pilot
from leitstand.bootstrap import Estimate

DISAGREEMENT = "disagreement"


def evidence_of(pilot: Pilot) -> dict[str, Any]:
    """Return figures with intervals, gates, slices, and what the comparison with the champion rests on."""
    judgement = pilot.judgement
    rival = judgement.champion_predictions
    found = {
        "metric": judgement.metric,
        "value": judgement.metrics[judgement.metric].value,
        "baseline": judgement.baseline_metrics.get(judgement.metric),
        "data_version": pilot.accepted.snapshot.version,
        "run_id": pilot.version.run_id,
        "gates": [gate.name for gate in judgement.gates],
        "measured": pilot.benefit.model_dump(include={"error", "missed", "false_alarm"}) if pilot.benefit else None,
        "interval": _bounds(judgement.metrics[judgement.metric]),
        "gain_over_baseline": _bounds(judgement.baseline_gain),
        "gate_results": [gate.model_dump() for gate in judgement.gates],
    }
    if judgement.champion_gain is None or rival is None:
        return _known(found)
    compared = {
        "gain_over_champion": _bounds(judgement.champion_gain),
        "compared_rows": judgement.compared_rows,
        "rows_the_champion_learned_from": judgement.learned_rows,
        "slices": [asdict(one) for one in judgement.slices],
        "distrusted": [asdict(one) for one in judgement.distrusted],
        DISAGREEMENT: disagreement(rival, judgement.predictions),
    }
    return _known(found | compared)


def _bounds(estimate: Estimate) -> dict[str, float]:
    return {name: float(value) for name, value in asdict(estimate).items()}


def _known(value: Any) -> Any:
    """Return the value with None for every figure that is none: JSON has no such numbers."""
    if isinstance(value, dict):
        return {name: _known(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_known(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value

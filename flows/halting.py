"""Pausing a project whose inputs are broken, and letting its model answer again when they are sound."""

from flows.notifying import language_of
from flows.watch import known_of
from flows.workspace import Desk
from infra.history import Promotion, Standing
from infra.prediction_log import logged_inputs
from infra.registry import ModelVersion
from leitstand.conforming import conform
from leitstand.decision import Decision
from leitstand.now import is_ahead
from monitoring.quality import broken, quality_faults

CAUSE, BROKEN_INPUT = "cause", "broken_input"


def pause(desk: Desk, decision: Decision, who: str) -> Promotion:
    """Let the fallback answer, because the inputs are broken."""
    evidence = {CAUSE: BROKEN_INPUT, "reasons": [one.model_dump() for one in decision.reasons]}
    return desk.registry.pause(desk.project.name, who=who, why=decision.render(language_of(desk)), evidence=evidence)


def is_sound_again(desk: Desk, standing: Standing, champion: ModelVersion) -> bool:
    """Return whether a pause for broken inputs can end: they were sound in as many windows as confirm a change.

    A window is ``minimum_rows`` rows that came since the pause began, whoever answered them; the newest windows count. A pause that a person
    ordered ends by a person.
    """
    entry = next(one for one in reversed(desk.registry.history(desk.project.name)) if one.kind == "pause")
    if entry.evidence.get(CAUSE) != BROKEN_INPUT:
        return False
    policy, contract = desk.project.spec.monitoring, desk.project.input_contract
    watched = contract.only([column.name for column in contract.columns if column.type != "file"])
    begun, wanted = None if is_ahead(entry.time) else entry.time, policy.confirm_windows * policy.minimum_rows
    logged = desk.log.read(desk.project.name, since=begun, newest=wanted)
    if len(logged) < wanted:
        return False
    window = conform(logged_inputs(logged, watched.names), watched)
    known = known_of(desk, champion)
    reference = conform(known.reference, watched)
    parts = [window.iloc[start : start + policy.minimum_rows] for start in range(0, len(window), policy.minimum_rows)]
    faults = [fault for part in parts for fault in quality_faults(watched, reference, part, known.basis.longest_runs)]
    return not broken(faults)

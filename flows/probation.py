"""Whether the champion's predecessor would answer better today: a promotion is probationary until labels in use have borne it out."""

from flows.beside import gain, replayed
from flows.watch import Looked, passes_of
from flows.windows import in_charge_since, looks_at
from flows.workspace import Desk
from infra.registry import ModelVersion
from leitstand.incident import Statement
from leitstand.rollout import Gain

LOOKS = 5  # with labels: then the new champion has shown what it is, and is asked again only when it gets worse


def predecessor_better(desk: Desk, looked: Looked, champion: ModelVersion) -> Gain | None:
    """Return by how much the predecessor answers the labelled rows in use better than the champion, where that is certain; None otherwise.

    Both answer the very same rows, so whatever made the rows harder weighs on both.
    """
    champions = desk.registry.champions(desk.project.name)
    if len(champions) < 2 or looked.signals.performance_drop is None:
        return None
    history = desk.registry.history(desk.project.name)
    judged = [one for one in looks_at(champion, passes_of(desk), history) if one.judged]
    since = in_charge_since(history)
    if since is None or (len(judged) >= LOOKS and not looked.signals.performance_drop):
        return None
    predecessor = desk.registry.version(desk.project.name, champions[-2])
    beside = replayed(desk, predecessor, champion, since)
    found = gain(desk, beside) if beside is not None else None
    return found if found is not None and found.high < -desk.project.spec.gates.champion_tolerance else None


def told(champion: int, before: int, found: Gain) -> Statement:
    """Return the reason for a rollback in words."""
    figures = {"gain": found.value, "low": found.low, "high": found.high}
    return Statement.of(
        "maintenance.predecessor_better", version=champion, before=before, metric=found.metric, rows=found.rows, **figures
    )

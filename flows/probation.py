"""Whether the champion's predecessor would answer better today: a promotion is probationary until labels in use have borne it out."""

from flows.beside import gain, replayed
from flows.watch import Looked
from flows.workspace import Desk
from infra.registry import ModelVersion
from leitstand.incident import Statement
from leitstand.rollout import Gain

LABELS = 500  # with so many the new champion has shown what it is; from then on it is asked again only when it gets worse


def predecessor_better(desk: Desk, looked: Looked, champion: ModelVersion) -> Gain | None:
    """Return by how much the predecessor answers the labelled rows in use better than the champion, where that is certain; None otherwise.

    Both answer the very same rows, so whatever made the rows harder weighs on both.
    """
    champions = desk.registry.champions(desk.project.name)
    labels = looked.monitoring.labelled_rows
    on_probation = labels <= LABELS or looked.signals.performance_drop
    if len(champions) < 2 or labels < desk.project.spec.monitoring.minimum_labels or not on_probation:
        return None
    entry = next(one for one in reversed(desk.registry.history(desk.project.name)) if one.kind in ("promote", "rollback"))
    predecessor = desk.registry.version(desk.project.name, champions[-2])
    beside = replayed(desk, predecessor, champion, entry.time)
    found = gain(desk, beside) if beside is not None else None
    return found if found is not None and found.high < -desk.project.spec.gates.champion_tolerance else None


def told(champion: int, before: int, found: Gain) -> Statement:
    """Return the reason for a rollback in words."""
    figures = {"gain": f"{found.value:.4g}", "low": f"{found.low:.4g}", "high": f"{found.high:.4g}"}
    return Statement.of(
        "maintenance.predecessor_better", version=champion, before=before, metric=found.metric, rows=found.rows, **figures
    )

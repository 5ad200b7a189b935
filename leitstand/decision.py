"""What the maintenance loop does next, as a pure function of what was seen, of what happened before, and of what the company allows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from leitstand.figures import placed
from leitstand.findings import ANSWERS, COLUMN, ESTIMATE, INPUTS, PERFORMANCE, Look, Signals, confirmed
from leitstand.spec import ProjectSpec
from leitstand.texts import Language, text

__all__ = ["Action", "Decision", "Look", "Past", "Reason", "Signals", "decide"]
Action = Literal["nothing", "collect", "labels", "retrain", "rollback", "ask", "pause"]
Value = str | int | float
MOST_NAMED = 5


class Past(BaseModel):
    """What happened before this look.

    Parameters
    ----------
    looks : earlier looks at the same champion since it is in charge
    hours_since_training : None where nothing tells when the last one was
    last_refused : whether the challenger of the last training was refused
    new_labelled_rows : since the last training; None where nobody can know without reading the sources
    more_data_helps : what the champion's learning curve says; None without one
    rows_since : labelled rows of a changed world that the champion has learned from; None where nothing was known to have changed
    """

    model_config = ConfigDict(frozen=True)

    looks: tuple[Look, ...] = ()
    hours_since_training: float | None = None
    last_refused: bool = False
    new_labelled_rows: int | None = None
    more_data_helps: bool | None = None
    rows_since: int | None = None


class Reason(BaseModel):
    """One reason, as a key of the catalogue's area ``decision`` with its values; a number called ``…share`` is told as a percentage."""

    model_config = ConfigDict(frozen=True)

    key: str
    values: dict[str, Value] = {}

    def render(self, language: Language) -> str:
        """Return the reason in words."""
        shown = {name: placed(name, value, language) for name, value in self.values.items()}
        return text(f"decision.{self.key}", language, **shown)


class Decision(BaseModel):
    """What to do, and why: the first reason led to the action, the others tell what else was seen or what stood in the way."""

    model_config = ConfigDict(frozen=True)

    action: Action
    reasons: tuple[Reason, ...]

    def render(self, language: Language) -> str:
        """Return the decision and its reasons in words."""
        reasons = " ".join(reason.render(language) for reason in self.reasons)
        return f"{text(f'decision.action_{self.action}', language)}: {reasons}"


@dataclass(frozen=True)
class _Case:
    """All that a decision rests on; ``sure`` are the findings that enough windows have shown."""

    spec: ProjectSpec
    seen: Signals
    past: Past
    sure: frozenset[str]

    @property
    def columns(self) -> list[str]:
        """The inputs that have certainly moved, those that carry most first."""
        names = [name for name in self.seen.drifted if f"{COLUMN}{name}" in self.sure]
        return sorted(names, key=lambda name: -(self.seen.drifted[name] or 0.0))

    @property
    def weight(self) -> float | None:
        """The share of the model's importance that these carry; None where it is unknown of one of them."""
        weights = [self.seen.drifted[name] for name in self.columns]
        return None if None in weights else sum(weight for weight in weights if weight is not None)


def decide(spec: ProjectSpec, signals: Signals, past: Past | None = None) -> Decision:
    """Return what to do next.

    The rules stand in order of severity, and the first that applies decides. Broken inputs come first: retraining on a dead sensor would
    teach the model the defect. Then labelled performance, which is what the company pays for; drift of the inputs alone counts only where
    no labels say that the answers are still good. A change counts once enough windows have shown it (``findings.confirmed``).
    """
    before = past or Past()
    case = _Case(spec, signals, before, confirmed(spec.monitoring, signals, before.looks))
    found = next(decision for rule in _RULES if (decision := rule(case)) is not None)
    return found.model_copy(update={"reasons": (*found.reasons, *_remarks(case))})


def _broken(case: _Case) -> Decision | None:
    if not case.seen.broken_columns:
        return None
    return _decision(case.spec.maintenance.on_broken_input, _reason("broken_columns", columns=_named(case.seen.broken_columns)))


def _decayed(case: _Case) -> Decision | None:
    if PERFORMANCE not in case.sure:
        return None
    why = _reason("decay", coverage_share=case.seen.label_coverage)
    wanted = case.spec.maintenance.on_decay
    if wanted == "rollback" and case.seen.earlier_versions == 0:
        return _retrain(case, _reason("decay_nothing_to_roll_back_to", coverage_share=case.seen.label_coverage), otherwise="ask")
    return _retrain(case, why, otherwise="ask") if wanted == "retrain" else _decision(wanted, why)


def _inputs_moved(case: _Case) -> Decision | None:
    share = len(case.columns) / case.seen.watched if case.seen.watched else 0.0
    limit = case.spec.monitoring.drifted_share
    heavy = case.weight is not None and case.weight >= limit
    if INPUTS not in case.sure and share < limit and not heavy:
        return None
    values: dict[str, Value] = {"drifted_share": max(share, case.seen.drifted_share), "columns": _named(case.columns)}
    if case.seen.vouched:
        return _decision("nothing", _reason("drift_but_good", **values))
    why = _reason("heavy_drift", columns=_named(case.columns), weight_share=case.weight or 0.0) if heavy else None
    why = why or _reason("drift_without_labels", **values)
    wanted = case.spec.maintenance.on_drift
    if wanted != "retrain":
        return _decision(wanted, why)
    return _retrain(case, why, otherwise="labels")


def _estimated(case: _Case) -> Decision | None:
    if ESTIMATE not in case.sure or case.seen.performance_drop is not None:
        return None
    return _decision("labels", _reason("estimated_decay"))


def _columns_moved(case: _Case) -> Decision | None:
    if not case.columns:
        return None
    values: dict[str, Value] = {"columns": _named(case.columns), "count": len(case.columns), "total": case.seen.watched}
    if case.seen.vouched:
        return _decision("nothing", _reason("columns_moved_but_good", **values))
    weight = [] if case.weight is None else [_reason("columns_weight", weight_share=case.weight)]
    action: Action = "nothing" if case.spec.maintenance.on_drift == "nothing" else "labels"
    return _decision(action, _reason("columns_moved", **values), *weight)


def _young(case: _Case) -> Decision | None:
    """Train a model anew that knows a changed world from a few rows only, whenever as many have come again."""
    known, new = case.past.rows_since, case.past.new_labelled_rows
    if not known or new is None or new < known or case.past.more_data_helps is False:
        return None
    if case.spec.maintenance.on_decay != "retrain" and case.spec.maintenance.on_drift != "retrain":
        return None
    return None if _obstacle(case) is not None else _decision("retrain", _reason("young_model", known=known, rows=new))


def _late(case: _Case) -> Decision | None:
    if not case.seen.labels_late:
        return None
    hours = case.spec.monitoring.label_delay_hours
    usual = case.seen.usual_coverage or 0.0
    return _decision("labels", _reason("labels_late", coverage_share=case.seen.label_coverage, usual_share=usual, hours=hours))


def _too_few(case: _Case) -> Decision | None:
    if case.seen.enough:
        return None
    return _decision("collect", _reason("too_few_rows", rows=case.seen.rows, needed=case.spec.monitoring.minimum_rows))


def _no_season(case: _Case) -> Decision | None:
    if case.seen.season_known or case.seen.vouched:
        return None
    return _decision("labels", _reason("season_unknown"))


def _answers_moved(case: _Case) -> Decision | None:
    if ANSWERS not in case.sure:
        return None
    return _decision("nothing", _reason("prediction_drift_only"))


def _calm(case: _Case) -> Decision:
    return _decision("nothing", _reason("not_confirmed" if set(case.seen.findings) - case.sure else "stable"))


_RULES: tuple[Callable[[_Case], Decision | None], ...] = (
    _broken,
    _decayed,
    _inputs_moved,
    _estimated,
    _young,
    _columns_moved,
    _late,
    _too_few,
    _no_season,
    _answers_moved,
    _calm,
)


def _retrain(case: _Case, why: Reason, otherwise: Action) -> Decision:
    """Train again, or say why that would not help and do something else."""
    obstacle = _obstacle(case)
    return _decision("retrain", why) if obstacle is None else _decision(otherwise, why, obstacle)


def _obstacle(case: _Case) -> Reason | None:
    policy, past = case.spec.maintenance, case.past
    if past.hours_since_training is not None and past.hours_since_training < policy.cooldown_hours:
        return _reason("cooldown", hours=past.hours_since_training, needed=policy.cooldown_hours)
    rows = past.new_labelled_rows
    if past.last_refused and rows is not None and rows < max(1, policy.minimum_new_rows):
        return _reason("refused_before", rows=rows)
    if rows is not None and rows < policy.minimum_new_rows:
        return _reason("nothing_new", rows=rows, needed=policy.minimum_new_rows)
    return None


def _remarks(case: _Case) -> list[Reason]:
    """Return what else a reader has to know, whatever was decided."""
    seen, policy = case.seen, case.spec.monitoring
    remarks = []
    if seen.performance_drop and seen.metric is not None and seen.figures:
        remarks.append(_reason("decay_figures", metric=seen.metric, **seen.figures))
    waiting = [key for key in seen.findings if key not in case.sure]
    names = [key.removeprefix(COLUMN) for key in waiting if key.startswith(COLUMN)]
    values: dict[str, Value] = {"needed": policy.confirm_windows, "windows": policy.of_windows}
    if names:
        remarks.append(_reason("unconfirmed_columns", columns=_named(names), **values))
    remarks += [_reason(f"unconfirmed_{key}", **values) for key in (PERFORMANCE, ESTIMATE, ANSWERS) if key in waiting]
    if seen.within_noise:
        remarks.append(_reason("noise_floor"))
    if seen.enough and seen.performance_drop is None and not seen.labels_late and not seen.broken_columns:
        remarks.append(_reason("no_verdict"))
    return remarks + _about_more_data(case)


def _about_more_data(case: _Case) -> list[Reason]:
    rows, helps = case.past.new_labelled_rows, case.past.more_data_helps
    if case.seen.findings or case.seen.broken_columns or not rows or helps is None:
        return []
    return [_reason("more_data_helps" if helps else "flat_curve", rows=rows)]


def _decision(action: Action, *reasons: Reason) -> Decision:
    return Decision(action=action, reasons=reasons)


def _reason(key: str, **values: Value) -> Reason:
    return Reason(key=key, values=values)


def _named(columns: tuple[str, ...] | list[str]) -> str:
    more = len(columns) - MOST_NAMED
    return ", ".join(columns[:MOST_NAMED]) + (f" (+{more})" if more > 0 else "")

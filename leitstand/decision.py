"""What the maintenance loop does next, as a pure function of what was seen and of what the company allows."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from leitstand.spec import ProjectSpec
from leitstand.texts import Language, text

Action = Literal["nothing", "collect", "retrain", "rollback", "ask"]


class Signals(BaseModel):
    """What monitoring saw.

    Parameters
    ----------
    enough : whether the window has enough rows to be judged
    drifted_share : of the input columns, 0 to 1
    broken_columns : columns that are constant, empty or out of their contract's range
    performance_drop : whether labelled predictions are worse than promised; None where there are too few labels
    label_coverage : share of the window's predictions with a label, 0 to 1
    earlier_versions : how many versions were in charge before this champion
    """

    model_config = ConfigDict(frozen=True)

    enough: bool
    rows: int
    input_drift: bool
    drifted_share: float
    prediction_drift: bool
    broken_columns: tuple[str, ...] = ()
    performance_drop: bool | None = None
    label_coverage: float = 0.0
    earlier_versions: int = 0


class Reason(BaseModel):
    """One reason, as a key of the catalogue's area ``decision`` with its values."""

    model_config = ConfigDict(frozen=True)

    key: str
    values: dict[str, str] = {}

    def render(self, language: Language) -> str:
        """Return the reason in words."""
        return text(f"decision.{self.key}", language, **self.values)


class Decision(BaseModel):
    """What to do, and why."""

    model_config = ConfigDict(frozen=True)

    action: Action
    reasons: tuple[Reason, ...]

    def render(self, language: Language) -> str:
        """Return the decision and its reasons in words."""
        reasons = " ".join(reason.render(language) for reason in self.reasons)
        return f"{text(f'decision.action_{self.action}', language)}: {reasons}"


def decide(spec: ProjectSpec, signals: Signals) -> Decision:
    """Return what to do next.

    Broken inputs come first: retraining on a dead sensor would teach the model the defect. Then labelled performance, which is what the
    company pays for; drift of the inputs alone counts only where no labels say that the answers are still good.
    """
    if not signals.enough:
        return _decision("collect", "too_few_rows", rows=signals.rows, needed=spec.monitoring.minimum_rows)
    if signals.broken_columns:
        return _decision("ask", "broken_columns", columns=", ".join(signals.broken_columns))
    if signals.performance_drop:
        return _on_decay(spec, signals)
    if not signals.input_drift:
        return _decision("nothing", "prediction_drift_only" if signals.prediction_drift else "stable")
    share = f"{signals.drifted_share:.0%}"
    if signals.performance_drop is False:
        return _decision("nothing", "drift_but_good", share=share)
    action: Action = spec.maintenance.on_drift
    return _decision(action, "drift_without_labels", share=share)


def _on_decay(spec: ProjectSpec, signals: Signals) -> Decision:
    coverage = f"{signals.label_coverage:.0%}"
    wanted: Action = spec.maintenance.on_decay
    if wanted == "rollback" and signals.earlier_versions == 0:
        return _decision("retrain", "decay_nothing_to_roll_back_to", coverage=coverage)
    return _decision(wanted, "decay", coverage=coverage)


def _decision(action: Action, key: str, **values: object) -> Decision:
    return Decision(action=action, reasons=(Reason(key=key, values={name: str(value) for name, value in values.items()}),))

import pytest
from builders import spec

from leitstand.decision import Signals, decide

CALM = Signals(enough=True, rows=500, input_drift=False, drifted_share=0.0, prediction_drift=False)


@pytest.mark.parametrize(
    ("changes", "maintenance", "action"),
    [
        ({}, {}, "nothing"),
        ({"enough": False, "rows": 3}, {}, "collect"),
        ({"input_drift": True, "drifted_share": 0.5}, {}, "retrain"),
        ({"input_drift": True, "drifted_share": 0.5}, {"on_drift": "ask"}, "ask"),
        ({"input_drift": True, "drifted_share": 0.5, "performance_drop": False}, {}, "nothing"),
        ({"performance_drop": True}, {}, "retrain"),
        ({"performance_drop": True, "earlier_versions": 1}, {"on_decay": "rollback"}, "rollback"),
        ({"performance_drop": True, "earlier_versions": 0}, {"on_decay": "rollback"}, "retrain"),
        ({"broken_columns": ("vibration",), "performance_drop": True}, {}, "ask"),
        ({"prediction_drift": True}, {}, "nothing"),
    ],
)
def test_the_decision_follows_signals_and_policy(changes: dict[str, object], maintenance: dict[str, object], action: str) -> None:
    assert decide(spec(maintenance=maintenance), CALM.model_copy(update=changes)).action == action


def test_a_decision_names_its_reason_in_both_languages() -> None:
    decision = decide(spec(), CALM.model_copy(update={"broken_columns": ("vibration", "speed")}))
    assert "vibration, speed" in decision.render("en")
    assert "Ein Mensch entscheidet: diese Eingaben wirken defekt: vibration, speed" in decision.render("de")

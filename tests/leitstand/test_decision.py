from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from builders import spec
from hypothesis import given, settings
from hypothesis import strategies as st

from leitstand.decision import Decision, Past, decide
from leitstand.findings import Look, Signals, confirmed
from leitstand.policy import Monitoring
from leitstand.texts import LANGUAGES

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
AT_ONCE = {"confirm_windows": 1, "of_windows": 1}


def hour(number: float) -> datetime:
    return BEGIN + timedelta(hours=number)


CALM = Signals(
    enough=True, rows=500, start=hour(9), end=hour(10), labels_start=hour(9), watched=20, input_drift=False, drifted_share=0.0,
    prediction_drift=False,
)  # fmt: skip
RANK = {"nothing": 0, "collect": 1, "labels": 1, "retrain": 2, "rollback": 2, "ask": 2, "pause": 2}


def look(begin: float, end: float, *findings: str, **changes: Any) -> Look:
    return Look(start=hour(begin), end=hour(end), labels_start=hour(begin), enough=True, findings=findings, **changes)


def seen(**changes: Any) -> Signals:
    return CALM.model_copy(update=changes)


MOVED = {"input_drift": True, "drifted_share": 0.5}


@pytest.mark.parametrize(
    ("changes", "maintenance", "action"),
    [
        ({}, {}, "nothing"),
        ({"enough": False, "rows": 3}, {}, "collect"),
        (MOVED, {}, "retrain"),
        (MOVED, {"on_drift": "ask"}, "ask"),
        (MOVED | {"performance_drop": False, "vouched": True}, {}, "nothing"),
        (MOVED | {"performance_drop": False}, {}, "retrain"),
        ({"drifted": {"speed": 0.02}, "drifted_share": 0.05}, {}, "labels"),
        ({"drifted": {"speed": 0.4}, "drifted_share": 0.05}, {}, "retrain"),
        ({"drifted": {"speed": None}, "drifted_share": 0.05}, {}, "labels"),
        ({"drifted": {"speed": 0.02}, "performance_drop": False, "vouched": True}, {}, "nothing"),
        ({"drifted": {"speed": 0.02}, "performance_drop": False}, {}, "labels"),
        ({"drifted": {"speed": 0.02}}, {"on_drift": "nothing"}, "nothing"),
        ({"performance_drop": True}, {}, "retrain"),
        ({"performance_drop": True, "earlier_versions": 1}, {"on_decay": "rollback"}, "rollback"),
        ({"performance_drop": True, "earlier_versions": 0}, {"on_decay": "rollback"}, "retrain"),
        ({"broken_columns": ("vibration",), "performance_drop": True}, {}, "ask"),
        ({"broken_columns": ("vibration",)}, {"on_broken_input": "pause"}, "pause"),
        ({"broken_columns": ("vibration",), "enough": False}, {}, "ask"),
        ({"prediction_drift": True}, {}, "nothing"),
        ({"estimated_drop": True}, {}, "labels"),
        ({"estimated_drop": True, "performance_drop": False}, {}, "nothing"),
        ({"labels_late": True, "usual_coverage": 0.6}, {}, "labels"),
        ({"season_known": False}, {}, "labels"),
        ({"season_known": False, "performance_drop": False}, {}, "labels"),
        ({"season_known": False, "performance_drop": False, "vouched": True}, {}, "nothing"),
    ],
)
def test_the_decision_follows_signals_and_policy(changes: dict[str, Any], maintenance: dict[str, Any], action: str) -> None:
    assert decide(spec(maintenance=maintenance, monitoring=AT_ONCE), seen(**changes)).action == action


def test_a_decision_names_its_reason_in_both_languages() -> None:
    decision = decide(spec(), seen(broken_columns=("vibration", "speed")))
    assert "vibration, speed" in decision.render("en")
    assert "Ein Mensch entscheidet: diese Eingaben wirken defekt: vibration, speed" in decision.render("de")


def test_a_change_counts_once_enough_windows_have_shown_it() -> None:
    now = seen(**MOVED)
    assert decide(spec(), now).action == "nothing"
    assert decide(spec(), now, Past(looks=(look(8, 9, "inputs"),))).action == "retrain"
    assert decide(spec(), now, Past(looks=(look(8, 9), look(7, 8, "inputs")))).action == "retrain"
    assert decide(spec(), now, Past(looks=(look(8, 9), look(7, 8), look(6, 7, "inputs")))).action == "nothing"


def test_another_column_confirms_nothing() -> None:
    found = confirmed(Monitoring(), seen(drifted={"speed": 0.1}), (look(8, 9, "column:torque"),))
    assert found == frozenset()


def test_windows_that_share_rows_do_not_confirm_each_other() -> None:
    overlapping = tuple(look(9 - n / 10, 10 - n / 10, "inputs") for n in range(1, 9))
    assert decide(spec(), seen(**MOVED), Past(looks=overlapping)).action == "nothing"
    assert decide(spec(), seen(**MOVED), Past(looks=(*overlapping, look(7.5, 8.5, "inputs")))).action == "retrain"


def test_performance_is_confirmed_by_windows_in_which_other_labels_came() -> None:
    worse = seen(performance_drop=True, labels_start=hour(5))
    same_labels = look(8, 9, "performance", judged=True)
    others = Look(start=hour(3), end=hour(4), labels_start=hour(2), enough=False, judged=True, findings=("performance",))
    assert decide(spec(), worse, Past(looks=(same_labels,))).action == "nothing"
    assert decide(spec(), worse, Past(looks=(same_labels, others))).action == "retrain"


@pytest.mark.parametrize(
    ("past", "maintenance", "reason"),
    [
        ({"hours_since_training": 3.0}, {"cooldown_hours": 24}, "cooldown"),
        ({"new_labelled_rows": 4}, {"minimum_new_rows": 10}, "nothing_new"),
        ({"new_labelled_rows": 0, "last_refused": True}, {"minimum_new_rows": 0}, "refused_before"),
    ],
)
def test_what_would_not_help_is_not_done_and_says_why(past: dict[str, Any], maintenance: dict[str, Any], reason: str) -> None:
    policy = spec(maintenance=maintenance, monitoring=AT_ONCE)
    drifted = decide(policy, seen(**MOVED), Past(**past))
    decayed = decide(policy, seen(performance_drop=True), Past(**past))
    assert (drifted.action, decayed.action) == ("labels", "ask")
    assert reason in [one.key for one in drifted.reasons]
    assert reason in [one.key for one in decayed.reasons]


def test_new_rows_and_a_flat_curve_are_no_reason_to_train() -> None:
    decision = decide(spec(), CALM, Past(new_labelled_rows=200, more_data_helps=False))
    assert decision.action == "nothing"
    assert "200 new labelled rows have come, but training again would not help" in decision.render("en")


def test_late_labels_are_told_with_figures() -> None:
    late = seen(labels_late=True, label_coverage=0.03, usual_coverage=0.6)
    decision = decide(spec(monitoring={"label_delay_hours": 48}), late)
    assert "3% of the predictions older than 48 hours have one, usual are 60%" in decision.render("en")
    assert "3 % der Vorhersagen, die älter als 48 Stunden sind, haben eine, üblich sind 60 %" in decision.render("de")


shares = st.floats(0, 1)
signals_of_any_kind = st.builds(
    Signals,
    enough=st.booleans(),
    rows=st.integers(0, 10_000),
    start=st.just(hour(9)),
    end=st.just(hour(10)),
    labels_start=st.just(hour(9)),
    watched=st.just(20),
    drifted=st.dictionaries(st.sampled_from(["speed", "torque", "noise"]), st.one_of(st.none(), st.floats(0, 0.5))),
    input_drift=st.booleans(),
    drifted_share=shares,
    season_known=st.booleans(),
    prediction_drift=st.booleans(),
    broken_columns=st.sampled_from([(), ("speed",)]),
    performance_drop=st.sampled_from([None, False, True]),
    within_noise=st.booleans(),
    estimated_drop=st.sampled_from([None, False, True]),
    label_coverage=shares,
    usual_coverage=st.one_of(st.none(), shares),
    labels_late=st.booleans(),
    earlier_versions=st.integers(0, 3),
)
looks_of_any_kind = st.lists(
    st.tuples(
        st.floats(0, 9), st.floats(0.1, 2), st.sets(st.sampled_from(["inputs", "performance", "answers", "column:speed"]))
    ).map(lambda drawn: look(drawn[0], drawn[0] + drawn[1], *drawn[2], judged=True)),
    max_size=6,
).map(tuple)
pasts_of_any_kind = st.builds(
    Past,
    looks=looks_of_any_kind,
    hours_since_training=st.one_of(st.none(), st.floats(0, 1000)),
    last_refused=st.booleans(),
    new_labelled_rows=st.one_of(st.none(), st.integers(0, 1000)),
    more_data_helps=st.sampled_from([None, False, True]),
)
policies = st.fixed_dictionaries(
    {
        "on_drift": st.sampled_from(["retrain", "ask", "nothing"]),
        "on_decay": st.sampled_from(["retrain", "rollback", "ask"]),
        "on_broken_input": st.sampled_from(["ask", "pause"]),
        "cooldown_hours": st.sampled_from([0, 24]),
        "minimum_new_rows": st.sampled_from([0, 1, 100]),
    }
)
windows = st.sampled_from([(1, 1), (2, 3), (3, 3)])


def decided(signals: Signals, past: Past, policy: dict[str, Any], window: tuple[int, int]) -> Decision:
    return decide(spec(maintenance=policy, monitoring={"confirm_windows": window[0], "of_windows": window[1]}), signals, past)


@settings(max_examples=60, deadline=None)
@given(signals_of_any_kind, pasts_of_any_kind, policies, windows)
def test_there_is_always_a_reason_in_both_languages(
    signals: Signals, past: Past, policy: dict[str, Any], window: tuple[int, int]
) -> None:
    decision = decided(signals, past, policy, window)
    told = {language: decision.render(language) for language in LANGUAGES}
    assert decision.reasons
    assert all(len(words) > 30 and "{" not in words for words in told.values())
    assert told["en"] != told["de"]


@settings(max_examples=60, deadline=None)
@given(signals_of_any_kind, pasts_of_any_kind, policies, windows)
def test_nobody_trains_on_broken_inputs(signals: Signals, past: Past, policy: dict[str, Any], window: tuple[int, int]) -> None:
    broken = signals.model_copy(update={"broken_columns": ("speed",)})
    assert decided(broken, past, policy, window).action == policy["on_broken_input"]


@settings(max_examples=60, deadline=None)
@given(signals_of_any_kind, pasts_of_any_kind, policies, windows)
def test_nobody_trains_during_the_cool_down_nor_on_nothing_new(
    signals: Signals, past: Past, policy: dict[str, Any], window: tuple[int, int]
) -> None:
    action = decided(signals, past, policy, window).action
    early = past.hours_since_training is not None and past.hours_since_training < policy["cooldown_hours"]
    stale = past.new_labelled_rows is not None and past.new_labelled_rows < policy["minimum_new_rows"]
    again = past.last_refused and past.new_labelled_rows == 0
    if early or stale or again:
        assert action != "retrain"


@settings(max_examples=60, deadline=None)
@given(signals_of_any_kind, pasts_of_any_kind, policies, windows, st.sampled_from(["broken", "decay", "inputs", "late"]))
def test_worse_signals_never_lead_to_less(
    signals: Signals, past: Past, policy: dict[str, Any], window: tuple[int, int], worsening: str
) -> None:
    changes: dict[str, dict[str, Any]] = {
        "broken": {"broken_columns": ("speed",)},
        "decay": {"performance_drop": True},
        "inputs": {"input_drift": True},
        "late": {"labels_late": True},
    }
    if worsening == "inputs" and (policy["on_drift"] == "nothing" or signals.performance_drop is False):
        return  # the company says that drift is nothing, or the labels do
    worse = signals.model_copy(update=changes[worsening])
    if worsening == "decay" and "performance" not in confirmed(
        Monitoring(confirm_windows=window[0], of_windows=window[1]), worse, past.looks
    ):
        return  # not believed yet
    assert RANK[decided(worse, past, policy, window).action] >= RANK[decided(signals, past, policy, window).action]


@settings(max_examples=60, deadline=None)
@given(signals_of_any_kind, policies, windows)
def test_one_window_alone_is_believed_only_of_broken_inputs(
    signals: Signals, policy: dict[str, Any], window: tuple[int, int]
) -> None:
    if window[0] > 1:
        action = decided(signals, Past(), policy, window).action
        assert action in ("nothing", "collect", "labels") or signals.broken_columns


@pytest.mark.parametrize(
    ("past", "action"),
    [
        ({"rows_since": 100, "new_labelled_rows": 100}, "retrain"),
        ({"rows_since": 100, "new_labelled_rows": 99}, "nothing"),
        ({"rows_since": 100, "new_labelled_rows": None}, "nothing"),
        ({"rows_since": None, "new_labelled_rows": 1000}, "nothing"),
        ({"rows_since": 0, "new_labelled_rows": 1}, "nothing"),
        ({"rows_since": 100, "new_labelled_rows": 200, "more_data_helps": False}, "nothing"),
    ],
)
def test_a_model_that_knows_a_changed_world_from_few_rows_learns_again_whenever_they_have_doubled(
    past: dict[str, Any], action: str
) -> None:
    decision = decide(spec(), seen(performance_drop=False), Past(**past))
    assert decision.action == action
    assert ("young_model" in [reason.key for reason in decision.reasons]) == (action == "retrain")


def test_a_young_model_waits_for_the_cool_down_and_for_a_company_that_wants_no_training() -> None:
    past = Past(rows_since=100, new_labelled_rows=200, hours_since_training=1.0)
    assert decide(spec(maintenance={"cooldown_hours": 24}), seen(performance_drop=False), past).action == "nothing"
    asking = {"on_drift": "ask", "on_decay": "ask"}
    assert decide(spec(maintenance=asking), seen(performance_drop=False), past).action == "nothing"


def test_a_first_bad_window_is_not_called_calm_and_tells_its_figures() -> None:
    bad = seen(performance_drop=True, metric="mae", figures={"value": 43.6, "low": 43.5, "high": 43.8, "promised": 1.57})
    decision = decide(spec(), bad)
    assert (decision.action, decision.reasons[0].key) == ("nothing", "not_confirmed")
    assert "mae was 43.6 (43.5 to 43.8); promised was 1.57" in decision.render("en")
    assert "versprochen war 1,57" in decision.render("de")
    assert decide(spec(), seen()).reasons[0].key == "stable"

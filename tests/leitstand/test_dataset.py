import numpy as np
import pandas as pd
import pytest
from builders import parts, project

from leitstand.dataset import make_dataset, training_and_holdout
from leitstand.errors import LeakError, NotEnoughData
from leitstand.leaks import find_leaks, refuse_leaks


def test_twelve_rows_are_not_enough() -> None:
    frame = parts(12)
    with pytest.raises(NotEnoughData, match="has 12 rows with a target value; at least 30"):
        make_dataset(project(frame), frame)


def test_one_class_is_no_classification() -> None:
    frame = parts().assign(quality="good")
    with pytest.raises(NotEnoughData, match="has only one class: 'good'"):
        make_dataset(project(frame), frame)


def test_a_class_with_two_rows_is_named() -> None:
    frame = parts()
    frame.loc[:1, "quality"] = "odd"
    with pytest.raises(NotEnoughData, match=r"fewer than 5 rows: odd \(2\)"):
        make_dataset(project(frame), frame)


def test_rows_without_target_are_not_learned_from_but_features_see_them() -> None:
    frame = parts()
    frame.loc[:49, "quality"] = None
    seen: list[int] = []

    def features(table: pd.DataFrame, _: object) -> pd.DataFrame:
        seen.append(len(table))
        return table[["pressure"]]

    dataset = make_dataset(project(frame, {"features": features}), frame)
    assert len(dataset) == 150
    assert seen == [200]


def test_whole_number_classes_stay_whole_numbers() -> None:
    frame = parts().assign(quality=lambda f: (f["quality"] == "bad").astype(int) + 1)
    assert make_dataset(project(frame), frame).classes == (1, 2)


def test_anomaly_counts_everything_but_normal_as_anomalous() -> None:
    frame = parts()
    dataset = make_dataset(project(frame, task="anomaly", data={"normal": "good"}), frame)
    assert (dataset.target == (frame["quality"] == "bad").to_numpy()).all()


def test_rows_are_put_into_time_order() -> None:
    frame = parts().assign(at=pd.date_range("2026-01-01", periods=200, freq="h"))
    shuffled = frame.sample(frac=1, random_state=0)
    dataset = make_dataset(project(frame, data={"time": "at"}, split={"strategy": "time"}), shuffled)
    assert dataset.frame["at"].is_monotonic_increasing


def test_a_copy_of_the_target_is_a_leak() -> None:
    frame = parts().assign(verdict=lambda f: f["quality"].map({"bad": "scrap", "good": "ok"}))
    with pytest.raises(LeakError, match="give the target 'quality' away: verdict"):
        refuse_leaks(make_dataset(project(frame), frame))


def test_a_flag_that_only_goes_with_one_class_is_a_leak() -> None:
    frame = parts(600)
    bad = frame["quality"] == "bad"
    frame["reworked"] = (bad & (np.random.default_rng(0).random(600) < 0.4)).astype(int)
    assert [leak.column for leak in find_leaks(make_dataset(project(frame), frame))] == ["reworked"]


def test_a_rescaled_copy_of_a_number_is_a_leak() -> None:
    frame = parts().drop(columns="quality").assign(quality=lambda f: f["pressure"] * 2 + f["temperature"])
    frame["reading"] = frame["quality"] * 10 - 3
    dataset = make_dataset(project(frame, task="regression"), frame)
    assert [leak.column for leak in find_leaks(dataset)] == ["reading"]


def test_a_column_that_a_person_checked_is_no_leak() -> None:
    frame = parts().assign(verdict=lambda f: f["quality"])
    assert not find_leaks(make_dataset(project(frame, data={"checked": ["verdict"]}), frame))


def test_honest_columns_are_no_leaks() -> None:
    assert not find_leaks(make_dataset(project(parts(1000)), parts(1000)))


def test_rows_without_a_time_are_not_taken_for_the_newest() -> None:
    frame = parts().assign(at=pd.Series(pd.date_range("2026-01-01", periods=200, freq="h")).where(np.arange(200) >= 30))
    dataset = make_dataset(project(frame, data={"time": "at"}, split={"strategy": "time"}), frame)
    _, holdout = training_and_holdout(dataset)
    assert holdout.frame["at"].notna().all()


def test_a_hold_out_of_one_class_is_refused_before_anything_is_trained() -> None:
    frame = parts().assign(at=pd.date_range("2026-01-01", periods=200, freq="h"))
    frame.loc[150:, "quality"] = "good"
    dataset = make_dataset(project(frame, data={"time": "at"}, split={"strategy": "time"}), frame)
    with pytest.raises(NotEnoughData, match=r"All 40 rows that project parts holds out to judge the model are 'good'"):
        training_and_holdout(dataset)

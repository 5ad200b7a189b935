import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.real_acoustic import SIGNALS, write_bearings
from leitstand.errors import DataError
from leitstand.prediction import Predictions
from leitstand.project import Project
from leitstand.signals import Sound, read_wav, write_wav
from tests.projects.conftest import Case, shipped


@pytest.fixture
def ears(case: Callable[[str], Case]) -> Case:
    return case("acoustic_maintenance")


def advise(project: Project, wear: list[float], **columns: object) -> list[dict]:
    score = np.asarray(wear, dtype=float)
    frame = pd.DataFrame({"recording": "clip.wav", **columns}, index=range(len(wear)))
    return list(project.advise(frame, Predictions(score > 1, score, threshold=1.0)))


def test_the_recordings_are_wav_files_of_several_moulds_and_cycles(ears):
    assert len(ears.frame) == 360
    assert ears.frame["mould"].nunique() == 6
    assert ears.frame["greasing_cycle"].nunique() == 36
    sound = read_wav(ears.frame["recording"][0])
    assert (sound.rate_hz, len(sound.samples)) == (8000, 8000)


def test_no_recording_is_clipped(ears):
    assert max(np.abs(read_wav(path).samples).max() for path in ears.frame["recording"][::10]) < 0.99


def test_clips_of_one_cycle_never_stand_on_both_sides(ears):
    assert not set(ears.training_part.groups) & set(ears.holdout.groups)


def test_hours_and_mould_are_not_learned_from(ears):
    names = " ".join(ears.training.model.card.feature_names)
    assert "hours" not in names
    assert "mould" not in names


def test_hearing_beats_counting_hours(ears):
    assert ears.judgement.metrics["roc_auc"].value > 0.97
    assert ears.judgement.baseline_metrics["roc_auc"] < 0.95


def test_a_louder_microphone_does_not_change_the_score(ears, tmp_path):
    rows = ears.holdout.frame.head(5).copy()
    quiet = rows.copy()
    for row in rows.index:
        sound = read_wav(rows.loc[row, "recording"])
        quiet.loc[row, "recording"] = str(tmp_path / f"{row}.wav")
        write_wav(tmp_path / f"{row}.wav", Sound(sound.samples * 0.5, sound.rate_hz))
    loud, soft = (ears.training.model.predict(ears.project, each).score for each in (rows, quiet))
    np.testing.assert_allclose(soft, loud, rtol=0.1)


def test_more_wear_scores_worse(ears, tmp_path):
    sample = ears.project.sample()
    hum = np.random.default_rng(0).lognormal(0, 0.5, 12)  # of the first mould, as the sample draws it
    scores = []
    for step, worn in enumerate((0.1, 1.5, 4.0)):
        paths = []
        for seed in range(8):
            rng = np.random.default_rng(seed)
            path = tmp_path / f"{step}_{seed}.wav"
            write_wav(path, Sound(sample.clip(hum, worn, rng), sample.RATE_HZ))
            paths.append(str(path))
        frame = pd.DataFrame({"recording": paths})
        scores.append(float(np.median(ears.training.model.predict(ears.project, frame).score)))
    assert scores == sorted(scores)
    assert scores[0] < ears.training.model.card.threshold < scores[1]


def test_bytes_are_answered_like_the_file(ears):
    row = ears.holdout.frame.head(1)
    sent = row.assign(recording=[Path(row["recording"].iloc[0]).read_bytes()])
    scores = [ears.training.model.predict(ears.project, each).score[0] for each in (row, sent)]
    assert scores[0] == scores[1]


def test_a_broken_recording_is_named(ears, tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    frame = pd.DataFrame({"recording": [str(tmp_path / "broken.wav")]})
    with pytest.raises(DataError, match=r"broken\.wav is not a WAV file"):
        ears.training.model.predict(ears.project, frame)


def test_the_baseline_is_hours_since_greasing(ears):
    np.testing.assert_array_equal(ears.project.baseline(ears.holdout.frame), ears.holdout.frame["hours_since_greasing"])
    assert ears.project.baseline(ears.holdout.frame.assign(hours_since_greasing=np.nan)) is None
    assert ears.project.baseline(pd.DataFrame({"hours_since_greasing": [10.0, np.nan, 30.0]})).tolist() == [10, 20, 30]


def test_a_single_clip_gets_what_the_rule_leaves():
    (advice,) = advise(shipped("acoustic_maintenance"), [0.4], mould="M1", hours_since_greasing=30.0)
    assert (advice["basis"], advice["earliest_hours"], advice["latest_hours"]) == ("rule", 42.0, 90.0)
    assert advice["wear_indicator"] == 0.4


def test_an_alarm_means_now():
    (advice,) = advise(shipped("acoustic_maintenance"), [1.2], mould="M1", hours_since_greasing=30.0)
    assert (advice["basis"], advice["earliest_hours"], advice["latest_hours"]) == ("alarm", 0.0, 0.0)


def test_without_hours_no_window_is_made_up():
    (advice,) = advise(shipped("acoustic_maintenance"), [0.4])
    assert (advice["basis"], advice["earliest_hours"], advice["latest_hours"]) == ("unknown", None, None)


def test_a_rising_trend_names_the_window_in_which_the_wear_crosses_the_threshold():
    hours = np.arange(10.0, 70.0, 10.0)
    wear = np.exp((hours - 80) / 30)  # crosses 1 at 80 hours, 20 hours after the last clip
    advice = advise(shipped("acoustic_maintenance"), list(wear), mould="M1", hours_since_greasing=hours)
    assert [each["basis"] for each in advice] == ["rule"] * 3 + ["trend"] * 3
    assert advice[-1]["earliest_hours"] == pytest.approx(20, abs=0.2)
    assert advice[-1]["latest_hours"] == pytest.approx(20, abs=0.2)


@given(st.integers(0, 10_000))
def test_the_window_is_in_order_and_never_in_the_past(seed):
    rng = np.random.default_rng(seed)
    hours = np.cumsum(rng.uniform(0.1, 20, 8))
    advice = advise(PROJECT, list(rng.uniform(0.05, 1.3, 8)), mould="M1", hours_since_greasing=hours)
    assert all(0 <= each["earliest_hours"] <= each["latest_hours"] for each in advice)


PROJECT = shipped("acoustic_maintenance")


@given(st.integers(0, 1000), st.floats(0.01, 0.99))
def test_no_later_clip_changes_the_advice_for_an_earlier_one(seed, later):
    rng = np.random.default_rng(seed)
    wear, hours = list(rng.uniform(0.05, 0.9, 8)), np.sort(rng.uniform(0, 100, 8))
    first = advise(PROJECT, wear, mould="M1", hours_since_greasing=hours)
    second = advise(PROJECT, [*wear[:-1], later], mould="M1", hours_since_greasing=hours)
    assert first[:-1] == second[:-1]


def test_one_odd_clip_does_not_turn_the_trend():
    hours = np.arange(10.0, 70.0, 10.0)
    wear = np.exp((hours - 80) / 30)
    wear[3] = 0.9
    advice = advise(PROJECT, list(wear), mould="M1", hours_since_greasing=hours)
    assert advice[-1]["basis"] == "trend"
    assert (
        10 < advice[-1]["earliest_hours"] <= advice[-1]["latest_hours"] < 30
    )  # 20 without it, 15 with it; least squares says 10


def test_the_trend_begins_anew_after_greasing_and_does_not_mix_moulds():
    hours = np.array([60.0, 70.0, 80.0, 90.0, 5.0, 15.0])
    advice = advise(PROJECT, [0.2, 0.3, 0.4, 0.5, 0.2, 0.2], mould="M1", hours_since_greasing=hours)
    assert [each["basis"] for each in advice] == ["rule"] * 3 + ["trend"] + ["rule"] * 2
    moulds = ["M1", "M2"] * 2
    advice = advise(PROJECT, [0.2, 0.3, 0.4, 0.5], mould=moulds, hours_since_greasing=hours[:4])
    assert [each["basis"] for each in advice] == ["rule"] * 4


def test_real_bearings_are_cut_into_clips_without_leaking_their_neighbours(tmp_path):
    folder = os.environ.get("LEITSTAND_REAL_DATA")
    if not folder or not Path(folder, SIGNALS).is_file():
        pytest.skip("LEITSTAND_REAL_DATA has no cwru-bearing")
    manifest = write_bearings(Path(folder, SIGNALS), tmp_path)
    assert manifest["condition"].value_counts().to_dict() == {"needs_maintenance": 328, "normal": 77}
    assert manifest.groupby("greasing_cycle")["condition"].nunique().max() == 1
    frame = manifest.assign(recording=[str(tmp_path / name) for name in manifest["recording"]])
    features = PROJECT.features(frame[["recording"]])
    normal = (manifest["condition"] == "normal").to_numpy()
    known = normal & manifest["greasing_cycle"].isin([f"Normal-{segment}" for segment in range(6)]).to_numpy()
    for estimator in PROJECT.candidates(features).values():
        score = -estimator.fit(features[known]).score_samples(features)
        assert score[~normal].min() > score[normal & ~known].max()

import numpy as np
import pandas as pd
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from leitstand.estimators import DateParts, NearestNormal, PcaResidual, ShortText

DETECTORS = [NearestNormal, PcaResidual]


def plane(rows: int) -> np.ndarray:
    """Return rows that lie on a plane in three dimensions exactly."""
    return np.random.default_rng(0).normal(size=(rows, 2)) @ np.array([[1.0, 2.0, 3.0], [0.0, 1.0, 1.0]])


@parametrize_with_checks([NearestNormal(), PcaResidual()])
def test_detectors_keep_the_rules_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("detector", DETECTORS)
def test_a_row_far_from_all_normal_rows_scores_worse_than_each_of_them(detector):
    normal = np.random.default_rng(1).normal(size=(200, 5))
    fitted = detector().fit(normal)
    assert fitted.score_samples(np.full((1, 5), 8.0))[0] < fitted.score_samples(normal).min()
    assert fitted.predict(np.full((1, 5), 8.0)).tolist() == [-1]


@pytest.mark.parametrize("detector", DETECTORS)
def test_five_per_cent_of_the_training_rows_count_as_outliers(detector):
    normal = np.random.default_rng(2).normal(size=(1000, 3))
    share = float(np.mean(detector().fit(normal).predict(normal) == -1))
    assert share <= 0.06  # a row is its own nearest neighbour when scored again, hence none of NearestNormal's need count


def test_a_row_beside_the_plane_of_normal_rows_is_found_though_each_value_is_ordinary():
    fitted = PcaResidual(explained=0.99).fit(plane(300))
    beside = plane(300)[:20] + np.array([0.5, -0.5, 0.2])
    assert fitted.score_samples(beside).max() < fitted.score_samples(plane(300)).min()


def test_constant_columns_are_no_division_by_zero():
    for detector in DETECTORS:
        scores = detector().fit(np.ones((40, 3))).score_samples(np.array([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]))
        assert scores[0] == 0
        assert scores[1] < scores[0]


def test_nearest_normal_remembers_at_most_most_rows():
    fitted = NearestNormal(most_rows=50).fit(np.random.default_rng(3).normal(size=(400, 2)))
    assert fitted.index_.n_samples_fit_ == 50


def test_more_columns_than_rows_can_be_scored():
    normal = np.random.default_rng(4).normal(size=(12, 60))
    assert np.isfinite(PcaResidual().fit(normal).score_samples(normal + 1)).all()


def test_date_parts_are_trend_weekday_hour_and_yearday():
    frame = pd.DataFrame({"at": pd.to_datetime(["2024-02-29 13:30", None])})
    parts = DateParts().fit(frame)
    assert parts.get_feature_names_out().tolist() == ["at_days", "at_weekday", "at_hour", "at_yearday"]
    assert parts.transform(frame)[0].tolist() == [19782 + 13.5 / 24, 3.0, 13.5, 60.0]
    assert np.isnan(parts.transform(frame)[1]).all()


def test_short_text_weighs_words_and_pairs_and_passes_over_what_it_has_not_seen():
    frame = pd.DataFrame({"note": ["Motor warm", None, "motor laut", np.nan]}, dtype=object)
    texts = ShortText().fit(frame)
    assert texts.get_feature_names_out().tolist() == [
        "note=laut",
        "note=motor",
        "note=motor laut",
        "note=motor warm",
        "note=warm",
    ]
    assert texts.transform(frame)[1].tolist() == [0.0] * 5
    assert texts.transform(pd.DataFrame({"note": ["Pumpe kalt"]}, dtype=object)).tolist() == [[0.0] * 5]


@pytest.mark.parametrize("texts", [[None, ""], ["?!", "…"]])
def test_short_text_without_any_word_is_a_column_of_zeros(texts):
    frame = pd.DataFrame({"note": texts}, dtype=object)
    assert ShortText().fit(frame).transform(frame).tolist() == [[0.0], [0.0]]


def test_short_text_keeps_the_most_frequent_words_only():
    frame = pd.DataFrame({"note": ["a b c", "a b", "a"]}, dtype=object)
    assert ShortText(max_features=1).fit(frame).get_feature_names_out().tolist() == ["note=a"]

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest
from sklearn.impute import KNNImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, OneHotEncoder, PolynomialFeatures, StandardScaler

from leitstand.origins import contract_column, encoded_origins, separable
from leitstand.pipelines import encode
from leitstand.timeseries import lagged, rolling_means


def mixed(rows: int = 80) -> pd.DataFrame:
    """Columns whose names are beginnings of each other, of every kind and with gaps."""
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "a": generator.normal(size=rows),
            "a_b": generator.normal(size=rows),
            "kind": generator.choice(["x", "b_x", "rare"], rows, p=[0.5, 0.48, 0.02]),
            "kind_b": generator.choice(["x", "y"], rows),
            "made": pd.date_range("2026-01-01", periods=rows, freq="37h"),
            "note": [f"part {i} of line {i % 7}" for i in range(rows)],
        }
    ).astype({"kind": object, "kind_b": object})
    for name in frame:
        frame.loc[generator.random(rows) < 0.1, name] = None
    return frame


def changed_by(transformer: object, frame: pd.DataFrame, name: str) -> set[int]:
    """The output columns that change when the values of one input column change places."""
    before = transformer.transform(frame)  # type: ignore[attr-defined]
    rolled = frame.assign(**{name: np.roll(frame[name].to_numpy(), 1)}).astype(frame.dtypes)
    after = transformer.transform(rolled)  # type: ignore[attr-defined]
    same = (before == after) | (np.isnan(before) & np.isnan(after))
    return set(np.flatnonzero(~same.all(axis=0)))


@pytest.mark.parametrize("scale", [True, False])
def test_every_encoded_column_is_assigned_to_the_one_input_that_moves_it(scale: bool) -> None:
    frame = mixed()
    transformer = make_pipeline(encode(frame, scale=scale), StandardScaler()).fit(frame)
    origins = encoded_origins(transformer, list(frame))
    assert origins is not None
    for name in frame:
        assert changed_by(transformer, frame, name) == {i for i, origin in enumerate(origins) if origin == name}


def test_columns_chosen_by_number_and_left_over_ones_are_followed() -> None:
    frame = mixed()[["a", "a_b", "kind"]].fillna({"a": 0, "a_b": 0, "kind": "x"})
    transformer = ColumnTransformer(
        [("one", OneHotEncoder(), [2]), ("dropped", "drop", [0])], remainder="passthrough", sparse_threshold=0
    ).fit(frame)
    assert encoded_origins(transformer, list(frame)) == ["kind", "kind", "kind", "a_b"]


@pytest.mark.parametrize("step", [PCA(2), PolynomialFeatures(2), SelectKBest(k=1)])
def test_what_mixes_columns_or_names_them_otherwise_is_not_guessed(step: object) -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 3)), columns=["a", "b", "c"])
    fitted = make_pipeline(StandardScaler(), step).fit(frame, frame["a"] > 0)
    origins = encoded_origins(fitted, list(frame))
    assert origins == ["a"] if isinstance(step, SelectKBest) else origins is None


@pytest.mark.parametrize(("step", "independent"), [(StandardScaler(), True), (Normalizer(), False), (KNNImputer(), False)])
def test_a_step_that_looks_across_columns_is_found_out_although_its_names_hide_it(step: object, independent: bool) -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 3)), columns=["a", "b", "c"])
    frame.loc[::4, "b"] = np.nan if isinstance(step, KNNImputer) else 0.5
    fitted = make_pipeline(step).fit(frame)
    origins = encoded_origins(fitted, list(frame))
    assert origins == ["a", "b", "c"]
    assert separable(fitted.transform, frame, origins) == independent


def test_what_looks_back_belongs_to_its_column() -> None:
    frame = pd.DataFrame({"speed": [1.0, 2.0, 3.0], "speed_mean_2": [1.0, 2.0, 3.0]})
    stretch = np.zeros(3)
    made = [*lagged(frame, [1, 2], stretch), *rolling_means(lagged(frame, [1], stretch), [3], stretch)]
    assert {name: contract_column(name, set(frame)) for name in made} == {
        "speed_lag_1": "speed",
        "speed_mean_2_lag_1": "speed_mean_2",
        "speed_lag_2": "speed",
        "speed_mean_2_lag_2": "speed_mean_2",
        "speed_lag_1_mean_3": "speed",
        "speed_mean_2_lag_1_mean_3": "speed_mean_2",
    }


@pytest.mark.parametrize("name", ["ratio", "speed_lag", "lag_1", "other_lag_1"])
def test_what_cannot_be_followed_back_keeps_its_own_name(name: str) -> None:
    assert contract_column(name, {"speed"}) == name

import os
import subprocess
import sys
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from builders import project
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesClassifier, GradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import PoissonRegressor, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from leitstand.contract import Column, Contract
from leitstand.errors import DataError, ServiceError
from leitstand.explanation import Explainer, Explanation
from leitstand.model import ModelCard, TrainedModel
from leitstand.pipelines import encode, tabular_candidates
from leitstand.project import Project
from leitstand.timeseries import lagged, rolling_means

PATIENT = 600.0  # seconds; no test waits for them
CASES = [
    *(("classification", name) for name in ("logistic_regression", "support_vectors", "random_forest", "gradient_boosting")),
    *(("several classes", name) for name in ("logistic_regression", "support_vectors", "random_forest", "gradient_boosting")),
    *(("regression", name) for name in ("ridge", "random_forest", "gradient_boosting")),
    *(("anomaly", name) for name in ("pca_residual", "nearest_normal", "isolation_forest")),
]


def numbers(rows: int = 120, seed: int = 0) -> pd.DataFrame:
    """Three numbers with gaps in one, and a category; few enough columns to try every coalition."""
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame(generator.normal(size=(rows, 3)), columns=["a", "b", "c"])
    frame.loc[generator.random(rows) < 0.1, "b"] = np.nan
    return frame.assign(kind=generator.choice(["x", "y", "z"], rows)).astype({"kind": object})


def mixed(rows: int = 150, seed: int = 0) -> pd.DataFrame:
    """Numbers, a category, a date and a short text, all with gaps: more columns than are tried in every coalition."""
    generator = np.random.default_rng(seed)
    frame = numbers(rows, seed).assign(**{name: generator.normal(size=rows) for name in "defg"})
    frame["made"] = pd.date_range("2026-01-01", periods=rows, freq="7h")
    frame["note"] = pd.Series([f"part {i} of line {i % 7}" for i in range(rows)], dtype=object)
    for name in ("kind", "made", "note", "d"):
        frame.loc[generator.random(rows) < 0.1, name] = None
    return frame


def target(frame: pd.DataFrame, task: str) -> Any:
    height = frame["a"] * 2 + np.where(frame["c"] > 0, frame["b"].fillna(0), 1) + (frame["kind"] == "x")
    if task == "regression":
        return height + 5000
    if task == "several classes":
        return np.select([height < -0.5, height > 1.5], ["low", "high"], "middle")
    return None if task == "anomaly" else np.where(height > 1.5, "bad", "good")


def case(frame: pd.DataFrame, task: str, estimator: Any, **functions: Any) -> tuple[TrainedModel, Project]:
    kind = "classification" if task == "several classes" else task
    data = {"normal": "good"} if task == "anomaly" else {}
    made = project(frame.assign(quality="good"), functions, task=kind, data=data)
    inputs = made.features(frame)
    values = target(frame, task)
    estimator.fit(inputs, values)
    classes = tuple(np.unique(values).tolist()) if kind == "classification" else ()
    card = ModelCard(
        project="parts",
        task=kind,
        candidate="",
        target="quality",
        feature_names=tuple(inputs),
        classes=classes,
        positive="bad" if len(classes) == 2 else None,
        threshold=1.5 if task == "anomaly" else None,
        ranges={"a": (-1.0, 1.0)},
    )
    return TrainedModel(estimator, card), made


def standard(frame: pd.DataFrame, task: str, name: str) -> tuple[TrainedModel, Project]:
    kind = "classification" if task == "several classes" else task
    estimator = tabular_candidates(kind, frame)[name]
    for step in estimator.named_steps.values():
        if hasattr(step, "n_estimators"):
            step.set_params(n_estimators=15)
        if hasattr(step, "max_iter") and hasattr(step, "learning_rate"):
            step.set_params(max_iter=15)
    return case(frame, task, estimator)


def answer(model: TrainedModel, inputs: pd.DataFrame, found: Explanation) -> np.ndarray:
    """What the service would say to the inputs, in the unit of the explanation."""
    said = model.answer(inputs)
    if said.probabilities is not None:
        return said.probabilities[:, said.classes.index(found.subject)]
    return said.value if said.score is None else said.score


def by_definition(model: TrainedModel, row: pd.DataFrame, background: pd.DataFrame, found: Explanation) -> dict[str, float]:
    """Shapley's formula, written out."""
    names = list(background)

    def worth(joined: tuple[str, ...]) -> float:
        mixed = background.assign(**{name: row[name].iloc[0] for name in joined}).astype(background.dtypes)
        return float(answer(model, mixed, found).mean())

    values = {}
    for name in names:
        others = [other for other in names if other != name]
        values[name] = sum(
            factorial(size) * factorial(len(names) - size - 1) / factorial(len(names)) * (worth((*joined, name)) - worth(joined))
            for size in range(len(names))
            for joined in combinations(others, size)
        )
    return values


def adds_up(found: Explanation) -> bool:
    together = found.base + sum(part.contribution for part in found.contributions)
    return bool(abs(together - found.prediction) <= 1e-9 * max(abs(found.prediction), abs(found.base)))


@pytest.mark.parametrize(("task", "name"), CASES)
def test_contributions_are_the_shapley_values_of_the_definition(task: str, name: str) -> None:
    frame = numbers()
    model, made = standard(frame, task, name)
    background = frame.iloc[:20]
    rows = frame.iloc[[40, 41]].assign(b=[np.nan, 0.3])
    for i, found in enumerate(Explainer(model, made, background).explain(rows, seconds=PATIENT)):
        expected = by_definition(model, rows.iloc[[i]], background, found)
        told = {part.column: part.contribution for part in found.contributions}
        scale = max(map(abs, expected.values()))
        assert told == pytest.approx(expected, abs=2e-6 * scale if found.method == "tree_shap" else 1e-9 * scale)
        assert found.base == pytest.approx(answer(model, background, found).mean())


@pytest.mark.parametrize("name", ["logistic_regression", "random_forest"])
@pytest.mark.parametrize("task", ["classification", "several classes"])
def test_calibrated_probabilities_are_what_is_explained(task: str, name: str) -> None:
    frame = numbers()
    model, made = standard(frame, task, name)
    model = TrainedModel(model.estimator, model.card.model_copy(update={"temperature": 1.7}))
    (found,) = Explainer(model, made, frame.iloc[:20]).explain(frame.iloc[[40]], seconds=PATIENT)
    assert adds_up(found)
    assert found.prediction == pytest.approx(answer(model, frame.iloc[[40]], found)[0])
    expected = by_definition(model, frame.iloc[[40]], frame.iloc[:20], found)
    assert {part.column: part.contribution for part in found.contributions} == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("task", "name"), CASES)
def test_contributions_add_up_to_what_the_model_answers_for_every_row_and_kind_of_column(task: str, name: str) -> None:
    frame = mixed(90)
    model, made = standard(frame, task, name)
    found = Explainer(model, made, frame.head(60)).explain(frame.head(8), seconds=PATIENT)
    assert all(adds_up(one) for one in found)
    assert [one.prediction for one in found] == pytest.approx(
        [answer(model, frame.iloc[[i]], one)[0] for i, one in enumerate(found)]
    )
    assert {part.column for part in found[0].contributions} == set(frame)
    sizes = [abs(part.contribution) for part in found[0].contributions]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 0


METHODS = {
    "ridge": "linear_shap",
    "random_forest": "tree_shap",
    "logistic_regression": "permutation_shap",
    "support_vectors": "permutation_shap",
    "pca_residual": "permutation_shap",
    "nearest_normal": "permutation_shap",
    "isolation_forest": "permutation_shap",
}


@pytest.mark.parametrize(("task", "name"), CASES)
def test_what_can_be_exact_is_exact_and_the_rest_says_that_it_is_sampled(task: str, name: str) -> None:
    frame = mixed(80)
    model, made = standard(frame, task, name)
    found = Explainer(model, made, frame.head(30)).explain(frame.head(1), seconds=PATIENT)[0]
    boosted = "tree_shap" if task == "regression" else "permutation_shap"  # boosted classes add up in log-odds only
    assert found.method == METHODS.get(name, boosted)
    sampled = found.method == "permutation_shap"
    assert (found.evaluations > 0, found.standard_error is not None) == (sampled, sampled)


FRAME = mixed(90)
FITTED: dict[tuple[str, str], Explainer] = {}


@settings(max_examples=40, deadline=None)
@given(
    chosen=st.sampled_from([("classification", "random_forest"), ("regression", "gradient_boosting"), ("regression", "ridge"),
                            ("several classes", "gradient_boosting"), ("anomaly", "nearest_normal")]),
    row=st.fixed_dictionaries(
        {
            **{name: st.one_of(st.none(), st.floats(-1e6, 1e6, width=32)) for name in "abcdefg"},
            "kind": st.sampled_from(["x", "y", "z", "never seen", None]),
            "made": st.one_of(st.none(), st.datetimes(pd.Timestamp("1990-01-01"), pd.Timestamp("2100-01-01"))),
            "note": st.one_of(st.none(), st.text(max_size=20), st.sampled_from(["part 3 of line 2", "line line"])),
        }
    ),
)  # fmt: skip
def test_any_row_that_the_contract_lets_in_is_explained(chosen: tuple[str, str], row: dict[str, Any]) -> None:
    if chosen not in FITTED:
        FITTED[chosen] = Explainer(*standard(FRAME, *chosen), FRAME.head(40))
    explainer = FITTED[chosen]
    found = explainer.explain(pd.DataFrame([row]), seconds=PATIENT)[0]
    assert adds_up(found)
    assert found.outside == (("a",) if row["a"] is not None and not -1 <= row["a"] <= 1 else ())


def test_of_several_classes_the_likeliest_one_is_explained_of_two_the_one_that_matters() -> None:
    frame = numbers()
    model, made = standard(frame, "several classes", "logistic_regression")
    found = Explainer(model, made, frame).explain(frame.head(20), seconds=PATIENT)
    assert [one.subject for one in found] == [one.answer for one in found] == model.answer(frame.head(20)).value.tolist()
    assert len({one.subject for one in found}) > 1

    model, made = standard(frame, "classification", "logistic_regression")
    found = Explainer(model, made, frame).explain(frame.head(20), seconds=PATIENT)
    assert {one.subject for one in found} == {"bad"}
    assert {one.answer for one in found} == {"bad", "good"}


def test_values_stand_as_they_were_given() -> None:
    columns = (
        Column(name="count", type="integer"),
        Column(name="level", type="number"),
        Column(name="on", type="boolean"),
        Column(name="day", type="date"),
        Column(name="at", type="timestamp"),
        Column(name="word", type="string"),
        Column(name="gap", type="number"),
        Column(name="quality", type="number"),
    )
    frame = pd.DataFrame(
        {
            "count": [1.0, 2.0, 3.0] * 20,
            "level": np.linspace(0, 1, 60),
            "on": [0.0, 1.0] * 30,
            "day": pd.date_range("2026-01-01", periods=60),
            "at": pd.date_range("2026-01-01", periods=60, freq="h"),
            "word": pd.Series(["a", "b"] * 30, dtype=object),
            "gap": [np.nan] * 60,
        }
    )
    made = project(frame.assign(quality=0.0), task="regression")
    made = Project(made.spec, Contract(id="p", table="p", columns=columns), made.folder, made.functions)
    estimator = make_pipeline(encode(frame, scale=True), Ridge()).fit(frame, np.arange(60.0))
    card = ModelCard(project="parts", task="regression", candidate="", target="quality", feature_names=tuple(frame))
    found = Explainer(TrainedModel(estimator, card), made, frame).explain(frame.tail(1), seconds=PATIENT)[0]
    assert {part.column: part.value for part in found.contributions} == {
        "count": 3, "level": 1.0, "on": True, "day": "2026-03-01", "at": "2026-01-03T11:00:00", "word": "b", "gap": None,
    }  # fmt: skip


class TestFeaturesOfModelPy:
    @staticmethod
    def look_back(frame: pd.DataFrame, parameters: Any) -> pd.DataFrame:
        own = frame[["a", "c"]]
        stretch = np.zeros(len(frame))
        return pd.concat(
            [own, lagged(own, [1], stretch), rolling_means(own, [3], stretch), (frame["a"] * frame["c"]).rename("power")], axis=1
        )

    def test_what_looks_back_counts_to_its_column_and_the_rest_stands_under_its_own_name(self) -> None:
        frame = numbers()
        estimator = make_pipeline(StandardScaler(), TransformedTargetRegressor(Ridge(), transformer=StandardScaler()))
        filled = lambda rows, parameters: self.look_back(rows, parameters).fillna(0)  # noqa: E731
        model, made = case(frame, "regression", estimator, features=filled)
        inputs = made.features(frame)
        found = Explainer(model, made, inputs).explain(frame.iloc[50:60], seconds=PATIENT, history=8)
        assert len(found) == 2
        parts = {part.column: part for part in found[1].contributions}
        assert {name: part.looks_back for name, part in parts.items()} == {"a": True, "c": True, "power": False}
        assert parts["a"].value == frame["a"].iloc[59]
        assert parts["power"].value == pytest.approx(frame["a"].iloc[59] * frame["c"].iloc[59])
        assert adds_up(found[1])
        assert found[1].prediction == pytest.approx(model.answer(inputs.iloc[[59]]).value[0])

    def test_features_made_of_files_need_model_inputs_to_compare_with(self) -> None:
        frame = pd.DataFrame({"sound": [bytes([i, i + 1]) for i in range(60)]})
        loud = lambda rows, parameters: pd.DataFrame({"loud": [float(max(x)) for x in rows["sound"]]}, index=rows.index)  # noqa: E731
        made = project(frame.assign(quality=1.0), {"features": loud}, task="regression")
        columns = (Column(name="sound", type="file"), Column(name="quality", type="number"))
        made = Project(made.spec, Contract(id="p", table="p", columns=columns), made.folder, made.functions)
        inputs = made.features(frame)
        card = ModelCard(project="parts", task="regression", candidate="", target="quality", feature_names=("loud",))
        model = TrainedModel(Ridge().fit(inputs, np.arange(60.0)), card)
        with pytest.raises(DataError, match="lack the files of sound"):
            Explainer(model, made, pd.DataFrame({"other": [1.0]}))
        found = Explainer(model, made, inputs).explain(frame.tail(1), seconds=PATIENT)[0]
        assert [(part.column, part.value) for part in found.contributions] == [("loud", 60.0)]
        assert adds_up(found)


@pytest.mark.parametrize(
    ("task", "estimator", "method"),
    [
        ("regression", make_pipeline(StandardScaler(), PCA(2), Ridge()), "exact_shap"),  # components mix columns
        ("regression", make_pipeline(Normalizer(), Ridge(alpha=1e-3)), "exact_shap"),  # so do lengths, though the names stay
        ("regression", PoissonRegressor(), "exact_shap"),  # its line is under a logarithm
        ("regression", Ridge(), "linear_shap"),
        ("regression", RandomForestRegressor(10, random_state=0), "tree_shap"),
        ("regression", GradientBoostingRegressor(n_estimators=10, random_state=0), "tree_shap"),
        ("several classes", ExtraTreesClassifier(10, random_state=0), "tree_shap"),
    ],
)
def test_estimators_without_our_encoding_are_explained_too(task: str, estimator: Any, method: str) -> None:
    frame = numbers()[["a", "b", "c"]].fillna(0.0)
    model, made = case(frame.assign(kind="x")[["a", "b", "c"]].assign(kind=0.0), task, estimator)
    background, row = frame.assign(kind=0.0).head(25), frame.assign(kind=0.0).iloc[[70]]
    found = Explainer(model, made, background).explain(row, seconds=PATIENT)[0]
    assert found.method == method
    expected = by_definition(model, row, background, found)
    assert {part.column: part.contribution for part in found.contributions} == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_boosted_trees_are_exact_where_values_lie_on_the_thresholds() -> None:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(generator.normal(size=(400, 3)), columns=["a", "b", "c"])  # more values than bins: thresholds are values
    frame = frame.assign(kind=pd.Series(generator.choice(["x", "y"], 400), dtype=object))
    model, made = standard(frame, "regression", "gradient_boosting")
    found = Explainer(model, made, frame.head(40)).explain(frame.iloc[100:130], seconds=PATIENT)
    assert {one.method for one in found} == {"tree_shap"}
    expected = by_definition(model, frame.iloc[[100]], frame.head(40), found[0])
    assert {part.column: part.contribution for part in found[0].contributions} == pytest.approx(expected, abs=1e-5)


def test_an_anomaly_is_compared_with_rows_that_raise_no_alarm() -> None:
    frame = numbers().assign(a=lambda rows: np.where(rows.index % 3 == 0, 100.0, rows["a"]))
    model, made = case(frame.iloc[1::3], "anomaly", tabular_candidates("anomaly", frame)["pca_residual"])
    found = Explainer(model, made, frame).explain(frame.head(2), seconds=PATIENT)
    calm = model.answer(frame).score <= 1.5
    assert 0 < calm.sum() < 90
    assert [one.background_rows for one in found] == [calm.sum()] * 2
    assert (found[0].answer, found[1].answer) == (True, False)
    assert found[0].contributions[0].column == "a"
    assert found[0].base < 1.5


def test_a_forest_too_large_for_memory_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = mixed(60)
    model, made = standard(frame, "regression", "random_forest")
    trees = model.estimator[-1].estimators_
    largest = max(tree.tree_.node_count for tree in trees)
    methods = []
    for most in (len(trees) * largest, len(trees) * largest - 1):
        monkeypatch.setattr("leitstand.tree_shap.MOST_NODES", most)
        methods.append(Explainer(model, made, frame.head(20)).explain(frame.head(1), seconds=PATIENT)[0].method)
    assert methods == ["tree_shap", "permutation_shap"]


def test_the_background_is_spread_as_all_rows_are() -> None:
    frame = mixed(900)
    model, made = standard(frame, "classification", "random_forest")
    found = Explainer(model, made, frame).explain(frame.head(1), seconds=PATIENT)[0]
    assert found.background_rows == 100
    everything = answer(model, frame, found)
    assert found.base == pytest.approx(everything.mean(), abs=0.01)
    assert abs(everything[:100].mean() - everything.mean()) > 0.01  # the first hundred would not do


def test_without_rows_to_compare_with_nothing_is_explained() -> None:
    frame = numbers()
    model, made = standard(frame, "regression", "ridge")
    with pytest.raises(DataError, match="has no rows to compare with"):
        Explainer(model, made, frame.head(0))


def test_too_little_time_is_said_and_not_taken() -> None:
    frame = mixed()
    model, made = standard(frame, "classification", "support_vectors")
    explainer = Explainer(model, made, frame)
    with pytest.raises(ServiceError, match=r"20 row\(s\) cannot be explained within 0.01 s"):
        explainer.explain(frame.head(20), seconds=0.01)
    with pytest.raises(ServiceError, match="cannot be explained within 0 s"):
        explainer.explain(frame.head(1), seconds=0)


def test_a_forest_is_sampled_where_shap_is_not_installed() -> None:
    code = (
        "import sys; sys.modules['shap'] = None\n"
        "import numpy as np, pandas as pd\n"
        "from sklearn.ensemble import RandomForestRegressor\n"
        "from builders import project\n"
        "from leitstand.explanation import Explainer\n"
        "from leitstand.model import ModelCard, TrainedModel\n"
        "frame = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 8)), columns=list('abcdefgh'))\n"
        "card = ModelCard(project='parts', task='regression', candidate='', target='quality', feature_names=tuple(frame))\n"
        "model = TrainedModel(RandomForestRegressor(5).fit(frame, frame['a']), card)\n"
        "made = project(frame.assign(quality=1.0), task='regression')\n"
        "print(Explainer(model, made, frame).explain(frame.head(1), seconds=600)[0].method)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert shown.stdout.strip() == "permutation_shap", shown.stderr

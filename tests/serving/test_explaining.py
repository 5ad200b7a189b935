import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pytest
from builders import project
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from leitstand.contract import Column, Contract
from leitstand.model import ModelCard, TrainedModel
from leitstand.pipelines import encode
from leitstand.project import Project
from serving.answers import ServedModel
from serving.explaining import Explaining, ExplainResponse, explain_model
from serving.problems import Problem

COLUMNS = (
    Column(name="vibration", type="number", unit="mm/s", required=True, minimum=0, maximum=50),
    Column(name="cycles", type="integer", minimum=0),
    Column(name="material", type="string", allowed=("PE", "PP")),
    Column(name="quality", type="string"),
)
SERVED = ServedModel(name="parts", version=3, data_version="abc", synthetic=False)
ROWS = pd.DataFrame(
    {
        "vibration": np.linspace(0, 20, 80),
        "cycles": np.arange(80.0) % 7,
        "material": pd.Series(["PE", "PP"] * 40, dtype=object),
    }
)


def look_back(frame: pd.DataFrame, parameters: Any) -> pd.DataFrame:
    return pd.DataFrame(
        {"vibration": frame["vibration"], "vibration_lag_1": frame["vibration"].shift(1).fillna(0)}, index=frame.index
    )


def made(functions: dict[str, Any] | None = None, **data: Any) -> Project:
    plain = project(pd.DataFrame({"quality": ["good"]}), functions, data=data)
    return Project(plain.spec, Contract(id="p", table="p", columns=COLUMNS), plain.folder, plain.functions)


def explaining(case: Project, rows: pd.DataFrame = ROWS, background: pd.DataFrame = ROWS) -> Explaining:
    quality = np.where(rows["vibration"] + rows["cycles"] > 14, "bad", "good")
    inputs = case.features(rows)
    estimator = make_pipeline(encode(inputs, scale=True), LogisticRegression()).fit(inputs, quality)
    card = ModelCard(
        project="parts", task="classification", candidate="", target="quality", feature_names=tuple(inputs),
        classes=("bad", "good"), positive="bad", ranges={"vibration": (0, 20)},
    )  # fmt: skip
    model = TrainedModel(estimator, card)
    return Explaining(case, lambda: model, lambda: background, lambda: rows.assign(label=quality))


def asked(case: Explaining, language: str = "en", seconds: float = 600.0, **body: Any) -> ExplainResponse:
    return case.explain(case.read(json.dumps(body).encode()), SERVED, language, seconds)


def refused(case: Explaining, body: str) -> Any:
    with pytest.raises(Problem, match=r"\w") as caught:
        case.read(body.encode())
    return caught.value.document("en")


def test_rows_are_explained_in_order_with_words_and_examples() -> None:
    answer = asked(explaining(made()), rows=[{"vibration": 25, "material": "PE"}, {"vibration": 0, "cycles": 3}], examples=2)
    risky, safe = answer.explanations
    assert (risky.answer, safe.answer) == ("bad", "good")
    assert risky.unit == safe.unit == "probability of bad"
    for one in (risky, safe):
        assert one.base + sum(part.contribution for part in one.contributions) == pytest.approx(one.prediction, rel=1e-9)
    assert {part.column: part.value for part in risky.contributions} == {"vibration": 25.0, "cycles": None, "material": "PE"}
    assert risky.contributions[0].column == "vibration"
    assert [flag.columns for flag in risky.flags] == [["vibration"]]
    assert safe.flags == []
    assert "vibration = 25 mm/s raises the probability" in risky.words[1]
    assert safe.examples[0].values["vibration"] == pytest.approx(0.76, abs=0.01)
    assert [len(one.examples) for one in (risky, safe)] == [2, 2]
    assert {example.label for example in safe.examples} == {"good"}
    assert answer.model == SERVED


def test_the_answer_is_json_that_keeps_its_own_schema() -> None:
    answer = asked(explaining(made()), rows=[{"vibration": 3}])
    assert ExplainResponse.model_validate_json(answer.model_dump_json()) == answer
    assert answer.explanations[0].examples == []


def test_words_come_in_the_language_asked_for() -> None:
    answer = asked(explaining(made()), "de", rows=[{"vibration": 25}])
    assert answer.explanations[0].unit == "Wahrscheinlichkeit für bad"
    assert "erhöht die Wahrscheinlichkeit" in answer.explanations[0].words[1]


def test_history_is_seen_and_not_explained() -> None:
    case = explaining(made({"features": look_back}, history_rows=1), background=look_back(ROWS, None))
    later = asked(case, rows=[{"vibration": 3}], history=[{"vibration": 18}]).explanations
    alone = asked(case, rows=[{"vibration": 3}]).explanations
    assert len(later) == len(alone) == 1
    assert later[0].prediction > alone[0].prediction
    assert [(part.column, part.looks_back) for part in later[0].contributions] == [("vibration", True)]


def test_a_request_keeps_the_contract_of_predictions_and_its_own_limits() -> None:
    case = explaining(made())
    document = refused(case, '{"rows": [{"vibration": 60}]}')
    assert (document.status, document.errors[0].pointer) == (422, "#/rows/0/vibration")
    assert refused(case, json.dumps({"rows": [{"vibration": 1}] * 21})).detail.startswith(
        "'rows' must hold 1 to 20 entries, found 21"
    )
    assert refused(case, '{"rows": []}').status == 422
    assert refused(case, '{"rows": [{"vibration": 1}], "history": []}').status == 422  # features look back at nothing here
    assert refused(case, "{").status == 400


@pytest.mark.parametrize("count", ["11", "-1", "1.5", "true", '"2"', "null", "1e400"])
def test_examples_are_a_whole_number_up_to_ten(count: str) -> None:
    document = refused(explaining(made()), f'{{"rows": [{{"vibration": 1}}], "examples": {count}}}')
    assert document.status in (400, 422)
    if document.status == 422:
        assert document.detail.startswith("'examples' must be a whole number from 0 to 10, found")
        assert document.errors[0].pointer == "#/examples"


def test_the_schema_describes_the_request_in_both_languages() -> None:
    schema = explain_model(made(), "de").model_json_schema()
    assert schema["properties"]["rows"]["maxItems"] == 20
    assert schema["properties"]["examples"]["maximum"] == 10
    assert schema["properties"]["rows"]["description"].startswith("Die Zeilen, die erklärt werden")
    assert schema["additionalProperties"] is False


def test_too_little_time_is_answered_as_such() -> None:
    case = explaining(made())
    with pytest.raises(Problem, match="cannot be explained within") as caught:
        asked(case, seconds=0, rows=[{"vibration": 1}])
    assert (caught.value.status, caught.value.name) == (503, "too_slow")


def test_what_is_missing_in_the_release_is_said() -> None:
    with pytest.raises(Problem, match="has no rows to compare with") as caught:
        asked(explaining(made(), background=ROWS.head(0)), rows=[{"vibration": 1}])
    assert caught.value.status == 503


def test_several_threads_share_one_explainer() -> None:
    inputs = ROWS[["vibration", "cycles"]]
    card = ModelCard(project="parts", task="regression", candidate="", target="quality", feature_names=tuple(inputs))
    forest = TrainedModel(RandomForestRegressor(10, random_state=0).fit(inputs, ROWS["vibration"]), card)
    loaded = []
    case = project(inputs.assign(quality=1.0), task="regression")
    shared = Explaining(case, lambda: loaded.append(1) or forest, lambda: ROWS, lambda: ROWS)
    bodies = [{"rows": [{"vibration": float(i), "cycles": 2.0}]} for i in range(8)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda body: asked(shared, **body), bodies))
    assert loaded == [1]
    assert together == [asked(shared, **body) for body in bodies]
    assert together[0].explanations[0].method == "tree_shap"


def test_a_service_that_explains_nothing_loads_neither_scikit_learn_nor_shap() -> None:
    code = "import sys, serving.explaining; print([name for name in ('sklearn', 'shap', 'numba', 'matplotlib') if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"

import numpy as np
import pandas as pd
import pytest
from builders import project

from leitstand.contract import Column, Contract
from leitstand.errors import DataError
from leitstand.model import ModelCard, TrainedModel
from leitstand.nearest import Examples
from leitstand.project import Project

COLUMNS = (
    Column(name="pressure", type="number"),
    Column(name="cycles", type="integer"),
    Column(name="material", type="string"),
    Column(name="made", type="date"),
    Column(name="worker", type="string", personal_data="personal"),
    Column(name="photo", type="file"),
    Column(name="quality", type="string"),
)
ROWS = pd.DataFrame(
    {
        "pressure": [10.0, 12.0, 14.0, np.nan],
        "cycles": [1, 2, 3, 4],
        "material": ["PE", "PP", "PE", None],
        "made": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"]),
        "worker": ["Ada", "Bob", "Ada", "Bob"],
        "label": ["good", "bad", "good", "bad"],
    }
)
INPUTS = ("pressure", "material", "made", "worker")


def model(inputs: tuple[str, ...] = INPUTS) -> TrainedModel:
    card = ModelCard(
        project="parts", task="classification", candidate="", target="quality", feature_names=inputs, classes=("bad", "good")
    )
    return TrainedModel(None, card)


def made(
    columns: tuple[Column, ...] = COLUMNS[:-2] + COLUMNS[-1:], functions: dict[str, object] | None = None, **data: object
) -> Project:
    plain = project(pd.DataFrame({"quality": ["a"]}), functions, data=data)
    return Project(plain.spec, Contract(id="p", table="p", columns=columns), plain.folder, plain.functions)


def asked(**values: object) -> pd.DataFrame:
    row = {"pressure": 12.0, "material": "PP", "made": pd.Timestamp("2026-01-02"), "worker": "Bob"} | values
    return pd.DataFrame([row]).astype({"pressure": float, "made": "datetime64[ns]", "material": object, "worker": object})


def test_the_nearest_comes_first_with_its_values_as_given_and_its_label() -> None:
    (found,) = Examples(model(), made(), ROWS).nearest(asked(), 2)
    assert found[0].values == {"pressure": 12.0, "cycles": 2, "material": "PP", "made": "2026-01-02"}
    assert (found[0].label, found[0].distance) == ("bad", 0.0)
    assert found[1].distance > 0


def test_distance_is_the_root_mean_square_in_standard_deviations_and_mismatches() -> None:
    (found,) = Examples(model(), made(), ROWS).nearest(asked(), 4)
    spread, days = np.std([10, 12, 14]), np.std([0, 1, 2, 3])
    at_most = {one.values["cycles"]: one.distance for one in found}
    assert at_most[1] == pytest.approx(np.sqrt(((2 / spread) ** 2 + 1 + (1 / days) ** 2) / 3))
    assert at_most[4] == pytest.approx(np.sqrt((1 + 1 + (2 / days) ** 2) / 3))  # a gap is 1 away


def test_a_gap_is_like_another_gap() -> None:
    (found,) = Examples(model(), made(), ROWS).nearest(asked(pressure=np.nan, material=None, made=pd.Timestamp("2026-01-04")), 1)
    assert (found[0].values["cycles"], found[0].distance) == (4, 0.0)
    assert found[0].values["pressure"] is None


def test_personal_data_are_neither_shown_nor_compared() -> None:
    examples = Examples(model(), made(), ROWS)
    first, second = (examples.nearest(asked(worker=name), 4) for name in ("Ada", "Bob"))
    assert first == second
    assert all("worker" not in one.values for one in first[0])


def test_a_label_that_is_personal_data_is_not_shown() -> None:
    special = (*COLUMNS[:-2], COLUMNS[-1].model_copy(update={"personal_data": "special"}))
    (found,) = Examples(model(), made(special), ROWS).nearest(asked(), 1)
    assert found[0].label is None


def test_what_looks_back_on_personal_data_is_not_compared() -> None:
    rows = ROWS.assign(worker_lag_1=[1.0, 2.0, 3.0, 4.0])
    examples = Examples(model(("pressure", "worker_lag_1")), made(), rows)
    near, far = (examples.nearest(asked().assign(worker_lag_1=value), 1)[0][0].distance for value in (1.0, 400.0))
    assert near == far


def test_features_of_single_rows_are_made_for_the_comparison() -> None:
    functions = {"features": lambda frame, parameters: pd.DataFrame({"double": frame["pressure"] * 2}, index=frame.index)}
    (found,) = Examples(model(("double",)), made(functions=functions), ROWS).nearest(pd.DataFrame({"double": [27.0]}), 1)
    assert found[0].values["cycles"] == 3


def test_where_features_look_back_the_columns_themselves_are_compared() -> None:
    examples = Examples(model(("pressure", "pressure_lag_1")), made(history_rows=1), ROWS)
    (found,) = examples.nearest(pd.DataFrame({"pressure": [13.9], "pressure_lag_1": [0.0]}), 1)
    assert found[0].values["cycles"] == 3


@pytest.mark.parametrize("rows", [ROWS.head(0), ROWS[["cycles", "label"]]])
def test_rows_that_hold_nothing_of_what_the_model_sees_are_refused(rows: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="no nearest examples can be named"):
        Examples(model(("loudness",)), made(COLUMNS), rows)

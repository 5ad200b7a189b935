"""The whole way of real files, where LEITSTAND_REAL_DATA names their folder."""

from pathlib import Path

import pytest

from data_contracts.checking import check
from data_contracts.inference import infer_contract
from data_contracts.reading import read_source
from infra.settings import load_settings
from leitstand.spec import Source

FILES = {
    "virtual_sensor/gas-turbine/gt_2011_2013.csv": (22191, 12),
    "virtual_sensor/debutanizer/debutanizer_data.txt": (2394, 8),
    "process_anomaly/ai4i2020/ai4i2020.csv": (10000, 14),
    "process_anomaly/injection-moulding-lenses/data.csv": (1451, 14),
    "process_anomaly/skab/valve1/0.csv": (1147, 11),
    "raw_material_planning/dry-bean/dry_bean.csv": (13611, 17),
    "raw_material_planning/date-fruit/date_fruit.csv": (898, 35),
    "demand_forecast/kiel-bakery/umsatzdaten_gekuerzt.csv": (9334, 4),
    "demand_forecast/kiel-bakery/wetter.csv": (2601, 5),
    "demand_forecast/bread-basket/BreadBasket_DMS.csv": (21293, 4),
}


@pytest.fixture(scope="module")
def real_data() -> Path:
    folder = load_settings().real_data
    if folder is None:
        pytest.skip("LEITSTAND_REAL_DATA is not set")
    return folder


@pytest.mark.parametrize("name", FILES)
def test_real_file_is_read_and_its_own_contract_lets_it_in(real_data, name):
    frame = read_source(Source(file=name), base=real_data)
    assert frame.shape == FILES[name]
    assert check(frame, infer_contract(frame, name="real", source=name)).passed


def test_contract_of_the_first_year_lets_the_next_ones_in(real_data):
    frame = read_source(Source(file="virtual_sensor/gas-turbine/gt_2011_2013.csv"), base=real_data)
    made = infer_contract(frame[frame["year"] == 2011], name="turbine", source="")
    result = check(frame[frame["year"] > 2011], made)
    assert len(result.quarantined) < 0.001 * result.rows


def test_contract_of_one_run_of_a_valve_bears_the_others(real_data):
    folder = real_data / "process_anomaly/skab/valve1"
    made = infer_contract(read_source(Source(file="0.csv"), base=folder), name="valve", source="")
    for name in ("1.csv", "5.csv", "9.csv"):
        result = check(read_source(Source(file=name), base=folder), made)
        assert not [rule for rule in result.broken if rule.rule in ("type", "required", "allowed", "primary_key")]

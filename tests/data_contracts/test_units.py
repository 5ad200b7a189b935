import pytest

from data_contracts.units import unit_of


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("Air temperature [K]", "K"),
        ("Rotational speed [rpm]", "1/min"),
        ("temp (°C)", "°C"),
        ("Druck [mbar]", "mbar"),
        ("vibration [mm/s]", "mm/s"),
        ("Feuchte [%]", "%"),
        ("Drehzahl [1/min]", "1/min"),
        ("Volumenstrom (m³/h)", "m³/h"),
        ("speed_rpm", "1/min"),
        ("vibration_mm_s", "mm/s"),
        ("Leistung_kW", "kW"),
        ("umsatz_eur", "EUR"),
        ("temp_celsius", "°C"),
    ],
)
def test_unit_is_read_from_the_name(name, unit):
    assert unit_of(name) == unit


@pytest.mark.parametrize(
    "name", ["K", "rpm", "column_1", "Machine failure", "value (mean)", "ok [ja/nein]", "a (see manual)", "x []", "items", "bar"]
)
def test_name_without_a_unit_gives_none(name):
    assert unit_of(name) is None

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import pandas as pdst

from data_contracts.checking import check
from data_contracts.inference import infer_contract
from data_contracts.odcs import read_contract, write_contract
from data_contracts.reading import read_source
from leitstand.spec import Source


def inferred(**columns):
    frame = pd.DataFrame(columns)
    made = infer_contract(frame, name="case", source="case.csv")
    assert check(frame, made).passed
    return made


def month(first_day, days=31, seed=0):
    hours = pd.date_range(first_day, periods=24 * days, freq="h")
    rng = np.random.default_rng(seed)
    season = -np.cos(2 * np.pi * hours.dayofyear / 365)
    outside = 10 + 12 * season + 5 * np.sin(2 * np.pi * hours.hour / 24) + rng.normal(0, 2, len(hours))
    load = 300 + 40 * season + rng.normal(0, 20, len(hours))
    return pd.DataFrame({"time": hours, "temperature": outside, "load_kw": load, "line": rng.choice(["A", "B"], len(hours))})


FLOATS = st.one_of(st.none(), st.floats(allow_infinity=False))
COLUMNS = {
    "whole": st.integers(-(2**53), 2**53),
    "number": FLOATS,
    "flag": st.booleans(),
    "text": st.one_of(st.none(), st.text(max_size=6)),
    "few": st.sampled_from(["a", "b", "c"]),
    "id": st.integers(0, 10**6),
    "time": st.datetimes(pd.Timestamp("1700-01-01").to_pydatetime(), pd.Timestamp("2200-01-01").to_pydatetime()),
}


@given(
    frame=pdst.data_frames(
        [pdst.column(name, elements=strategy, dtype=object) for name, strategy in COLUMNS.items()],
        index=pdst.range_indexes(min_size=1, max_size=40),
    )
)
@settings(deadline=None, max_examples=60)
def test_contract_lets_in_every_row_it_was_made_from(frame):
    typed = frame.assign(
        whole=frame["whole"].astype("int64"),
        number=frame["number"].astype("float64"),
        flag=frame["flag"].astype(bool),
        id=frame["id"].astype("int64"),
        time=frame["time"].astype("datetime64[ns]"),
    )
    made = infer_contract(typed, name="case", source="")
    result = check(typed, made)
    assert result.broken == ()
    assert len(result.accepted) == len(frame)


@given(
    rows=st.lists(
        st.tuples(st.text(st.characters(categories=["L", "N", "P"]), max_size=6), st.integers(), st.floats(-1e300, 1e300)),
        min_size=2,
    )
)
@settings(deadline=None, max_examples=40)
def test_file_contract_and_check_go_together(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("case")
    pd.DataFrame(rows, columns=["a", "b", "c"]).to_csv(folder / "data.csv", index=False, sep=";")
    source = Source(file="data.csv", delimiter=";", decimal=".", header=True)
    write_contract(infer_contract(read_source(source, base=folder), name="case", source="data.csv"), folder / "c.yaml")
    made = read_contract(folder / "c.yaml")
    broken = check(read_source(source, base=folder, contract=made), made).broken
    assert [rule for rule in broken if rule.rule != "finite"] == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_ordinary_rows_of_other_months_are_let_in(seed):
    made = infer_contract(month("2024-04-01"), name="case", source="")
    for later in ("2024-05-01", "2024-07-01", "2024-10-01"):
        assert check(month(later, seed=seed), made).passed


@pytest.mark.parametrize(
    ("column", "spoil"), [("temperature", lambda x: x + 273.15), ("load_kw", lambda x: x * 1000), ("load_kw", lambda _: -999.0)]
)
def test_wrong_unit_slipped_decimal_and_broken_sensor_are_caught(column, spoil):
    frame = month("2024-04-01")
    made = infer_contract(frame, name="case", source="")
    assert len(check(frame.assign(**{column: spoil(frame[column])}), made).quarantined) == len(frame)


def test_types_are_guessed_and_marked_as_guesses():
    made = inferred(n=[1, 2], x=[0.5, 1.5], ok=[True, False], s=["a", "b"], day=pd.to_datetime(["2024-01-01", "2024-01-02"]))
    assert [column.type for column in made.columns] == ["integer", "number", "boolean", "string", "date"]
    assert all("type" in column.guesses for column in made.columns)
    assert set(made.column("x").guesses) == {"type", "minimum", "maximum"}
    assert made.time_column == "day"
    assert "time_column" in made.column("day").guesses
    assert made.table == "case"


def test_missing_values_are_only_ruled_out_after_enough_rows():
    assert not inferred(x=np.arange(299.0)).column("x").required
    assert inferred(x=np.arange(300.0)).column("x").required
    assert not inferred(x=[None, *np.arange(400.0)]).column("x").required


def test_few_texts_become_allowed_values_and_texts_seen_once_do_not():
    assert inferred(x=["a", "b"] * 20).column("x").allowed == ("a", "b")
    assert inferred(x=["a", "b"] * 20 + ["c"]).column("x").allowed == ()
    assert inferred(x=[f"text {i}" for i in range(100)] * 20).column("x").allowed == ()


@pytest.mark.parametrize(
    ("name", "values", "is_key"),
    [
        ("id", [3, 1, 2], True),
        ("Seriennummer", ["A7", "B8", "C9"], True),
        ("anything", [1, 2, 3], True),
        ("anything", [3, 1, 2], False),
        ("id", [1, 1, 2], False),
        ("id", [1.5, 2.5, 3.5], False),
        ("valid", ["a", "b", "c"], False),
    ],
)
def test_key_is_what_is_called_so_or_runs_on(name, values, is_key):
    assert (inferred(**{name: values}).primary_key == [name]) == is_key


def test_key_and_counters_have_no_range():
    made = inferred(id=range(1, 101), year=[2011] * 50 + [2012] * 50, meter_total=np.cumsum(np.full(100, 1.5)))
    assert all(column.minimum is None and column.maximum is None for column in made.columns)


def test_flag_and_count_keep_their_floor():
    made = inferred(flag=[0, 1] * 10, faults=[0, 3, 7, 2] * 5, temperature=[0.0, 20.0] * 10)
    assert (made.column("flag").minimum, made.column("flag").maximum) == (0, 1)
    assert made.column("faults").minimum == 0
    assert made.column("temperature").minimum < 0


def test_folder_of_files_gives_a_file_column(tmp_path):
    (tmp_path / "1.wav").write_bytes(b"RIFF")
    (tmp_path / "manifest.csv").write_text("recording;n\n1.wav;5\n")
    frame = read_source(Source(folder=tmp_path), base=tmp_path)
    made = infer_contract(frame, name="case", source="")
    assert (made.column("recording").type, made.column("recording").media_type) == ("file", "audio/wav")
    assert check(frame, made).passed


def test_text_that_only_names_files_stays_text():
    assert inferred(recording=["a.wav", "b.wav"]).column("recording").type == "string"


def test_personal_data_are_suspected_and_said_to_be_a_guess():
    made = inferred(kontakt=["anna@firma.de", "bert@firma.de"], Diagnose=["x", "y"], speed=[1.5, 2.5])
    assert [column.personal_data for column in made.columns] == ["personal", "special", "none"]
    assert "personal_data" in made.column("kontakt").guesses

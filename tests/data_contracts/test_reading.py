import io
from datetime import date, time
from decimal import Decimal

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.parsing import parse
from data_contracts.reading import read_source
from data_contracts.streaming import open_stream
from leitstand.contract import Column, Contract
from leitstand.errors import SourceError
from leitstand.spec import Source


def read(folder, content, name="data.csv", contract=None, **given_):
    data = content if isinstance(content, bytes) else content.encode(given_.get("encoding", "utf-8"))
    (folder / name).write_bytes(data)
    return read_source(Source(file=name, **given_), base=folder, contract=contract)


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
def test_delimiter_is_found_out(tmp_path, delimiter):
    frame = read(tmp_path, f"a{delimiter}b\n1{delimiter}x\n2{delimiter}y\n")
    assert frame.to_dict("list") == {"a": [1, 2], "b": ["x", "y"]}


@pytest.mark.parametrize("delimiter", [";", ",", "tab", "|", "whitespace"])
def test_stated_delimiter_is_used(tmp_path, delimiter):
    mark = {"tab": "\t", "whitespace": "  "}.get(delimiter, delimiter)
    assert read(tmp_path, f"a{mark}b\n1{mark}2\n", delimiter=delimiter).to_dict("list") == {"a": [1], "b": [2]}


def test_german_file_is_read_as_it_was_meant(tmp_path):
    frame = read(
        tmp_path,
        "Datum;Umsatz;PLZ;Anzahl;Größe\n31.12.2024;1.234,50;01234;1.500;groß\n01.01.2025 ;3,5;10115;7;klein\n",
        encoding="cp1252",
    )
    assert frame["Datum"].tolist() == [pd.Timestamp("2024-12-31"), pd.Timestamp("2025-01-01")]
    assert frame["Umsatz"].tolist() == [1234.5, 3.5]
    assert frame["PLZ"].tolist() == ["01234", "10115"]
    assert frame["Anzahl"].tolist() == [1500, 7]
    assert frame["Größe"].tolist() == ["groß", "klein"]


def test_german_decimals_in_one_column_are_no_delimiter(tmp_path):
    assert read(tmp_path, "Wert\n3,5\n4,1\n").to_dict("list") == {"Wert": [3.5, 4.1]}


def test_quoted_decimals_in_a_file_of_commas_are_read(tmp_path):
    assert read(tmp_path, 'a,b\n"3,5",x\n"4,1",y\n')["a"].tolist() == [3.5, 4.1]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be", "cp850", "mac_roman"])
def test_encoding_is_found_out(tmp_path, encoding):
    text = "Straße;Größe\nMüllerstraße;groß\nÖlweg;klein\nKönigsallee;übergroß\n"
    (tmp_path / "data.csv").write_bytes(text.encode(encoding))
    frame = read_source(Source(file="data.csv"), base=tmp_path)
    assert frame.to_dict("list") == {"Straße": ["Müllerstraße", "Ölweg", "Königsallee"], "Größe": ["groß", "klein", "übergroß"]}


def test_quotation_marks_of_windows_are_not_taken_for_letters_of_dos(tmp_path):
    assert read(tmp_path, "a;b\n1;\u201eNeu\u201d\n2;alt\n".encode("cp1252"))["b"].tolist() == ["\u201eNeu\u201d", "alt"]


def test_title_above_the_table_is_not_read_as_a_single_column(tmp_path):
    with pytest.raises(SourceError, match=r"another number of fields"):
        read(tmp_path, "Report\na,b,c\n1,2,3\n4,5,6\n")


def test_umlaut_far_down_the_file_is_seen(tmp_path):
    text = "a;b\n" + "1;plain\n" * 100_000 + "2;größer\n"
    assert read(tmp_path, text.encode("cp1252"))["b"].iloc[-1] == "größer"


def test_blank_lines_and_no_header_give_numbered_columns(tmp_path):
    frame = read(tmp_path, " \r\n\r\n  2.6890035e-001  6.5089438e-001\r\n  2.6848250e-001  6.5013964e-001\r\n", name="data.txt")
    assert frame.to_dict("list") == {"column_1": [0.26890035, 0.26848250], "column_2": [0.65089438, 0.65013964]}


def test_stated_header_is_believed(tmp_path):
    assert read(tmp_path, "1,2\n3,4\n", header=True).to_dict("list") == {"1": [3], "2": [4]}
    assert read(tmp_path, "a,b\nc,d\n", header=False).to_dict("list") == {"column_1": ["a", "c"], "column_2": ["b", "d"]}


def test_years_as_names_beside_a_text_are_a_header(tmp_path):
    assert list(read(tmp_path, "product;2023;2024\nA;1;2\nB;3;4\n").columns) == ["product", "2023", "2024"]


def test_delimiter_at_the_end_of_every_line_makes_no_column(tmp_path):
    assert list(read(tmp_path, "a;b;\n1;2;\n3;4;\n").columns) == ["a", "b"]


def test_column_without_a_name_gets_a_number(tmp_path):
    assert list(read(tmp_path, ",a\n0,x\n1,y\n").columns) == ["column_1", "a"]


def test_separator_line_of_excel_is_understood(tmp_path):
    assert read(tmp_path, "sep=;\r\na;b\r\n1,5;2\r\n").to_dict("list") == {"a": [1.5], "b": [2]}


def test_values_in_quotes_may_hold_delimiters_and_line_breaks(tmp_path):
    frame = read(tmp_path, "a;b\n" + '"x;y";1\n"two\nlines";2\n' * 100_000)  # more than one block of the reader
    assert frame["a"].unique().tolist() == ["x;y", "two\nlines"]
    assert len(frame) == 200_000


def test_column_of_the_contract_that_is_text_keeps_its_digits(tmp_path):
    contract = Contract(id="c", table="t", columns=(Column(name="code", type="string"), Column(name="n", type="integer")))
    frame = read(tmp_path, "code;n\n12;1\n1.0;2\n", contract=contract)
    assert frame.to_dict("list") == {"code": ["12", "1.0"], "n": [1, 2]}


TABLES = st.lists(
    st.tuples(
        st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=8), st.integers(-(2**53), 2**53), st.floats(-1e12, 1e12)
    ),
    min_size=1,
    max_size=20,
)


@given(rows=TABLES, delimiter=st.sampled_from([";", ",", "\t", "|"]), decimal=st.sampled_from([".", ","]))
@settings(deadline=None, max_examples=60)
def test_what_pandas_writes_is_read_back(tmp_path_factory, rows, delimiter, decimal):
    frame = pd.DataFrame(rows, columns=["text", "whole", "number"]).assign(text=lambda made: "t" + made["text"].str.strip())
    folder = tmp_path_factory.mktemp("csv")
    frame.to_csv(folder / "data.csv", index=False, sep=delimiter, decimal=decimal)
    again = read_source(Source(file="data.csv", delimiter=delimiter, decimal=decimal), base=folder)
    pd.testing.assert_frame_equal(again, frame, check_dtype=False, rtol=1e-12)


def test_parquet_keeps_its_types(tmp_path):
    frame = pd.DataFrame({"n": [1, 2], "x": [0.5, None], "t": pd.to_datetime(["2024-01-01", "2024-01-02"]), "s": ["01", None]})
    frame.to_parquet(tmp_path / "data.parquet")
    again = read_source(Source(file="data.parquet"), base=tmp_path)
    pd.testing.assert_frame_equal(again, frame, check_dtype=False)
    assert again.dtypes.astype(str).tolist()[:2] == ["int64", "float64"]


def test_long_ids_of_parquet_stay_different_when_one_is_missing(tmp_path):
    ids = [9007199254740993, None, 9007199254740992]
    pq.write_table(pa.table({"id": pa.array(ids), "n": pa.array([1, None, 3])}), tmp_path / "data.parquet")
    source = Source(file="data.parquet")
    frame = read_source(source, base=tmp_path)
    assert frame["id"].tolist() == ids
    assert frame["n"].dtype == "float64"
    contract = Contract(id="c", table="t", columns=(Column(name="id", type="string"), Column(name="n", type="integer")))
    chunks = open_stream(Source(file=tmp_path / "data.parquet"), contract).chunks()
    assert [value for chunk in chunks for value in parse(chunk.raw(np.arange(3)), contract)[0]["id"]] == [
        "9007199254740993",
        None,
        "9007199254740992",
    ]
    shorter = pd.DataFrame({"id": [1234567890123456.0, np.nan]})
    assert parse(shorter, contract.only(["id"]))[0]["id"].tolist() == ["1234567890123456", None]


def test_decimals_categories_and_times_of_day_of_parquet_become_plain(tmp_path):
    table = pa.table(
        {
            "price": pa.array([Decimal("1.25"), None], pa.decimal128(8, 2)),
            "kind": pa.array(["a", "b"]).dictionary_encode(),
            "clock": pa.array([time(9, 58), time(10, 0)]),
            "day": pa.array([date(2024, 12, 31), None]),
        }
    )
    pq.write_table(table, tmp_path / "data.parquet")
    frame = read_source(Source(file="data.parquet"), base=tmp_path)
    assert frame["price"].dtype == "float64"
    assert frame["kind"].tolist() == ["a", "b"]
    assert frame["clock"].tolist()[0].startswith("09:58")
    assert frame["day"].tolist()[0] == pd.Timestamp("2024-12-31")


def workbook(path, sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)


def test_excel_sheet_is_read_with_its_types(tmp_path):
    rows = [
        ["Datum", "Wert", "PLZ", "ok", "Anzahl"],
        [pd.Timestamp("2024-12-31").to_pydatetime(), 1.5, "01234", True, 3],
        [None, 2, "10115", False, 4],
    ]
    workbook(tmp_path / "b.xlsx", {"leer": [], "Daten": [[], *rows, []]})
    frame = read_source(Source(file="b.xlsx"), base=tmp_path)
    assert frame["Datum"].tolist()[0] == pd.Timestamp("2024-12-31")
    assert frame["Wert"].tolist() == [1.5, 2.0]
    assert frame["PLZ"].tolist() == ["01234", "10115"]
    assert frame["ok"].tolist() == [True, False]
    assert frame["Anzahl"].dtype == "int64"


@pytest.mark.parametrize("sheet", ["zwei", 2])
def test_excel_sheet_is_chosen_by_name_or_number(tmp_path, sheet):
    workbook(tmp_path / "b.xlsx", {"eins": [["a"], [1]], "zwei": [["b"], [2]]})
    assert read_source(Source(file="b.xlsx", sheet=sheet), base=tmp_path).to_dict("list") == {"b": [2]}


def test_german_numbers_stored_as_text_in_excel_are_numbers(tmp_path):
    workbook(tmp_path / "b.xlsx", {"a": [["x", "mixed"], ["3,5", 1], ["1.234,0", "n/a"]]})
    frame = read_source(Source(file="b.xlsx"), base=tmp_path)
    assert frame["x"].tolist() == [3.5, 1234.0]
    assert frame["mixed"].tolist()[0] == 1


def test_folder_gives_absolute_paths_of_the_files_its_manifest_names(tmp_path):
    (tmp_path / "sound" / "a").mkdir(parents=True)
    (tmp_path / "sound" / "a" / "1.wav").write_bytes(b"RIFF")
    (tmp_path / "sound" / "manifest.csv").write_text("recording;mould\na/1.wav;M1\na\\1.wav;M2\na/none.wav;M3\n")
    frame = read_source(Source(folder="sound"), base=tmp_path)
    inside = str((tmp_path / "sound" / "a").resolve())
    assert frame["recording"].tolist() == [f"{inside}/1.wav", f"{inside}/1.wav", f"{inside}/none.wav"]
    assert frame["mould"].tolist() == ["M1", "M2", "M3"]


def test_sample_is_read_from_the_folder_of_samples(tmp_path):
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "lab.csv").write_text("a\n1\n")
    assert read_source(Source(sample="lab.csv"), base=tmp_path, samples=tmp_path / "samples")["a"].tolist() == [1]


def test_reading_leaves_the_file_as_it_is(tmp_path):
    content = io.StringIO()
    pd.DataFrame({"a": [1]}).to_csv(content)
    read(tmp_path, content.getvalue())
    assert (tmp_path / "data.csv").read_text() == content.getvalue()


@pytest.mark.parametrize("length", [200_000, 300_000])
@pytest.mark.parametrize("layout", ["a,b\n1,{}\n2,y\n", 'a,b\n1,"{}"\n2,y\n', "a,b\n1,y\n2,{}\n"])
def test_a_field_may_be_as_long_as_a_text_is(tmp_path, length, layout):
    frame = read(tmp_path, layout.format("w" * length))
    assert sorted(frame["b"].str.len()) == [1, length]
    with pytest.raises(SourceError, match=r"data\.csv.*: 4 \(3\)"):
        read(tmp_path, (layout + "3,too,many\n").format("w" * length))


def test_what_the_csv_module_cannot_read_names_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr("data_contracts.csv_format.FIELD_BYTES", 10)
    with pytest.raises(SourceError, match=r"data\.csv cannot be read as a table: field larger than field limit"):
        read(tmp_path, "a,b\n1,eleven signs\n2,y\n")

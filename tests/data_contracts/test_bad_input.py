"""Each of these gives one clear message: what is wrong, what was expected and found, what to do."""

import os
import shutil

import openpyxl
import pandas as pd
import pytest

from data_contracts.reading import read_source
from leitstand.errors import SourceError
from leitstand.spec import Source

NOT_TEXT = bytes(range(256)) * 20


@pytest.mark.parametrize(
    ("name", "content", "given", "message"),
    [
        ("data.csv", b"", {}, r"is empty\. Export it again"),
        ("data.csv", b"\n \n\n", {}, r"is empty"),
        ("data.csv", b"a;b\n", {}, r"has column names but no rows"),
        ("data.csv", b"a,b\n1,2\n3,4\n", {"delimiter": ";"}, r"not delimited by ';'\. With ',' every line has 2 columns"),
        ("data.csv", b"a;b\n1,5;2\n3;4\n", {"delimiter": ","}, r"not delimited by ','\. With ';' every line has 2 columns"),
        ("data.csv", b"a,b\n1,2\n", {"delimiter": ";;"}, r"';;' cannot be a delimiter .* Expected one character"),
        ("data.csv", "ä;b\n1;2\n".encode("cp1252"), {"encoding": "utf-8"}, r"not written in utf-8; it looks like cp1252"),
        ("data.csv", "ä;b\n1;2\n".encode(), {"encoding": "latin-1"}, r"not written in latin-1; it looks like utf-8"),
        ("data.csv", b"a;b\n1;2\n", {"encoding": "utf-9"}, r"no encoding 'utf-9' .* Use utf-8, cp1252"),
        ("data.csv", b"a;b;a\n1;2;3\n", {}, r"columns of the same name: a\. Give every column its own name"),
        ("data.csv", NOT_TEXT, {}, r"holds binary data"),
        ("data.csv", b"PK\x03\x04" + NOT_TEXT, {}, r"not a text file but ZIP/Excel"),
        ("data.csv", b"PAR1" + NOT_TEXT, {}, r"not a text file but Parquet"),
        ("data.json", b"[]", {}, r"has an ending that cannot be read\. Expected one of: \.csv, .*\.parquet.*\.xlsx"),
        ("data.parquet", b"PAR1 and then nothing of use", {}, r"not a readable Parquet file"),
        ("data.xlsx", b"no workbook", {}, r"not a readable Excel workbook"),
        ("data.xlsx", b"\xd0\xcf\x11\xe0" + bytes(600) + "EncryptedPackage".encode("utf-16-le"), {}, r"protected by a password"),
        ("data.xlsx", b"\xd0\xcf\x11\xe0" + bytes(600), {}, r"workbook of the old \.xls kind"),
    ],
)
def test_file_that_cannot_be_read_says_why(tmp_path, name, content, given, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=message) as caught:
        read_source(Source(file=name, **given), base=tmp_path)
    assert name in caught.value.render("de")


def test_missing_file_names_its_neighbours(tmp_path):
    (tmp_path / "january.csv").write_text("a\n1\n")
    with pytest.raises(SourceError, match=r"januar\.csv does not exist\. Files of that kind in its folder: january\.csv"):
        read_source(Source(file="januar.csv"), base=tmp_path)


def test_folder_in_place_of_a_file_is_told(tmp_path):
    (tmp_path / "data.csv").mkdir()
    with pytest.raises(SourceError, match="is a folder, not a file"):
        read_source(Source(file="data.csv"), base=tmp_path)


def test_ragged_rows_are_counted_and_named_by_line(tmp_path):
    rows = [f"{i};{i}" for i in range(20)]
    for i in (3, 4, 8, 9, 12, 15, 17):
        rows[i] += ";extra"
    rows[10] = "10"
    (tmp_path / "data.csv").write_text("\na;b\n" + "\n".join(rows) + "\n")
    with pytest.raises(
        SourceError, match=r"8 rows .* the 2 columns .*: 6 \(3\), 7 \(3\), 11 \(3\), 12 \(3\), 13 \(1\); delimiter"
    ):
        read_source(Source(file="data.csv"), base=tmp_path)


def test_ragged_rows_between_blanks_are_named_by_line(tmp_path):
    (tmp_path / "data.txt").write_text("\n1.5  2.5\n3.5  4.5\n5.5\n7.5 8.5\n")
    with pytest.raises(SourceError, match=r"1 rows .*: 4 \(1\)"):
        read_source(Source(file="data.txt", delimiter="whitespace"), base=tmp_path)


def test_excel_sheet_that_is_missing_names_those_there_are(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "Daten"
    book.save(tmp_path / "b.xlsx")
    with pytest.raises(SourceError, match=r"has no sheet 'Werte'\. Its sheets: Daten"):
        read_source(Source(file="b.xlsx", sheet="Werte"), base=tmp_path)
    with pytest.raises(SourceError, match="is empty"):
        read_source(Source(file="b.xlsx"), base=tmp_path)


def test_parquet_without_rows_is_refused(tmp_path):
    pd.DataFrame({"a": []}).to_parquet(tmp_path / "data.parquet")
    with pytest.raises(SourceError, match="no rows"):
        read_source(Source(file="data.parquet"), base=tmp_path)


def folder(tmp_path, manifest):
    (tmp_path / "sound").mkdir()
    (tmp_path / "sound" / "1.wav").write_bytes(b"RIFF")
    if manifest is not None:
        (tmp_path / "sound" / "manifest.csv").write_text(manifest)
    return Source(folder="sound")


def test_missing_folder_is_told(tmp_path):
    with pytest.raises(SourceError, match=r"folder .*sound does not exist"):
        read_source(Source(folder="sound"), base=tmp_path)


def test_missing_manifest_is_told(tmp_path):
    with pytest.raises(SourceError, match=r"has no manifest manifest\.csv\. Put a table there"):
        read_source(folder(tmp_path, None), base=tmp_path)


def test_manifest_without_files_is_told(tmp_path):
    with pytest.raises(SourceError, match=r"No column of the manifest .* names files .* Its columns: a, b"):
        read_source(folder(tmp_path, "a;b\n1;x\n"), base=tmp_path)


@pytest.mark.parametrize("name", ["../secret.wav", "/etc/passwd", "..\\secret.wav", "link.wav"])
def test_manifest_that_leads_out_of_its_folder_is_refused(tmp_path, name):
    source = folder(tmp_path, f"recording;mould\n1.wav;A\n{name};B\n")
    (tmp_path / "secret.wav").write_bytes(b"RIFF")
    (tmp_path / "sound" / "link.wav").symlink_to(tmp_path / "secret.wav")
    with pytest.raises(SourceError, match=r"1 names .* lead out of the folder"):
        read_source(source, base=tmp_path)


def test_manifest_outside_of_its_folder_is_refused(tmp_path):
    folder(tmp_path, "recording\n1.wav\n")
    shutil.copy(tmp_path / "sound" / "manifest.csv", tmp_path / "manifest.csv")
    with pytest.raises(SourceError, match="lead out of the folder"):
        read_source(Source(folder="sound", manifest="../manifest.csv"), base=tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable to root")
def test_file_without_access_rights_is_told(tmp_path):
    (tmp_path / "data.csv").write_text("a\n1\n")
    (tmp_path / "data.csv").chmod(0)
    with pytest.raises(SourceError, match="cannot be opened: Permission denied"):
        read_source(Source(file="data.csv"), base=tmp_path)


def test_sample_that_nobody_wrote_is_told(tmp_path):
    with pytest.raises(SourceError, match="write the built-in sample first"):
        read_source(Source(sample="lab.csv"), base=tmp_path)

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.chunk_checking import ChunkChecker
from data_contracts.duplicates import find_duplicates
from data_contracts.ordered_dates import OrderedDates
from data_contracts.parsing import parse
from data_contracts.reading import read_source
from data_contracts.streaming import Changed, FrameStream, open_stream
from leitstand.contract import Column, Contract
from leitstand.errors import ContractBroken, SourceError
from leitstand.spec import Source

LINE = Contract(
    id="line",
    table="line",
    columns=(
        Column(name="zeit", type="timestamp", required=True),
        Column(name="wert", type="number"),
        Column(name="n", type="integer"),
        Column(name="ort", type="string"),
    ),
)
FRAME = pd.DataFrame(
    {
        "zeit": pd.date_range("2026-01-01", periods=500, freq="min"),
        "wert": np.round(np.random.default_rng(0).normal(0, 2000, 500), 2),
        "n": np.arange(500),
        "ort": [f'Größe {i}; "zwei"\nZeilen' if i % 7 == 0 else f"Halle {i}" for i in range(500)],
    }
)


def german(number: float, thousands: bool) -> str:
    shown = f"{number:,.2f}" if thousands else f"{number:.2f}"
    return shown.translate(str.maketrans(",.", ".,"))


def written(
    folder: Path, encoding: str = "utf-8", sep: str = ",", comma: bool = False, thousands: bool = False, ends: str = "\n"
) -> Path:
    frame = FRAME.assign(wert=[german(value, thousands) for value in FRAME["wert"]]) if comma else FRAME
    path = folder / "line.csv"
    path.write_bytes(frame.to_csv(index=False, sep=sep, lineterminator=ends).encode(encoding))
    return path


def together(path: Path, contract: Contract = LINE, chunk_rows: int = 40, **given_: object) -> tuple[pd.DataFrame, int]:
    """All rows read chunk by chunk, checked and joined, and the number of chunks."""
    stream = open_stream(Source(file=path, **given_), contract, chunk_rows=chunk_rows)
    checker = ChunkChecker(contract, stream.names, others=[], duplicates=find_duplicates(stream, contract))
    parts = [checker.check(chunk).table for chunk in stream.chunks()]
    return pa.concat_tables(parts).to_pandas(), len(parts)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"encoding": "utf-8-sig"},
        {"encoding": "cp1252", "sep": ";", "comma": True},
        {"encoding": "utf-16", "sep": "\t"},
        {"encoding": "utf-16-be", "sep": ";", "comma": True},
        {"sep": ";", "comma": True, "thousands": True},
        {"sep": "|", "ends": "\r\n"},
    ],
    ids=str,
)
def test_a_text_file_gives_the_same_rows_in_chunks_as_whole(tmp_path: Path, how: dict) -> None:
    path = written(tmp_path, **how)
    found, chunks = together(path)
    whole, broken = parse(read_source(Source(file=path), base=tmp_path, contract=LINE), LINE)
    assert (chunks > 5, broken) == (True, [])
    pd.testing.assert_frame_equal(found, whole, check_dtype=False)
    pd.testing.assert_frame_equal(found[["zeit", "wert", "n"]], FRAME[["zeit", "wert", "n"]])


def test_old_line_ends_and_blanks_between_columns_are_read(tmp_path: Path) -> None:
    lines = ["n wert"] + [f"{i}   {i + 0.5}" for i in range(200)]
    contract = Contract(id="c", table="t", columns=(Column(name="n", type="integer"), Column(name="wert", type="number")))
    for ends in ("\n", "\r"):
        (tmp_path / "t.txt").write_bytes(ends.join(lines).encode())
        found, chunks = together(tmp_path / "t.txt", contract, delimiter="whitespace")
        assert (found["wert"].tolist(), chunks > 2) == ([i + 0.5 for i in range(200)], True)


@pytest.mark.parametrize("kind", ["csv", "parquet", "frame"])
def test_reading_goes_on_after_any_chunk_as_if_it_had_never_stopped(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path, sep=";", comma=True)
    if kind == "parquet":
        path = tmp_path / "line.parquet"
        FRAME.to_parquet(path, row_group_size=60)
    stream = FrameStream.of(FRAME, 40) if kind == "frame" else open_stream(Source(file=path), LINE, chunk_rows=40)
    chunks = list(stream.chunks())
    assert len(chunks) > 5
    for place, chunk in enumerate(chunks[:-1]):
        rest = list(stream.chunks(chunk.after))
        assert [later.first_row for later in rest] == [later.first_row for later in chunks[place + 1 :]]
        assert all(mine.table.equals(theirs.table) for mine, theirs in zip(rest, chunks[place + 1 :], strict=True))


def test_frames_that_have_changed_are_not_gone_on_with() -> None:
    chunks = list(FrameStream.of(FRAME, 100).chunks())
    changed = FRAME.assign(wert=FRAME["wert"].where(FRAME["n"] != 120, 1.0))
    assert len(list(FrameStream.of(changed, 100).chunks(chunks[0].after))) == 4
    for other in (changed, FRAME.iloc[:150]):
        with pytest.raises(Changed):
            list(FrameStream.of(other, 100).chunks(chunks[1].after))


def test_the_decimal_mark_is_found_in_a_later_part_of_the_file(tmp_path: Path) -> None:
    rows = ["1.234"] * 300 + ["0,5"] * 300
    (tmp_path / "a.csv").write_text("wert;n\n" + "\n".join(f"{value};1" for value in rows))
    contract = LINE.only(["wert", "n"])
    found, chunks = together(tmp_path / "a.csv", contract)
    assert (found["wert"].iloc[0], found["wert"].iloc[-1], chunks > 5) == (1234.0, 0.5, True)
    (tmp_path / "a.csv").write_text("wert;n\n" + "\n".join(f"{value};1" for value in rows[:300]))
    with pytest.raises(SourceError, match=r"1\.234"):
        together(tmp_path / "a.csv", contract)


def test_a_value_of_the_other_notation_is_bad_even_alone_in_its_chunk(tmp_path: Path) -> None:
    rows = [f"{i},5" for i in range(200)]
    rows[150] = "1.5"
    (tmp_path / "a.csv").write_text("wert;n\n" + "\n".join(f"{value};1" for value in rows))
    stream = open_stream(Source(file=tmp_path / "a.csv"), LINE.only(["wert", "n"]), chunk_rows=50)
    checker = ChunkChecker(LINE.only(["wert", "n"]), stream.names, others=[], duplicates=find_duplicates(stream, LINE))
    bad = pd.concat([checker.check(chunk).bad for chunk in stream.chunks()])
    assert bad[["_row", "wert"]].to_numpy().tolist() == [[151, "1.5"]]


@pytest.mark.parametrize("order", ["%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"])
@pytest.mark.parametrize("kind", ["csv", "parquet", "frame"])
def test_a_date_with_slashes_means_in_every_chunk_what_the_whole_source_says(tmp_path: Path, kind: str, order: str) -> None:
    contract = LINE.only(["zeit", "wert"])
    moments = pd.date_range("2026-03-04", periods=300, freq="h")  # only from the 217th hour on a day is larger than 12
    frame = pd.DataFrame({"zeit": moments.strftime(order), "wert": [german(1000 + i, i == 5) for i in range(300)]})
    frame.to_csv(tmp_path / "a.csv", index=False, sep=";")
    pq.write_table(pa.Table.from_pandas(frame), tmp_path / "a.parquet")
    source = Source(file=tmp_path / f"a.{kind}")
    plain = FrameStream.of(frame, 40) if kind == "frame" else open_stream(source, contract, chunk_rows=40)
    stream = OrderedDates(plain, contract)
    checker = ChunkChecker(contract, stream.names, others=[], duplicates=find_duplicates(stream, contract))

    found = pa.concat_tables([checker.check(chunk).table for chunk in stream.chunks()]).to_pandas()

    assert (checker.tally.bad, len(found)) == (0, 300)  # also of the row that is looked at alone, for its 1.005,00
    assert found["zeit"].tolist() == moments.tolist()
    assert found["wert"].tolist() == [1000.0 + i for i in range(300)]
    resumed = next(OrderedDates(plain, contract).chunks(next(stream.chunks()).after))
    assert resumed.slashes == {"zeit": "day" if order.startswith("%d") else "month"}


def test_dates_with_slashes_are_bad_where_nothing_in_the_source_says_their_order(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("zeit,n\n" + "".join(f"0{1 + i % 9}/02/2026,{i}\n" for i in range(100)))
    contract = LINE.only(["zeit", "n"]).model_copy(update={"max_quarantine_share": 1})
    stream = OrderedDates(open_stream(Source(file=tmp_path / "a.csv"), contract, chunk_rows=20), contract)
    checker = ChunkChecker(contract, stream.names, others=[], duplicates=find_duplicates(stream, contract))

    assert sum(len(checker.check(chunk).bad) for chunk in stream.chunks()) == 100


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a;b\n" + "1;2\n" * 300 + "1;2;3\n" + "1;2\n" * 10, r"302 \(3\)"),
        ("a;b\n", "no rows"),
        ("", "empty"),
        ("a;a\n1;2\n", "twice|same name"),
    ],
)
def test_what_is_no_table_is_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    contract = Contract(id="c", table="t", columns=(Column(name="a", type="integer"),), extra_columns="ignore")
    with pytest.raises(SourceError, match=message):
        together(tmp_path / "a.csv", contract)


def test_a_broken_parquet_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    FRAME.to_parquet(path, row_group_size=50)
    content = bytearray(path.read_bytes())
    content[len(content) // 3 : len(content) // 2] = b"\0" * (len(content) // 2 - len(content) // 3)
    path.write_bytes(content)
    with pytest.raises(SourceError, match="Parquet"):
        together(path)
    path.write_bytes(b"PAR1 nothing else")
    with pytest.raises(SourceError, match="Parquet"):
        together(path)


def test_small_row_groups_make_no_small_chunks(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pandas(FRAME), path, row_group_size=3)
    assert together(path, chunk_rows=100)[1] <= 6


def test_a_quote_that_never_closes_does_not_draw_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("n;ort\n" + "".join(f'{i};5" Rohr\n' if i == 30 else f"{i};x\n" for i in range(4000)))
    stream = open_stream(Source(file=tmp_path / "a.csv"), LINE.only(["n", "ort"]), chunk_rows=40)
    sizes = [chunk.table.num_rows for chunk in stream.chunks()]
    assert sum(sizes) == 4000
    assert max(sizes) < 1000


LETTERS = st.text(st.sampled_from(list('ab;"\n\r \t,ü')), max_size=6)


@given(rows=st.lists(st.tuples(st.integers(-99, 99), LETTERS), min_size=1, max_size=60), chunk_rows=st.integers(1, 20))
@settings(deadline=None, max_examples=60)
def test_any_texts_come_back_whatever_the_chunks(tmp_path_factory: pytest.TempPathFactory, rows: list, chunk_rows: int) -> None:
    path = tmp_path_factory.mktemp("texts") / "a.csv"
    frame = pd.DataFrame(rows, columns=["n", "ort"])
    path.write_bytes(frame.to_csv(index=False, sep=";", quoting=2, lineterminator="\n").encode())
    contract = LINE.only(["n", "ort"])
    stream = open_stream(Source(file=path, delimiter=";", header=True, encoding="utf-8"), contract, chunk_rows=chunk_rows)
    found = pa.concat_tables([chunk.table for chunk in stream.chunks()]).to_pandas()
    whole = read_source(Source(file=path, delimiter=";", header=True, encoding="utf-8"), base=path.parent, contract=contract)
    assert found["n"].tolist() == whole["n"].tolist()
    assert found["ort"].where(found["ort"].notna(), None).tolist() == whole["ort"].tolist()


KEYED = Contract(
    id="keyed",
    table="t",
    columns=(
        Column(name="day", type="date", primary_key_position=1),
        Column(name="shop", type="string", primary_key_position=2),
        Column(name="code", type="integer", unique=True),
        Column(name="x", type="number", minimum=0),
    ),
    max_quarantine_share=1,
)


def checked(frame: pd.DataFrame, folder: Path, chunk_rows: int, contract: Contract = KEYED) -> tuple[ChunkChecker, pd.DataFrame]:
    frame.to_csv(folder / "k.csv", index=False)
    stream = open_stream(Source(file=folder / "k.csv"), contract, chunk_rows=chunk_rows)
    checker = ChunkChecker(contract, stream.names, others=[], duplicates=find_duplicates(stream, contract))
    return checker, pd.concat([checker.check(chunk).bad for chunk in stream.chunks()], ignore_index=True)


def test_what_stands_twice_is_found_over_all_chunks_with_the_reasons_of_the_full_check(tmp_path: Path) -> None:
    from data_contracts.checking import check

    random = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "day": pd.date_range("2026-01-01", periods=200).strftime("%d.%m.%Y"),
            "shop": random.choice(["a", "b"], 200),
            "code": np.arange(200),
            "x": random.normal(50, 2, 200).round(2),
        }
    )
    frame.loc[190, ["day", "shop"]] = frame.loc[3, ["day", "shop"]]
    frame.loc[[20, 120, 199], "code"] = 20
    frame.loc[120, "x"] = -1.0
    frame.loc[60, "shop"] = None
    checker, bad = checked(frame, tmp_path, chunk_rows=30)
    whole = check(read_source(Source(file=tmp_path / "k.csv"), base=tmp_path, contract=KEYED), KEYED)
    assert bad["_row"].tolist() == whole.quarantined["_row"].tolist() == [4, 21, 61, 121, 191, 200]
    assert (
        bad["_reason"].map(lambda told: set(told.split("; "))).tolist()
        == whole.quarantined["_reason"].map(lambda told: set(told.split("; "))).tolist()
    )
    assert {(rule.column, rule.rule, rule.rows) for rule in checker.tally.rules()} == {
        (rule.column, rule.rule, rule.rows) for rule in whole.broken
    }
    checker.judge(None)


def test_a_job_is_stopped_as_soon_as_it_is_hopeless(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"day": pd.date_range("2026-01-01", periods=100), "shop": "a", "code": range(100), "x": [-1.0] * 30 + [1.0] * 70}
    )
    contract = KEYED.model_copy(update={"max_quarantine_share": 0.2})
    checker, _ = checked(frame.iloc[:50], tmp_path, 50, contract)
    checker.judge(200)
    with pytest.raises(ContractBroken, match=r"30 of 50 rows break .*, more than the 20%"):
        checker.judge(100)


def test_whole_numbers_too_large_for_a_table_are_kept_out(tmp_path: Path) -> None:
    frame = pd.DataFrame({"day": ["2026-01-01", "2026-01-02"], "shop": "a", "code": [1, 1e300], "x": 1.0})
    _, bad = checked(frame, tmp_path, 10)
    assert bad["_reason"].tolist() == ["code: not of type integer"]


def test_old_rows_stop_the_job_at_its_end(tmp_path: Path) -> None:
    contract = KEYED.model_copy(update={"time_column": "day", "freshness_hours": 24.0})
    frame = pd.DataFrame({"day": ["2020-01-02", "2020-01-01"], "shop": "a", "code": [1, 2], "x": 1.0})
    checker, _ = checked(frame, tmp_path, 1, contract)
    checker.judge(2)
    with pytest.raises(ContractBroken, match=r"no row of the last 24 hours \(found: 2020-01-02"):
        checker.judge(None)

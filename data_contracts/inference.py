"""A contract proposed from data. Everything in it is a guess, and says so."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from data_contracts.parsing import parse
from data_contracts.personal import suspected
from data_contracts.personal_words import name_words
from data_contracts.ranges import guess_range
from data_contracts.units import unit_of
from leitstand.contract import Column, ColumnType, Contract

ALLOWED_MOST = 50  # more different texts than this are no list that a person would keep
# No missing value among n rows leaves a rate of up to 3/n unseen (rule of three, 95 %): with 300 rows it is below 1 %.
REQUIRED_ROWS = 300
KEY_WORDS = frozenset(
    "id uid uuid key code nr no nummer number schlüssel schluessel kennung index lfdnr barcode serial serialnumber seriennummer".split()  # noqa: SIM905 - words, not code
)
TIME_WORDS = frozenset(
    "time timestamp datetime date zeit zeitstempel datum zeitpunkt uhrzeit tag day created erfasst messzeit".split()  # noqa: SIM905 - words, not code
)
MEDIA_TYPES = {
    ".wav": "audio/wav", ".flac": "audio/flac", ".mp3": "audio/mpeg", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg",
    ".tif": "image/tiff", ".tiff": "image/tiff", ".bmp": "image/bmp", ".pdf": "application/pdf",
}  # fmt: skip


def infer_contract(frame: pd.DataFrame, *, name: str, source: str) -> Contract:
    """Propose a contract that lets in every row it was made from, and next month's ordinary ones.

    Parameters
    ----------
    frame : as ``reading.read_source`` returns it; at least one column
    name : the contract's identifier
    source : where the rows came from, such as a file name; names the table
    """
    key = _key(frame)
    time = _time_column(frame)
    columns = tuple(_column(frame[label], str(label), is_key=label == key, is_time=label == time) for label in frame.columns)
    table = re.sub(r"\W+", "_", Path(source).stem).strip("_") or name
    contract = Contract(id=name, table=table, columns=columns, time_column=str(time) if time is not None else None)
    return _loosened(frame.set_axis(list(contract.names), axis=1), contract)


def _column(values: pd.Series, name: str, *, is_key: bool, is_time: bool) -> Column:
    kind = _type(values)
    present = values.dropna()
    guessed: dict[str, object] = {}
    if kind in ("integer", "number"):
        unit = unit_of(name)
        if unit:
            guessed["unit"] = unit
        words = name_words(name)
        bounds = None if is_key or (words & KEY_WORDS and present.is_unique) else guess_range(present, unit, words)
        if bounds:
            guessed["minimum"], guessed["maximum"] = bounds
    if kind == "string" and not is_key and (allowed := _allowed(present)):
        guessed["allowed"] = allowed
    if kind == "file" and (media := MEDIA_TYPES.get(_suffix(present))):
        guessed["media_type"] = media
    if is_key:
        guessed["primary_key_position"] = 1
    if len(present) == len(values) and len(values) and (is_key or is_time or len(values) >= REQUIRED_ROWS):
        guessed["required"] = True
    texts = [str(value) for value in present.head(500)] if kind == "string" else []
    if (personal := suspected(name, texts)) != "none":
        guessed["personal_data"] = personal
    guesses = ("type", *guessed) + (("time_column",) if is_time else ())
    return Column.model_validate({"name": name, "type": kind, "guesses": guesses, **guessed})


def _type(values: pd.Series) -> ColumnType:
    if pd.api.types.is_bool_dtype(values.dtype):
        return "boolean"
    if pd.api.types.is_integer_dtype(values.dtype):
        return "integer"
    if pd.api.types.is_numeric_dtype(values.dtype):
        return "number"
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        present = values.dropna()
        return "date" if (present == present.dt.normalize()).all() else "timestamp"
    some = values.dropna().head(100)
    return "file" if len(some) and all(isinstance(value, bytes) or _is_file(str(value)) for value in some) else "string"


def _is_file(value: str) -> bool:
    return value.startswith("/") and len(value) < 4096 and Path(value).is_file()  # a folder's reader made the paths absolute


def _suffix(present: pd.Series) -> str:
    """Return the file ending that all texts share; empty where they share none."""
    endings = {match[0].lower() if (match := re.search(r"\.\w{2,5}$", str(value))) else "" for value in present.unique()}
    return endings.pop() if len(endings) == 1 else ""


def _allowed(present: pd.Series) -> tuple[str, ...]:
    """Return the values of a category; empty for free text.

    New texts have to be expected as often as texts were seen just once (Good 1953: their share estimates the chance that the next one
    is new). So a list is only proposed where none was.
    """
    counts = present.astype(str).value_counts()
    if counts.empty or len(counts) > ALLOWED_MOST or counts.min() < 2 or len(present) < 10 * len(counts):
        return ()
    return tuple(sorted(counts.index))


def _key(frame: pd.DataFrame) -> object | None:
    """Return the column that names the rows: no value missing or twice, and called like a key or running on; the first such."""
    for position, label in enumerate(frame.columns):
        values = frame[label]
        whole = pd.api.types.is_integer_dtype(values.dtype)
        if not (whole or values.dtype == object) or len(values) < 2:
            continue
        if values.isna().any() or not values.astype(str).is_unique:
            continue
        called = bool(name_words(str(label)) & KEY_WORDS)
        running = position == 0 and whole and bool((np.diff(values.to_numpy()) == 1).all())
        if called or running:
            return label
    return None


def _time_column(frame: pd.DataFrame) -> object | None:
    times = [label for label in frame.columns if pd.api.types.is_datetime64_any_dtype(frame[label].dtype)]
    ranked = sorted(times, key=lambda label: (not name_words(str(label)) & TIME_WORDS, frame[label].isna().to_numpy().sum()))
    return ranked[0] if ranked and frame[ranked[0]].notna().any() else None


def _loosened(frame: pd.DataFrame, contract: Contract) -> Contract:
    """Return the contract with the type string where a value of the very data does not parse as what was guessed."""
    raw = frame.reset_index(drop=True)
    failing = {item.column for item in parse(raw, contract)[1] if item.rule == "type"}
    if not failing:
        return contract
    columns = [
        Column(name=column.name, type="string", personal_data=column.personal_data, guesses=("type",))
        if column.name in failing
        else column
        for column in contract.columns
    ]
    return contract.model_copy(update={"columns": tuple(columns)})

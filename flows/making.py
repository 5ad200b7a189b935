"""What every new project needs, whether it is made from a table or from a template: a free name, known columns, files that stay or never were."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from leitstand.contract import Column, Contract
from leitstand.errors import DataError, UnknownName, UsageError
from leitstand.folders import check_name, find_projects
from leitstand.spec import ProjectSpec, Source, TaskName


@dataclass(frozen=True)
class Wish:
    """What ``leitstand new`` was asked for; a template fills in what is left out.

    Parameters
    ----------
    target, time, series, group : columns by their role, as in the data section of project.yaml
    ordered : the rows are in time order, though no column tells the time
    drop : columns not to learn from
    positive, normal : values of the target, as texts
    sparse : rows without a target are meant to be there: their labels come later
    lags : for rows in time order: how many earlier rows a prediction looks back at
    """

    name: str
    source: Source | None = None
    target: str | None = None
    task: TaskName | None = None
    time: str | None = None
    ordered: bool = False
    series: str | None = None
    group: str | None = None
    drop: tuple[str, ...] = ()
    positive: str | None = None
    normal: str | None = None
    sparse: bool = False
    lags: int = 0


@dataclass(frozen=True)
class Made:
    """A new project: its folder, its contract, and what was guessed.

    Parameters
    ----------
    left_out : what a template's project.yaml said and the own data have no use for, as ``section.key: value``
    """

    folder: Path
    contract: Path
    spec: ProjectSpec
    guesses: int
    left_out: tuple[str, ...] = ()


def require_free(name: str, workspace: Path) -> None:
    """Refuse a name that is illegal or taken.

    Raises
    ------
    UsageError
        If it is.
    """
    check_name(name)
    if name in find_projects([workspace]) or (workspace / "projects" / name).exists():
        raise UsageError("flows.project_exists", project=name, path=workspace / "projects" / name)
    if contract_file(name, workspace).exists():
        raise UsageError("flows.contract_exists", project=name, path=contract_file(name, workspace))


def require_columns(wish: Wish, frame: pd.DataFrame) -> None:
    """Refuse a wish that names a column which the table does not have.

    Raises
    ------
    UnknownName
        If it does (did you mean).
    """
    for name in (wish.target, wish.time, wish.series, wish.group, *wish.drop):
        if name is not None and name not in frame.columns:
            raise UnknownName("column", name, list(frame.columns))


def require_target(target: pd.Series, sparse: bool) -> None:
    """Refuse a target with gaps that nobody announced.

    Raises
    ------
    DataError
        If there are any.
    """
    missing = int(target.isna().sum())
    if missing and not sparse:
        rows = ", ".join(str(row + 1) for row in target.index[target.isna()][:5])
        raise DataError("flows.target_missing", target=target.name, missing=missing, rows=len(target), examples=rows)


def classes_by_text(target: pd.Series, column: Column) -> dict[str, Any]:
    """Return the target's values as the contract types them, by what a person would write for them."""
    classes: dict[str, Any] = {}
    for found in pd.unique(target.dropna()).tolist():
        number = isinstance(found, float)
        classes[str(found)] = int(found) if column.type == "integer" or (number and found.is_integer()) else found
        classes |= {f"{found:g}": classes[str(found)]} if number else {}
    return classes


def known_class(value: str, classes: Mapping[str, Any]) -> Any:
    """Return a class given as text as the contract types it.

    Raises
    ------
    UnknownName
        If the target has no such value.
    """
    if value not in classes:
        raise UnknownName("class", value, classes)
    return classes[value]


def identifiers(frame: pd.DataFrame, contract: Contract) -> list[str]:
    """Return the columns that only name a row: the key, and texts without a space that are different in every row."""
    texts = [column.name for column in contract.columns if column.type == "string" and frame[column.name].is_unique]
    codes = [name for name in texts if not frame[name].astype(str).str.contains(r"\s").any()]
    return list(dict.fromkeys([*contract.primary_key, *codes]))


def contract_file(name: str, workspace: Path) -> Path:
    """Return where the contract of a project in the workspace stands."""
    return workspace / "data_contracts" / f"{name}.odcs.yaml"


@contextmanager
def making(name: str, workspace: Path) -> Iterator[Path]:
    """Yield a folder that becomes ``projects/<name>`` when the block ends well; otherwise nothing stays, the contract neither."""
    (workspace / "projects").mkdir(parents=True, exist_ok=True)
    (workspace / "data_contracts").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=workspace / "projects", prefix=".new-") as scratch:
        folder = Path(scratch) / name
        folder.mkdir()
        try:
            yield folder
            folder.rename(workspace / "projects" / name)
        except BaseException:
            contract_file(name, workspace).unlink(missing_ok=True)
            raise


def as_written(source: Source) -> dict[str, Any]:
    """Return a source as project.yaml has it."""
    return source.model_dump(exclude_none=True, exclude_defaults=True, mode="json")


def shown(source: Source) -> str:
    """Return a source in one word."""
    return str(source.file or source.folder or source.table or "query")

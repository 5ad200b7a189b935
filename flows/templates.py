"""Making a project: from any table, or from one of the templates. What is made are plain files that people read and edit."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from ruamel.yaml import YAML

from data_contracts.inference import infer_contract
from data_contracts.odcs import read_contract, write_contract
from flows.workspace import contract_path, read_table
from leitstand.contract import Contract
from leitstand.errors import DataError, UnknownName, UsageError
from leitstand.folders import check_name, find_projects, locate
from leitstand.spec import ProjectSpec, Source, TaskName, load_spec, parse_spec

MOST_CLASSES_GUESSED = 20  # a whole-number target with more values than this is taken for a quantity

MODEL_PY = '''"""The pure functions of {name}: which models are tried, and what goes into them.

Everything here may be changed. Other functions that Leitstand calls when they are defined: features(frame, parameters),
baseline(frame, parameters), prepare(tables, parameters), advise(frame, predictions, parameters); docs/project.md explains each.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from leitstand.pipelines import tabular_candidates


def candidates(features: pd.DataFrame, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the scikit-learn estimators to compare, by name."""
    return tabular_candidates("{task}", features)
'''

LAGS_PY = '''

def features(frame: pd.DataFrame, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """Return the columns as they are and the numbers as they were in the rows before; never looks ahead."""
    numbers = frame.select_dtypes("number")
    before = lagged(numbers, list(range(1, int(parameters["lags"]) + 1)), np.zeros(len(frame)))
    return pd.concat([frame, before], axis=1)
'''

README = """# {name}

Made with `leitstand new` from `{source}`.

| file | holds |
|---|---|
| `project.yaml` | what the company decides: owner, key figure, benefit, gates, maintenance |
| `model.py` | which models are tried |
| `../../data_contracts/{name}.odcs.yaml` | the columns with types, units, ranges; what is marked as a guess wants a look |

Next: `leitstand run {name}`
"""


@dataclass(frozen=True)
class Wish:
    """What ``leitstand new`` was asked for.

    Parameters
    ----------
    lags : for rows in time order: how many earlier rows a prediction looks back at
    sparse : rows without a target are meant to be there: their labels come later
    """

    name: str
    source: Source
    target: str
    task: TaskName | None = None
    time: str | None = None
    ordered: bool = False
    group: str | None = None
    drop: tuple[str, ...] = ()
    positive: str | None = None
    normal: str | None = None
    sparse: bool = False
    lags: int = 0


@dataclass(frozen=True)
class Made:
    """A new project: its folder, its contract, and what was guessed."""

    folder: Path
    contract: Path
    spec: ProjectSpec
    guesses: int


def new_from_data(wish: Wish, workspace: Path) -> Made:
    """Make a project from a table.

    Raises
    ------
    UsageError
        If the name is taken or illegal, or a column is unknown (did you mean).
    DataError
        If the table cannot be read, or its target has missing values nobody announced.
    """
    _require_free(wish.name, workspace)
    frame = read_table(wish.source, workspace)
    _require_columns(wish, list(frame.columns))
    _require_target(wish, frame)
    contract = _with_target(infer_contract(frame, name=wish.name, source=_shown(wish.source)), wish)
    task = wish.task or guess_task(frame[wish.target], contract.column(wish.target).type)
    content = _spec_content(wish, task, frame, contract)
    spec = parse_spec(content, Path("project.yaml"))
    with _making(wish.name, workspace) as folder:
        _write_yaml(content, folder / "project.yaml")
        (folder / "model.py").write_text(model_py(wish, task), encoding="utf-8")
        (folder / "README.md").write_text(README.format(name=wish.name, source=_shown(wish.source)), encoding="utf-8")
        write_contract(contract, _contract_file(wish.name, workspace))
    guesses = sum(len(column.guesses) for column in contract.columns)
    return Made(workspace / "projects" / wish.name, _contract_file(wish.name, workspace), spec, guesses)


def new_from_template(name: str, template: str, data: Source | None, workspace: Path, roots: tuple[Path, ...]) -> Made:
    """Make a project as a copy of another one, with its own data where given.

    Raises
    ------
    UsageError
        If the name is taken or illegal, or the template unknown (did you mean).
    DataError
        If the data lack columns of the template's contract.
    """
    _require_free(name, workspace)
    origin = locate(template, roots)
    spec = load_spec(origin / "project.yaml")
    contract = read_contract(contract_path(origin, spec))
    if data is not None:
        _require_template_columns(contract, data, workspace, template, spec.data.target)
    with _making(name, workspace) as folder:
        shutil.copytree(origin, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "project.yaml"))
        yaml = _yaml()
        content = yaml.load((origin / "project.yaml").read_text(encoding="utf-8"))
        content["project"] = name
        content["data"].pop("contract", None)
        if data is not None:
            content["data"]["sources"] = {"data": data.model_dump(exclude_none=True, exclude_defaults=True, mode="json")}
        _write_yaml(content, folder / "project.yaml")
        made = parse_spec(_plain(content), folder / "project.yaml")
        write_contract(contract.model_copy(update={"id": name}), _contract_file(name, workspace))
    return Made(workspace / "projects" / name, _contract_file(name, workspace), made, 0)


def model_py(wish: Wish, task: TaskName) -> str:
    """Return the text of model.py."""
    made = MODEL_PY.format(name=wish.name, task=task)
    if not wish.lags:
        return made
    made = made.replace("import pandas as pd\n", "import numpy as np\nimport pandas as pd\n")
    made = made.replace("import tabular_candidates\n", "import tabular_candidates\nfrom leitstand.timeseries import lagged\n")
    return made + LAGS_PY


def guess_task(target: pd.Series, kind: str) -> TaskName:
    """Return the task that a target suggests: classes for texts, yes/no and few whole numbers; a quantity otherwise."""
    if kind in ("string", "boolean"):
        return "classification"
    values = pd.to_numeric(target, errors="coerce").dropna()
    whole = bool(len(values)) and bool((values % 1 == 0).all())
    return "classification" if whole and values.nunique() <= MOST_CLASSES_GUESSED else "regression"


def _require_free(name: str, workspace: Path) -> None:
    check_name(name)
    if name in find_projects([workspace]) or (workspace / "projects" / name).exists():
        raise UsageError("flows.project_exists", project=name, path=workspace / "projects" / name)
    if _contract_file(name, workspace).exists():
        raise UsageError("flows.contract_exists", project=name, path=_contract_file(name, workspace))


def _require_columns(wish: Wish, columns: list[str]) -> None:
    for name in (wish.target, wish.time, wish.group, *wish.drop):
        if name is not None and name not in columns:
            raise UnknownName("column", name, columns)


def _require_target(wish: Wish, frame: pd.DataFrame) -> None:
    missing = int(frame[wish.target].isna().sum())
    if missing and not wish.sparse:
        rows = ", ".join(str(row + 1) for row in frame.index[frame[wish.target].isna()][:5])
        raise DataError("flows.target_missing", target=wish.target, missing=missing, rows=len(frame), examples=rows)


def _require_template_columns(contract: Contract, data: Source, workspace: Path, template: str, target: str) -> None:
    found = list(read_table(data, workspace).columns)
    lacking = [column.name for column in contract.columns if column.required and column.name not in found]
    if target not in found:
        lacking.append(target)
    if lacking:
        raise DataError(
            "flows.template_columns", template=template, missing=", ".join(dict.fromkeys(lacking)), found=", ".join(found[:30])
        )


def _with_target(contract: Contract, wish: Wish) -> Contract:
    """Return the contract with the target and the time as the wish has them."""
    columns = tuple(
        column.model_copy(update={"required": not wish.sparse}) if column.name == wish.target else column
        for column in contract.columns
    )
    return contract.model_copy(update={"columns": columns, "time_column": wish.time or contract.time_column})


def _spec_content(wish: Wish, task: TaskName, frame: pd.DataFrame, contract: Contract) -> dict[str, Any]:
    strategy = "time" if wish.time or wish.ordered else "group" if wish.group else "stratified"
    data: dict[str, Any] = {
        "sources": {"data": wish.source.model_dump(exclude_none=True, exclude_defaults=True, mode="json")},
        "target": wish.target,
    }
    typed = {"positive": _typed(wish.positive, frame, wish, contract), "normal": _normal(wish, task, frame, contract)}
    data |= {name: value for name, value in typed.items() if value is not None}
    data |= {name: getattr(wish, name) for name in ("time", "group") if getattr(wish, name)}
    data |= {"ordered": True} if wish.ordered else {}
    meant = (wish.target, wish.time, wish.group, *wish.drop)
    drop = [*wish.drop, *(name for name in _identifiers(frame, contract) if name not in meant)]
    data |= {"drop": drop} if drop else {}
    data |= {"history_rows": wish.lags} if wish.lags else {}
    return {
        "project": wish.name,
        "title": {"de": wish.name, "en": wish.name},
        "task": task,
        "owner": {"name": "?"},
        "key_figure": {"name": {"de": wish.target, "en": wish.target}, "unit": contract.column(wish.target).unit or "–"},
        "data": data,
        "split": {"strategy": strategy, **({"gap_rows": wish.lags} if wish.lags else {})},
        **({"parameters": {"lags": wish.lags}} if wish.lags else {}),
    }


def _identifiers(frame: pd.DataFrame, contract: Contract) -> list[str]:
    """Return the columns that only name a row: the key, and texts without a space that are different in every row."""
    texts = [column.name for column in contract.columns if column.type == "string" and frame[column.name].is_unique]
    codes = [name for name in texts if not frame[name].astype(str).str.contains(r"\s").any()]
    return list(dict.fromkeys([*contract.primary_key, *codes]))


def _typed(value: str | None, frame: pd.DataFrame, wish: Wish, contract: Contract) -> Any:
    """Return a class given on the command line as the contract types it.

    Raises
    ------
    UnknownName
        If the target has no such value.
    """
    if value is None:
        return None
    known = {str(found): found for found in pd.unique(frame[wish.target].dropna())}
    known |= {f"{found:g}": found for found in known.values() if isinstance(found, float)}
    if value not in known:
        raise UnknownName("class", value, known)
    found = known[value].item() if hasattr(known[value], "item") else known[value]
    if contract.column(wish.target).type == "integer" or (isinstance(found, float) and found.is_integer()):
        return int(found)
    return found


def _normal(wish: Wish, task: TaskName, frame: pd.DataFrame, contract: Contract) -> Any:
    if task != "anomaly":
        return None
    most_frequent = frame[wish.target].value_counts().index[0]
    return _typed(wish.normal or str(most_frequent), frame, wish, contract)


def _contract_file(name: str, workspace: Path) -> Path:
    return workspace / "data_contracts" / f"{name}.odcs.yaml"


@contextmanager
def _making(name: str, workspace: Path) -> Iterator[Path]:
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
            _contract_file(name, workspace).unlink(missing_ok=True)
            raise


def _yaml() -> YAML:
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 130
    return yaml


def _write_yaml(content: Any, path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        _yaml().dump(content, file)


def _plain(content: Any) -> Any:
    """Return round-trip YAML as plain dictionaries and lists."""
    if isinstance(content, dict):
        return {str(key): _plain(value) for key, value in content.items()}
    return [_plain(item) for item in content] if isinstance(content, list) else content


def _shown(source: Source) -> str:
    return str(source.file or source.folder or source.table or "query")

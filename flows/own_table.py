"""Making a project from any table. What is made are plain files that people read and edit."""

from pathlib import Path
from typing import Any

import pandas as pd

from data_contracts.inference import infer_contract
from data_contracts.odcs import write_contract
from flows.making import (
    Made,
    Wish,
    as_written,
    classes_by_text,
    contract_file,
    identifiers,
    known_class,
    making,
    require_columns,
    require_free,
    require_target,
    shown,
)
from flows.workspace import read_table
from flows.yaml_file import write_yaml
from leitstand.contract import Column, Contract
from leitstand.errors import UsageError
from leitstand.spec import TaskName, parse_spec

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
    """Return the columns as they are and the numbers as they were in the rows before, of the same series; never looks ahead."""
    numbers, series = frame.select_dtypes("number"), parameters["series"]
    stretch = stretches(None if series is None else frame[series], None, None, len(frame))
    before = lagged(numbers, list(range(1, int(parameters["lags"]) + 1)), stretch)
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


def new_from_data(wish: Wish, workspace: Path) -> Made:
    """Make a project from a table.

    Raises
    ------
    UsageError
        If table or target are left out, the name is taken or illegal, or a column is unknown (did you mean).
    DataError
        If the table cannot be read, or its target has missing values nobody announced.
    """
    if wish.source is None or wish.target is None:
        raise UsageError("flows.new_needs")
    if wish.lags and not (wish.time or wish.ordered):
        raise UsageError("flows.lags_need_order")
    require_free(wish.name, workspace)
    frame = read_table(wish.source, workspace)
    require_columns(wish, frame)
    target = frame[wish.target]
    require_target(target, wish.sparse)
    contract = _with_target(infer_contract(frame, name=wish.name, source=shown(wish.source)), wish)
    column = contract.column(wish.target)
    task = wish.task or guess_task(target, column.type)
    data = {"sources": {"data": as_written(wish.source)}, "target": wish.target, **_data_content(wish, task, frame, contract)}
    content = _spec_content(wish, task, column, data)
    spec = parse_spec(content, Path("project.yaml"))
    with making(wish.name, workspace) as folder:
        write_yaml(content, folder / "project.yaml")
        (folder / "model.py").write_text(model_py(wish, task), encoding="utf-8")
        (folder / "README.md").write_text(README.format(name=wish.name, source=shown(wish.source)), encoding="utf-8")
        write_contract(contract, contract_file(wish.name, workspace))
    guesses = sum(len(column.guesses) for column in contract.columns)
    return Made(workspace / "projects" / wish.name, contract_file(wish.name, workspace), spec, guesses)


def model_py(wish: Wish, task: TaskName) -> str:
    """Return the text of model.py."""
    made = MODEL_PY.format(name=wish.name, task=task)
    if not wish.lags:
        return made
    made = made.replace(
        "import tabular_candidates\n", "import tabular_candidates\nfrom leitstand.timeseries import lagged, stretches\n"
    )
    return made + LAGS_PY


def guess_task(target: pd.Series, kind: str) -> TaskName:
    """Return the task that a target suggests: classes for texts, yes/no and few whole numbers; a quantity otherwise."""
    if kind in ("string", "boolean"):
        return "classification"
    values = pd.to_numeric(target, errors="coerce").dropna()
    whole = bool(len(values)) and bool((values % 1 == 0).all())
    return "classification" if whole and values.nunique() <= MOST_CLASSES_GUESSED else "regression"


def _with_target(contract: Contract, wish: Wish) -> Contract:
    """Return the contract with the target and the time as the wish has them."""
    columns = tuple(
        column.model_copy(update={"required": not wish.sparse}) if column.name == wish.target else column
        for column in contract.columns
    )
    return contract.model_copy(update={"columns": columns, "time_column": wish.time or contract.time_column})


def _spec_content(wish: Wish, task: TaskName, target: Column, data: dict[str, Any]) -> dict[str, Any]:
    strategy = "time" if wish.time or wish.ordered else "group" if wish.group else "stratified"
    return {
        "project": wish.name,
        "title": {"de": wish.name, "en": wish.name},
        "task": task,
        "owner": {"name": "?"},
        "key_figure": {"name": {"de": target.name, "en": target.name}, "unit": target.unit or "–"},
        "data": data,
        "split": {"strategy": strategy, **({"gap_rows": wish.lags} if wish.lags else {})},
        **({"parameters": {"lags": wish.lags}} if wish.lags else {}),
    }


def _data_content(wish: Wish, task: TaskName, frame: pd.DataFrame, contract: Contract) -> dict[str, Any]:
    """Return what the data section says beside sources and target, as far as there is something to say."""
    classes = classes_by_text(frame[wish.target], contract.column(str(wish.target)))
    normal = wish.normal or str(frame[wish.target].value_counts().index[0])
    meant = (wish.target, wish.time, wish.series, wish.group, *wish.drop)
    content = {
        "positive": None if wish.positive is None else known_class(wish.positive, classes),
        "normal": known_class(normal, classes) if task == "anomaly" else None,
        "time": wish.time,
        "ordered": wish.ordered or None,
        "series": wish.series,
        "group": wish.group,
        "drop": [*wish.drop, *(name for name in identifiers(frame, contract) if name not in meant)] or None,
        "history_rows": wish.lags or None,
    }
    return {key: value for key, value in content.items() if value is not None}

"""A project: its decisions (project.yaml), its contract, and its pure functions (model.py)."""

import ast
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from leitstand.contract import Contract
from leitstand.errors import ProjectError
from leitstand.prediction import Predictions
from leitstand.spec import ProjectSpec, load_spec

Parameters = Mapping[str, Any]


@dataclass(frozen=True)
class Project:
    """A use case that is ready to run.

    ``model.py`` may define any of these pure functions; ``parameters`` is the section of that name in
    project.yaml, and the columns' roles of its data section (see ``parameters`` below):

    - ``prepare(tables, parameters) -> DataFrame``: join several sources into the frame that the contract describes
    - ``features(frame, parameters) -> DataFrame``: contract columns (without target) to model inputs, same index; may look at earlier
      rows only
    - ``candidates(features, parameters) -> dict[str, estimator]``: scikit-learn estimators, the simple one first; by default what suits a table
    - ``baseline(frame, parameters) -> array | None``: today's rule, the answer without learning (for anomaly: a score, the higher the
      worse); None where the data lack its columns
    - ``advise(frame, predictions, parameters) -> list[dict | None]``: what follows from each prediction

    Parameters
    ----------
    folder : where project.yaml and model.py are
    """

    spec: ProjectSpec
    contract: Contract
    folder: Path
    functions: ModuleType

    def __reduce__(self) -> tuple[Any, ...]:
        """Let a project travel between processes: its functions are loaded anew where they are called."""
        return _arrived, (self.spec, self.contract, self.folder)

    @property
    def name(self) -> str:
        """The slug."""
        return self.spec.project

    @property
    def parameters(self) -> Parameters:
        """What the functions of model.py get: ``parameters`` of project.yaml, and the names of columns by role.

        The roles are ``target``, ``time``, ``series`` and ``group`` as the data section has them (None where it has none), and ``files``, the
        columns that hold files. So no name stands in two places, and a template runs on a table whose columns are called otherwise.
        """
        data = self.spec.data
        files = [column.name for column in self.contract.columns if column.type == "file"]
        roles = {"target": data.target, "time": data.time, "series": data.series, "group": data.group, "files": files}
        return roles | self.spec.parameters

    @property
    def input_contract(self) -> Contract:
        """The contract of a prediction request: every column but the target and what is never learned from."""
        return self.contract.only([name for name in self.contract.names if name not in self.spec.not_learned])

    def defines(self, name: str) -> bool:
        """Return whether model.py defines the function."""
        return hasattr(self.functions, name)

    def prepare(self, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
        """Return the one frame that the contract describes."""
        if self.defines("prepare"):
            prepared: pd.DataFrame = self.functions.prepare(dict(tables), self.parameters)
            return prepared
        if len(tables) != 1:
            raise ProjectError("errors.prepare_missing", project=self.name, count=len(tables), names=", ".join(tables))
        return next(iter(tables.values()))

    def features(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the model inputs of conformed contract columns; same index."""
        columns = [name for name in self.input_contract.names if name in frame.columns]
        if self.defines("features"):
            made: pd.DataFrame = self.functions.features(frame[columns], self.parameters)
            return made
        return frame[columns]

    def candidates(self, features: pd.DataFrame) -> dict[str, Any]:
        """Return the unfitted estimators to compare, by name."""
        if self.defines("candidates"):
            made: dict[str, Any] = self.functions.candidates(features, self.parameters)
            return made
        from leitstand.pipelines import tabular_candidates  # loads scikit-learn, which a service of compiled models does without

        return tabular_candidates(self.spec.task, features)

    def baseline(self, frame: pd.DataFrame) -> np.ndarray | None:
        """Return the answers of today's rule for each row, or None where model.py names none or none fits the columns."""
        if not self.defines("baseline"):
            return None
        answers = self.functions.baseline(frame, self.parameters)
        return None if answers is None else np.asarray(answers)

    def advise(self, frame: pd.DataFrame, predictions: Predictions) -> Sequence[Mapping[str, Any] | None]:
        """Return what follows from each prediction; None where nothing does."""
        if not self.defines("advise"):
            return [None] * len(frame)
        advice: Sequence[Mapping[str, Any] | None] = self.functions.advise(frame, predictions, self.parameters)
        return advice

    @property
    def has_sample(self) -> bool:
        """Whether the project brings built-in data."""
        return (self.folder / "sample.py").is_file()

    @property
    def uses_sample(self) -> bool:
        """Whether a source is built-in data."""
        return any(source.sample is not None for source in self.spec.data.sources.values())

    def sample(self) -> ModuleType:
        """Return sample.py: ``SYNTHETIC`` (bool), ``write(folder, seed)`` that writes the files which the sources name.

        Raises
        ------
        ProjectError
            If there is none, or it cannot be loaded.
        """
        return load_module(self.folder / "sample.py", f"leitstand_project_{self.name}_sample")


def load(folder: Path, contract: Contract, *, lazily: bool = False) -> Project:
    """Return the project in ``folder`` with its contract, everything checked against everything.

    Parameters
    ----------
    lazily : load model.py only when one of its functions is called, for whoever does without most of them

    Raises
    ------
    ProjectError
        If project.yaml, model.py or the columns they name are wrong.
    """
    path = folder / "project.yaml"
    spec = load_spec(path)
    if spec.project != folder.name:
        raise ProjectError("errors.project_folder_differs", path=path, found=spec.project, expected=folder.name)
    _check_columns(spec, contract, path)
    model_file = folder / "model.py"
    if lazily or not model_file.exists():
        return _arrived(spec, contract, folder)
    return Project(spec, contract, folder, load_module(model_file, _module_name(spec)))


def _arrived(spec: ProjectSpec, contract: Contract, folder: Path) -> Project:
    """Return a project whose model.py is loaded when one of its functions is called."""
    model_file, name = folder / "model.py", _module_name(spec)
    return Project(spec, contract, folder, _Unloaded(model_file, name) if model_file.exists() else ModuleType(name))


def _module_name(spec: ProjectSpec) -> str:
    return f"leitstand_project_{spec.project}"


class _Unloaded(ModuleType):
    """A Python file that knows which names it defines and is loaded when one of them is asked for."""

    def __init__(self, path: Path, name: str) -> None:
        super().__init__(name)
        self._path = path
        self._defined = _names_defined(path)

    def __getattr__(self, name: str) -> Any:
        if name not in self._defined:
            raise AttributeError(name)
        return getattr(self._loaded, name)

    @cached_property
    def _loaded(self) -> ModuleType:
        return load_module(self._path, self.__name__)


def _names_defined(path: Path) -> set[str]:
    """Return the names that a Python file's own statements bind, nested ones left out."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError) as error:
        raise ProjectError("errors.model_py_broken", path=path, detail=f"{type(error).__name__}: {error}") from error
    names: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            names.add(statement.name)
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in statement.names}
        elif isinstance(statement, ast.Assign):
            names |= {target.id for target in statement.targets if isinstance(target, ast.Name)}
    return names


def load_module(path: Path, name: str) -> ModuleType:
    """Return the Python file ``path`` as a module, loaded anew.

    Raises
    ------
    ProjectError
        If it is missing or fails while loading.
    """
    if not path.is_file():
        raise ProjectError("errors.file_missing", path=path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ProjectError("errors.model_py_broken", path=path, detail="not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and joblib look modules up by name
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ProjectError("errors.model_py_broken", path=path, detail=f"{type(error).__name__}: {error}") from error
    return module


def _check_columns(spec: ProjectSpec, contract: Contract, path: Path) -> None:
    data = spec.data
    files = [column.name for column in contract.columns if column.type == "file"]
    if data.incoming is not None and data.incoming.api and files:
        raise ProjectError("errors.files_by_api", path=path, columns=", ".join(files))
    named = [("data.target", data.target), ("data.time", data.time), ("data.group", data.group), ("data.series", data.series)]
    named += [("data.drop", name) for name in data.drop] + [("data.slices", name) for name in data.slices]
    for key, column in named:
        if column is not None and column not in contract.names:
            shown = ", ".join(contract.names)
            raise ProjectError(
                "errors.column_not_in_contract", path=path, column=column, key=key, contract=spec.contract_file, columns=shown
            )

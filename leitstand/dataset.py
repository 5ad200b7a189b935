"""From accepted rows to what a model learns from: features, target, groups, order."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from leitstand.conforming import conform
from leitstand.contract import Column
from leitstand.errors import NotEnoughData, UnknownName
from leitstand.project import Project
from leitstand.split import holdout_mask, training_mask

MOST_CLASSES = 100
FEWEST_ROWS = 30  # below this a 20 % hold-out has under six rows and no interval says anything
FEWEST_PER_CLASS = 5


@dataclass(frozen=True)
class Dataset:
    """The labelled rows of a project, in time order where it has one.

    Parameters
    ----------
    frame : shape (n, …): conformed contract columns, target included
    features : shape (n, n_features): model inputs
    target : shape (n,): classes as in the contract; numbers; for anomaly whether the row is anomalous (bool)
    groups : shape (n,) or None
    baseline : shape (n,): answers of the project's own rule, or None where it has none
    """

    project: Project
    frame: pd.DataFrame
    features: pd.DataFrame
    target: np.ndarray
    groups: np.ndarray | None
    baseline: np.ndarray | None

    def __len__(self) -> int:
        return len(self.target)

    @property
    def discrete(self) -> bool:
        """Whether the target has classes."""
        return self.project.spec.task != "regression"

    @property
    def classes(self) -> tuple[str | int | float | bool, ...]:
        """The classes of a classification in scikit-learn's order; empty otherwise."""
        if self.project.spec.task != "classification":
            return ()
        return tuple(np.unique(self.target).tolist())

    def take(self, mask: np.ndarray) -> "Dataset":
        """Return some rows, given as a mask of shape (n,) or as positions."""
        return Dataset(
            self.project,
            self.frame.loc[mask] if mask.dtype == bool else self.frame.iloc[mask],
            self.features.loc[mask] if mask.dtype == bool else self.features.iloc[mask],
            self.target[mask],
            None if self.groups is None else self.groups[mask],
            None if self.baseline is None else self.baseline[mask],
        )


def make_dataset(project: Project, accepted: pd.DataFrame) -> Dataset:
    """Return what a project learns from, out of the rows that its contract accepted.

    Features and the project's baseline rule see all rows in time order; then the rows without a target are left out.

    Raises
    ------
    NotEnoughData
        If fewer than 30 labelled rows remain, or a class has fewer than five.
    """
    data = project.spec.data
    frame = in_order(project, accepted)
    labelled = frame[data.target].notna().to_numpy()
    if labelled.sum() < FEWEST_ROWS:
        raise NotEnoughData("errors.too_few_rows", project=project.name, rows=int(labelled.sum()), needed=FEWEST_ROWS)
    features = project.features(frame)
    rule = project.baseline(frame)
    whole = Dataset(
        project,
        frame,
        features,
        _target(project, frame),
        frame[data.group].astype(str).to_numpy() if data.group else None,
        rule,
    )
    dataset = whole.take(labelled)
    _require_classes(dataset)
    return dataset


def training_and_holdout(dataset: Dataset, fresh: int = 0) -> tuple[Dataset, Dataset]:
    """Return the two sides of the project's split.

    Parameters
    ----------
    fresh : how many of the newest rows come from after a change; see ``leitstand.split.holdout_mask``

    Raises
    ------
    NotEnoughData
        If one side would be empty, or the hold-out has one class only.
    """
    settings = dataset.project.spec.split
    held = holdout_mask(settings, dataset.features, dataset.target, dataset.groups, dataset.discrete, fresh)
    if dataset.project.spec.task != "regression" and len(np.unique(dataset.target[held])) < 2:
        name, value = dataset.project.name, dataset.target[held][0]
        raise NotEnoughData(
            "errors.one_class_held_out", project=name, rows=int(held.sum()), value=value, strategy=settings.strategy
        )
    return dataset.take(training_mask(settings, held)), dataset.take(held)


def in_order(project: Project, accepted: pd.DataFrame) -> pd.DataFrame:
    """Return the conformed rows in time order (and within one moment by series), numbered from 0; as they stand without a time."""
    data = project.spec.data
    frame = conform(accepted, project.contract).reset_index(drop=True)
    if data.time is None:
        return frame
    order = [name for name in (data.time, data.series) if name is not None]
    return frame.sort_values(order, kind="stable", na_position="first", ignore_index=True)  # the newest rows have a time


def class_values(values: pd.Series, column: Column) -> np.ndarray:
    """Return class labels as the contract types them: text, int or bool instead of the conformed float."""
    if column.type == "boolean":
        return values.to_numpy() == 1
    if column.type == "integer" or (column.type == "number" and (values.dropna() % 1 == 0).all()):
        return values.to_numpy().astype(np.int64)
    return values.to_numpy()


def positive_class(dataset: Dataset) -> str | int | float | bool | None:
    """Return the class that matters: as project.yaml says, otherwise the rarer of two; None for other tasks.

    Raises
    ------
    UnknownName
        If project.yaml names a class that the data do not have.
    """
    classes = dataset.classes
    if len(classes) != 2:
        return None
    named = dataset.project.spec.data.positive
    if named is None:
        return classes[0] if np.mean(dataset.target == classes[0]) < 0.5 else classes[1]
    if named not in classes:
        raise UnknownName("class", str(named), [str(name) for name in classes])
    return classes[classes.index(named)]


def _target(project: Project, frame: pd.DataFrame) -> np.ndarray:
    values = frame[project.spec.data.target]
    column = project.contract.column(project.spec.data.target)
    if project.spec.task == "regression":
        return values.to_numpy(dtype=float)
    if project.spec.task == "anomaly":
        normal = project.spec.data.normal
        return (values.notna() & (values != (float(normal) if column.type != "string" else normal))).to_numpy()  # type: ignore[arg-type]
    return class_values(values.fillna(0) if column.type != "string" else values, column)


def _require_classes(dataset: Dataset) -> None:
    if not dataset.discrete:
        return
    target, name = dataset.project.spec.data.target, dataset.project.name
    counts = pd.Series(dataset.target).value_counts()
    if dataset.project.spec.task == "anomaly":
        normal = int((~dataset.target).sum())
        if normal < FEWEST_ROWS:
            raise NotEnoughData("errors.too_few_normal", project=name, target=target, rows=normal, needed=FEWEST_ROWS)
        return
    if len(counts) < 2:
        raise NotEnoughData("errors.one_class", project=name, target=target, value=counts.index[0])
    if len(counts) > MOST_CLASSES:
        raise NotEnoughData("errors.too_many_classes", project=name, target=target, found=len(counts), most=MOST_CLASSES)
    if counts.min() < FEWEST_PER_CLASS:
        rare = ", ".join(f"{value} ({count})" for value, count in counts[counts < FEWEST_PER_CLASS].head(5).items())
        raise NotEnoughData("errors.rare_class", project=name, target=target, rare=rare, needed=FEWEST_PER_CLASS)

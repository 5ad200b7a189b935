"""Finding columns that give the target away: known only because the answer is known."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.tree import DecisionTreeClassifier

from leitstand.dataset import Dataset
from leitstand.errors import LeakError

CERTAIN = 1e-9  # chance that an honest flag would be as pure
MOST_ROWS = 10_000  # a leak shows in any sample of this size


@dataclass(frozen=True)
class Leak:
    """A suspected leak: the column and what was seen."""

    column: str
    finding: str


def refuse_leaks(dataset: Dataset) -> None:
    """Stop when a contract column gives the target away.

    Raises
    ------
    LeakError
        Names every such column with what was seen, and how to drop it or to declare it as checked.
    """
    leaks = find_leaks(dataset)
    if leaks:
        columns = ", ".join(leak.column for leak in leaks)
        findings = "; ".join(f"{leak.column}: {leak.finding}" for leak in leaks[:5])
        raise LeakError(
            "errors.leak",
            project=dataset.project.name,
            target=dataset.project.spec.data.target,
            columns=columns,
            findings=findings,
        )


def find_leaks(dataset: Dataset) -> list[Leak]:
    """Return the contract columns that give the target away, except those that a person has declared as checked.

    Three signs: the column orders the numbers exactly as the target does; a shallow tree on the column alone names every class without one
    error; a yes/no column whose one value only ever goes with one class, more often than chance allows (binomial).
    """
    project = dataset.project
    names = [name for name in project.input_contract.names if name not in project.spec.data.checked]
    step = max(1, len(dataset) // MOST_ROWS)
    frame, target = dataset.frame.iloc[::step], dataset.target[::step]
    leaks = []
    for name in names:
        if project.contract.column(name).type not in ("file", "date", "timestamp"):
            finding = _number_leak(frame[name], target) if not dataset.discrete else _class_leak(frame[name], target)
            if finding:
                leaks.append(Leak(name, finding))
    return leaks


def _number_leak(values: pd.Series, target: np.ndarray) -> str | None:
    if values.dtype == object or values.nunique() < 10:
        return None
    both = values.notna().to_numpy()
    if both.sum() < 30:
        return None
    same = abs(np.corrcoef(values[both], target[both])[0, 1])
    return f"correlation {same:.6f}" if same > 0.99999 else None


def _class_leak(values: pd.Series, target: np.ndarray) -> str | None:
    codes = pd.factorize(values, use_na_sentinel=False)[0] if values.dtype == object else values.fillna(-1e300).to_numpy()
    classes = pd.factorize(target)[0]
    distinct = len(np.unique(codes))
    if distinct < 2 or (values.dtype == object and distinct > len(values) // 4):
        return None
    tree = DecisionTreeClassifier(max_leaf_nodes=max(2, min(distinct, 2 * len(np.unique(classes)))), random_state=0)
    single = np.asarray(codes, dtype=float).reshape(-1, 1).clip(-3e38, 3e38)  # trees compute in float32
    if tree.fit(single, classes).score(single, classes) == 1.0:
        return "this column alone names every class without one error"
    return _pure_flag(codes, target) if distinct == 2 else None


def _pure_flag(codes: np.ndarray, target: np.ndarray) -> str | None:
    for value in np.unique(codes):
        inside = target[codes == value]
        first = inside[0]
        share = float(np.mean(target == first))
        if np.all(inside == first) and share <= 0.5 and share ** len(inside) < CERTAIN:
            return f"all {len(inside)} rows with one of its two values are '{first}', which {share:.1%} of all rows are"
    return None

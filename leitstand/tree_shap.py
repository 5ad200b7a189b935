"""Exact Shapley values of sums of trees, by the package ``shap``; the only module that imports it, and only when it is needed.

Interventional TreeSHAP (Lundberg et al., Nature Machine Intelligence 2, 2020). shap 0.51 compares with thresholds cut to 32 bits and so sends rows
down wrong branches (its issue 5116). Here both sides of each comparison are replaced by small whole numbers that compare the same way: a
threshold by its rank in its column, a value by the number of thresholds below it.
"""

from importlib.util import find_spec
from typing import Any

import numpy as np
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

MOST_NODES = 500_000  # 90 bytes each; a forest of 200 trees on 20,000 rows has ten times as many

# Their answer is a sum of trees in the unit of the answer. Boosted classifiers are not among them: their trees add up to log-odds.
KINDS = (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
)


def can_explain(estimator: Any) -> bool:
    """Say whether the estimator is a sum of trees that shap reads and has room for; a slim package may go without shap."""
    if not isinstance(estimator, KINDS) or getattr(estimator, "is_categorical_", None) is not None:
        return False
    return _nodes(estimator) <= MOST_NODES and find_spec("shap") is not None


def _nodes(estimator: Any) -> int:
    """Return how many nodes shap makes room for: as many in each tree as in the largest one. Boosted ones are small."""
    if isinstance(estimator, HistGradientBoostingRegressor):
        return 0
    trees = np.ravel(getattr(estimator, "estimators_", estimator)).tolist()
    return len(trees) * max(tree.tree_.node_count for tree in trees)


class TreeShap:
    """Trees made ready to be explained against background rows.

    Parameters
    ----------
    estimator : fitted, see ``can_explain``
    background : shape (n, n_columns)
    """

    def __init__(self, estimator: Any, background: np.ndarray) -> None:
        from shap import TreeExplainer  # half a second and 90 MB, that only those pay who ask

        # the forests look at 32 bits of a value
        self._precision: Any = float if isinstance(estimator, HistGradientBoostingRegressor) else np.float32
        self._explainer = TreeExplainer(estimator, background, feature_perturbation="interventional")
        trees = self._explainer.model
        self._thresholds: list[np.ndarray] = []
        for column in range(background.shape[1]):
            splits = (trees.children_left >= 0) & (trees.features == column)
            thresholds, ranks = np.unique(trees.thresholds[splits], return_inverse=True)
            trees.thresholds[splits] = ranks
            self._thresholds.append(thresholds)
        trees.values = trees.values - trees.values[:, 0].mean(
            axis=0
        )  # shap keeps 32 bits, too few for small steps at a great height
        self._explainer.data = self._ranked(background)

    def parts(self, row: np.ndarray, output: int) -> np.ndarray:
        """Return shape (n_columns,): what each column adds to one output.

        Parameters
        ----------
        row : shape (1, n_columns)
        """
        values = np.asarray(self._explainer.shap_values(self._ranked(row), check_additivity=False))
        return values[0, :, output] if values.ndim == 3 else values[0]

    def _ranked(self, rows: np.ndarray) -> np.ndarray:
        seen = rows.astype(self._precision)
        ranks = np.column_stack([np.searchsorted(limits, seen[:, i]) for i, limits in enumerate(self._thresholds)])
        return np.where(np.isnan(seen), np.nan, ranks)

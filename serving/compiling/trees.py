"""Tree ensembles as one node each.

The operator ``TreeEnsemble`` works in float64 throughout, and has to: in float32 rows change sides at the borders, and sums of a large unit lose
the digits that are compared. It gives every leaf one class to speak of, so a forest of more than two classes takes the operator before it, whose
answer is float32, fine enough for probabilities.

scikit-learn's forests round the input to float32 and compare that with float64 thresholds; so does the graph.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto, numpy_helper

from serving.compiling.graph import Graph, Unsupported, Wire

SUM, NO_TRANSFORM = 1, 0


@dataclass(frozen=True)
class Tree:
    """The nodes of one tree.

    Parameters
    ----------
    leaf : shape (n,): whether a node is one
    feature, threshold, left, right, missing_left : shape (n,): of the other nodes; the left child takes x ≤ threshold
    values : shape (n, targets): of the leaves
    target : that a single value speaks of
    """

    leaf: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    missing_left: np.ndarray
    values: np.ndarray
    target: int = 0


def summed(graph: Graph, wire: Wire, trees: Sequence[Tree], targets: int) -> Wire:
    """Write the sum over trees with one value per leaf, shape (n, targets)."""
    graph.need("ai.onnx.ml", 5)
    parts = [_split(tree) for tree in trees]
    inner_starts = np.cumsum([0, *(len(part["feature"]) for part in parts)])
    leaf_starts = np.cumsum([0, *(len(part["weight"]) for part in parts)])

    def every(name: str) -> np.ndarray:
        return np.concatenate([part[name] for part in parts])

    def children(side: str) -> list[int]:
        starts = zip(parts, leaf_starts[:-1], inner_starts[:-1], strict=True)
        whole = [part[side] + np.where(part[f"{side}_leaf"], leaves, inner) for part, leaves, inner in starts]
        return list(np.concatenate(whole).tolist())

    total = graph.add(
        "TreeEnsemble",
        wire.name,
        domain="ai.onnx.ml",
        aggregate_function=SUM,
        post_transform=NO_TRANSFORM,
        n_targets=targets,
        tree_roots=inner_starts[:-1].tolist(),
        nodes_featureids=every("feature").tolist(),
        nodes_splits=numpy_helper.from_array(every("threshold")),
        nodes_modes=numpy_helper.from_array(np.zeros(inner_starts[-1], np.uint8)),  # all of them: x ≤ threshold
        nodes_missing_value_tracks_true=every("missing_left").astype(int).tolist(),
        nodes_truenodeids=children("left"),
        nodes_trueleafs=every("left_leaf").astype(int).tolist(),
        nodes_falsenodeids=children("right"),
        nodes_falseleafs=every("right_leaf").astype(int).tolist(),
        leaf_targetids=np.repeat([tree.target for tree in trees], np.diff(leaf_starts)).tolist(),
        leaf_weights=numpy_helper.from_array(every("weight")),
    )
    return Wire(total, targets)


def voted(graph: Graph, wire: Wire, trees: Sequence[Tree]) -> Wire:
    """Write the sum over trees with a value per leaf and class, shape (n, classes), in float32."""
    graph.need("ai.onnx.ml", 3)
    classes = trees[0].values.shape[1]
    leaf, leaves = np.concatenate([tree.leaf for tree in trees]), [int(tree.leaf.sum()) for tree in trees]
    speaking = np.concatenate([np.repeat(np.flatnonzero(tree.leaf), classes) for tree in trees])

    def inner(name: str) -> np.ndarray:
        return np.where(leaf, 0, np.concatenate([getattr(tree, name) for tree in trees]))

    total = graph.add(
        "TreeEnsembleRegressor",
        graph.cast(wire.name, TensorProto.FLOAT),
        domain="ai.onnx.ml",
        n_targets=classes,
        nodes_treeids=np.repeat(np.arange(len(trees)), [len(tree.leaf) for tree in trees]).tolist(),
        nodes_nodeids=np.concatenate([np.arange(len(tree.leaf)) for tree in trees]).tolist(),
        nodes_featureids=inner("feature").tolist(),
        nodes_values=rounded_down(inner("threshold")).tolist(),
        nodes_modes=np.where(leaf, "LEAF", "BRANCH_LEQ").tolist(),
        nodes_truenodeids=inner("left").tolist(),
        nodes_falsenodeids=inner("right").tolist(),
        nodes_missing_value_tracks_true=inner("missing_left").astype(int).tolist(),
        target_treeids=np.repeat(np.arange(len(trees)), np.multiply(leaves, classes)).tolist(),
        target_nodeids=speaking.tolist(),
        target_ids=np.tile(np.arange(classes), sum(leaves)).tolist(),
        target_weights=np.concatenate([tree.values[tree.leaf].ravel() for tree in trees]).tolist(),
    )
    return Wire(graph.cast(total, TensorProto.DOUBLE), classes)


def boosted_scores(graph: Graph, model: Any, wire: Wire) -> Wire:
    """Write the raw scores of histogram gradient boosting."""
    if model.is_categorical_ is not None and model.is_categorical_.any():
        raise Unsupported(f"{type(model).__name__} with categorical features")
    trees = [_boosted(predictor.nodes, k) for stage in model._predictors for k, predictor in enumerate(stage)]
    total = summed(graph, wire, trees, model.n_trees_per_iteration_)
    baseline = np.reshape(model._baseline_prediction, (1, -1))
    return Wire(graph.add("Add", total.name, graph.constant(baseline)), total.width)


def boosted_classifier(graph: Graph, model: Any, wire: Wire) -> Wire:
    """Write the probabilities of histogram gradient boosting."""
    scores = boosted_scores(graph, model, wire)
    if scores.width == 1:
        return graph.two_classes(graph.add("Sigmoid", scores.name))
    return Wire(graph.add("Softmax", scores.name, axis=1), scores.width)


def boosted_regressor(graph: Graph, model: Any, wire: Wire) -> Wire:
    """Write the numbers of histogram gradient boosting."""
    scores = boosted_scores(graph, model, wire)
    if model.loss in ("poisson", "gamma"):
        return Wire(graph.add("Exp", scores.name), 1)
    return scores


def forest_classifier(graph: Graph, model: Any, wire: Wire) -> Wire:
    """Write the mean probabilities of a forest's trees, or those of one tree; of two classes the trees speak of the second only."""
    trees = _single_target(model)
    count = graph.constant([[float(len(trees))]])
    if len(model.classes_) == 2:
        second = summed(graph, _in_float32(graph, wire), [_grown(tree, tree.value[:, 0, 1]) for tree in trees], 1)
        return graph.two_classes(graph.add("Div", second.name, count))
    votes = voted(graph, wire, [_grown(tree, tree.value[:, 0, :]) for tree in trees])
    return Wire(graph.add("Div", votes.name, count), votes.width)


def forest_regressor(graph: Graph, model: Any, wire: Wire) -> Wire:
    """Write the mean of a forest's trees, or the number of one tree."""
    trees = [_grown(tree, tree.value[:, 0, 0]) for tree in _single_target(model)]
    total = summed(graph, _in_float32(graph, wire), trees, 1)
    return Wire(graph.add("Div", total.name, graph.constant([[float(len(trees))]])), 1)


def isolation_forest(graph: Graph, model: Any, wire: Wire) -> Wire:
    """Write the anomaly score of an isolation forest (Liu, Ting & Zhou, ICDM 2008, eq. 2), turned round as scikit-learn does."""
    rows = model._max_samples
    if rows <= 2:
        raise Unsupported(f"{type(model).__name__} of {rows} rows")
    trees = []
    for place, (tree, features) in enumerate(zip(model.estimators_, model.estimators_features_, strict=True)):
        depths = model._decision_path_lengths[place] + model._average_path_length_per_tree[place] - 1.0
        trees.append(_grown(tree.tree_, depths, features if model._max_features != wire.width else None))
    total = summed(graph, _in_float32(graph, wire), trees, 1)
    longest = 2.0 * (np.log(rows - 1.0) + np.euler_gamma) - 2.0 * (rows - 1.0) / rows
    exponent = graph.add("Mul", total.name, graph.constant([[-np.log(2.0) / (len(trees) * longest)]]))
    return Wire(graph.add("Neg", graph.add("Exp", exponent)), 1)


def rounded_down(values: np.ndarray) -> np.ndarray:
    """Return for each float64 t the largest float32 that is not above it: x ≤ t holds for the same float32 x."""
    rounded = values.astype(np.float32)
    down: np.ndarray = np.where(rounded > values, np.nextafter(rounded, np.float32(-np.inf)), rounded)
    return down


def _single_target(model: Any) -> list[Any]:
    if model.n_outputs_ > 1:
        raise Unsupported(f"{type(model).__name__} with several targets")
    return [tree.tree_ for tree in getattr(model, "estimators_", [model])]


def _in_float32(graph: Graph, wire: Wire) -> Wire:
    return Wire(graph.cast(graph.cast(wire.name, TensorProto.FLOAT), TensorProto.DOUBLE), wire.width)


def _boosted(nodes: np.ndarray, target: int) -> Tree:
    return Tree(
        leaf=nodes["is_leaf"].astype(bool),
        feature=nodes["feature_idx"].astype(np.int64),
        threshold=nodes["num_threshold"],
        left=nodes["left"].astype(np.int64),
        right=nodes["right"].astype(np.int64),
        missing_left=nodes["missing_go_to_left"].astype(bool),
        values=nodes["value"],
        target=target,
    )


def _grown(tree: Any, values: np.ndarray, features: np.ndarray | None = None) -> Tree:
    leaf = tree.children_left < 0
    feature = np.where(leaf, 0, tree.feature)
    return Tree(
        leaf=leaf,
        feature=feature if features is None else np.asarray(features)[feature],
        threshold=tree.threshold,
        left=tree.children_left,
        right=tree.children_right,
        missing_left=tree.missing_go_to_left.astype(bool),
        values=values,
    )


def _split(tree: Tree) -> dict[str, np.ndarray]:
    """Return the inner nodes and the leaves of a tree apart, children counted among their own kind."""
    if tree.leaf[0]:  # the operator has no tree without a question: both answers lead to the leaf
        nothing = np.zeros(1)
        ones = {name: np.ones(1, bool) for name in ("left_leaf", "right_leaf", "missing_left")}
        return (
            ones
            | {name: nothing.astype(np.int64) for name in ("feature", "left", "right")}
            | {"threshold": nothing, "weight": tree.values[:1]}
        )
    place = np.where(tree.leaf, np.cumsum(tree.leaf), np.cumsum(~tree.leaf)) - 1
    inner = ~tree.leaf
    left, right = tree.left[inner], tree.right[inner]
    return {
        "feature": tree.feature[inner],
        "threshold": tree.threshold[inner].astype(np.float64),
        "missing_left": tree.missing_left[inner],
        "left": place[left],
        "left_leaf": tree.leaf[left],
        "right": place[right],
        "right_leaf": tree.leaf[right],
        "weight": tree.values[tree.leaf].astype(np.float64),
    }

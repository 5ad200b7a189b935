"""Linear models, kernel machines, their calibration, and our detectors, as matrix operations in float64."""

from typing import Any

import numpy as np

from serving.compiling.graph import Graph, Unsupported, Wire
from serving.compiling.trees import forest_classifier


def linear_classifier(graph: Graph, model: Any, wire: Wire) -> Wire:
    """Write the probabilities of a logistic regression."""
    if model.solver == "liblinear" and len(model.classes_) > 2:
        raise Unsupported(f"{type(model).__name__} one class against the rest")
    scores = graph.affine(wire, model.coef_.T, model.intercept_)
    if scores.width == 1:
        return graph.two_classes(graph.add("Sigmoid", scores.name))
    return Wire(graph.add("Softmax", scores.name, axis=1), scores.width)


def linear_regressor(graph: Graph, model: Any, wire: Wire) -> Wire:
    """Write the numbers of a linear regression."""
    coefficients = np.atleast_2d(model.coef_)
    return graph.affine(wire, coefficients.T, np.broadcast_to(model.intercept_, len(coefficients)))


def kernel_regressor(graph: Graph, model: Any, wire: Wire) -> Wire:
    """Write the numbers of a support vector regression."""
    return graph.affine(_kernel(graph, model, wire), model.dual_coef_.T, model.intercept_)


def calibrated_classifier(graph: Graph, model: Any, wire: Wire) -> Wire:
    """Write the mean probabilities of classifiers with sigmoid calibration (Platt, 1999)."""
    parts = [_calibrated(graph, part, wire, model.classes_) for part in model.calibrated_classifiers_]
    if len(parts) == 1:
        return parts[0]
    total = graph.add("Sum", *(part.name for part in parts))
    return Wire(graph.add("Div", total, graph.constant([[float(len(parts))]])), parts[0].width)


def pca_residual(graph: Graph, model: Any, wire: Wire) -> Wire:
    """Write the score of ``leitstand.estimators.PcaResidual``."""
    centred = graph.add("Sub", wire.name, graph.constant([model.mean_]))
    places = graph.add("MatMul", centred, graph.constant(model.components_.T))
    near = graph.add("MatMul", places, graph.constant(model.components_))
    residual = graph.add("Sub", centred, near)
    scaled = graph.add("Div", places, graph.constant([np.sqrt(model.variance_ * model.limits_[0])]))
    off_plane = graph.add("Div", residual, graph.constant([[np.sqrt(model.limits_[1])]]))
    statistics = [graph.add("ReduceSumSquare", part, graph.constant([1], np.int64), keepdims=1) for part in (scaled, off_plane)]
    return Wire(graph.add("Neg", graph.add("Add", *statistics)), 1)


def nearest_normal(graph: Graph, model: Any, wire: Wire) -> Wire:
    """Write the score of ``leitstand.estimators.NearestNormal``: distances to all remembered rows at once."""
    index = model.index_
    if index.effective_metric_ != "euclidean":
        raise Unsupported(f"{type(model).__name__} with {index.effective_metric_} distances")
    squared = _squared_distances(graph, wire, np.asarray(index._fit_X, dtype=np.float64))
    count = graph.constant([index.n_neighbors], np.int64)
    nearest = graph.add("TopK", squared, count, axis=1, largest=0, sorted=0)
    distances = graph.add("Sqrt", graph.add("Max", nearest, graph.constant([[0.0]])))
    mean = graph.add("ReduceMean", distances, graph.constant([1], np.int64), keepdims=1)
    return Wire(graph.add("Neg", mean), 1)


def _calibrated(graph: Graph, part: Any, wire: Wire, classes: np.ndarray) -> Wire:
    if not np.array_equal(part.estimator.classes_, classes):
        raise Unsupported("CalibratedClassifierCV with a class missing from one fold")
    if any(type(calibrator).__name__ != "_SigmoidCalibration" for calibrator in part.calibrators):
        raise Unsupported(f"CalibratedClassifierCV by {part.method}")
    scores = _response(graph, part.estimator, wire)
    slopes = np.array([[calibrator.a_ for calibrator in part.calibrators]], dtype=float)
    offsets = np.array([[calibrator.b_ for calibrator in part.calibrators]], dtype=float)
    shifted = graph.add("Add", graph.add("Mul", scores.name, graph.constant(-slopes)), graph.constant(-offsets))
    chances = graph.add("Sigmoid", shifted)
    if len(classes) == 2:
        return graph.two_classes(chances)
    total = graph.add("ReduceSum", chances, graph.constant([1], np.int64), keepdims=1)
    return Wire(graph.add("Div", chances, total), len(classes))


def _response(graph: Graph, model: Any, wire: Wire) -> Wire:
    """Write what a calibration looks at: a margin per class, of two classes that of the second."""
    kind = type(model).__name__
    if kind == "LogisticRegression":
        return graph.affine(wire, model.coef_.T, model.intercept_)
    if kind in ("RandomForestClassifier", "ExtraTreesClassifier"):
        chances = forest_classifier(graph, model, wire)
        return graph.columns(chances, [1]) if chances.width == 2 else chances
    if kind != "SVC":
        raise Unsupported(f"CalibratedClassifierCV of {kind}")
    margins = graph.affine(_kernel(graph, model, wire), _pairwise(model), model.intercept_)
    if len(model.classes_) == 2:
        return margins
    if model.decision_function_shape != "ovr" or model.break_ties:
        raise Unsupported("SVC with one margin per pair of classes")
    return _votes(graph, margins, len(model.classes_))


def _kernel(graph: Graph, model: Any, wire: Wire) -> Wire:
    """Write the similarity to each support vector, shape (n, vectors)."""
    vectors = np.asarray(model.support_vectors_, dtype=np.float64)
    if model.kernel == "linear":
        return Wire(graph.add("MatMul", wire.name, graph.constant(vectors.T)), len(vectors))
    if model.kernel != "rbf":
        raise Unsupported(f"{type(model).__name__} with kernel {model.kernel}")
    squared = _squared_distances(graph, wire, vectors, factor=-model._gamma)
    return Wire(graph.add("Exp", squared), len(vectors))


def _squared_distances(graph: Graph, wire: Wire, points: np.ndarray, factor: float = 1.0) -> str:
    """Write ``factor`` · |x − p|² = |x|² − 2 x·p + |p|² for every point, shape (n, points), as one matrix product with x beside |x|²."""
    own = graph.add("ReduceSumSquare", wire.name, graph.constant([1], np.int64), keepdims=1)
    both = graph.beside([wire, Wire(own, 1)])
    weights = factor * np.vstack([-2.0 * points.T, np.ones((1, len(points)))])
    return graph.affine(both, weights, factor * (points**2).sum(axis=1)).name


def _pairwise(model: Any) -> np.ndarray:
    """Return the weight of each support vector in the margin of each pair of classes, shape (vectors, pairs).

    libsvm keeps them folded: row j − 1 of class i's vectors, and row i of class j's, belong to the pair i < j (Chang & Lin, ACM TIST 2(3),
    2011, section 4.1.2).
    """
    classes, dual = len(model.classes_), model.dual_coef_
    if classes == 2:
        return dual.T
    starts = np.cumsum([0, *model.n_support_])
    weights = np.zeros((dual.shape[1], classes * (classes - 1) // 2))
    pairs = [(i, j) for i in range(classes) for j in range(i + 1, classes)]
    for place, (i, j) in enumerate(pairs):
        of_i, of_j = slice(starts[i], starts[i + 1]), slice(starts[j], starts[j + 1])
        weights[of_i, place], weights[of_j, place] = dual[j - 1, of_i], dual[i, of_j]
    return weights


def _votes(graph: Graph, margins: Wire, classes: int) -> Wire:
    """Write votes per class plus a third of a vote for the summed margins, as ``sklearn.utils.multiclass`` does."""
    pairs = [(i, j) for i in range(classes) for j in range(i + 1, classes)]
    sides = np.zeros((len(pairs), classes))
    for place, (i, j) in enumerate(pairs):
        sides[place, i], sides[place, j] = 1.0, -1.0
    summed = graph.add("MatMul", margins.name, graph.constant(sides))
    size = graph.add("Add", graph.add("Abs", summed), graph.constant([[1.0]]))
    part = graph.add("Div", summed, graph.add("Mul", size, graph.constant([[3.0]])))
    lost = graph.cast(graph.add("Less", margins.name, graph.constant([[0.0]])), 11)
    # a vote goes to i where the margin is not below 0, otherwise to j: sum of [side i] + lost · ([side j] − [side i])
    won = graph.affine(Wire(lost, len(pairs)), -sides, np.maximum(sides, 0).sum(axis=0))
    return Wire(graph.add("Add", won.name, part), classes)

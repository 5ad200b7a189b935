"""Steps that skl2onnx writes.

Not those of the platform's own candidates: skl2onnx 1.20 fails on scikit-learn 1.9's histogram gradient boosting, of other tree ensembles in
float64 it makes graphs that ONNX Runtime refuses, and its kernel machines compute in float32.
"""

from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, compose

from serving.compiling.graph import OPSET, Graph, Unsupported, Wire


def by_skl2onnx(graph: Graph, step: Any, wire: Wire) -> Wire:
    """Write a step as skl2onnx does, in float64, or else in float32, whichever first gives a graph that runs.

    Raises
    ------
    Unsupported
        If neither does.
    """
    from skl2onnx import convert_sklearn  # slow to import, and seldom needed
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    classifies = hasattr(step, "predict_proba")
    if not (classifies or hasattr(step, "transform") or (hasattr(step, "predict") and not hasattr(step, "score_samples"))):
        raise Unsupported(type(step).__name__)
    for tensor, dtype in ((DoubleTensorType, np.float64), (FloatTensorType, np.float32)):
        try:
            made = convert_sklearn(
                step,
                initial_types=[("X", tensor([None, wire.width]))],
                options={id(step): {"zipmap": False}} if classifies else None,
                target_opset={"": OPSET, "ai.onnx.ml": 3},
            )
            session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
            shape = session.run(None, {"X": np.zeros((1, wire.width), dtype)})[1 if classifies else 0].shape
        except Exception:  # noqa: S112 - whatever keeps skl2onnx from it, the original answers
            continue
        return _inlined(graph, made, 1 if classifies else 0, wire, int(np.prod(shape[1:])))
    raise Unsupported(type(step).__name__)


def _inlined(graph: Graph, made: Any, output: int, wire: Wire, width: int) -> Wire:
    for opset in made.opset_import:
        if any(node.domain == opset.domain for node in made.graph.node):
            graph.need(opset.domain, OPSET if opset.domain == "" else 3)
    prefix = f"step{len(graph.nodes)}_"
    part = compose.add_prefix(made, prefix).graph
    entry = graph.cast(wire.name, part.input[0].type.tensor_type.elem_type)
    for node in part.node:
        node.input[:] = [entry if name == part.input[0].name else name for name in node.input]
    graph.nodes.extend(part.node)
    graph.constants.extend(part.initializer)
    whole = graph.add("Reshape", part.output[output].name, graph.constant([-1, width], np.int64))
    return Wire(graph.cast(whole, TensorProto.DOUBLE), width)

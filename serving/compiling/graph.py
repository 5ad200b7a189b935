"""An ONNX graph while it is written: wires between nodes, every one a matrix of float64 with one row per row of the input."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from serving.compilation import Input

OPSET, IR_VERSION = 18, 9


class Unsupported(Exception):
    """A step that cannot be written as a graph; the message names it."""


@dataclass(frozen=True)
class Wire:
    """A matrix in the graph.

    Parameters
    ----------
    inputs : where it holds columns of the model's inputs as they came, those; then ``width`` is the sum of theirs
    """

    name: str
    width: int
    inputs: tuple[Input, ...] = ()


class Graph:
    """The nodes and constants written so far.

    Parameters
    ----------
    inputs : of the model
    """

    def __init__(self, inputs: Sequence[Input]) -> None:
        self.input = Wire("X", sum(column.width for column in inputs), tuple(inputs))
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.opsets = {"": OPSET}

    def need(self, domain: str, version: int) -> None:
        """Note which version of a set of operators the nodes come from.

        Raises
        ------
        Unsupported
            If other nodes come from another one.
        """
        if self.opsets.setdefault(domain, version) != version:
            raise Unsupported(f"steps that need versions {self.opsets[domain]} and {version} of {domain or 'ONNX'}")

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Write a node and return its first output's name."""
        name = f"{operator}{len(self.nodes)}"
        outputs = [name, f"{name}_places"] if operator == "TopK" else [name]
        self.nodes.append(helper.make_node(operator, inputs, outputs, name=name, domain=domain, **attributes))
        return name

    def constant(self, values: Any, dtype: Any = np.float64) -> str:
        """Write a constant and return its name."""
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values, dtype=dtype), name))
        return name

    def cast(self, wire: str, kind: int) -> str:
        """Write a conversion to a type of ``onnx.TensorProto``."""
        return self.add("Cast", wire, to=kind)

    def affine(self, wire: Wire, factor: np.ndarray, offset: np.ndarray) -> Wire:
        """Write ``wire @ factor + offset``; ``factor`` of shape (width, k), ``offset`` of shape (k,)."""
        product = self.add("MatMul", wire.name, self.constant(factor))
        return Wire(self.add("Add", product, self.constant(np.reshape(offset, (1, -1)))), factor.shape[1])

    def columns(self, wire: Wire, places: Iterable[int]) -> Wire:
        """Write a choice of columns; of a wire that holds inputs ``places`` counts those, otherwise columns."""
        places = list(places)
        chosen = tuple(wire.inputs[place] for place in places) if wire.inputs else ()
        if chosen:
            starts = np.cumsum([0, *(column.width for column in wire.inputs)])
            places = [int(column) for place in places for column in range(starts[place], starts[place + 1])]
        if places == list(range(wire.width)):
            return wire
        return Wire(self.add("Gather", wire.name, self.constant(places, np.int64), axis=1), len(places), chosen)

    def beside(self, wires: Sequence[Wire]) -> Wire:
        """Write matrices side by side."""
        if len(wires) == 1:
            return Wire(wires[0].name, wires[0].width)
        return Wire(self.add("Concat", *(wire.name for wire in wires), axis=1), sum(wire.width for wire in wires))

    def two_classes(self, second: str) -> Wire:
        """Write the probabilities of two classes, given that of the second, shape (n, 1)."""
        return self.beside([Wire(self.add("Sub", self.constant([[1.0]]), second), 1), Wire(second, 1)])

    def content(self, output: Wire) -> bytes:
        """Return the graph as a file's content, answering with ``output``."""
        graph = helper.make_graph(
            self.nodes,
            "model",
            [helper.make_tensor_value_info("X", TensorProto.DOUBLE, [None, self.input.width])],
            [helper.make_tensor_value_info(output.name, TensorProto.DOUBLE, [None, output.width])],
            self.constants,
        )
        opsets = [helper.make_opsetid(domain, version) for domain, version in self.opsets.items()]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="leitstand")
        content: bytes = model.SerializeToString()
        return content

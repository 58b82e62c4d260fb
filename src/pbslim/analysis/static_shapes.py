"""Shapes that are known without running the graph, worked out only on demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from pbslim.dtypes import INT32, INT64, DType, Shape
from pbslim.errors import DecodeError, GraphError, TransformError
from pbslim.ir import FunctionRef, Graph, Node, Value
from pbslim.ir.facts import fact
from pbslim.ir.order import file_order
from pbslim.ir.tensors import Array
from pbslim.ops.families import ALIASES, CALLS, ENTERS

_SMALL = 1 << 12
_MOST_CALLS, _DEEPEST_CALL = 1 << 10, 32
_OLD_PRODUCER = 24  # before this version a Placeholder with an empty shape meant an unknown one


class StaticShapes:
    """The shapes of all values of a graph.

    Nothing is computed before the first question. Calls of functions are followed into the bodies.

    Args:
        arguments: for the body of a function, the name and shape of each argument.
        notes: take the shapes in ``_output_shapes`` for true as well.
    """

    def __init__(self, graph: Graph, arguments: Mapping[str, Shape] | None = None, *, notes: bool = False) -> None:
        self._graph, self._notes = graph, notes
        self._arguments = arguments or {}
        self._calls: dict[tuple[str, tuple[Shape, ...]], tuple[Shape, ...]] = {}
        self._depth = 0

    @cached_property
    def _order(self) -> Sequence[Node]:
        try:
            return file_order(self._graph)
        except GraphError:
            return ()  # nothing is known in a graph with a cycle

    @cached_property
    def _all(self) -> dict[Value, Shape]:
        found: dict[Value, Shape] = {}
        values: dict[Value, Array] = {}
        like: dict[object, tuple[tuple[Shape, ...], Array | None]] = {}
        unknown = Shape()
        for node in self._order:
            read = node.inputs
            inputs = [found.get(value, unknown) for value in read]
            # Most nodes have attributes and shapes of inputs in common with others (equal attributes are one object).
            alike = read and values.keys().isdisjoint(read) and node.op != "TensorArrayReadV3"
            key = (node.op, id(node.attrs), *[shape.dims for shape in inputs]) if alike else node
            results = like.get(key)
            if results is None:
                results = like[key] = self._results(node, inputs, [values.get(value) for value in read])
            shapes, value = results
            for port, shape in enumerate(shapes):
                found[node.output(port)] = shape
            if value is not None:
                values[node.output()] = value
        return found

    def _results(
        self, node: Node, inputs: list[Shape], operands: list[Array | None]
    ) -> tuple[tuple[Shape, ...], Array | None]:
        """The shapes of what a node gives, and the value of the first output where that is known and small."""
        shapes = self._infer(node, inputs, operands)
        if self._notes:
            shapes = _with_notes(node, shapes)
        value = self._small_value(node, inputs, operands)
        return shapes, value if value is not None and value.size <= _SMALL else None

    def _infer(self, node: Node, inputs: list[Shape], operands: list[Array | None]) -> tuple[Shape, ...]:
        from pbslim.ops import shape_inference as rules  # large, and most graphs ask for no shape

        try:
            if node.op == "Const":
                return (Shape(node.tensor().shape),)
            if node.name in self._arguments:
                return (self._arguments[node.name],)
            if node.op in CALLS or node.op in self._graph.library.functions:
                function = node.attr("f", FunctionRef) if node.op in CALLS else FunctionRef(node.op, {})
                return self._called(function, inputs)
            if node.op == "Placeholder":
                shape = node.shape_attr("shape")
                return (Shape() if shape.rank == 0 and 0 < self._graph.producer < _OLD_PRODUCER else shape,)
            if node.op == "TensorArrayReadV3":
                return (_element_shape(node),)
            return rules.infer(node.op, node.attrs, inputs, operands)
        except (rules.ShapeError, DecodeError, GraphError):
            return (Shape(),)  # a node that can never run is no reason to leave the others alone

    def _called(self, function: object, inputs: Sequence[Shape]) -> tuple[Shape, ...]:
        """What a function gives for arguments of these shapes."""
        if not isinstance(function, FunctionRef) or function.name not in self._graph.library.functions:
            return (Shape(),)
        key = function.name, tuple(inputs)
        if key not in self._calls and len(self._calls) < _MOST_CALLS and self._depth < _DEEPEST_CALL:
            self._calls[key] = (Shape(),)  # for a function that calls itself
            body = self._graph.library.functions[function.name].body()
            inner = StaticShapes(body.graph, dict(zip(body.arguments, inputs, strict=False)))
            inner._calls, inner._depth = self._calls, self._depth + 1
            self._calls[key] = tuple(inner.of(body.value(tensor)) for tensor in body.returns.values())
        return self._calls.get(key, (Shape(),))

    def _small_value(self, node: Node, inputs: list[Shape], operands: list[Array | None]) -> Array | None:
        from pbslim.ops import shape_inference as rules

        try:
            if node.op == "Const":
                tensor = node.tensor()
                return tensor.numpy() if tensor.size <= _SMALL and tensor.dtype.scalar else None
            return rules.infer_value(node.op, node.attrs, inputs, operands)
        except (rules.ShapeError, DecodeError, GraphError):
            return None

    def of(self, value: Value) -> Shape:
        """What is known about the shape of `value`."""
        return self._all.get(value, Shape())

    def knows_result(self, node: Node) -> bool:
        """Whether all results of a shape op are known."""
        shapes = [self.of(value) for value in node.inputs]
        if node.op == "Rank":
            return all(shape.rank is not None for shape in shapes)
        kind = node.attr("out_type", DType, INT32)
        if kind not in (INT32, INT64) or not all(shape.is_known for shape in shapes):
            return False
        largest = [shape.size if node.op == "Size" else max(shape.dims or (), default=0) for shape in shapes]
        return all(number is not None and number < 1 << (8 * kind.itemsize - 1) for number in largest)

    def result(self, node: Node) -> list[Array]:
        """The results of a shape op, one per port."""
        kind = node.attr("out_type", DType, INT32).numpy
        results = []
        for value in node.inputs:
            dims = self.of(value).dims or ()
            if node.op == "Rank":
                results.append(np.array(len(dims), np.int32))
            elif node.op == "Size":
                results.append(np.array(self.of(value).size, kind))
            else:
                results.append(np.array(dims, kind))
        return results

    def check_notes(self) -> None:
        """Look at all ``_output_shapes`` that count.

        Raises:
            TransformError: they contradict the graph.
        """
        _ = self._all


@fact
def static_shapes(graph: Graph, notes: bool = False) -> StaticShapes:
    """The shapes of the values of `graph`, shared by all who ask while it does not change."""
    return StaticShapes(graph, notes=notes)


def _element_shape(read: Node) -> Shape:
    """The shape of what is read from a TensorArray that holds elements of one shape alone."""
    value = read.inputs[0] if read.inputs else None
    while value and not value.port and value.node.op in ALIASES | ENTERS and value.node.inputs:
        value = value.node.inputs[0]
    array = value.node if value else read
    alike = array.op == "TensorArrayV3" and array.attr("identical_element_shapes", bool, False)
    return array.shape_attr("element_shape") if alike else Shape()


def _with_notes(node: Node, shapes: Sequence[Shape]) -> tuple[Shape, ...]:
    from pbslim.ops import shape_inference as rules

    notes = node.attr("_output_shapes", tuple, ())
    merged = list(shapes) + [Shape()] * (len(notes) - len(shapes))
    for port, note in enumerate(notes):
        if not isinstance(note, Shape):
            break
        try:
            merged[port] = rules.merge(merged[port], note)
        except rules.ShapeError as error:
            raise TransformError(
                f"the _output_shapes of '{node.name}' contradict the graph ({error}); leave clear_output_shapes at true"
            ) from None
    return tuple(merged)

"""Reshape once, to a constant shape, instead of step by step to a shape that is computed.

Before::  x ─► Mean([1, 2]) ─► Reshape(Pack(StridedSlice(Shape(…)), 1, 1, 32)) ─► y
After::   x ─► Mean([1, 2], keep_dims=true) ─► y
"""

from __future__ import annotations

import math

import numpy as np

from pbslim.analysis.constants import constant, integer, integers
from pbslim.analysis.frames import has_frames, in_loops
from pbslim.analysis.static_shapes import StaticShapes
from pbslim.dtypes import INT32, DType
from pbslim.ir import ArrayTensor, Graph, Node, Value
from pbslim.ir.facts import has_ops
from pbslim.ir.order import execution_order
from pbslim.passes.registry import Context, transform
from pbslim.rewrite.inner import is_inner
from pbslim.rewrite.replacing import erase_unread, put_before

_VIEWS = frozenset({"ExpandDims", "Reshape", "Squeeze"})
_REDUCTIONS = frozenset({"All", "Any", "Max", "Mean", "Min", "Prod", "Sum"})
_LARGEST = 2**31 - 1

Dims = tuple[int, ...]


@transform(effect="exact", in_functions=True)
def simplify_reshapes(graph: Graph, context: Context) -> None:
    """Simplify Reshape, Squeeze and ExpandDims where no more than one dimension of the result is unknown.

    The shape that a Reshape computes becomes a constant, in which -1 stands for the unknown dimension (mostly the
    batch). Several in a row become one Reshape. One that only brings back the dimensions that a reduction removed goes,
    and the reduction keeps them. What computed the shapes is removed if nothing else reads it.

    A graph that would have stopped because the number of elements fits and a dimension does not, runs. Inputs and
    outputs of the graph stay. Nothing changes in loops of the Enter and Exit kind.
    """
    if not has_ops(graph, _VIEWS):
        return
    inside = in_loops(graph) if has_frames(graph) else set()
    simplifier = _Simplifier(graph, context)
    while True:  # what goes may have been the second reader of a view that now is read once
        for node in execution_order(graph):
            if node.op in _VIEWS and node.inputs and node not in inside and node.name not in context.input_nodes:
                simplifier.simplify(node)
        if not simplifier.idle:
            break
        erase_unread(graph, simplifier.idle, context.protected)
        simplifier.idle.clear()
        simplifier.constants.clear()
    left = set(graph)
    put_before(graph, {node: [shape] for node, shape in simplifier.made.items() if {node, shape} <= left})


class _Simplifier:
    def __init__(self, graph: Graph, context: Context) -> None:
        self.graph, self.context, self.shapes = graph, context, StaticShapes(graph)
        self.made: dict[Node, Node] = {}  # the constant that goes before each node
        self.idle: list[Node] = []  # what may have lost its last reader
        self.constants: dict[tuple[Value, Dims], Node] = {}

    def simplify(self, node: Node) -> None:
        """Let `node` do all at once what it and the views and reduction before it do."""
        dims = self._flat_dims(node) or self._dims(node.output())
        source = node.inputs[0]
        while is_inner(source, self.context.protected) and source.node.op in _VIEWS and source.node.inputs:
            source = source.node.inputs[0]
        if dims is not None and is_inner(source, self.context.protected) and self._kept_dims(source.node) == dims:
            self._become_reduction(node, source.node)
        elif dims is not None and (source is not node.inputs[0] or self._computes_shape(node)):
            self._become_reshape(node, source, dims)
        elif source is not node.inputs[0] and node.op == "Reshape":
            self.idle.append(node.inputs[0].node)
            node.set_input(0, source)

    def _dims(self, value: Value) -> Dims | None:
        """The shape of `value` as Reshape takes it, None when it cannot be written so."""
        dims = self.shapes.of(value).dims
        if dims is None or sum(dim <= 0 for dim in dims) > (-1 in dims) or max(dims, default=0) > _LARGEST:
            return None
        return dims

    def _flat_dims(self, node: Node) -> Dims | None:
        """The same for a Reshape to the batch that its input has and -1, as Flatten is written."""
        if node.op != "Reshape" or len(node.inputs) != 2 or node.inputs[1].node.op != "Pack":
            return None
        batch, *others = node.inputs[1].node.inputs
        before, wanted = self.shapes.of(node.inputs[0]).dims, [integer(value) for value in others]
        if not before or not _is_batch(batch, node.inputs[0]) or wanted.count(-1) != 1:
            return None
        known = [number or 0 for number in wanted if number != -1]
        if min([*before[1:], *known], default=1) <= 0 or math.prod(before[1:]) % math.prod(known):
            return None
        inferred = math.prod(before[1:]) // math.prod(known)
        return (before[0], *(number if number != -1 and number else inferred for number in wanted))

    def _kept_dims(self, node: Node) -> Dims | None:
        """What the result of a reduction would be if it kept the dimensions that it removes."""
        if node.op not in _REDUCTIONS or len(node.inputs) != 2 or node.attr("keep_dims", bool):
            return None
        dims, axes = self.shapes.of(node.inputs[0]).dims, integers(node.inputs[1])
        if dims is None or axes is None or len(axes) > len(dims):
            return None
        removed = {axis % max(len(dims), 1) for axis in axes}
        return tuple(1 if axis in removed else dim for axis, dim in enumerate(dims))

    def _computes_shape(self, node: Node) -> bool:
        """Whether `node` is a Reshape to a shape that is computed for Reshapes alone."""
        if node.op != "Reshape" or len(node.inputs) != 2 or constant(node.inputs[1]) is not None:
            return False
        shape = node.inputs[1].node
        readers = [use for value in shape.outputs for use in value.uses]
        only_shapes = all(use.node.op == "Reshape" and use.slot == 1 for use in readers)
        return only_shapes and not shape.control_readers and shape.name not in self.context.protected

    def _become_reduction(self, node: Node, reduction: Node) -> None:
        self.idle += node.producers
        attrs = reduction.attrs.with_("keep_dims", True)
        node.become(reduction.op, reduction.inputs, attrs, controls=node.controls, device=reduction.device)

    def _become_reshape(self, node: Node, source: Value, dims: Dims) -> None:
        self.idle += node.producers
        dtype = node.dtype_attr("Tshape") or INT32
        attrs = node.attrs.with_("Tshape", dtype)
        for key in ("Tdim", "squeeze_dims"):
            attrs = attrs.without(key)
        shape = self._shape(node, dims, dtype)
        node.become("Reshape", [source, shape.output()], attrs, controls=node.controls, device=node.device)

    def _shape(self, node: Node, dims: Dims, dtype: DType) -> Node:
        """The constant `dims`; Reshapes that shared what they computed share it."""
        key = node.inputs[-1], dims
        if key not in self.constants:
            tensor = ArrayTensor(np.array(dims, dtype.numpy), dtype)
            name = self.graph.unique_name(f"{node.name}/shape")
            self.constants[key] = self.graph.add(name, "Const", attrs={"dtype": dtype, "value": tensor})
            self.made[node] = self.constants[key]
        return self.constants[key]


def _is_batch(value: Value, tensor: Value) -> bool:
    """Whether `value` is the first dimension of `tensor`, taken from its shape."""
    piece = value.node
    if piece.op != "StridedSlice" or len(piece.inputs) != 4 or piece.attr("shrink_axis_mask", int) != 1:
        return False
    shape = piece.inputs[0].node
    return shape.op == "Shape" and shape.inputs == (tensor,) and integer(piece.inputs[1]) == 0

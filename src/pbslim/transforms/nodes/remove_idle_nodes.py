"""Bypass and remove nodes that give one of their inputs as it is.

Before::  x ─► Transpose([0, 1, 2, 3]) ─► Mul(1) ─► StopGradient ─► Conv2D ─► y
After::   x ─► Conv2D ─► y
"""

from __future__ import annotations

from collections.abc import Callable

from pbslim.analysis.constants import constant, integers
from pbslim.analysis.frames import has_frames
from pbslim.analysis.static_shapes import StaticShapes
from pbslim.dtypes import Shape
from pbslim.ir import Graph, Node, Tensor
from pbslim.ir.facts import has_ops
from pbslim.ir.order import execution_order
from pbslim.ops.families import ALIASES, SWITCHES
from pbslim.passes.registry import Context, transform
from pbslim.rewrite import Skip
from pbslim.rewrite.replacing import erase_unread


@transform(effect="exact", in_functions=True)
def remove_idle_nodes(graph: Graph, context: Context) -> None:
    """Remove nodes without effect, and the constants that only they read.

    These are: Identity, IdentityN, StopGradient, PreventGradient and Snapshot; multiplications and divisions by one,
    additions and subtractions of zero (a negative zero may become a positive one); Transpose to the order that is
    there, Reshape, Squeeze and BroadcastTo to the shape that is there; Cast to the type that is there; Pad by nothing;
    Slice and StridedSlice of everything; Tile by ones; Concat and AddN of one input.

    Inputs and outputs of the graph stay, and so do nodes that wait for others.
    """
    if not has_ops(graph, _RULES):
        return
    remover = _Remover(graph, context)
    for node in execution_order(graph):
        if node.op in _RULES and node.inputs:
            remover.try_to_remove(node)
    erase_unread(graph, remover.removed, context.protected)


class _Remover:
    def __init__(self, graph: Graph, context: Context) -> None:
        self.context, self.shapes, self.has_frames = context, StaticShapes(graph), has_frames(graph)
        self.removed: list[Node] = []

    def try_to_remove(self, node: Node) -> None:
        """Let the readers of `node` read what it gives, if it does nothing else."""
        ports = [value.port for value in node.outputs if value.uses] or [0]
        slots = [_RULES[node.op](node, port, self.shapes) for port in ports]
        if any(slot is None or slot >= len(node.inputs) for slot in slots):
            return
        try:
            self._check(node, {slot for slot in slots if slot is not None})
        except Skip as skip:
            self.context.skip(node.name, str(skip))
            return
        for port, slot in zip(ports, slots, strict=True):
            if slot is not None:
                node.output(port).replace_all_uses_with(node.inputs[slot])
        node.replace_control_uses_with([value.node for value in node.inputs if not _is_free(value.node)])
        self.removed.append(node)

    def _check(self, node: Node, slots: set[int]) -> None:
        if node.name in self.context.protected:
            raise Skip("it is an input or output of the graph")
        if node.controls:
            raise Skip(f"it waits for '{node.controls[0].name}'")
        switch = next((value.node for value in node.inputs if value.node.op in SWITCHES), None)
        if node.control_readers and switch:
            raise Skip(f"others wait for it, and '{switch.name}' has two branches")
        others = [value.node for slot, value in enumerate(node.inputs) if slots != {slot}]
        if self.has_frames and not all(map(_is_free, others)):
            raise Skip("its inputs may be of different branches")


def _is_free(node: Node) -> bool:
    """Whether it waits for nothing and belongs to no branch."""
    return node.op == "Const" and not node.controls


_Rule = Callable[[Node, int, StaticShapes], int | None]
"""Node and output port → the input that it gives as it is, None when it gives something else."""


def _first(node: Node, port: int, shapes: StaticShapes) -> int | None:  # noqa: ARG001 - a rule for any
    return 0 if port == 0 else None


def _same_port(node: Node, port: int, shapes: StaticShapes) -> int:  # noqa: ARG001
    return port


def _neutral(number: int, *, commutes: bool = False) -> _Rule:
    """The rule of an op that gives one operand when the other is `number` throughout."""

    def rule(node: Node, port: int, shapes: StaticShapes) -> int | None:  # noqa: ARG001
        if len(node.inputs) != 2:
            return None
        for slot in (0, 1) if commutes else (0,):
            kept, other = node.inputs[slot], node.inputs[1 - slot]
            tensor = constant(other)
            if tensor is None or tensor.dtype.scalar is None or tensor.dtype.is_quantized:
                continue
            keeps_shape = node.op == "BiasAdd" or _keeps_shape(tensor.shape, shapes.of(kept))
            if keeps_shape and _is_all(tensor, number):
                return slot
        return None

    return rule


def _keeps_shape(operand: tuple[int, ...], shape: Shape) -> bool:
    """Whether an elementwise op of something of `shape` and such an operand gives that shape."""
    if not operand:
        return True
    if shape.dims is None or len(operand) > len(shape.dims):
        return False
    return all(n in (1, dim) for n, dim in zip(operand[::-1], shape.dims[::-1], strict=False))


def _is_all(tensor: Tensor, number: int) -> bool:
    return all((piece == number).all() for piece in tensor.value_pieces())


def _numbers(node: Node, slot: int) -> list[int] | None:
    return integers(node.inputs[slot]) if slot < len(node.inputs) else None


def _unpermuted(node: Node, port: int, shapes: StaticShapes) -> int | None:  # noqa: ARG001
    order = _numbers(node, 1)
    return 0 if order is not None and order == list(range(len(order))) else None


def _same_shape(node: Node, port: int, shapes: StaticShapes) -> int | None:  # noqa: ARG001
    before, after = shapes.of(node.inputs[0]).dims, shapes.of(node.output()).dims
    # One dimension may be unknown: the number of elements stays, so it is the same before and after.
    alike = before is not None and before == after and sum(dim <= 0 for dim in before) <= (-1 in before)
    return 0 if alike else None


def _same_rank(node: Node, port: int, shapes: StaticShapes) -> int | None:  # noqa: ARG001
    before, after = shapes.of(node.inputs[0]), shapes.of(node.output())
    return 0 if before.rank is not None and before.rank == after.rank else None


def _all_selected(node: Node, port: int, shapes: StaticShapes) -> int | None:  # noqa: ARG001
    before, after = shapes.of(node.inputs[0]), shapes.of(node.output())
    if not before.is_known or before != after:
        return None
    strides = _numbers(node, 3) if node.op == "StridedSlice" else [1]
    return 0 if strides is not None and all(stride > 0 for stride in strides) else None


def _broadcast_to_itself(node: Node, port: int, shapes: StaticShapes) -> int | None:  # noqa: ARG001
    before = shapes.of(node.inputs[0])
    return 0 if before.is_known and before == shapes.of(node.output()) else None


def _all_equal(number: int) -> _Rule:
    """The rule of an op whose second operand, a list of integers, must be `number` throughout."""

    def rule(node: Node, port: int, shapes: StaticShapes) -> int | None:  # noqa: ARG001
        numbers = _numbers(node, 1)
        return 0 if numbers is not None and all(each == number for each in numbers) else None

    return rule


def _same_type(node: Node, port: int, shapes: StaticShapes) -> int | None:  # noqa: ARG001
    source = node.dtype_attr("SrcT")
    return 0 if source is not None and source == node.dtype_attr("DstT") else None


def _only_one(node: Node, port: int, shapes: StaticShapes) -> int | None:  # noqa: ARG001
    if len(node.inputs) != (1 if node.op == "AddN" else 2):
        return None
    return int(node.op == "Concat")


_RULES: dict[str, _Rule] = {
    **dict.fromkeys(ALIASES, _first),
    "IdentityN": _same_port,
    "Mul": _neutral(1, commutes=True),
    **dict.fromkeys(["Div", "RealDiv"], _neutral(1)),
    **dict.fromkeys(["Add", "AddV2"], _neutral(0, commutes=True)),
    **dict.fromkeys(["BiasAdd", "Sub"], _neutral(0)),
    "Transpose": _unpermuted,
    "Reshape": _same_shape,
    "Squeeze": _same_rank,
    "BroadcastTo": _broadcast_to_itself,
    "Cast": _same_type,
    **dict.fromkeys(["MirrorPad", "Pad", "PadV2"], _all_equal(0)),
    **dict.fromkeys(["Slice", "StridedSlice"], _all_selected),
    "Tile": _all_equal(1),
    **dict.fromkeys(["AddN", "Concat", "ConcatV2"], _only_one),
}

"""What single nodes do to channels: scale and shift each by constants, or move values about within it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pbslim.analysis.constants import constant, integers
from pbslim.errors import counted
from pbslim.ir import Node, Tensor, Value
from pbslim.ir.tensors import Array
from pbslim.rewrite import Skip
from pbslim.transforms.batch_norms.forms import BATCH_NORMS, batch_norm
from pbslim.transforms.batch_norms.linear_ops import Layout, channel_axis

Affine = tuple[Array, Array]
"""Scale and shift: two vectors of doubles, one value per channel."""


@dataclass(frozen=True)
class AffineStep:
    """A node that computes ``x · scale + shift``.

    Attributes:
        scales: whether the scale can be anything but 1.
        uniform: whether all channels have the same, so that it may be anything but a batch norm.
        affine: scale and shift for an `x` of some layout; raises `Skip` when they are not one value per channel.
    """

    node: Node
    x: Value
    scales: bool
    uniform: bool
    affine: Callable[[Layout], Affine]


def step(node: Node) -> AffineStep | None:
    """`node` as a step, None when it is nothing of the kind.

    Raises:
        Skip: it is a batch norm, but one that cannot be folded.
    """
    if node.op in BATCH_NORMS:
        return _batch_norm_step(node)
    if node.op in _UNARY and len(node.inputs) == 1:
        return _unary_step(node, _UNARY[node.op])
    if node.op == "BiasAdd" and len(node.inputs) == 2:
        return _bias_step(node)
    if node.op in _BINARY and len(node.inputs) == 2:
        return _binary_step(node)
    return None


def _batch_norm_step(node: Node) -> AffineStep:
    norm = batch_norm(node)

    def affine(layout: Layout) -> Affine:
        mean, variance, beta = (_vector(node, tensor, layout) for tensor in (norm.mean, norm.variance, norm.beta))
        gamma = np.ones(layout.channels) if norm.gamma is None else _vector(node, norm.gamma, layout)
        scale = gamma / np.sqrt(variance + norm.epsilon)
        return scale, beta - mean * scale

    return AffineStep(node, node.inputs[0], True, False, affine)


_UNARY = {"Identity": 1.0, "Neg": -1.0}


def _unary_step(node: Node, factor: float) -> AffineStep:
    def affine(layout: Layout) -> Affine:
        return np.full(layout.channels, factor), np.zeros(layout.channels)

    return AffineStep(node, node.inputs[0], factor != 1, True, affine)


def _bias_step(node: Node) -> AffineStep | None:
    bias = constant(node.inputs[1])
    if bias is None:
        return None

    def affine(layout: Layout) -> Affine:
        return np.ones(layout.channels), _vector(node, bias, layout)

    return AffineStep(node, node.inputs[0], False, False, affine)


def _quotient(c: Array, _: bool) -> Affine:
    return 1 / c, np.zeros_like(c)


def _sum(c: Array, _: bool) -> Affine:
    return np.ones_like(c), c


_BINARY: dict[str, Callable[[Array, bool], Affine]] = {
    "Mul": lambda c, _: (c, np.zeros_like(c)),
    "Div": _quotient,
    "RealDiv": _quotient,
    "Add": _sum,
    "AddV2": _sum,
    "Sub": lambda c, first: (-np.ones_like(c), c) if first else (np.ones_like(c), -c),
}
# Each op with a constant operand → scale and shift, given the constant and whether it comes first.


def _binary_step(node: Node) -> AffineStep | None:
    left, right = map(constant, node.inputs)
    tensor = right if left is None else left
    first = left is not None
    if tensor is None or (first and (right is not None or _BINARY[node.op] is _quotient)):
        return None

    def affine(layout: Layout) -> Affine:
        return _BINARY[node.op](layout.per_channel(tensor), first)

    scales = _BINARY[node.op] is not _sum and (first or node.op != "Sub")
    return AffineStep(node, node.inputs[first], scales, tensor.size == 1, affine)


def _vector(node: Node, tensor: Tensor, layout: Layout) -> Array:
    if tensor.shape != (layout.channels,):
        raise Skip(f"a constant of shape {list(tensor.shape)} for {layout.channels} channels")
    if channel_axis(node, layout.rank) != layout.axis:
        raise Skip(f"the channels of '{node.name}' run along another dimension than those of what it reads")
    return tensor.numpy().astype(np.float64)


def moved_inputs(node: Node) -> Sequence[Value]:
    """The inputs of one of `MOVES` that it moves about."""
    if node.op == "ConcatV2":
        return node.inputs[:-1]
    return node.inputs[1:] if node.op == "Concat" else node.inputs[:1]


def moved_layout(node: Node, layouts: Sequence[Layout]) -> Layout:
    """The layout of what one of `MOVES` makes of inputs with these.

    Raises:
        Skip: it takes values from one channel to another, or it is not known whether it does.
    """
    if not layouts or any(layout[:2] != layouts[0][:2] for layout in layouts):
        raise Skip(f"the inputs of '{node.name}' have their channels in different places")
    return MOVES[node.op](node, layouts)


def _squeezed(node: Node, layouts: Sequence[Layout]) -> Layout:
    axis, rank, channels = layouts[0]
    dims = node.attr("squeeze_dims", tuple)
    if not dims:
        raise Skip(f"'{node.name}' does not say which dimensions it removes")
    removed = {dim % rank for dim in dims}
    if axis in removed:
        raise Skip(f"'{node.name}' removes the channels")
    return Layout(axis - sum(dim < axis for dim in removed), rank - len(removed), channels)


def _expanded(node: Node, layouts: Sequence[Layout]) -> Layout:
    axis, rank, channels = layouts[0]
    return Layout(axis + (_number(node, 1) % (rank + 1) <= axis), rank + 1, channels)


def _reshaped(node: Node, layouts: Sequence[Layout]) -> Layout:
    axis, rank, channels = layouts[0]
    dims = _numbers(node, 1)
    if axis != rank - 1 or not dims or dims[-1] != channels:
        raise Skip(f"'{node.name}' does not keep the channels as its last dimension")
    return Layout(len(dims) - 1, len(dims), channels)


def _from_batch(node: Node, layouts: Sequence[Layout]) -> Layout:
    if len(_numbers(node, 1)) >= layouts[0].axis:
        raise Skip(f"'{node.name}' moves values between channels")
    return layouts[0]


def _joined(node: Node, layouts: Sequence[Layout]) -> Layout:
    axis, rank, channels = layouts[0]
    if _number(node, -1 if node.op == "ConcatV2" else 0) % rank == axis:
        return Layout(axis, rank, sum(layout.channels for layout in layouts))
    if any(layout.channels != channels for layout in layouts):
        raise Skip(f"the inputs of '{node.name}' have different numbers of channels")
    return layouts[0]


MOVES: dict[str, Callable[[Node, Sequence[Layout]], Layout]] = {
    "Squeeze": _squeezed,
    "ExpandDims": _expanded,
    "Reshape": _reshaped,
    "BatchToSpaceND": _from_batch,
    "Concat": _joined,
    "ConcatV2": _joined,
}
"""Ops that move values about and leave each in its channel → the layout of the result."""


def _numbers(node: Node, slot: int) -> list[int]:
    numbers = integers(node.inputs[slot]) if slot < len(node.inputs) else None
    if numbers is None:
        raise Skip(f"'{node.name}' ({node.op}) has operands that are not constant")
    return numbers


def _number(node: Node, slot: int) -> int:
    numbers = _numbers(node, slot)
    if len(numbers) != 1:
        raise Skip(f"'{node.name}' ({node.op}) has {counted(len(numbers), 'number')}, expected one")
    return numbers[0]

"""Weights that can be stored in fewer bits: which they are, what multiplies them, and which bias can repair them.

A site is seen as a matrix [K, N]: N output channels, each a sum over K inputs (for a depthwise convolution the K taps
of its filter). Weights of other ops have their last dimension as N.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pbslim.analysis.constants import constant, way_to_constant
from pbslim.dtypes import FLOAT
from pbslim.ir import Graph, Node, Tensor, Use, Value
from pbslim.ir.tensors import Array, SplatTensor
from pbslim.ops.families import ALIASES, ENTERS

Kind = Literal["conv", "depthwise", "dense", "other"]

_LEAST_ELEMENTS = 256
_CONVOLUTIONS = frozenset({"Conv2D", "_FusedConv2D"})
_DEPTHWISE = frozenset({"DepthwiseConv2dNative", "_FusedDepthwiseConv2dNative"})
_PRODUCTS = frozenset({"MatMul", "_FusedMatMul"})
_TRANSPOSED = frozenset({"Conv2DBackpropInput", "Conv3DBackpropInputV2"})
_ADDS = frozenset({"BiasAdd", "Add", "AddV2"})
_PASS_ON = ALIASES | ENTERS
_FAKE_QUANTIZED = frozenset({"FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel", "FakeQuantWithMinMaxArgs"})


@dataclass(frozen=True)
class Site:
    """A constant whose bits can be chosen.

    Attributes:
        name: of the Const.
        shape: of its value.
        axes: the dimensions that make up the output channels, next to each other.
        uses: the linear ops that multiply it, and at which input; none for ``other``.
        bias: the Const that is added to what those ops compute, and to nothing else; None if there is none.
    """

    name: str
    kind: Kind
    shape: tuple[int, ...]
    axes: tuple[int, ...]
    uses: tuple[Use, ...] = ()
    bias: str | None = None

    @property
    def size(self) -> int:
        """The number of weights."""
        return math.prod(self.shape)

    @property
    def channels(self) -> int:
        """N: the number of output channels."""
        return math.prod(self.shape[axis] for axis in self.axes)

    def matrix(self, weights: Array) -> Array:
        """`weights` as [K, N]."""
        others = [axis for axis in range(len(self.shape)) if axis not in self.axes]
        return weights.transpose(*others, *self.axes).reshape(-1, self.channels)

    def from_matrix(self, matrix: Array) -> Array:
        """The weights in their own shape again, from [K, N]."""
        others = [axis for axis in range(len(self.shape)) if axis not in self.axes]
        order = [*others, *self.axes]
        return matrix.reshape([self.shape[axis] for axis in order]).transpose(np.argsort(order))

    @property
    def step_shape(self) -> tuple[int, ...]:
        """The shape in which one value per channel broadcasts to the weights."""
        return tuple(self.shape[axis] if axis in self.axes else 1 for axis in range(self.axes[0], len(self.shape)))


def find_sites(graph: Graph, protected: Collection[str] = ()) -> list[Site]:
    """The sites of `graph`, in the order of its nodes.

    They are float constants of two or more dimensions and at least 256 elements.  Left alone are those that wait for
    a control edge, hold NaN or infinity or one value only, pass through a FakeQuant op, or are in `protected`.
    """
    found = []
    for node in graph:
        if node.op == "Const" and node.name not in protected and not node.controls:
            tensor = constant(node.output())
            if tensor is not None and _is_weight(tensor):
                site = _site(node, tensor)
                if site is not None and _is_finite(tensor):
                    found.append(site)
    return found


def _is_weight(tensor: Tensor) -> bool:
    return (
        tensor.dtype is FLOAT
        and len(tensor.shape) > 1
        and tensor.size >= _LEAST_ELEMENTS
        and not isinstance(tensor, SplatTensor)
    )


def _is_finite(tensor: Tensor) -> bool:
    return all(bool(np.isfinite(piece).all()) for piece in tensor.chunks())


def final_uses(value: Value) -> Iterator[Use]:
    """Where `value` is read at last, looking through Identity and Enter."""
    todo, seen = [value], {value}
    while todo:
        for use in todo.pop().uses:
            passed = use.node.output()
            if use.node.op in _PASS_ON:
                if passed not in seen:
                    seen.add(passed)
                    todo.append(passed)
            else:
                yield use


def _site(node: Node, tensor: Tensor) -> Site | None:
    uses = tuple(final_uses(node.output()))
    if not uses or any(use.node.op in _FAKE_QUANTIZED for use in uses):
        return None
    kinds = {_kind(use, tensor) for use in uses}
    kind, axes = kinds.pop() if len(kinds) == 1 else ("other", (len(tensor.shape) - 1,))
    if kind == "other":
        return Site(node.name, "other", tensor.shape, axes)
    site = Site(node.name, kind, tensor.shape, axes, uses)
    return Site(node.name, kind, tensor.shape, axes, uses, _bias(site))


def _kind(use: Use, tensor: Tensor) -> tuple[Kind, tuple[int, ...]]:
    node, rank = use.node, len(tensor.shape)
    if use.slot == 1 and node.op in _CONVOLUTIONS and rank == 4:
        return "conv", (3,)
    if use.slot == 1 and node.op in _DEPTHWISE and rank == 4:
        return "depthwise", (2, 3)
    if use.slot == 1 and node.op in _PRODUCTS and rank == 2 and not node.attrs.get("transpose_a"):
        return "dense", (0,) if node.attrs.get("transpose_b") else (1,)
    if use.slot == 1 and node.op in _TRANSPOSED:
        return "other", (rank - 2,)
    return "other", (rank - 1,)


def _bias(site: Site) -> str | None:
    """The Const that every use of the site adds right after, if it is added nowhere else."""
    values = {_added(use.node) for use in site.uses}
    added = values.pop() if len(values) == 1 else None
    if added is None or added.port or added.node.op != "Const" or added.node.controls:
        return None
    tensor = constant(added.node.output())
    readers = list(final_uses(added.node.output()))
    fits = tensor is not None and tensor.dtype is FLOAT and tensor.shape[-1:] == (site.channels,) == (tensor.size,)
    return added.node.name if fits and len(readers) == len(site.uses) else None


def _added(node: Node) -> Value | None:
    """What is added to the output of a linear op and nothing else is done with it."""
    if node.op.startswith("_Fused"):
        source = node.inputs[2] if len(node.inputs) > 2 and b"BiasAdd" in _fused_ops(node) else None
    else:
        uses = node.output().uses
        if len(uses) != 1 or uses[0].node.op not in _ADDS or len(uses[0].node.inputs) != 2:
            return None
        if uses[0].node.op != "BiasAdd" and node.attrs.get("data_format", b"NHWC") != b"NHWC":
            return None  # a vector would meet the width
        source = uses[0].node.inputs[1 - uses[0].slot]
    way = way_to_constant(source) if source is not None else []
    return way[-1].output() if way else None


def _fused_ops(node: Node) -> tuple[object, ...]:
    names = node.attrs.get("fused_ops", ())
    return names if isinstance(names, tuple) else ()

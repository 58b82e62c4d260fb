"""Weights that can be stored in fewer bits: which they are, what multiplies them, and which bias can repair them.

A site is seen as a matrix [K, N]: N output channels, each a sum over K inputs (for a depthwise convolution the K taps
of its filter). Weights of other ops have their last dimension as N.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pbslim.analysis.arguments import called_often, handed_to
from pbslim.analysis.constants import constant
from pbslim.dtypes import FLOAT
from pbslim.ir import Function, Graph, Node, Tensor, Use, Value
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
        uses: the linear ops that multiply it, those in functions too, and at which input; none for ``other``.
        bias: the Const that is added to what those ops compute, perhaps to the sum of it and what other sites give, but
            to nothing else; None if there is none.
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
    functions, vectors = graph.library.functions, _Vectors(graph)
    for node in graph:
        if node.op == "Const" and node.name not in protected and not node.controls:
            tensor = constant(node.output())
            if tensor is not None and _is_weight(tensor):
                site = _site(node, tensor, functions, vectors)
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


def final_uses(value: Value, functions: Mapping[str, Function]) -> Iterator[Use]:
    """Where `value` is read at last, looking through Identity and Enter, and into functions."""
    todo, seen = [value], {value}
    while todo:
        for use in todo.pop().uses:
            passed = [use.node.output()] if use.node.op in _PASS_ON else handed_to(use, functions)
            todo += [each for each in passed if each not in seen]
            seen.update(passed)
            if not passed:
                yield use


def _site(node: Node, tensor: Tensor, functions: Mapping[str, Function], vectors: _Vectors) -> Site | None:
    uses = tuple(final_uses(node.output(), functions))
    if not uses or any(use.node.op in _FAKE_QUANTIZED for use in uses):
        return None
    kinds = {_kind(use, tensor) for use in uses}
    kind, axes = kinds.pop() if len(kinds) == 1 else ("other", (len(tensor.shape) - 1,))
    if kind == "other":
        return Site(node.name, "other", tensor.shape, axes)
    site = Site(node.name, kind, tensor.shape, axes, uses)
    return Site(node.name, kind, tensor.shape, axes, uses, vectors.bias(site))


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


class _Vectors:
    """The constants that may be biases, as they hold one number per channel, by where they are read at last."""

    def __init__(self, graph: Graph) -> None:
        self._uses = {node: list(final_uses(node.output(), graph.library.functions)) for node in _vectors(graph)}
        often = called_often(graph)  # where other constants may be added
        self._read = {use: node for node, uses in self._uses.items() for use in uses if use.node not in often}

    def bias(self, site: Site) -> str | None:
        """The Const that is added after every use of the site, and after nothing else."""
        found = {next((self._read[use] for use in _added(each.node) if use in self._read), None) for each in site.uses}
        node = found.pop() if len(found) == 1 else None
        if node is None or len(self._uses[node]) != len(site.uses) or node.tensor().size != site.channels:
            return None
        return node.name


def _vectors(graph: Graph) -> Iterator[Node]:
    for node in graph:
        if node.op == "Const" and not node.controls:
            tensor = constant(node.output())
            if tensor is not None and tensor.dtype is FLOAT and tensor.shape[-1:] == (tensor.size,):
                yield node


def _added(node: Node) -> Iterator[Use]:
    """What is added to the output of a linear op, with which nothing else is done, and to that sum, and so on."""
    if node.op.startswith("_Fused"):
        if len(node.inputs) > 2 and b"BiasAdd" in _fused_ops(node):
            yield Use(node, 2)
        return
    meets_width = node.attrs.get("data_format", b"NHWC") != b"NHWC"  # a vector does that is added by another op
    while len(uses := node.output().uses) == 1 and uses[0].node.op in _ADDS and len(uses[0].node.inputs) == 2:
        node, slot = uses[0]
        if node.op == "BiasAdd" or not meets_width:
            yield Use(node, 1 - slot)


def _fused_ops(node: Node) -> tuple[object, ...]:
    names = node.attrs.get("fused_ops", ())
    return names if isinstance(names, tuple) else ()

"""Fold every scale and shift per channel, in whatever form, into the convolution or matrix product before it.

Before::  x ─► Conv2D(weights) ─► Sub(mean) ─► Mul(s) ─► Add(beta) ─► y
After::   x ─► Conv2D(weights · s) ─► BiasAdd(beta − mean · s) ─► y

A batch norm is ``x · scale + shift`` with one scale and one shift per channel, as a single op or as a chain of several.
Such a chain is followed down to the ops that are linear in their weights; its scale goes into the weights, its shift
into one BiasAdd.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from pbslim.analysis.constants import constant, way_to_constant
from pbslim.analysis.frames import frame_controls
from pbslim.dtypes import HALF
from pbslim.errors import DecodeError
from pbslim.ir import ArrayTensor, AttrValue, Graph, Node, Tensor, Value
from pbslim.ir.order import execution_order
from pbslim.ir.tensors import Array
from pbslim.passes.registry import Context, transform
from pbslim.rewrite import Skip
from pbslim.rewrite.replacing import set_const
from pbslim.transforms.batch_norms.affine_steps import MOVES, AffineStep, moved_inputs, moved_layout, step
from pbslim.transforms.batch_norms.forms import BATCH_NORMS
from pbslim.transforms.batch_norms.linear_ops import LINEAR_OPS, Layout, channel_axes, output_layout, scaled
from pbslim.transforms.quantization.weights import check_not_coarse

_MAX_COPY_BYTES = 1 << 16
_DEEPEST = 50
_LONGEST = 64


@transform(effect="reassociates", in_functions=True)
def fold_all_batch_norms(graph: Graph, context: Context, *, keep_coarse: bool = False) -> None:
    """Fold the longest chain that ends in each node; one that does not fit is tried without its last steps.

    A chain has any of Mul, RealDiv, Add, Sub, Neg, BiasAdd and batch norms (old, fused, V2, V3; not one that trains)
    with constants on either side, of one value or one per channel. It follows Conv2D, DepthwiseConv2dNative, Conv3D,
    their transposed forms or MatMul, in either data format. Squeeze, ExpandDims, Reshape, BatchToSpaceND and
    concatenations may stand between. Small weights with another reader are copied.

    Run fold_constants before: a batch norm computes its scale from constants.

    Args:
        keep_coarse: leave weights alone that have no more than 257 different values: they were rounded before, compress
            well, and would have to be rounded once more.
    """
    folder = _Folder(graph, context, keep_coarse=keep_coarse)
    before = list(graph)
    for node in reversed(execution_order(graph)):
        if node not in folder.gone and node.name not in context.input_nodes:
            folder.fold(node)
    _place_new(graph, before)


@dataclass
class _Chain:
    """Steps, the last one first, on top of a linear op, or of a move with chains of its own."""

    steps: list[AffineStep]
    base: Node
    layout: Layout
    below: list[_Chain] = field(default_factory=list)
    scale: Array = field(default_factory=lambda: np.ones(0))
    shift: Array = field(default_factory=lambda: np.zeros(0))

    def __iter__(self) -> Iterator[_Chain]:
        yield self
        for chain in self.below:
            yield from chain

    def push(self, scale: Array, shift: Array) -> None:
        """Say what the linear ops have to take over: this, after the steps of the chain itself."""
        for each in self.steps:
            a, b = each.affine(self.layout)
            scale, shift = scale * a, scale * b + shift
        self.scale, self.shift = scale, shift
        start = 0
        for chain in self.below:
            count = chain.layout.channels
            part = slice(start, start + count) if count < self.layout.channels else slice(None)
            chain.push(scale[part], shift[part])
            start += count


class _Folder:
    """Looks at a chain as a whole, then changes it."""

    def __init__(self, graph: Graph, context: Context, *, keep_coarse: bool) -> None:
        self.graph, self.context, self._keep_coarse = graph, context, keep_coarse
        self.gone: set[Node] = set()

    def fold(self, last: Node) -> None:
        """Fold the longest chain that ends in `last`."""
        telling = last.op in BATCH_NORMS
        try:
            first = step(last)
            if first is None:
                return
            telling = first.scales and (not first.uniform or first.x.node.op in LINEAR_OPS)
            if any(name.startswith(f"{last.name}:") and name != f"{last.name}:0" for name in self.context.outputs):
                raise Skip("the batch statistics it computes are an output of the graph")
            chain = self._trace(last.output())
            with np.errstate(all="ignore"):
                chain.push(np.ones(chain.layout.channels), np.zeros(chain.layout.channels))
            linear = [each for each in chain if not each.below]
            for each in linear:
                self._check(each)
        except (Skip, DecodeError) as problem:
            if telling:
                self.context.skip(last.name, str(problem))
            return
        steps = [each for part in chain for each in part.steps if each.node.op != "Identity"]
        if any(each.scales for each in steps) or len(steps) > sum(each.shift.any() for each in linear):
            for each in reversed(list(chain)):
                self._apply(each)

    # Looking

    def _trace(self, value: Value, depth: int = 0) -> _Chain:
        steps: list[AffineStep] = []
        node = value.node
        if depth:
            self._check_free(value)
        while found := step(node):
            steps.append(found)
            if len(steps) > _LONGEST:
                raise Skip(f"it ends a chain of more than {_LONGEST} steps")
            node = found.x.node
            self._check_free(found.x)
        if node.op in LINEAR_OPS:
            return _Chain(steps, node, output_layout(node, _weights(node)))
        if node.op not in MOVES or depth > _DEEPEST:
            raise Skip(f"no convolution or matrix product stands before it, but '{node.name}' ({node.op})")
        below = [self._trace(each, depth + 1) for each in moved_inputs(node)]
        return _Chain(steps, node, moved_layout(node, [chain.layout for chain in below]), below)

    def _check_free(self, value: Value) -> None:
        """Raise `Skip` unless `value` is all that is ever asked of its node, by one reader."""
        node = value.node
        for names, what in ((self.context.input_nodes, "an input"), (self.context.output_nodes, "an output")):
            if node.name in names:
                raise Skip(f"'{node.name}', which stands before it, is {what} of the graph")
        if value.port:
            raise Skip(f"output {value.port} of '{node.name}' ({node.op}) stands before it")
        if not _has_one_reader(node):
            raise Skip(f"'{node.name}' is read by {' and '.join(repr(reader.name) for reader in node.readers[:3])}")

    def _check(self, chain: _Chain) -> None:
        weights = _weights(chain.base)
        kind = weights.dtype.numpy
        with np.errstate(all="ignore"):
            if not (np.isfinite(chain.scale.astype(kind)).all() and np.isfinite(chain.shift.astype(kind)).all()):
                raise Skip(f"its scale or shift is not finite as {weights.dtype}")
        if (chain.scale == 1).all():
            return
        if self._keep_coarse:
            check_not_coarse(weights)
        if weights.dtype is HALF and _largest(weights) * np.abs(chain.scale).max() > np.finfo(np.float16).max:
            raise Skip(f"the weights of '{chain.base.name}' times its scale are beyond the range of half")
        grows = weights.nbytes - (weights.stored_nbytes if self._owns_weights(chain.base) else 0)
        if grows > _MAX_COPY_BYTES:
            reason = "are read elsewhere as well" if weights.stored_nbytes == weights.nbytes else "are one value"
            raise Skip(f"the weights of '{chain.base.name}' {reason}, the file would grow by {grows} bytes")

    def _owns_weights(self, conv: Node) -> bool:
        way = way_to_constant(conv.inputs[1])
        return all(_has_one_reader(node) and node.name not in self.context.protected for node in way)

    # Changing

    def _apply(self, chain: _Chain) -> None:
        """Let the top of the run be what is left of it: the base, or the BiasAdd that follows."""
        base, linear, shifts = chain.base, not chain.below, bool(chain.shift.any())
        if linear and not (chain.scale == 1).all():
            self._scale_weights(base, chain.scale)
        bias = self._bias(base, chain) if linear and shifts else None
        if not chain.steps:
            if bias:
                new = self.graph.add(self.graph.unique_name(f"{base.name}/biasadd"), "BiasAdd")
                base.output().replace_all_uses_with(new.output())
                new.become("BiasAdd", *bias, device=base.device)
            return
        top, *inner = [each.node for each in chain.steps]
        read = [value for each in chain.steps for value in each.node.inputs]
        removed = [*inner] if bias else [*inner, base]
        controls = [c for node in (top, *removed) for c in node.controls if c not in removed]
        if bias:
            top.become("BiasAdd", *bias, controls=controls, device=base.device)
        else:
            top.become(base.op, base.inputs, base.attrs, controls=controls, device=base.device)
        self.graph.erase(removed)
        self.gone.update(removed)
        self._drop_idle(value.node for value in read)

    def _bias(self, conv: Node, chain: _Chain) -> tuple[list[Value], dict[str, AttrValue]]:
        """Inputs and attributes of the BiasAdd that follows `conv`."""
        weights = _weights(conv)
        attrs: dict[str, AttrValue] = {"dtype": weights.dtype, "value": ArrayTensor(chain.shift, weights.dtype)}
        name = self.graph.unique_name(f"{conv.name}_bn_offset")
        controls = frame_controls(way_to_constant(conv.inputs[1])[-1])
        offset = self.graph.add(name, "Const", attrs=attrs, controls=controls)
        layout: dict[str, AttrValue] = (
            {"data_format": b"NCHW"} if chain.layout.axis == 1 < chain.layout.rank - 1 else {}
        )
        return [conv.output(), offset.output()], {"T": weights.dtype} | layout

    def _scale_weights(self, conv: Node, scale: Array) -> None:
        way = way_to_constant(conv.inputs[1])
        old = _weights(conv)
        factors = scale.astype(np.promote_types(old.dtype.numpy, np.float32))
        new = scaled(old, channel_axes(conv), factors)
        controls = way[-1].controls
        if self._owns_weights(conv):
            set_const(way[-1], new, controls)
            return
        attrs: dict[str, AttrValue] = {"dtype": new.dtype, "value": new}
        copy = self.graph.add(self.graph.unique_name(f"{conv.name}_weights"), "Const", attrs=attrs, controls=controls)
        conv.set_input(1, copy.output())
        self._drop_idle(way)

    def _drop_idle(self, nodes: Iterable[Node]) -> None:
        """Erase those constants, and the Identities before them, without consumers."""
        for node in nodes:
            for each in way_to_constant(node.output()):
                if each.readers or each.name in self.context.protected or each.name not in self.graph:
                    break
                self.graph.erase([each])
                self.gone.add(each)


def _weights(conv: Node) -> Tensor:
    """The weights of a linear op.

    Raises:
        Skip: they are not constant, or not of a plain floating-point type.
    """
    if len(conv.inputs) < 2:
        raise Skip(f"'{conv.name}' has no weights")
    source = conv.inputs[1]
    tensor = constant(source)
    if tensor is None:
        raise Skip(f"the weights of '{conv.name}' are '{source.name}' ({source.node.op}), which is not constant")
    if tensor.dtype.name not in ("float", "double", "half", "bfloat16"):
        raise Skip(f"the weights of '{conv.name}' are {tensor.dtype}")
    return tensor


def _largest(weights: Tensor) -> float:
    return max((float(np.abs(piece).max()) for piece in weights.value_pieces()), default=0.0)


def _has_one_reader(node: Node) -> bool:
    return sum(len(value.uses) for value in node.outputs) + len(node.control_readers) == 1


def _place_new(graph: Graph, before: list[Node]) -> None:
    """Put each new node right before what reads it."""
    old = set(before)
    order: dict[Node, None] = {}

    def put(node: Node) -> None:
        for producer in node.producers:
            if producer not in old and producer not in order:
                put(producer)
        order[node] = None

    for node in graph:
        if node in old:
            put(node)
    graph.reorder(list(order))

"""What a graph does first with an input, and what that says about the values it expects."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pbslim.analysis.constants import constant
from pbslim.ir import Node, Tensor, Use, Value
from pbslim.ops.families import ALIASES

Array = npt.NDArray[Any]

RANGES = ((0.0, 255.0), (0.0, 1.0), (-1.0, 1.0))
"""The ranges that images come in."""

_SAME_VALUES = (
    ALIASES
    | {"Cast", "CheckNumerics", "ExpandDims", "Pack", "Pad", "PadV2", "Reshape", "Squeeze", "Unpack"}
    | ({"Transpose", "StridedSlice", "ConcatV2", "MirrorPad", "TensorListFromTensor", "Select", "SelectV2"})
)
_GATHERS = {"Gather": (0, 1), "GatherV2": (0, 1), "ResourceGather": (0, 1)}
_ARITHMETIC = frozenset({"Add", "AddV2", "BiasAdd", "Div", "Mul", "RealDiv", "Sub"})
_LINEAR = {"Conv2D": -2, "DepthwiseConv2dNative": -2, "MatMul": 0, "_FusedConv2D": -2, "_FusedMatMul": 0, "Conv3D": -2}
_ACTIVATIONS = frozenset(
    {"Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Sigmoid", "Tanh", "Softplus", "MaxPool", "Maximum", "Neg", "Abs"}
)
_BATCH_NORMS = frozenset({"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3", "BatchNormWithGlobalNormalization"})
_FEW = 4  # constants of no more elements scale the channels of an image
_FAR = 200


def readers(value: Value, through: Callable[[Use], bool]) -> Iterator[Use]:
    """Who reads `value`, also after nodes that hand it on, nearest first."""
    todo, seen = [value], {value}
    while todo and len(seen) < _FAR:
        for use in todo.pop(0).uses:
            yield use
            new = [each for each in use.node.outputs if each not in seen] if through(use) else []
            seen.update(new)
            todo += new


def _moves(use: Use) -> bool:
    """Whether the values stay what they are, perhaps in another place, shape or type."""
    return use.node.op in _SAME_VALUES


def _scales(use: Use) -> bool:
    """The same, or whether constants alone are added, multiplied or normalized by."""
    others = (other for slot, other in enumerate(use.node.inputs) if slot != use.slot)
    known = use.node.op in _ARITHMETIC and all(constant(other) is not None for other in others)
    return _moves(use) or known or use.node.op in _BATCH_NORMS


def _indexes(use: Use) -> bool:
    """Whether an index is kept, or made to lie in a range."""
    return _moves(use) or use.node.op in ("Add", "AddV2", "ClipByValue", "FloorMod", "Maximum", "Minimum")


def _is_affine(use: Use) -> bool:
    """Whether anything is done that keeps the shape of a distribution."""
    return _moves(use) or use.node.op in _ARITHMETIC | _BATCH_NORMS | _LINEAR.keys()


def table_size(value: Value) -> int | None:
    """How many rows the constant table has that `value` indexes, or the depth of a OneHot; None if it does neither.

    A negative index is made positive by an addition before some lookups, so additions and choices are looked past.
    """
    limits = []
    for use in readers(value, _indexes):
        if use.node.op in _GATHERS and use.slot == 1:
            table = constant(use.node.inputs[0])
            axis = constant(use.node.inputs[2]) if len(use.node.inputs) > 2 else None
            if table is not None and table.shape:
                limits.append(table.shape[int(axis.numpy()) if axis is not None else 0])
        elif use.node.op == "OneHot" and use.slot == 0:
            depth = constant(use.node.inputs[1])
            limits += [int(depth.numpy())] if depth is not None else []
    return min(limits, default=None)


def lookup_keys(value: Value) -> Array | None:
    """The keys of a lookup table that `value` is looked up in, where the graph holds them."""
    for use in readers(value, _moves):
        if use.node.op.startswith("LookupTableFind") and use.slot == 1:
            for other in use.node.inputs[0].uses:
                if other.node.op.startswith("InitializeTable") and len(other.node.inputs) == 3:
                    keys = constant(other.node.inputs[1])
                    if keys is not None and keys.size:
                        return keys.numpy().reshape(-1)
    return None


def decoder(value: Value) -> Node | None:
    """The op that decodes the bytes of `value`, if one does."""
    return next((use.node for use in readers(value, _moves) if use.node.op.startswith("Decode")), None)


@dataclass(frozen=True)
class Scaling:
    """``factor * x + offset``, per channel or the same for all."""

    factor: Array
    offset: Array


def scaling(value: Value) -> Scaling | None:
    """What additions and multiplications by constants make of `value` at once; None when there are none."""
    factor, offset, found = np.ones(1), np.zeros(1), False
    for use in readers(value, _scales):
        node = use.node
        if _moves(use):
            continue
        number = _number(node, 1 - use.slot) if node.op in _ARITHMETIC and len(node.inputs) == 2 else None
        if number is None:
            break
        found = True
        if node.op in ("Add", "AddV2", "BiasAdd"):
            offset = offset + number
        elif node.op == "Sub":
            factor, offset = (factor, offset - number) if use.slot == 0 else (-factor, number - offset)
        elif node.op == "Mul":
            factor, offset = factor * number, offset * number
        elif use.slot == 0 and np.all(number != 0):
            factor, offset = factor / number, offset / number
        else:
            return None
    return Scaling(factor, offset) if found and np.all(factor != 0) else None


def _number(node: Node, slot: int) -> Array | None:
    tensor: Tensor | None = constant(node.inputs[slot])
    if tensor is None or tensor.size > _FEW or not tensor.dtype.is_floating:
        return None
    return tensor.numpy().astype(np.float64).reshape(-1)


def range_for(scaling: Scaling) -> tuple[float, float] | None:
    """The range of `RANGES` that becomes about [0, 1] or [-1, 1] by a scaling: zero lies in it, and its width fits."""
    best, least = None, math.inf
    for low, high in RANGES:
        zero = -scaling.offset / scaling.factor
        slack = (high - low) / 100
        if np.all((zero >= low - slack) & (zero <= high + slack)):
            width = float(np.abs(scaling.factor).mean()) * (high - low)
            distance = abs(math.log(width / math.sqrt(2)))
            if distance < least:
                best, least = (low, high), distance
    return best


def statistics(value: Value) -> tuple[float, float] | None:
    """Mean and standard deviation that a batch norm right on `value` expects."""
    for use in readers(value, _moves):
        if use.node.op in _BATCH_NORMS and use.slot == 0:
            slots = (1, 2) if use.node.op == "BatchNormWithGlobalNormalization" else (3, 4)
            mean, variance = (constant(use.node.inputs[slot]) for slot in slots)
            if mean is not None and variance is not None and mean.size and variance.size:
                return float(mean.numpy().mean()), math.sqrt(abs(float(variance.numpy().mean())))
    return None


def first_filter(value: Value) -> tuple[Node, Tensor] | None:
    """The first convolution or matrix product of `value` with constant weights, and the weights."""
    for use in readers(value, _scales):
        if use.node.op in _LINEAR and use.slot == 0:
            weights = constant(use.node.inputs[1])
            if weights is not None:
                return use.node, weights
    return None


def channels_of(node: Node, weights: Tensor) -> int:
    """How many channels (or columns) a convolution or matrix product reads."""
    axis = _LINEAR[node.op]
    return weights.shape[1 if axis == 0 and node.attr("transpose_b", bool) else axis]


def first_activation(value: Value) -> Value | None:
    """What the first activation function after a convolution or matrix product reads."""
    found = first_filter(value)
    if found is None:
        return None
    for use in readers(found[0].output(), _is_affine):
        if use.node.op in _ACTIVATIONS:
            return use.node.inputs[use.slot]
    return None

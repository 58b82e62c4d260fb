"""The nodes that stand around every eight-bit op.

A quantized tensor is three values: the codes, and the real numbers that the lowest and the highest code stand for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from pbslim.analysis.constants import const_value
from pbslim.dtypes import FLOAT, QINT32, QUINT8
from pbslim.errors import PbslimError, TransformError
from pbslim.ir import AttrValue, Graph, Node, Value
from pbslim.quant.affine import is_too_narrow
from pbslim.rewrite import Skip
from pbslim.rewrite.replacing import scalar

_CODES: dict[str, AttrValue] = {"T": QUINT8, "mode": b"MIN_FIRST"}


class Range(NamedTuple):
    """The real numbers that the lowest and the highest code stand for, both finite and in order."""

    low: float
    high: float


def given_range(name: str, low: float | None, high: float | None) -> Range | None:
    """The range that the parameters `name`_min and `name`_max ask for, None when they are absent.

    Raises:
        TransformError: one is missing, or they are not a range.
    """
    if low is None and high is None:
        return None
    if low is None or high is None:
        raise TransformError(f"{name}_min and {name}_max must be given together")
    with np.errstate(over="ignore"):
        bounds = np.array([low, high], np.float32)
    if not (np.isfinite(bounds).all() and low <= high):
        raise TransformError(f"{name}_min={low:g} and {name}_max={high:g} are not a range of finite numbers")
    if is_too_narrow(low, high):
        raise TransformError(f"{name}_min={low:g} and {name}_max={high:g} are too close together for codes")
    return Range(low, high)


def add_scalar(graph: Graph, name: str, value: float, controls: Iterable[Node] = ()) -> Node:
    """A float constant."""
    attrs: dict[str, AttrValue] = {"dtype": FLOAT, "value": scalar(value)}
    return graph.add(graph.unique_name(name), "Const", attrs=attrs, controls=controls)


def add_requantize(graph: Graph, name: str, wide: Node, low: Value, high: Value) -> Node:
    """From the 32 bits of `wide` to 8 bits for the range from `low` to `high`."""
    attrs: dict[str, AttrValue] = {"Tinput": QINT32, "out_type": QUINT8}
    return graph.add(graph.unique_name(name), "Requantize", [*quantized(wide), low, high], attrs)


def become_dequantize(node: Node, parts: Iterable[Value]) -> None:
    """Let `node` turn a quantized tensor back into float; its readers stay."""
    node.become("Dequantize", parts, _CODES)


def quantized(node: Node) -> list[Value]:
    """The codes, lowest and highest real number that `node` puts out."""
    return [node.output(port) for port in range(3)]


def scalar_const(node: Node) -> float:
    """The number in a Const; raises `Skip` when it holds something else."""
    try:
        tensor = const_value(node)
        if tensor.dtype is FLOAT and tensor.size == 1:
            return float(tensor.numpy().reshape(-1)[0])
    except PbslimError as error:
        raise Skip(str(error)) from None
    raise Skip(f"'{node.name}' is not one float")

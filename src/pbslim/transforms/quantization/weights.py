"""What the transforms of weights share: which constants count, what range they have, and how codes take their place."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pbslim.analysis.constants import const_value
from pbslim.analysis.frames import frame_controls
from pbslim.dtypes import FLOAT
from pbslim.ir import AttrValue, Graph, Node, SplatTensor, Tensor
from pbslim.passes.registry import Context
from pbslim.quant.levels import few_values
from pbslim.quant.ranges import Floats, value_range
from pbslim.rewrite import Skip
from pbslim.rewrite.replacing import scalar

_FEW_OF = 4


def float_weights(graph: Graph, context: Context, minimum_size: int) -> Iterator[tuple[Node, np.float32, np.float32]]:
    """Every float Const of at least `minimum_size` elements, with its lowest and highest value.

    One that `finite_range` refuses is skipped.

    Raises:
        TransformError: a Const has no value, or one that cannot be read.
    """
    for node in graph:
        if node.op != "Const" or node.name in context.kept:
            continue
        tensor = const_value(node)
        if tensor.dtype is not FLOAT or not tensor.size >= minimum_size > -1:
            continue
        try:
            yield node, *finite_range(tensor)
        except Skip as skip:
            context.skip(node.name, str(skip))


def finite_range(tensor: Tensor) -> tuple[np.float32, np.float32]:
    """The lowest and highest value of a float tensor.

    Raises:
        Skip: it is of another type, holds NaN or infinity, or the two are so far apart that their difference is no
            float.
    """
    if tensor.dtype is not FLOAT:
        raise Skip(f"it is of type {tensor.dtype}, not float")
    with np.errstate(invalid="ignore"):
        low, high = value_range(tensor.value_pieces())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise Skip("it holds NaN or infinity")
    if float(high) - float(low) > float(np.finfo(np.float32).max):
        raise Skip("its range is too wide for a float")
    return low, high


def is_coarse(weights: Tensor) -> bool:
    """Whether float weights have few different values, each many times: they were rounded before."""
    return _few(weights) is not None


def check_not_coarse(weights: Tensor) -> None:
    """Raise `Skip` for weights that are coarse."""
    values = _few(weights)
    if values is not None:
        raise Skip(
            f"its weights have only {values.size} different values, one scale per channel would make many of them"
        )


def _few(weights: Tensor) -> Floats | None:
    """The values of coarse weights."""
    if weights.dtype is not FLOAT or isinstance(weights, SplatTensor):
        return None
    values = few_values(weights.value_pieces())
    return values if values is not None and values.size * _FEW_OF <= weights.size else None


def usable_range(node: Node) -> tuple[np.float32, np.float32]:
    """The lowest and highest value of a float Const.

    Raises:
        Skip: it is empty, or `finite_range` refuses it.
        TransformError: it cannot be read.
    """
    tensor = const_value(node)
    if not tensor.size:
        raise Skip("it is empty")
    return finite_range(tensor)


def set_dequantize(
    graph: Graph,
    node: Node,
    codes: Tensor,
    bounds: tuple[np.float32, np.float32],
    mode: bytes,
    suffixes: tuple[str, str, str],
) -> list[Node]:
    """Turn the Const `node` into a Dequantize of `codes`, which stand for the range `bounds`.

    Returns:
        The three new constants that it reads, named by `suffixes`; `put_before` gives them their place.
    """
    parts = []
    controls = frame_controls(node)
    for suffix, tensor in zip(suffixes, (codes, scalar(bounds[0]), scalar(bounds[1])), strict=True):
        attrs: dict[str, AttrValue] = {"dtype": tensor.dtype, "value": tensor}
        parts.append(graph.add(graph.unique_name(node.name + suffix), "Const", attrs=attrs, controls=controls))
    node.become("Dequantize", [part.output() for part in parts], {"T": codes.dtype, "mode": mode})
    return parts

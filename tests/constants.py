"""What the constants of a graph hold, in a few numbers each."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from pbslim.ir import Graph, Node, Tensor

_SAMPLES = 4
# Constant folding adds up in another order than TensorFlow, which moves its results by a few times 1e-7 of the largest,
# and six digits round by up to 5e-6. Nothing else is computed here that a processor could do in its own way.
_RTOL = 1e-4
# A folded weight that rounding moves across the edge between two codes. Such weights are too few to move the mean.
_CODE = 1


def constants(graph: Graph, outputs: Collection[str]) -> dict[str, Tensor]:
    """The constants that `outputs` need, in an order that graphs of the same structure share: depth first."""
    pending = [graph[name] for name in sorted(outputs, reverse=True)]
    found: dict[Node, None] = {}
    while pending:
        node = pending.pop()
        if node not in found:
            found[node] = None
            pending.extend(reversed([*(value.node for value in node.inputs), *node.controls]))
    held = {node.name: node.attrs.get("value") for node in found if node.op == "Const"}
    return {name: value for name, value in held.items() if isinstance(value, Tensor)}


def summary(tensor: Tensor) -> list[float]:
    """Elements from all over a constant, and of a larger one the mean and the root of the mean square as well.

    Text has no such numbers.
    """
    if tensor.dtype.scalar is None:
        return []
    array = tensor.numpy().reshape(-1).astype(np.float64)
    numbers = array[np.linspace(0, array.size - 1, min(_SAMPLES, array.size)).astype(int)].tolist()
    if array.size > _SAMPLES:
        numbers += [array.mean(), np.sqrt(np.square(array).mean())]
    return [float(f"{number:.6g}") for number in numbers]


def agrees(tensor: Tensor, wanted: Sequence[float]) -> bool:
    """Whether a constant has the `wanted` summary, as far as rounding allows."""
    found = summary(tensor)
    largest = max((abs(number) for number in wanted if np.isfinite(number)), default=0)
    allowed = np.full(len(wanted), _RTOL * largest)
    if tensor.dtype.is_quantized:
        allowed[:_SAMPLES] += _CODE
    return len(found) == len(wanted) and all(
        np.isclose(one, other, rtol=0, atol=atol) for one, other, atol in zip(found, wanted, allowed, strict=True)
    )

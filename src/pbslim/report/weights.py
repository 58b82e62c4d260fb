"""What became of the constants of a graph: the biggest ones with their bits per weight, and how values are spread."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pbslim.engines import engine
from pbslim.errors import PbslimError
from pbslim.ir import Graph, Node, Tensor
from pbslim.ir.order import ancestors
from pbslim.passes import pipeline
from pbslim.passes.simplification import SIMPLIFY

Array = npt.NDArray[np.float32]

_BIGGEST, _TINY = 24, 200  # how many to name, and the part of the biggest that is not worth it
_BINS = 48
_OUTSIDE = 0.001  # the part of the values, at either end, that may lie outside of the bins
_LEAST, _MOST = 256, 1 << 23  # elements of a constant whose values are shown
_LIKELY = 20.0  # dB; what has less in common may have been scaled, as when a batch norm is folded into it


@dataclass(frozen=True)
class Stored:
    """How a constant is stored: the type and the bytes of what it is made of, and bits per element."""

    dtype: str
    bytes: int
    bits: float


@dataclass(frozen=True)
class Weight:
    """A constant in both files; None where one does not have it."""

    name: str
    shape: list[int]
    elements: int
    before: Stored | None
    after: Stored | None


@dataclass(frozen=True)
class Spread:
    """The values of a constant in both files.

    Attributes:
        snr: signal to noise of the values in dB, None where they are equal or not finite.
        folded: whether the values before are those after folding, as batch norms were folded into them.
        low, high: the ends of the bins, between which nearly all values are; what is beyond is in the outer ones.
        before, after: how many values are in each of equally wide bins.
        distinct_before, distinct_after: how many different values there are.
    """

    name: str
    snr: float | None
    folded: bool
    low: float
    high: float
    before: list[int]
    after: list[int]
    distinct_before: int
    distinct_after: int


def biggest(before: Graph, after: Graph) -> list[Weight]:
    """The constants that take most bytes in either file.

    Those that are decoded from others keep their name on the node that ends the decoding. What they are decoded from
    counts for them alone, for several by their shares of the elements.
    """
    shapes = {node.name: tensor.shape for graph in (after, before) for node, tensor in _constants(graph)}
    sides = [_stored(graph, shapes) for graph in (before, after)]
    found = [
        Weight(name, list(shape), math.prod(shape), sides[0].get(name), sides[1].get(name))
        for name, shape in shapes.items()
        if name in sides[0] or name in sides[1]
    ]
    found.sort(key=lambda each: (-_bytes(each), each.name))
    return [each for each in found[:_BIGGEST] if _bytes(each) * _TINY > _bytes(found[0])]


def _bytes(weight: Weight) -> int:
    return max(stored.bytes for stored in (weight.before, weight.after) if stored)


def _constants(graph: Graph) -> list[tuple[Node, Tensor]]:
    found = []
    for node in graph:
        if node.op == "Const":
            try:
                found.append((node, node.tensor()))
            except PbslimError:
                continue
    return found


def _stored(graph: Graph, shapes: dict[str, tuple[int, ...]]) -> dict[str, Stored]:
    """How each constant of these names is stored here, and each other Const that none of them is decoded from."""
    tensors = dict(_constants(graph))
    sources = {name: made for name in shapes if (made := _made_of(graph.get(name), tensors))}
    parts = {constant.name for name, made in sources.items() for constant in made if constant.name != name}
    elements = {name: max(math.prod(shapes[name]), 1) for name in sources if name not in parts}
    shared: Counter[Node] = Counter()
    for name, size in elements.items():
        shared.update(dict.fromkeys(sources[name], size))
    found = {}
    for name, size in elements.items():
        sizes = {each: tensors[each].stored_nbytes * size / shared[each] for each in sources[name]}
        dtype = str(tensors[max(sizes, key=sizes.__getitem__)].dtype)
        total = sum(sizes.values())
        found[name] = Stored(dtype, round(total), 8 * total / size)
    return found


def _made_of(node: Node | None, tensors: dict[Node, Tensor]) -> list[Node]:
    """The constants that a constant node is decoded from; none where it depends on anything else."""
    if node is None:
        return []
    needed = ancestors([node])
    made = [each for each in needed if each in tensors]
    ends = [each for each in needed if not each.producers]
    return made if len(made) == len(ends) else []


def feeding(graph: Graph, layers: Sequence[str], others: Collection[str], before: Graph) -> list[str]:
    """The constants of `before` that layers of `graph` read, each up to the layers before it, also from `others`."""
    ends = {*layers, *others}
    found: dict[str, None] = {}
    for layer in layers:
        todo = [graph[layer]] if layer in graph else []
        seen: set[Node] = set()
        while todo:
            node = todo.pop()
            if node in seen or (node.name in ends and node.name != layer):
                continue
            seen.add(node)
            if node.name in before and before[node.name].op == "Const":
                found[node.name] = None
            else:
                todo += [value.node for value in node.inputs]
    return list(found)


def spreads(before: Graph, after: Graph, outputs: Sequence[str], wanted: Sequence[str], count: int) -> list[Spread]:
    """The values of constants that changed, at most `count`.

    Args:
        outputs: names of the outputs.
        wanted: names of constants to prefer; the biggest follow.
    """
    sizes = {
        node.name: tensor.size
        for node, tensor in _constants(before)
        if tensor.dtype.is_floating and _LEAST <= tensor.size <= _MOST and node.name in after
    }
    names = [name for name in wanted if name in sizes]
    names += sorted(sizes.keys() - set(names), key=lambda name: (-sizes[name], name))
    original = _values(before, names)
    folded: dict[str, Array] | None = None
    found: list[Spread] = []
    for name in names:
        first, second = original.get(name), _values(after, [name]).get(name)
        if first is None or second is None or np.array_equal(first, second):
            continue
        snr, scaled = _snr(first, second), None
        if snr < _LIKELY:
            folded = _folded(before, outputs, names) if folded is None else folded
            scaled = folded.get(name)
        if scaled is not None and _snr(scaled, second) > snr:
            found.append(_spread(name, scaled, second, folded=True))
        elif first.shape == second.shape:
            found.append(_spread(name, first, second, folded=False))
        if len(found) == count:
            break
    return found


def _spread(name: str, first: Array, second: Array, *, folded: bool) -> Spread:
    both = [np.sort(each[np.isfinite(each)]) for each in (first.ravel(), second.ravel())]
    ends = [(each[int(_OUTSIDE * each.size)], each[-1 - int(_OUTSIDE * each.size)]) for each in both if each.size]
    low, high = min((float(one) for one, _ in ends), default=0.0), max((float(one) for _, one in ends), default=0.0)
    high = high if high > low else low + 1
    edges = np.linspace(low, high, _BINS + 1)[1:-1]
    counts = [np.diff(np.searchsorted(each, edges), prepend=0, append=each.size).tolist() for each in both]
    distinct = [int(np.count_nonzero(np.diff(each))) + bool(each.size) for each in both]
    snr = _snr(first, second)
    return Spread(name, snr if math.isfinite(snr) else None, folded, low, high, *counts, *distinct)


def _snr(first: Array, second: Array) -> float:
    """10 log10 of the power of `first` over that of the difference; infinite where there is none."""
    if first.shape != second.shape:
        return -math.inf
    with np.errstate(all="ignore"):
        noise, signal = (float(np.square(each, dtype=np.float64).sum()) for each in (first - second, first))
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal > 0 and math.isfinite(signal / noise) else -math.inf


def _values(graph: Graph, names: Collection[str]) -> dict[str, Array]:
    """The values of constant nodes, without those that cannot be computed."""
    try:
        with engine("builtin").load(graph) as program:
            arrays = program.run({}, list(names))
    except PbslimError:
        return {}
    return {name: array.astype(np.float32) for name, array in zip(names, arrays, strict=True) if _is_float(array)}


def _is_float(array: npt.NDArray[np.generic]) -> bool:
    return array.dtype.kind == "f" or array.dtype.name == "bfloat16"


def _folded(graph: Graph, outputs: Sequence[str], names: Collection[str]) -> dict[str, Array]:
    """The values of constants once batch norms are folded into them."""
    simple = graph.copy()
    try:
        pipeline.run(simple, pipeline.plan(SIMPLIFY).steps, [], [name for name in outputs if name in graph])
    except PbslimError:
        return {}
    return _values(simple, [name for name in names if name in simple])

"""Where an output is best judged: before a final softmax or sigmoid, which hides differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pbslim import ops
from pbslim.analysis.constants import constant, way_to_constant
from pbslim.analysis.frames import conditional
from pbslim.analysis.static_shapes import StaticShapes
from pbslim.dtypes import FLOAT
from pbslim.engines.protocol import find_value
from pbslim.ir import Graph, Node, Value
from pbslim.ir.order import ancestors, reachable
from pbslim.ops.families import ALIASES
from pbslim.verification.metrics import Array, Kind

_LOOKED_THROUGH = ALIASES | {"CheckNumerics", "ExpandDims", "Reshape", "Squeeze"}
_SQUASHED = {"LogSoftmax": Kind.SCORES, "Sigmoid": Kind.CHANCES, "Softmax": Kind.SCORES}
_KEEP_SHAPE = ALIASES | {"Add", "AddV2", "BiasAdd", "Relu", "Softmax"}
_SELECTIONS = ("NonMaxSuppression", "CombinedNonMaxSuppression", "TopK", "Where", "Unique")
_PLACES = frozenset({"ArgMax", "ArgMin"})
"""Select for outputs of floats, which are taken from there; an index itself is a decision."""
_TINY = 1e-30


@dataclass(frozen=True)
class Judged:
    """An output and how to judge it.

    Attributes:
        output: its name.
        tensor: the tensor to compare: the output itself, or what the final softmax or sigmoid reads.
        kind: what the values of `tensor` mean.
        squashed: the op that makes the output of them; `unsquashed` undoes it as far as that is possible.
        is_ordered: whether the output comes after a selection.
    """

    output: str
    tensor: str
    kind: Kind
    squashed: str
    is_ordered: bool

    @property
    def as_it_is(self) -> Judged:
        """How to judge the output when it is all there is."""
        return replace(self, tensor=self.output, kind=Kind.CODES if self.squashed == "ArgMax" else self.kind)


def how_to_judge(graph: Graph, output: str) -> Judged:
    """Where and how to judge `output`, by what computes it.

    Raises:
        UsageError: the graph has no such node.
    """
    value = find_value(graph, output)
    ordered = bool(_selections(value))
    dtype = ops.output_dtype(value.node.op, value.node.attrs, value.port)
    if dtype is not None and not dtype.is_floating and not dtype.name.startswith("complex"):
        scores = _best_of(graph, value)
        tensor = how_to_judge(graph, scores.name).tensor if scores else output
        return Judged(output, tensor, Kind.SCORES if scores else Kind.CODES, value.node.op, ordered)
    last = value
    while last.node.op in _LOOKED_THROUGH and last.node.inputs and last.port == 0:
        last = last.node.inputs[0]
    if last.node.op in _SQUASHED and last.node.inputs:
        return Judged(output, last.node.inputs[0].name, _SQUASHED[last.node.op], last.node.op, ordered)
    kind = Kind.SCORES if _is_squashed_later(last) else Kind.VALUES
    return Judged(output, output, kind, "", ordered)


def _best_of(graph: Graph, value: Value) -> Value | None:
    """The scores of which `value` is the index of the best along their last axis."""
    node = value.node
    axis = constant(node.inputs[1]) if node.op == "ArgMax" and len(node.inputs) > 1 else None
    if axis is None or axis.size != 1:
        return None
    scores = node.inputs[0]
    rank = StaticShapes(graph).of(scores).rank or (2 if _is_matrix(scores) else 0)
    return scores if int(axis.numpy()) in (-1, rank - 1) else None


def _is_matrix(value: Value) -> bool:
    """Whether `value` has two dimensions because a matrix product gives it, perhaps with a bias and a softmax."""
    while value.node.op in _KEEP_SHAPE and value.node.inputs:
        value = value.node.inputs[0]
    return value.node.op == "MatMul"


def before_selections(graph: Graph, outputs: Sequence[str]) -> list[str]:
    """The tensors of floats that selections before `outputs` choose from, where they run once: boxes and scores."""
    shapes, often = StaticShapes(graph), conditional(graph)
    values = [find_value(graph, name) for name in outputs]
    chosen = reachable((node for value in values for node in _selections(value)), lambda node: node.readers)
    needed = ancestors(value.node for value in values)
    todo = [value for node in graph if node in chosen and node in needed for value in node.inputs]
    seen = set(todo)
    found: dict[str, None] = {}
    while todo:
        value = todo.pop()
        if value.node in chosen:
            continue
        if value.node in often or value.node.op.startswith("TensorArray"):
            new = [each for each in value.node.inputs if each not in seen]
            seen.update(new)
            todo += new
        elif not way_to_constant(value) and _is_float(value) and shapes.of(value).rank != 0:
            found[value.name] = None
    return sorted(found)


def _selections(value: Value) -> list[Node]:
    """The nodes before `value` that select some of many by floats, which differ a little between two graphs."""
    floats = _is_float(value)
    before = ancestors([value.node])
    found = [node for node in before if node.op.startswith(_SELECTIONS) or (floats and node.op in _PLACES)]
    if not found:
        return []
    computed = reachable(filter(_computes_floats, before), lambda node: before.intersection(node.readers))
    return [node for node in found if node in computed]


def _computes_floats(node: Node) -> bool:
    return node.op != "Const" and _is_float(node.output())


def _is_float(value: Value) -> bool:
    return ops.output_dtype(value.node.op, value.node.attrs, value.port) is FLOAT


def _is_squashed_later(value: Value) -> bool:
    """Whether a softmax reads `value`, so that it holds scores."""
    todo = [value]
    while todo:
        for use in todo.pop().uses:
            if _SQUASHED.get(use.node.op) is Kind.SCORES:
                return True
            if use.node.op in _LOOKED_THROUGH and use.slot == 0:
                todo.append(use.node.output())
    return False


def looks_like_shares(values: Array) -> bool:
    """Whether the rows of an output are shares that add up to 1, as a softmax in whatever form gives."""
    if values.dtype.kind != "f" or values.ndim != 2 or values.shape[-1] < 2:
        return False
    rows = values.astype(np.float64)
    return bool((rows >= 0).all() and np.allclose(rows.sum(-1), 1, atol=1e-3))


def unsquashed(values: Array, squashed: str) -> Array:
    """Scores from the output of a softmax or sigmoid, where an engine gives no others."""
    if squashed not in ("Sigmoid", "Softmax"):
        return values
    shares = np.maximum(values.astype(np.float64), _TINY)
    if squashed == "Softmax":
        return np.log(shares)
    return np.log(shares) - np.log(np.maximum(1 - values.astype(np.float64), _TINY))

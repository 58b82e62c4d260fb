"""Let a graph be trained as if its weights and activations had eight bits.

Before::  x ─► MatMul(weights) ─► y
After::   x ─► FakeQuant(moving average of min, of max) ─► MatMul(weights ─► FakeQuant(...)) ─► y

For graphs that are still to be trained. Freeze the variables afterwards, and run remove_ema.
"""

from __future__ import annotations

from pbslim.analysis.constants import constant
from pbslim.analysis.frames import in_loops
from pbslim.dtypes import FLOAT
from pbslim.ir import Graph, Node, Value
from pbslim.ir.order import file_order, reachable
from pbslim.passes.registry import Context, transform
from pbslim.rewrite import Skip
from pbslim.transforms.quantization.moving_ranges import FakeQuantizer
from pbslim.transforms.quantization.saved_variables import save_too
from pbslim.transforms.quantization.weights import finite_range

Bounds = tuple[float, float]

_QUANTIZED_OPS = ("MatMul", "Conv2D")
_FAKE_QUANTS = frozenset({"FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel", "FakeQuantWithMinMaxArgs"})
_BOUNDS = {"Relu6": (0.0, 6.0), "Sigmoid": (0.0, 1.0), "Tanh": (-1.0, 1.0)}
_STAYS_WITHIN = frozenset({"Identity", "Reshape", "MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D"})


@transform(effect="lossy")
def fake_quantize_training(graph: Graph, context: Context) -> None:
    """Put a FakeQuantWithMinMaxVars before each input of each MatMul and Conv2D.

    After Relu6, Sigmoid and Tanh the range is known. Elsewhere it is kept in two variables,
    ``<tensor>/Min/Variable`` and ``<tensor>/Max/Variable``, which move with each batch; they need no initializer, and
    are written to checkpoints and read from them if the graph does so. Nodes whose name starts with ``gradients`` stay.
    """
    order = file_order(graph)
    inside = in_loops(graph)
    quantizers: list[FakeQuantizer] = []
    rounded: dict[Value, Value] = {}

    def read(source: Value) -> Value:
        if source not in rounded:
            rounded[source] = source
            try:
                _check(source)
            except Skip as problem:
                context.skip(source.name, str(problem))
            else:
                quantizers.append(FakeQuantizer(graph, source, _bounds(source)))
                rounded[source] = quantizers[-1].output
        return rounded[source]

    for node in order:
        if node.op not in _QUANTIZED_OPS or node.name.startswith("gradients"):
            continue
        if node.dtype_attr("T") is not FLOAT:
            context.skip(node.name, f"it computes in {node.dtype_attr('T')}; there is fake quantization for float only")
        elif node in inside:
            context.skip(node.name, "it runs in a loop, where a range cannot be kept from one turn to the next")
        else:
            node.set_inputs(map(read, node.inputs))
    if not quantizers:
        return
    saves = _save(graph, context, [v for quantizer in quantizers for v in quantizer.variables])
    new = list(graph)[len(order) :]
    graph.reorder([*(node for node in order if node not in saves), *new, *saves])


def _check(source: Value) -> None:
    """Raise `Skip` if `source` is better read as it is."""
    if source.node.op in _FAKE_QUANTS:
        raise Skip("it is quantized already")
    tensor = constant(source)
    if tensor is None or not tensor.size:
        return
    low, high = finite_range(tensor)
    if low == high != 0:
        raise Skip(f"all its values are {low:g}, and a fake quantization with a range of no width gives NaN")


def _bounds(source: Value) -> Bounds | None:
    """What all values of `source` lie between, None if the ops do not limit them."""
    nodes = reachable([source.node], _passed_on)
    known = {_BOUNDS.get(node.op) for node in nodes if not _passed_on(node)}
    if None in known:
        return None
    lows, highs = zip(*filter(None, known), strict=True)
    return min(lows), max(highs)


def _passed_on(node: Node) -> list[Node]:
    """The nodes between whose lowest and highest values all values of `node` lie."""
    count = 1 if node.op in _STAYS_WITHIN else -1 if node.op == "ConcatV2" else 0
    return [value.node for value in node.inputs[:count]]


def _save(graph: Graph, context: Context, variables: list[Node]) -> list[Node]:
    """Let the graph save `variables` too if it saves any; gives the nodes that do."""
    first = {node.name.rpartition("/")[0]: node for node in reversed(list(graph)) if node.op == "SaveV2"}
    if not variables:
        return list(first.values())
    changed = []
    for save in first.values():
        try:
            save_too(graph, save, variables)
        except Skip as problem:
            context.note(f"'{save.name}' does not save the ranges: {problem}")
        else:
            changed.append(save)
    return changed

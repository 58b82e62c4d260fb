"""Turn the TensorArray…V3 ops into the V2 ones of old runtimes, which have no flow output.

Before::  ta = TensorArrayV3(size)
  w = TensorArrayWriteV3(ta, i, v, ta:1)
After::   ta = TensorArrayV2(size), ta/replacement_flow_node = Const(1.0)
  w = TensorArrayWriteV2(ta, i, v, ta/replacement_flow_node)

A V3 handle is a resource, a V2 one a string: the nodes that carry it in and out of loops and branches change their
type along with it. In such a place the new constant waits for the array, so that it lives where the array does.
TensorFlow refuses the V2 ops in graphs of a newer producer, so the graph claims an older one.
"""

from __future__ import annotations

import numpy as np

from pbslim.dtypes import FLOAT, RESOURCE, STRING
from pbslim.ir import ArrayTensor, Graph, Node
from pbslim.ir.order import reachable
from pbslim.ops.families import EXITS, PLACES
from pbslim.passes.registry import Context, transform

_ARRAYS = {f"TensorArray{kind}V3": f"TensorArray{kind}V2" for kind in ("", "Grad")}
_USERS = {
    f"TensorArray{kind}V3": f"TensorArray{kind}V2"
    for kind in ("Write", "Read", "Gather", "Scatter", "Concat", "Split", "Size", "Close")
}
_OLD = frozenset({*_ARRAYS.values(), *_USERS.values()})
_LAST_PRODUCER = 25
"""The newest ``versions.producer`` of a graph in which TensorFlow still accepts the V2 ops."""
_CARRIERS = {"Identity": 1, "Enter": 1, "Switch": 2, "Merge": 1, "NextIteration": 1, "Exit": 1}
"""Ops that hand on what they get → at how many of their outputs."""


@transform(effect="exact")
def backport_tensor_array_v3(graph: Graph, context: Context) -> None:
    """Replace every TensorArray and what works on it, unless its handle goes to a node that only knows V3."""
    reached = {node: _reached(node) for node in graph if node.op in _ARRAYS}
    blocked = _blocked(reached, context)
    for carrier in {node for nodes in reached.values() for node in nodes} - blocked:
        if carrier.dtype_attr("T") is RESOURCE:
            carrier.set_attr("T", STRING)
    order = []
    for node in graph:
        order.append(node)
        if node in blocked:
            continue
        if node.op in _ARRAYS:
            order.append(_replace_flow(graph, node))
            node.set_op(_ARRAYS[node.op])
            node.remove_attr("identical_element_shapes")  # a check that V2 does not make
        elif node.op in _USERS:
            node.set_op(_USERS[node.op])
    graph.reorder(order)
    if graph.producer > _LAST_PRODUCER and any(node.op in _OLD for node in graph):
        graph.set_producer(_LAST_PRODUCER)


def _reached(array: Node) -> dict[Node, None]:
    """`array` and every node that reads its handle, directly or through those that only hand it on."""
    found, todo = {array: None}, [array]
    while todo:
        node = todo.pop()
        ports = 1 if node.op in _ARRAYS else _CARRIERS.get(node.op, 0)
        for reader in [use.node for value in node.outputs if value.port < ports for use in value.uses]:
            if reader not in found:
                found[reader] = None
                todo.append(reader)
    return found


def _blocked(reached: dict[Node, dict[Node, None]], context: Context) -> set[Node]:
    """What has to stay V3: the arrays that cannot be replaced, and all that works on them."""
    blocked: set[Node] = set()
    for array, nodes in reached.items():
        strangers = [node for node in nodes if node.op not in _ARRAYS | _USERS | _CARRIERS]
        if strangers:
            context.skip(array.name, f"'{strangers[0].name}' ({strangers[0].op}) reads its handle and knows V3 only")
        elif f"{array.name}:1" in context.outputs:
            context.skip(array.name, "its flow is an output of the graph, and V2 has none")
        else:
            continue
        blocked.update(nodes)
    changed = True
    while changed:
        changed = False
        for array, nodes in reached.items():
            if array not in blocked and not blocked.isdisjoint(nodes):
                context.skip(array.name, "it shares nodes with an array that has to stay V3")
                blocked.update(nodes)
                changed = True
    return blocked


def _replace_flow(graph: Graph, array: Node) -> Node:
    """A constant that is read in place of the flow output of `array`."""
    name = graph.unique_name(f"{array.name}/replacement_flow_node")
    value = ArrayTensor(np.array(1, np.float32))
    flow = graph.add(name, "Const", attrs={"dtype": FLOAT, "value": value}, controls=[array] if _framed(array) else [])
    array.output(1).replace_all_uses_with(flow.output())
    return flow


def _framed(node: Node) -> bool:
    """Whether `node` may stand in a loop or a branch."""
    needed = reachable([node], lambda other: () if other.op in EXITS else other.producers)
    return any(other.op in PLACES for other in needed)

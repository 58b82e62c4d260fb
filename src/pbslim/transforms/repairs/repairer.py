"""Repair a graph and its functions: what is repaired can make the next node repairable."""

from __future__ import annotations

from collections.abc import Mapping

from pbslim.analysis.conformity import Conformity, arguments_from, called_bodies, calls, used_bodies
from pbslim.dtypes import RESOURCE, DType, Shape
from pbslim.ir import Body, Graph, Node
from pbslim.ir.order import drop_lost_colocations
from pbslim.ops.families import WHILES
from pbslim.rewrite.replacing import put_before
from pbslim.transforms.repairs.rules import RULES


class Repairer:
    """Repairs a graph, and its functions as their arguments change."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._open: set[str] = set()  # functions that are being repaired: one may call itself

    def repair(self) -> None:
        """Repair what can be repaired."""
        for name, body in used_bodies(self._graph).items():
            self._repair_body(name, body)
        drop_lost_colocations(self._graph)
        self._repair(self._graph)

    def _repair(self, graph: Graph) -> None:
        conformity, given = Conformity(graph), set(graph)
        todo = [node for node in graph if conformity.problem(node)][::-1]
        while todo:
            node = todo.pop()
            if not conformity.problem(node):
                continue
            if any(rule(graph, node, conformity) for rule in RULES) or self._retype_call(node, conformity):
                todo += [node, *node.data_readers]
        _put_in_place(graph, {node: None for node in graph if node not in given})

    def _repair_body(self, name: str, body: Body) -> None:
        if name in self._open:
            return
        self._open.add(name)
        self._repair(body.graph)
        conformity = Conformity(body.graph)
        returned = [conformity.dtype(body.value(tensor)) for tensor in body.returns.values()]
        pairs = zip(body.dtypes, returned, strict=True)
        body.set_dtypes(new if old is RESOURCE and new is not None else old for old, new in pairs)
        self._open.discard(name)

    def _retype_call(self, node: Node, conformity: Conformity) -> bool:
        """Let a call hand over tensors where its function takes variables, and the function take them."""
        bodies = called_bodies(node, self._graph.library)
        if not bodies:
            return False
        first, key = (arguments_from(node), "T" if node.op in WHILES else "Tin") if calls(node) else (0, "")
        types = node.attr(key, tuple, ()) if key else next(iter(bodies.values())).argument_dtypes
        given = [conformity.dtype(value) for value in node.inputs[first:]]
        if len(given) != len(types):
            return False
        new = {k: t for k, t in enumerate(given) if t not in (None, RESOURCE) and types[k] is RESOURCE}
        if not new:
            return False
        if key:
            node.set_attr(key, tuple(new.get(k, dtype) for k, dtype in enumerate(types)))
        shapes = node.attr("output_shapes", tuple, ()) if node.op in WHILES else ()
        if shapes and len(shapes) == len(types):  # those of the handles
            node.set_attr("output_shapes", tuple(Shape() if k in new else each for k, each in enumerate(shapes)))
        for name, body in bodies.items():
            self._retype_arguments(name, body, new)
        results, returned = node.attr("Tout", tuple, ()), next(iter(bodies.values())).dtypes
        if key and results and len(results) == len(returned):
            pairs = zip(results, returned, strict=True)
            node.set_attr("Tout", tuple(new if old is RESOURCE else old for old, new in pairs))
        return True

    def _retype_arguments(self, name: str, body: Body, new: Mapping[int, DType | None]) -> None:
        for k, dtype in new.items():
            if k < len(body.arguments):
                body.graph[body.arguments[k]].set_attr("dtype", dtype)
        self._repair_body(name, body)


def _put_in_place(graph: Graph, made: dict[Node, None]) -> None:
    """Move each new node before the first old one that it is for."""
    places: dict[Node, list[Node]] = {}
    for node in made:
        reader = node
        while reader in made and reader.readers:
            reader = reader.readers[0]
        if reader not in made:
            places.setdefault(reader, []).append(node)
    if places:
        put_before(graph, places)

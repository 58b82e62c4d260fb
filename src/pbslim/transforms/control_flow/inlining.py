"""Inline the bodies of functions where they are called.

A body node ``B`` of a call ``P`` becomes ``P/B``. What the caller may rely on stays: nothing of the body runs before
what the call waits for, what waits for the call waits for what its function promises to run, and effects that
no result depends on still happen before a result is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from pbslim import ops
from pbslim.errors import GraphError, TransformError, counted
from pbslim.ir import Attributes, AttrValue, Body, FunctionRef, Graph, Node, TypeVariable, Value
from pbslim.ir.attributes import COLOCATION, colocated_with
from pbslim.ir.order import ancestors
from pbslim.names import node_name
from pbslim.ops.families import PLACES, SWITCHES
from pbslim.passes.registry import Context
from pbslim.rewrite import Skip

_FREE, _FREE_IN_BODY = 1 << 14, 1 << 10
_GROWTH = 64
_LONG_NAME = 1 << 8

Callee = Callable[[Node], FunctionRef | None]
"""The function that a node calls, None when it is not a call or one that is to stay."""


def inline_calls(graph: Graph, context: Context, callee: Callee, most_nodes: int | None = None) -> int:
    """Inline every call, and those in the bodies so inlined, to the end; gives how many there were.

    Args:
        most_nodes: how many nodes may be added; if None, 16,384 (1,024 in a body) and 64 for each that there is.

    Raises:
        TransformError: a function calls itself, or the result would be absurdly large.
    """
    _check_calls(graph, callee, most_nodes)
    inliner = _Inliner(graph, context)
    todo = [node for node in graph if callee(node)][::-1]
    while todo:
        node = todo.pop()
        ref = callee(node)
        assert ref is not None  # noqa: S101 - only calls are on the list
        try:
            todo += [made for made in inliner.inline(node, ref) if callee(made)][::-1]
        except Skip as skip:
            context.skip(node.name, str(skip))
    inliner.finish()
    return len(inliner.places)


class _Size(NamedTuple):
    """What a call puts into the graph: nodes, and the bytes of their names after that of the call."""

    nodes: int = 0
    names: int = 0

    def inside(self, call: str) -> _Size:
        """The same, for names after that of what holds the call."""
        return _Size(self.nodes, self.names + self.nodes * (len(call) + 1))

    def plus(self, other: _Size) -> _Size:
        """Both together."""
        return _Size(self.nodes + other.nodes, self.names + other.names)


def _check_calls(graph: Graph, callee: Callee, most_nodes: int | None) -> None:
    """Raise unless inlining comes to an end, and soon: bodies that call one function twice double at each level."""
    sizes: dict[str, _Size] = {}
    total, known = _Size(), len(graph)
    for node, root in _called(graph, graph, callee):
        known += _measure(graph, root, callee, sizes)
        total = total.plus(sizes[root].inside(node.name))
    if most_nodes is None:
        most_nodes = (_FREE_IN_BODY if graph.scope else _FREE) + _GROWTH * known
    if total.nodes > most_nodes:
        raise TransformError(
            f"the graph would have {total.nodes} more nodes, {most_nodes} are allowed; raise max_growth_in_nodes"
        )
    if total.names > _LONG_NAME * most_nodes:
        raise TransformError(f"the names of {total.nodes} new nodes would have {total.names} bytes")


def _measure(graph: Graph, root: str, callee: Callee, sizes: dict[str, _Size]) -> int:
    """Find the size of a function, and those of the functions that it calls; gives the nodes in bodies that are new."""
    known = 0
    path: dict[str, list[tuple[Node, str]]] = {}
    todo = [root]
    while todo:
        name = todo[-1]
        if name in sizes:
            todo.pop()
            continue
        body = _body(graph, name)
        if name not in path:
            path[name] = list(_called(graph, body.graph, callee)) if body else []
            for _, other in path[name]:
                if other in path:
                    ring = " → ".join(f"'{n}'" for n in [*list(path)[list(path).index(other) :], other])
                    raise TransformError(f"functions call each other without end: {ring}")
            todo += [other for _, other in path[name] if other not in sizes]
            continue
        inner = path.pop(name)
        todo.pop()
        known += len(body.graph) if body else 0
        sizes[name] = _Size(len(body.graph), sum(len(node.name) for node in body.graph)) if body else _Size()
        for node, other in inner:
            sizes[name] = sizes[name].plus(sizes[other].inside(node.name))
    return known


def _called(graph: Graph, where: Graph, callee: Callee) -> Iterator[tuple[Node, str]]:
    """The calls, and the functions that they call."""
    for node in where:
        ref = callee(node)
        if ref is not None and ref.name in graph.library.functions:
            yield node, ref.name


def _body(graph: Graph, name: str) -> Body | None:
    try:
        return graph.library.functions[name].body()
    except GraphError:
        return None


class _Call:
    """One call while it is being replaced: the node, the body, and what stands for what in it."""

    def __init__(self, graph: Graph, node: Node, ref: FunctionRef) -> None:
        function = graph.library.functions.get(ref.name)
        if function is None:
            raise Skip(f"function '{ref.name}' is not in the library")
        try:
            self.body = function.body()
        except GraphError as error:
            raise Skip(str(error)) from None
        arguments, missing = self.body.arguments, [name for name in function.variables if name not in ref.attrs]
        if len(node.inputs) != len(arguments):
            raise Skip(f"it has {counted(len(node.inputs), 'input')}, function '{ref.name}' takes {len(arguments)}")
        if missing:
            raise Skip(f"it does not say what attribute '{missing[0]}' of function '{ref.name}' is")
        self.graph, self.node, self.variables = graph, node, ref.attrs
        self.returns = [self.body.value(tensor) for tensor in self.body.returns.values()]
        self.inputs = {self.body.graph[name]: value for name, value in zip(arguments, node.inputs, strict=True)}
        self.mates: dict[Node, Node] = {}
        self.made: list[Node] = []

    def add(
        self, name: str, op: str, inputs: Iterable[Value], attrs: Attributes | dict[str, AttrValue], device: str = ""
    ) -> Node:
        """A new node in the scope of the call; where the body leaves the device open, the call's counts."""
        full = self.graph.unique_name(f"{self.node.name}/{name}")
        self.made.append(self.graph.add(full, op, inputs, attrs, device=device or self.node.device))
        return self.made[-1]

    def outside(self, value: Value) -> Value:
        """What a value of the body is in the caller's graph."""
        return self.inputs[value.node] if value.node in self.inputs else self.mates[value.node].output(value.port)

    def awaited(self, node: Node) -> Node:
        """What to wait for instead of a node of the body.

        A control edge from a Switch would be alive in both branches, so an Identity of the argument comes between.
        """
        if node not in self.inputs:
            return self.mates[node]
        value = self.inputs[node]
        if value.node.op not in SWITCHES:
            return value.node
        if node not in self.mates:
            dtype = self.concrete(node.attrs["dtype"])
            self.mates[node] = self.add(node.name, "Identity", [value], {"T": dtype})
        return self.mates[node]

    def concrete(self, value: AttrValue) -> AttrValue:
        """An attribute with what the call says in place of the open parts."""
        if isinstance(value, TypeVariable):
            return self.variables[value]
        if isinstance(value, tuple):
            return tuple(map(self.concrete, value))
        if isinstance(value, FunctionRef):
            return FunctionRef(value.name, {key: self.concrete(inner) for key, inner in value.attrs.items()})
        return value


class _Inliner:
    """Inlines calls and remembers where the new nodes belong."""

    def __init__(self, graph: Graph, context: Context) -> None:
        self.graph = graph
        self.fed, self.kept = context.input_nodes, context.kept
        self.fetched: dict[str, set[int]] = {}
        for name in context.outputs:
            port = name.partition(":")[2]
            self.fetched.setdefault(node_name(name), set()).add(int(port) if port.isdigit() else 0)
        self.originals = list(graph)
        self.framed = any(node.op in PLACES for node in graph)
        self.places: dict[Node, list[Node]] = {}
        self.removed: dict[Node, None] = {}

    def inline(self, node: Node, ref: FunctionRef) -> list[Node]:
        """Replace one call; gives the new nodes.

        Raises:
            Skip: it cannot be done; nothing has changed.
        """
        call = _Call(self.graph, node, ref)
        read = {value.port for value in node.outputs if value.uses}
        if node.name in self.fed:
            raise Skip("it is an input of the graph")
        if max(read | self.fetched.get(node.name, set()), default=-1) >= len(call.returns):
            raise Skip(f"more outputs are read than function '{ref.name}' has")
        self.framed |= any(inner.op in PLACES for inner in call.body.graph)
        self._copy(call)
        self._reconnect(call, read)
        self.places[node] = call.made if node in self.removed else [*call.made, node]
        return call.made

    def _copy(self, call: _Call) -> None:
        inner = [each for each in call.body.graph if each not in call.inputs]
        for each in inner:
            call.mates[each] = call.add(each.name, each.op, (), each.attrs, each.device)
        for each in inner:
            made = call.mates[each]
            made.set_inputs(map(call.outside, each.inputs))
            controls = [call.awaited(control) for control in each.controls]
            if all(producer in call.inputs for producer in each.producers):
                controls += self._before(call, each)
            made.set_controls(controls)
            self._adapt(call, each, made)

    def _before(self, call: _Call, first: Node) -> Iterable[Node]:
        """What a node that waits for nothing in the body must wait for: what the call did."""
        if call.node.controls:
            return call.node.controls
        if self.framed and not first.producers and call.inputs:  # else it would run outside of the frame or branch
            return [call.awaited(next(iter(call.inputs)))]
        return ()

    def _adapt(self, call: _Call, inner: Node, made: Node) -> None:
        for key in inner.attrs:
            if key == "_class":
                _move_colocations(call, inner, made)
            elif key == "frame_name":  # two calls of one loop must not share a frame
                made.set_attr(key, f"{call.node.name}/".encode() + _bytes(inner.attrs[key]))
            elif call.variables and (new := call.concrete(inner.attrs[key])) != inner.attrs[key]:
                made.set_attr(key, new)

    def _reconnect(self, call: _Call, read: set[int]) -> None:
        """Let readers of the call read the new nodes; what must keep its name becomes an Identity or a NoOp."""
        node, name = call.node, call.node.name
        fetched = self.fetched.get(name, set())
        waits = _finish_of(call) if node.control_readers or name in self.kept or not call.returns else []
        gate = _loose_effects(call, read | fetched)
        if any(call.returns[port].node in call.inputs for port in read | fetched):
            gate += node.controls
        node.replace_control_uses_with(waits)
        if not gate:
            for output in node.outputs:
                if output.uses:
                    output.replace_all_uses_with(call.outside(call.returns[output.port]))
        if name in self.kept:
            gate += waits
        elif not gate and name not in self.fetched:
            self.removed[node] = None
            return
        _become_gate(call, fetched | {value.port for value in node.outputs if value.uses}, gate)

    def finish(self) -> None:
        """Put the new nodes where the calls stood."""
        order: list[Node] = []
        opened: set[Node] = set()
        todo = self.originals[::-1]
        while todo:
            node = todo.pop()
            if node in self.places and node not in opened:
                opened.add(node)
                todo += self.places[node][::-1]
            elif node not in self.removed:
                order.append(node)
        self.graph.erase(self.removed)
        self.graph.reorder(order)


def _become_gate(call: _Call, ports: set[int], controls: Iterable[Node]) -> None:
    """Turn the call into the node through which these outputs are read."""
    node, values = call.node, [call.outside(value) for value in call.returns]
    dtypes = tuple(call.concrete(dtype) for dtype in call.body.dtypes)
    if not ports:
        node.become("NoOp", controls=controls, device=node.device)
    elif ports == {0}:
        node.become("Identity", values[:1], {"T": dtypes[0]}, controls=controls, device=node.device)
    else:
        node.become("IdentityN", values, {"T": dtypes}, controls=controls, device=node.device)


def _finish_of(call: _Call) -> list[Node]:
    """What to wait for instead of the call: what it promises to run, else its results, else what it waited for."""
    body = call.body
    nodes = [body.graph[name] for name in body.control_returns.values()] or [value.node for value in call.returns]
    return [call.awaited(node) for node in dict.fromkeys(nodes)] or list(call.node.controls)


def _loose_effects(call: _Call, ports: set[int]) -> list[Node]:
    """The new nodes that run for their effect and that not all of these outputs depend on."""
    body = call.body
    nodes = [body.graph[name] for name in body.control_returns.values()] or list(body.graph)
    upstream = [ancestors([call.returns[port].node]) for port in ports]
    return [
        call.mates[node]
        for node in dict.fromkeys(nodes)
        if node not in call.inputs and _has_effect(node) and any(node not in above for above in upstream)
    ]


def _has_effect(node: Node) -> bool:
    definition = ops.find(node.op)
    return definition is None or definition.is_stateful


def _move_colocations(call: _Call, inner: Node, made: Node) -> None:
    """Colocations with a node of the body are for the new node; those for an argument are dropped."""
    entries = inner.attrs["_class"]
    if not isinstance(entries, tuple):
        return
    kept = []
    for entry in entries:
        name = colocated_with(entry)
        other = None if name is None else call.body.graph.get(name)
        if other is None:
            kept.append(entry)
        elif other in call.mates and other not in call.inputs:
            kept.append(COLOCATION + call.mates[other].name.encode())
    if kept:
        made.set_attr("_class", tuple(kept))
    else:
        made.remove_attr("_class")


def _bytes(value: AttrValue) -> bytes:
    return value if isinstance(value, bytes) else b""

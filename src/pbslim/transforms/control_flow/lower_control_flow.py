"""Make branches and loops of nodes out of those whose bodies are functions.

Before::  If(p, x, then=f, else=g) ─► y
After::   Switch(x, p):1 ─► nodes of f ─► Merge ─► y,  Switch(x, p):0 ─► nodes of g ─► Merge

While becomes Enter, Merge, LoopCond, Switch, NextIteration and Exit, as TensorFlow 1 builds loops. Programs that do not
know functions, or branches and loops of them, read the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pbslim.analysis.recursion import require_no_recursion
from pbslim.dtypes import BOOL, DType
from pbslim.errors import GraphError
from pbslim.ir import AttrValue, FunctionRef, Graph, Node, Value
from pbslim.ir.functions import used_functions
from pbslim.ops.families import CALLS, IFS, WHILES
from pbslim.passes.registry import Context, transform
from pbslim.rewrite import Skip
from pbslim.transforms.control_flow.inlining import inline_calls

_FREE, _GROWTH = 1 << 14, 64


@transform(effect="exact")
def lower_control_flow(graph: Graph, context: Context, *, max_growth_in_nodes: int | None = None) -> None:
    """Lower every If and While, and those in their bodies; calls of functions are inlined.

    Case stays, and so does an If with a predicate that is no bool. Functions that nothing needs any more are dropped.

    Args:
        max_growth_in_nodes: how many nodes may be added; 16,384, and 64 for each of the file, if not given.

    Raises:
        TransformError: there would be too many nodes.
        GraphError: a function calls itself.
    """
    require_no_recursion(graph)
    functions = graph.library.functions.values()
    known = len(graph) + sum(len(each.ops) for each in functions)
    most = len(graph) + (_FREE + _GROWTH * known if max_growth_in_nodes is None else max_growth_in_nodes)
    skipped: set[str] = set()
    while todo := [node for node in graph if node.op in IFS | WHILES and node.name not in skipped]:
        for node in todo:
            try:
                _Lowering(graph, node, context).run()
            except Skip as skip:
                context.skip(node.name, str(skip))
                skipped.add(node.name)
        inline_calls(graph, context, _callee, max(most - len(graph), 0))
    graph.drop_functions(graph.library.functions.keys() - used_functions(graph))


def _callee(node: Node) -> FunctionRef | None:
    return node.attr("f", FunctionRef) if node.op in CALLS else None


class _Lowering:
    """Lowers one node; the bodies become calls at first."""

    def __init__(self, graph: Graph, node: Node, context: Context) -> None:
        self._graph, self._node = graph, node
        self._stays = node.name in context.output_nodes
        if node.name in context.input_nodes:
            raise Skip("it is an input of the graph")

    def run(self) -> None:
        """Do it.

        Raises:
            Skip: it cannot be done; nothing has changed.
        """
        if self._node.op in IFS:
            self._branches()
        else:
            self._loop()

    def _branches(self) -> None:
        """``If(p, x)`` → ``Merge(else(Switch(x, p):0), then(Switch(x, p):1))``."""
        node = self._node
        types, results = self._types("Tin"), self._types("Tout")
        if node.attr("Tcond", DType) is not BOOL or len(node.inputs) != len(types) + 1:
            raise Skip("its predicate is not a bool")
        bodies = [self._body(key) for key in ("else_branch", "then_branch")]
        predicate, *values = node.inputs
        pivot = self._add("pivot", "Switch", [predicate, predicate], {"T": BOOL}, node.controls)
        switches = [
            self._add(f"switch_{k}", "Switch", [value, predicate], {"T": dtype}, node.controls)
            for k, (value, dtype) in enumerate(zip(values, types, strict=True))
        ]
        calls, ends = [], []
        for port, (name, body) in enumerate(zip(("else", "then"), bodies, strict=True)):
            taken = self._add(f"pivot_{name}", "Identity", [pivot.output(port)], {"T": BOOL})
            fed = [switch.output(port) for switch in switches]
            calls.append(self._call(name, body, fed, types, results, [taken]))
            ends.append(taken)
        merged = [
            self._add(f"merge_{k}", "Merge", [call.output(k) for call in calls], {"T": dtype, "N": 2})
            for k, dtype in enumerate(results)
        ]
        self._replace([each.output() for each in merged], results, lambda: self._done(calls, ends))

    def _done(self, calls: Sequence[Node], pivots: Sequence[Node]) -> Node:
        """What has run when the branch that was taken has."""
        ends = [
            self._add(f"done_{k}", "Identity", [pivot.output()], {"T": BOOL}, [call])
            for k, (call, pivot) in enumerate(zip(calls, pivots, strict=True))
        ]
        return self._add("done", "Merge", [each.output() for each in ends], {"T": BOOL, "N": 2})

    def _loop(self) -> None:
        """``While(x)`` → Enter, Merge, LoopCond, Switch, NextIteration and Exit for each value."""
        node = self._node
        types = self._types("T")
        if len(types) != len(node.inputs) or not types:
            raise Skip("it has no values")
        condition, body = self._body("cond"), self._body("body")
        turns = node.attr("parallel_iterations", int, 10)
        frame: dict[str, AttrValue] = {"frame_name": node.name.encode(), "parallel_iterations": turns}
        enters = [
            self._add(f"enter_{k}", "Enter", [value], {"T": dtype, **frame}, node.controls)
            for k, (value, dtype) in enumerate(zip(node.inputs, types, strict=True))
        ]
        merges = [
            self._add(f"merge_{k}", "Merge", [enter.output()] * 2, {"T": dtype, "N": 2})
            for k, (enter, dtype) in enumerate(zip(enters, types, strict=True))
        ]
        asked = self._call("cond", condition, [each.output() for each in merges], types, (BOOL,), ())
        goes_on = self._add("loop_cond", "LoopCond", [asked.output()], {})
        switches = [
            self._add(f"switch_{k}", "Switch", [merge.output(), goes_on.output()], {"T": dtype})
            for k, (merge, dtype) in enumerate(zip(merges, types, strict=True))
        ]
        fed = [
            self._add(f"identity_{k}", "Identity", [switch.output(1)], {"T": dtype})
            for k, (switch, dtype) in enumerate(zip(switches, types, strict=True))
        ]
        call = self._call("body", body, [each.output() for each in fed], types, types, ())
        for k, (merge, enter, dtype) in enumerate(zip(merges, enters, types, strict=True)):
            again = self._add(f"next_{k}", "NextIteration", [call.output(k)], {"T": dtype})
            merge.set_inputs([enter.output(), again.output()])
        exits = [
            self._add(f"exit_{k}", "Exit", [switch.output(0)], {"T": dtype})
            for k, (switch, dtype) in enumerate(zip(switches, types, strict=True))
        ]
        self._replace([each.output() for each in exits], types, lambda: exits[0])

    def _types(self, key: str) -> tuple[DType, ...]:
        found = self._node.attr(key, tuple, ())
        if not all(isinstance(each, DType) for each in found):
            raise Skip(f"its attribute '{key}' does not say the types")
        if key != "Tin" and max((value.port for value in self._node.outputs if value.uses), default=-1) >= len(found):
            raise Skip("more outputs are read than it has")
        return found

    def _body(self, key: str) -> FunctionRef:
        found = self._node.attr(key, FunctionRef)
        if found is None or found.name not in self._graph.library.functions:
            raise Skip(f"its '{key}' is no function of the graph")
        try:
            self._graph.library.functions[found.name].body()
        except GraphError as error:
            raise Skip(str(error)) from None
        return found

    def _add(
        self,
        name: str,
        op: str,
        inputs: Sequence[Value],
        attrs: dict[str, AttrValue],
        controls: Sequence[Node] = (),
    ) -> Node:
        unique = self._graph.unique_name(f"{self._node.name}/{name}")
        return self._graph.add(unique, op, inputs, attrs, controls=controls, device=self._node.device)

    def _call(
        self,
        name: str,
        body: FunctionRef,
        inputs: Sequence[Value],
        types: Sequence[DType],
        results: Sequence[DType],
        controls: Sequence[Node],
    ) -> Node:
        op = "PartitionedCall" if self._node.op.startswith("Stateless") else "StatefulPartitionedCall"
        attrs: dict[str, AttrValue] = {"f": body, "Tin": tuple(types), "Tout": tuple(results)}
        return self._add(name, op, inputs, attrs, controls)

    def _replace(self, values: Sequence[Value], types: Sequence[DType], done: Callable[[], Node]) -> None:
        """Let those who read the node, or wait for it, do so with what it became."""
        node = self._node
        for output in (each for each in node.outputs if each.uses):
            output.replace_all_uses_with(values[output.port])
        if node.control_readers or not values:
            node.replace_control_uses_with([done()])
        if self._stays:
            one = len(values) == 1
            node.become("Identity" if one else "IdentityN", values, {"T": types[0] if one else tuple(types)})
        else:
            self._graph.erase([node])

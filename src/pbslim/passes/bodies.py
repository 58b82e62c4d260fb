"""Run a transform on the bodies of the function library, each as a graph of its own.

The arguments are the inputs, the returned values the outputs. A body in which the transform fails stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pbslim import ops
from pbslim.errors import PbslimError
from pbslim.ir import Body, Graph, Node
from pbslim.ir.order import check, drop_lost_colocations
from pbslim.rewrite import Skipped

if TYPE_CHECKING:
    from pbslim.passes.registry import Context


def in_bodies(graph: Graph, context: Context, run: Callable[[Graph, Context], None]) -> None:
    """Let `run` change each body that can be decoded; `context` learns what was skipped, under ``function/node``."""
    for function in list(graph.library.functions.values()):
        mark = len(graph.journal)
        inner = type(context)()
        try:
            body = function.body()
            inner.inputs, inner.outputs, inner.kept = body.arguments, _outputs(body), _effects(body)
            if inner.outputs or inner.kept:
                run(body.graph, inner)
                check(body.graph)
                drop_lost_colocations(body.graph)
                body.check()
        except PbslimError as error:
            graph.rollback(mark)
            context.skip(function.name, str(error))
            continue
        context.skipped += [Skipped(f"{function.name}/{each.node}", each.reason) for each in inner.skipped]
        for note in inner.notes:
            context.note(note)


def _outputs(body: Body) -> tuple[str, ...]:
    found = dict.fromkeys(body.returns.values())
    return tuple(tensor for tensor in found if body.value(tensor).node.name not in body.arguments)


def _effects(body: Body) -> frozenset[str]:
    """Nodes that run whenever the function is called: those it promises to run, and those with state."""
    stateful = {node.name for node in body.graph if node.name not in body.arguments and _is_stateful(node)}
    return frozenset(stateful.union(body.control_returns.values()))


def _is_stateful(node: Node) -> bool:
    definition = ops.find(node.op)
    return definition is None or definition.is_stateful

"""Inline the bodies of functions where they are called.

Before::  x ─► PartitionedCall(f) ─► y,  f(a) = Relu(a · w)
After::   x ─► MatMul(w) ─► Relu ─► y

Nodes of a body get the name of the call as their scope. A call that is an output of the graph stays as an Identity
(IdentityN when other outputs than the first are asked for).
"""

from __future__ import annotations

from pbslim.ir import FunctionRef, Graph, Node
from pbslim.ir.functions import used_functions
from pbslim.ops.families import CALLS
from pbslim.passes.registry import Context, transform
from pbslim.transforms.control_flow.inlining import inline_calls


@transform(effect="exact", in_functions=True)
def inline_partitionedcall(
    graph: Graph,
    context: Context,
    *,
    stateful: bool = True,
    remove_unused_functions: bool = False,
    max_growth_in_nodes: int | None = None,
) -> None:
    """Inline every call of a function, and the calls in its body, until none is left.

    A call is a PartitionedCall, a StatefulPartitionedCall, or a node whose op is the name of a function. If, While
    and Case keep their functions.

    Args:
        stateful: inline StatefulPartitionedCall too.
        max_growth_in_nodes: how many nodes may be added; 16,384, and 64 for each of the file, if not given.
        remove_unused_functions: drop the functions from the library that nothing refers to any more.

    Raises:
        TransformError: a function calls itself, or there would be too many nodes.
    """
    partitioned = CALLS if stateful else frozenset({"PartitionedCall"})

    def callee(node: Node) -> FunctionRef | None:
        if node.op in partitioned:
            return node.attr("f", FunctionRef)
        return FunctionRef(node.op, node.attrs) if node.op in graph.library.functions else None

    for node in graph:
        if node.op in partitioned and callee(node) is None:
            context.skip(node.name, "it does not say which function it calls")
    inline_calls(graph, context, callee, max_growth_in_nodes)
    if remove_unused_functions and not graph.scope:  # a body does not see who else refers to a function
        graph.drop_functions(graph.library.functions.keys() - used_functions(graph))

"""Repair nodes that do not fit their ops, where they can have only one meaning.

Before::  weights (Const, float) ─► Switch(T=resource) ─► ReadVariableOp ─► y,  while/Switch:1 ─► Const
After::   weights (Const, float) ─► Switch(T=float) ─► Identity ─► y,  while/Switch:1 ─► Identity ─^► Const

Tools that froze graphs, or took training nodes out of them, left such nodes behind; TensorFlow loads none of them.
"""

from __future__ import annotations

from pbslim.analysis.conformity import listed, misfits
from pbslim.ir import Graph
from pbslim.ops.families import CALLS, FUNCTIONAL
from pbslim.passes.registry import Context, transform
from pbslim.transforms.repairs.repairer import Repairer


@transform(effect="exact")
def repair_nodes(graph: Graph, context: Context) -> None:
    """Repair nodes of the graph and of its functions; a note names those that do not fit their ops and stay.

    Variables that became constants: what carries one (Switch, Merge, Enter, calls, While, If ...) has its type,
    ReadVariableOp is an Identity, ResourceGather a GatherV2; an op on references (RefSwitch ...) is the one on tensors.
    More data inputs than an op has are control inputs.
    """
    before = misfits(graph)
    if not before:
        return
    mark = len(graph.journal)
    Repairer(graph).repair()
    after = misfits(graph)
    if any(each.op in CALLS | FUNCTIONAL and each not in before for each in after):
        graph.rollback(mark)  # a function is called with tensors here and with variables there
        after = before
    left = {(each.function, each.node) for each in after}
    repaired = [each for each in before if (each.function, each.node) not in left]
    if repaired:
        context.note(f"repaired {listed(repaired)}")
    if after:
        context.note(f"TensorFlow does not load this graph: {listed(after)}")

"""Compute sums and products with fewer nodes.

Before::  x ─► Mul(s) ─► Add ─► y,  mean ─► Neg ─► Mul(s) ─► Add(beta) ─► Add
After::   x ─► Sub(mean) ─► Mul(s) ─► Add(beta) ─► y

That is how a layer normalization is written. Signs and constants go into other constants, as in a GELU:
``Erfc(Neg(x) · 0.7)`` becomes ``Erfc(x · -0.7)``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pbslim.dtypes import FLOAT, DType
from pbslim.ir import ArrayTensor, Graph, Node, SplatTensor, Tensor, Value
from pbslim.ir.facts import has_ops
from pbslim.ir.order import execution_order
from pbslim.passes.registry import Context, transform
from pbslim.rewrite.inner import is_inner
from pbslim.rewrite.replacing import erase_unread, set_const
from pbslim.transforms.arithmetic.plans import PRODUCTS, SUMS, Constant, Operand, Plan, Planner, Step, steps

_OPERANDS = {"Neg": 1}


@transform(effect="reassociates", in_functions=True)
def simplify_arithmetic(graph: Graph, context: Context) -> None:
    """Rewrite sums (Add, AddV2, Sub, Neg) and products (Mul, Neg, division by a constant) of floats and doubles.

    Constants of a sum or product become one, signs go into constants and subtractions, and products with a common
    factor are added first. That happens only where fewer nodes are left, and to nodes that are read once. Inputs and
    outputs of the graph keep their names, and constants that something else reads stay as they are.
    """
    if not has_ops(graph, SUMS | PRODUCTS):
        return
    simplifier = _Simplifier(graph, context)
    while simplifier.once():
        pass


class _Simplifier:
    def __init__(self, graph: Graph, context: Context) -> None:
        self.graph, self.inputs, self.protected = graph, context.input_nodes, context.protected

    def once(self) -> bool:
        """Walk over the graph, results first; returns whether anything changed."""
        gone: dict[Node, None] = {}
        seen: dict[str, set[Node]] = {"sum": set(), "product": set()}
        unread: list[Node] = []
        for node in reversed(execution_order(self.graph)):
            if node in gone or len(node.inputs) != _OPERANDS.get(node.op, 2):
                continue
            for kind, plan in self._plans(node, seen):
                seen[kind].update(plan.replaced)
                if plan.is_shorter:
                    unread += [producer for each in plan.replaced for producer in each.producers]
                    gone.update(dict.fromkeys(self._apply(plan)))
                    break
        self.graph.erase(gone)
        erase_unread(self.graph, (node for node in unread if node not in gone), self.protected)
        return bool(gone)

    def _plans(self, node: Node, seen: Mapping[str, set[Node]]) -> Iterator[tuple[str, Plan]]:
        """Plans for `node`, unless it was part of a larger one of the same kind."""
        dtype = node.dtype_attr("T")
        if dtype is None or dtype.name not in ("float", "double") or node.name in self.inputs:
            return
        planner = Planner(lambda value: is_inner(value, self.protected), dtype.numpy)
        if node.op in SUMS and node not in seen["sum"]:
            yield "sum", planner.sum(node)
        if node.op in PRODUCTS and node not in seen["product"]:
            yield "product", planner.product(node)

    def _apply(self, plan: Plan) -> list[Node]:
        """Let the nodes do what the plan says; gives those that are not needed any more."""
        assert plan.result is not None  # noqa: S101 - it is shorter
        root, *others = plan.replaced
        nodes = [*others[::-1][: len(list(steps(plan.result))) - 1], root]
        made: dict[Step, Value] = {}
        for step, node in zip(steps(plan.result), nodes, strict=True):
            inputs = [_value(each, made, root) for each in step.operands]
            node.become(step.op, inputs, {"T": root.attrs["T"]}, controls=node.controls, device=node.device)
            made[step] = node.output()
        gone = [node for node in others if node not in nodes]
        for node in gone:
            node.set_inputs(())
        return gone


def _value(operand: Operand, made: Mapping[Step, Value], root: Node) -> Value:
    if isinstance(operand, Step):
        return made[operand]
    if isinstance(operand, Constant):
        if operand.changed:
            set_const(operand.node, _tensor(operand, root.dtype_attr("T", FLOAT) or FLOAT))
        return operand.node.output()
    return operand


def _tensor(operand: Constant, dtype: DType) -> Tensor:
    values = operand.values.astype(dtype.numpy)
    if values.size > 1 and operand.is_uniform:
        return SplatTensor(values.flat[0], dtype, values.shape)
    return ArrayTensor(values, dtype)

"""A graph that runs node by node."""

from __future__ import annotations

from collections.abc import Sequence

from pbslim import ops
from pbslim.dtypes import DType
from pbslim.engines.builtin.plan import find_unsupported, needed_nodes, order_of
from pbslim.engines.protocol import Array, Feeds, Program, as_fed, find_value
from pbslim.errors import PbslimError, UsageError
from pbslim.ir import Graph, Node, Tensor, Value
from pbslim.kernels import KernelError, evaluate
from pbslim.ops.families import PLACEHOLDERS


class BuiltinProgram(Program):
    """A graph; constants are read when they are needed."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def run(self, feeds: Feeds, fetches: Sequence[str]) -> list[Array]:
        """The values of `fetches`; see `Program.run`."""
        known = {find_value(self._graph, name): as_fed(value) for name, value in feeds.items()}
        fetched = [find_value(self._graph, name) for name in fetches]
        needed = needed_nodes(fetched, known)
        if missing := [node.name for node in needed if node.op in PLACEHOLDERS]:
            raise UsageError(f"input '{min(missing)}' is not fed")
        if blocked := [each for each in find_unsupported(self._graph, fetches) if self._graph[each.node] in needed]:
            raise UsageError(f"the builtin engine cannot run {blocked[0]}")
        for node in order_of(self._graph, needed):
            for port, array in enumerate(_results(node, known)):
                known.setdefault(node.output(port), array)
        return [known[value] for value in fetched]


def _results(node: Node, known: dict[Value, Array]) -> list[Array]:
    if node.op == "NoOp":
        return []
    if node.op == "Const":
        return [node.tensor().numpy()]
    attrs = {key: _plain(node.attrs[key]) for key in node.attrs if not key.startswith("_")}
    dtypes: tuple[DType, ...] | None = ops.input_dtypes(node.op, node.attrs)
    try:
        return evaluate(node.op, attrs, [known[value] for value in node.inputs], dtypes)
    except KernelError as error:
        raise PbslimError(f"node '{node.name}': {error}") from None


def _plain(value: object) -> object:
    return value.numpy() if isinstance(value, Tensor) else value

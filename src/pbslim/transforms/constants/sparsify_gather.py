"""Look values up in a hash table that holds only those that are not about zero.

Before::  weights [N, 1] ─► Identity ─► Gather(ids) ─► y
After::   LookupTableFind(HashTable, ids) ─► ExpandDims ─► y        group_deps = NoOp(^InitializeTable)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pbslim.analysis.constants import const_value, integer
from pbslim.dtypes import FLOAT, INT64
from pbslim.errors import DecodeError, TransformError
from pbslim.ir import ArrayTensor, AttrValue, Graph, Node, StringTensor, Value
from pbslim.ir.order import ancestors, reachable
from pbslim.ir.tensors import Array
from pbslim.passes.registry import Context, transform
from pbslim.rewrite import Match, Skip, anything, const, op, rewrite_all
from pbslim.wire.checkpoints import Checkpoint
from pbslim.wire.paths import expanded
from pbslim.wire.slices import read_extents

_ABOUT_ZERO = 1e-5
_READ = op("Identity", op("Const|Variable|VariableV2", name="weights"), name="read")
_PATTERNS = (
    op("Gather", _READ, anything("ids"), name="gather"),
    op("GatherV2", _READ, anything("ids"), const("axis"), name="gather"),
)


@transform(effect="lossy")
def sparsify_gather(
    graph: Graph, context: Context, *, group_init_node: str = "group_deps", input_checkpoint: str = ""
) -> None:
    """Replace each Gather and GatherV2 of float weights [N, 1] read through an Identity; values below 1e-5 become 0.

    Weights that are needed for something else stay as they are. What reads them without leading to an output goes.

    Args:
        group_init_node: the NoOp that waits for the tables to be filled, made if there is none. It must be run once
            before the graph is used.
        input_checkpoint: where weights that are variables have their values: what the names of the checkpoint's files
            begin with. Which value is whose follows from the RestoreV2 of the graph.

    Raises:
        TransformError: `group_init_node` is the name of a node that is not a NoOp.
        DecodeError: the checkpoint cannot be read.
    """
    sparsifier = _Sparsifier(graph, context, expanded(input_checkpoint) if input_checkpoint else None)
    for pattern in _PATTERNS:
        context.merge(rewrite_all(graph, pattern, sparsifier.convert))
    if sparsifier.tables:
        init = graph.get(group_init_node) or graph.add(group_init_node, "NoOp")
        if init.op != "NoOp":
            raise TransformError(f"group_init_node: '{group_init_node}' is a {init.op}, not a NoOp")
        init.set_controls([*init.controls, *(filled for _, filled in sparsifier.tables.values())])
        for weights in sparsifier.tables:
            sparsifier.remove(weights, init)
        for node in graph:
            node.remove_attr("_output_shapes")


class _Sparsifier:
    """Makes the tables, one for each weights tensor, and clears up afterwards.

    Attributes:
        tables: weights → HashTable and InitializeTable.
    """

    def __init__(self, graph: Graph, context: Context, checkpoint: Path | None) -> None:
        self.tables: dict[Node, tuple[Node, Node]] = {}
        self._graph, self._protected, self._path = graph, context.protected, checkpoint
        self._checkpoint: Checkpoint | None = None
        outputs = [node for node in graph if node.name in context.output_nodes]
        self._alive = ancestors(outputs) if outputs else set(graph)

    def convert(self, match: Match) -> Sequence[Node]:
        gather, weights, ids = match["gather"], match["weights"], match["ids"]
        _check(gather)
        self._check_readers(weights)
        made = [] if weights in self.tables else self._table(weights)
        default = self._const(f"{gather.name}/Const", np.array(0, np.float32))
        find = self._add(
            f"{gather.name}/LookupTableFind",
            "LookupTableFind",
            [self.tables[weights][0].output(), gather.inputs[1], default.output()],
            {"Tin": INT64, "Tout": FLOAT},
        )
        find.set_controls(gather.controls)
        last = self._const(f"{gather.name}/ExpandDims/Const", np.array(-1, np.int32))
        gather.become("ExpandDims", [find.output(), last.output()], {"T": FLOAT})
        left = [node for node in match if node not in (gather, ids) and (node.readers or node.name in self._protected)]
        return [ids, *made, find, default, last, gather, *left]

    def remove(self, weights: Node, init: Node) -> None:
        """Remove `weights`, what reads them in vain, and what only they needed."""
        removed = _data_readers(weights)
        while removed:
            waiting = {reader for node in removed for reader in node.control_readers if reader.op == "NoOp"}
            needed = {producer for node in removed for producer in node.producers if producer.op != "RestoreV2"}
            for node in removed:
                node.replace_control_uses_with([])
            self._graph.erase(removed)
            idle = {node for node in needed if not node.readers} | {node for node in waiting if not node.producers}
            removed = {node for node in idle - removed if node is not init and node.name not in self._protected}

    def _check_readers(self, weights: Node) -> None:
        readers = _data_readers(weights, but=lambda node: _is_lookup(node, weights))
        for node in sorted(readers, key=lambda node: node.name):
            assigns = node.op == "Assign" and node.inputs[0].node is weights
            if node in self._alive and not (node is weights or node.op == "Identity" or assigns):
                raise Skip(f"'{node.name}' ({node.op}) needs the values of '{weights.name}' as well")
            if node.name in self._protected:
                raise Skip(f"'{node.name}' is an input or output of the graph")

    def _table(self, weights: Node) -> list[Node]:
        values = self._values(weights)
        if values.dtype != np.float32 or values.ndim != 2 or values.shape[1] != 1:
            raise Skip(f"'{weights.name}' is {values.dtype} {list(values.shape)}, not float [N, 1]")
        flat = values.reshape(-1)
        kept = np.flatnonzero(~(np.abs(flat.astype(np.float64)) < _ABOUT_ZERO))
        found = flat[kept] if kept.size else np.zeros(1, np.float32)
        indices = self._const(f"{weights.name}/indices", (kept if kept.size else np.zeros(1)).astype(np.int64))
        numbers = self._const(f"{weights.name}/values", found)
        table = self._add(f"{weights.name}/HashTable", "HashTable", [], {"key_dtype": INT64, "value_dtype": FLOAT})
        operands = [table.output(), indices.output(), numbers.output()]
        types: dict[str, AttrValue] = {"Tkey": INT64, "Tval": FLOAT}
        filled = self._add(f"{weights.name}/InitializeTable", "InitializeTable", operands, types)
        self.tables[weights] = table, filled
        return [indices, numbers, table, filled]

    def _values(self, weights: Node) -> Array:
        if weights.op == "Const":
            tensor = const_value(weights)
            if tensor.dtype is not FLOAT or len(tensor.shape) != 2 or tensor.shape[1] != 1:
                raise Skip(f"'{weights.name}' is {tensor.dtype} {list(tensor.shape)}, not float [N, 1]")
            return tensor.numpy()
        if self._path is None:
            raise Skip(f"'{weights.name}' is a variable; say with input_checkpoint where its values are")
        if self._checkpoint is None:
            self._checkpoint = Checkpoint(self._path)
        key, part = _restored(weights)
        try:
            return self._checkpoint.tensor(key, read_extents(part)).numpy()
        except DecodeError as problem:
            raise Skip(str(problem)) from None

    def _const(self, name: str, value: Array) -> Node:
        tensor = ArrayTensor(value)
        return self._add(name, "Const", [], {"dtype": tensor.dtype, "value": tensor})

    def _add(self, name: str, op: str, inputs: list[Value], attrs: dict[str, AttrValue]) -> Node:
        return self._graph.add(self._graph.unique_name(name), op, inputs, attrs)


def _data_readers(node: Node, but: Callable[[Node], bool] = lambda _: False) -> set[Node]:
    """`node` and what reads it through data edges, `but` what is said and what comes after."""

    def readers(node: Node) -> list[Node]:
        return [reader for reader in node.data_readers if not but(reader)]

    return reachable([node], readers)


def _is_lookup(node: Node, weights: Node) -> bool:
    """Whether `node` looks something up in `weights` and can be converted."""
    try:
        _check(node)
    except Skip:
        return False
    read, *others = node.inputs
    return read.node.op == "Identity" and read.node.inputs[0].node is weights and read not in others


def _check(gather: Node) -> None:
    if gather.op not in ("Gather", "GatherV2") or len(gather.inputs) != (2 if gather.op == "Gather" else 3):
        raise Skip("it is not a lookup")
    if gather.dtype_attr("Tindices") is not INT64:
        raise Skip(f"its ids are {gather.dtype_attr('Tindices')}, a hash table takes int64")
    if gather.op == "GatherV2":
        axis = gather.inputs[2].node
        if axis.op != "Const" or integer(axis.output()) != 0:
            raise Skip(f"its axis '{axis.name}' is not the constant 0")
        if gather.attr("batch_dims", int):
            raise Skip("it has batch_dims")


def _restored(variable: Node) -> tuple[str, str]:
    """Under which key of the checkpoint the graph looks for the value of `variable`, and for which part of it."""
    for use in variable.output().uses:
        if use.node.op == "Assign" and use.slot == 0 and len(use.node.inputs) == 2:
            value = use.node.inputs[1]
            if value.node.op == "RestoreV2" and len(value.node.inputs) == 3:
                found = []
                for operand in value.node.inputs[1:]:
                    tensor = const_value(operand.node) if operand.node.op == "Const" else None
                    if not isinstance(tensor, StringTensor) or value.port >= tensor.size:
                        raise Skip(f"'{operand.name}', which says how '{variable.name}' is restored, is not a constant")
                    found.append(tensor.numpy().reshape(-1)[value.port].decode(errors="replace"))
                return found[0], found[1]
    raise Skip(f"no RestoreV2 gives '{variable.name}' its value")
